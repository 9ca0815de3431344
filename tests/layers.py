"""A small graph described layer by layer, as an import would describe a network that is no row of BACKBONES."""

from collections.abc import Iterable

from services.bundle.graph import Conv2D, Dense, GlobalPooling, Layer, LayerGraph, Pooling, Rescaling


def layer_graph(filters: Iterable[int], outputs: int) -> LayerGraph:
    """Blocks of a convolution and a pooling, then the mean of each channel, then logits.

    Args:
        filters: of each block; no number twice.
        outputs: number of labels.
    """
    layers: list[Layer] = [
        Rescaling(kind="Rescaling", name="scaled", inputs=("image",), scale=(1 / 127.5,), offset=(-1.0,))
    ]
    for count in filters:
        layers += [
            Conv2D(
                kind="Conv2D",
                name=f"conv{count}",
                inputs=(layers[-1].name,),
                filters=count,
                kernel=(3, 3),
                strides=(1, 1),
                padding="same",
                dilation=(1, 1),
                groups=1,
                bias=False,
                activation="relu",
            ),
            Pooling(
                kind="MaxPooling2D",
                name=f"pool{count}",
                inputs=(f"conv{count}",),
                pool=(2, 2),
                strides=(2, 2),
                padding="valid",
            ),
        ]
    pooled = GlobalPooling(kind="GlobalAveragePooling2D", name="pooled", inputs=(layers[-1].name,), keepdims=False)
    logits = Dense(kind="Dense", name="logits", inputs=("pooled",), units=outputs, bias=True, activation="linear")
    return LayerGraph(layers=(*layers, pooled, logits))

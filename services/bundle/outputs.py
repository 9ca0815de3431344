"""What a served graph gives beside the logits: features that tell foreign images, and saliency."""

import math
from typing import Any

import keras
from keras import layers, ops

from services.bundle.saliency import explainable, explained

_MAP_RANK, _VECTOR_RANK = 4, 2
_TWO = 2
_WIDEST = 4096
_LEVELS = 2
_POOLING = (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)


def served(classifier: Any) -> Any:
    """A classifier with every output that serving asks for; the weights are shared.

    Args:
        classifier: of services.bundle.architectures.build, for images of one size.

    Returns:
        keras.Model: RGB float32 [batch, height, width, 3] in 0..255 -> {"logits": float32 [batch, labels], "features":
        float32 [batch, features]} and, where the head allows it, "saliency" as services.bundle.saliency has it.
    """
    outputs = explained(classifier).output if explainable(classifier) else {"logits": classifier.output}
    return keras.Model(classifier.input, {**outputs, "features": features(classifier)}, name=classifier.name)


def features(classifier: Any) -> Any:
    """What the detector of foreign images looks at, [batch, features]: inner features, then those that the head reads.

    Inner ones are means of feature maps over their places: of each of the two resolutions before the coarsest, the last
    map, what the layer that halves it reads. The head's have learnt to see only what tells the labels apart; inner ones
    see the grain of the picture. A network of one resolution gives what its head reads, one without any map the mean
    colour.
    """
    parts = [_Mean(f"mean_{number}")(tensor) for number, tensor in enumerate(_inner(classifier))]
    read = _read(classifier)
    if read is not None:
        parts.append(layers.Activation("linear", dtype="float32", name="read")(read))
    return layers.Concatenate(dtype="float32", name="novelty")(parts) if len(parts) > 1 else parts[0]


def inner_features(classifier: Any) -> int:
    """How many of `features` are inner ones; they come first."""
    return sum(tensor.shape[-1] for tensor in _inner(classifier))


def _inner(classifier: Any) -> list[Any]:
    image = classifier.input

    def level(tensor: Any) -> int:
        return round(math.log2(image.shape[1] / tensor.shape[1]))

    # Padding changes a side by a pixel or two and adds nothing to see.
    steps = [layer for layer in classifier.layers[1:] if not isinstance(layer, layers.ZeroPadding2D)]
    last = {level(layer.output): layer.output for layer in steps if len(layer.output.shape) == _MAP_RANK}
    # Not the smallest: squeeze-and-excitation works on maps of one place in between.
    pooled = [layer.input for layer in steps if isinstance(layer, _POOLING)]
    coarsest = level(pooled[-1]) if pooled else max(last, default=0)
    return [last[finer] for finer in sorted(last) if finer < coarsest][-_LEVELS:] or [last.get(coarsest, image)]


def _read(classifier: Any) -> Any | None:
    """What the layer that gives the logits reads, [batch, features]; None where that is no vector or very wide."""
    working = [layer for layer in classifier.layers if not isinstance(layer, layers.Dropout)]
    if len(working) < _TWO or not isinstance(working[-1], layers.Dense):
        return None
    read = working[-2].output
    return read if len(read.shape) == _VECTOR_RANK and read.shape[-1] <= _WIDEST else None


class _Mean(layers.Layer):  # type: ignore[misc]
    """Mean of a feature map over its places, in single precision."""

    def __init__(self, name: str) -> None:
        super().__init__(dtype="float32", name=name)

    def call(self, maps: Any) -> Any:
        return ops.mean(ops.cast(maps, "float32"), axis=(1, 2))

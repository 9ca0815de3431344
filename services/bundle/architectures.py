"""The graphs that weights may belong to: an allow-list by name, each normalising its own input, each ending in logits.

The serving process imports neither this module nor Keras.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import applications, layers

from services.bundle.applications import Draw, centred_bgr, drawn, redrawn, signed, standardised
from services.bundle.convnet import convnet
from services.bundle.graph import Architecture, Description, LayerGraph
from services.bundle.layers import build_layers
from services.bundle.lite import efficientnet_lite
from services.errors import ManifestInvalid


@dataclass(frozen=True, slots=True)
class Backbone:
    """One row of BACKBONES.

    Attributes:
        draw: RGB float [batch, h, w, 3] in 0..255 -> feature map [batch, h', w', channels], normalisation included;
            None for the backbone that an architecture's `filters` describe.
        blocks: prefixes of layer names from input to output, what `unfreeze` chooses from. Together they name every
            layer that holds weights.
        pretrained: whether ImageNet weights are published. Where they are not, batch normalisation has to be trained.
        application: the function of keras.applications that the ImageNet weights belong to, or None.
        smallest: height and width of the smallest image in pixels.
    """

    draw: Draw | None
    blocks: tuple[str, ...]
    pretrained: bool = True
    application: Callable[..., Any] | None = None
    smallest: int = 32


def build(
    architecture: Description,
    shape: tuple[int | None, int | None],
    outputs: int,
    *,
    dropout: float = 0.0,
    block_dropout: float = 0.0,
    l2: float = 0.0,
) -> Any:
    """Build the graph of an architecture with fresh weights.

    What only training wants holds no weights, so a graph with it and one without take the same weights file.

    Args:
        architecture: from the manifest; a list of layers takes no open side, and nothing that only training wants.
        shape: height and width in pixels; None leaves a side open.
        outputs: number of labels.
        dropout: share of pooled features dropped in training.
        block_dropout: share of feature maps that each block of the convnet drops in training.
        l2: weight in the loss of the squared kernels of the head and of the convnet's convolutions.

    Returns:
        keras.Model: RGB float32 [batch, height, width, 3] in 0..255 -> float32 logits [batch, outputs]. The last
        feature map is the output of the layer named "features".

    Raises:
        ManifestInvalid: no such backbone, or a side that is too small for it.
    """
    if isinstance(architecture, LayerGraph):
        return build_layers(architecture, shape, outputs)
    backbone = _row(architecture)
    _require_size(architecture, shape)
    image = keras.Input((*shape, 3), name="image")
    if backbone.draw is None:
        x = convnet(image, architecture.filters, dropout=block_dropout, l2=l2)
    else:
        x = backbone.draw(image)
    x = layers.Identity(name="features")(x)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    for units in architecture.hidden:
        x = layers.Dropout(dropout, name="hidden_dropout")(x) if dropout else x
        x = layers.Dense(units, activation="relu", kernel_regularizer=_penalty(l2), name="hidden")(x)
    x = layers.Dropout(dropout, name="logits_dropout")(x) if dropout else x
    logits = layers.Dense(outputs, dtype="float32", kernel_regularizer=_penalty(l2), name="logits")(x)
    return keras.Model(image, logits, name=architecture.backbone)


def head_layers(architecture: Architecture) -> tuple[str, ...]:
    """Names of the layers above the backbone that hold weights."""
    return ("hidden", "logits") if architecture.hidden else ("logits",)


def smallest_side(architecture: Architecture) -> int:
    """Height and width in pixels below which the feature map would be empty, or Keras refuses the backbone.

    Raises:
        ManifestInvalid: no such backbone.
    """
    return max(_row(architecture).smallest, 1 << len(architecture.filters))


def _row(architecture: Architecture) -> Backbone:
    if architecture.backbone not in BACKBONES:
        message = f"the backbone {architecture.backbone} is not one of {', '.join(sorted(BACKBONES))}"
        raise ManifestInvalid(message)
    return BACKBONES[architecture.backbone]


def _require_size(architecture: Architecture, shape: tuple[int | None, int | None]) -> None:
    smallest = smallest_side(architecture)
    if any(side is not None and side < smallest for side in shape):
        message = (
            f"the backbone {architecture.backbone} wants images of at least {smallest} x {smallest} pixels, "
            f"not {shape[0]} x {shape[1]}"
        )
        raise ManifestInvalid(message)


def _penalty(l2: float) -> Any:
    return keras.regularizers.L2(l2) if l2 else None


def _numbered(pattern: str, first: int, last: int) -> tuple[str, ...]:
    return tuple(pattern.format(number) for number in range(first, last + 1))


def _keras(
    application: Callable[..., Any],
    scaling: Draw,
    blocks: tuple[str, ...],
    *,
    by: Callable[[Callable[..., Any], Draw], Draw] = drawn,
    smallest: int = 32,
) -> Backbone:
    return Backbone(by(application, scaling), blocks, application=application, smallest=smallest)


_FIVE_BLOCKS = _numbered("block{}_", 1, 5)
_RESIDUAL_STAGES = _numbered("conv{}_", 1, 5)
_EFFICIENT_BLOCKS = ("stem_", *_numbered("block{}", 1, 7), "top_")

BACKBONES: dict[str, Backbone] = {
    "convnet": Backbone(None, _numbered("block{}_", 1, 6), pretrained=False),
    "vgg16": _keras(applications.VGG16, centred_bgr, _FIVE_BLOCKS),
    "vgg19": _keras(applications.VGG19, centred_bgr, _FIVE_BLOCKS),
    "resnet50": _keras(applications.ResNet50, centred_bgr, _RESIDUAL_STAGES),
    "resnet50_v2": _keras(applications.ResNet50V2, signed, (*_RESIDUAL_STAGES, "post_bn")),
    "inception_resnet_v2": _keras(
        applications.InceptionResNetV2,
        signed,
        (
            "stem_",
            *_numbered("block35_{}_", 1, 10),
            "mixed_6a_",
            *_numbered("block17_{}_", 1, 20),
            "mixed_7a_",
            *_numbered("block8_{}_", 1, 10),
            "conv_7b",
        ),
        smallest=75,
    ),
    "efficientnet_b0": _keras(applications.EfficientNetB0, standardised, _EFFICIENT_BLOCKS, by=redrawn),
    "efficientnet_lite0": Backbone(efficientnet_lite(1.0, 1.0), _EFFICIENT_BLOCKS),
    "efficientnet_lite1": Backbone(efficientnet_lite(1.0, 1.1), _EFFICIENT_BLOCKS),
    "efficientnet_lite2": Backbone(efficientnet_lite(1.1, 1.2), _EFFICIENT_BLOCKS),
    "mobilenet_v2": _keras(
        applications.MobileNetV2,
        signed,
        ("Conv1", "bn_Conv1", "expanded_conv_", *_numbered("block_{}_", 1, 16), "Conv_1"),
        by=redrawn,
    ),
    "mobilenet_v3_small": _keras(
        applications.MobileNetV3Small, signed, ("stem_", *_numbered("expanded_conv_{}_", 0, 10), "conv_1"), by=redrawn
    ),
    "mobilenet_v3_large": _keras(
        applications.MobileNetV3Large, signed, ("stem_", *_numbered("expanded_conv_{}_", 0, 14), "conv_1"), by=redrawn
    ),
    "densenet121": _keras(
        applications.DenseNet121,
        standardised,
        ("conv1_", "conv2_", "pool2_", "conv3_", "pool3_", "conv4_", "pool4_", "conv5_", "bn"),
    ),
}
"""Every backbone that weights may be loaded into, by the name that manifests and recipes use."""

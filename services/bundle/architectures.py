"""The graphs that weights may belong to: an allow-list by name, each normalising its own input, each ending in logits.

This is the one module of the services that imports Keras. The serving process never imports it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from services.bundle.manifest import Architecture


@dataclass(frozen=True, slots=True)
class Backbone:
    """One row of BACKBONES.

    Attributes:
        build: RGB float [batch, h, w, 3] in 0..255 -> feature map [batch, h', w', channels]; normalisation included.
        blocks: prefixes of layer names from input to output, what `unfreeze` chooses from.
        application: the class of keras.applications that has the ImageNet weights, or None.
    """

    build: Callable[[Any], Any]
    blocks: tuple[str, ...]
    application: Callable[..., Any] | None


def build(
    architecture: Architecture, shape: tuple[int | None, int | None], outputs: int, *, dropout: float = 0.0
) -> Any:
    """Build the graph of an architecture with fresh weights.

    Args:
        architecture: from the manifest.
        shape: height and width in pixels; None leaves a side open.
        outputs: number of labels.
        dropout: share of pooled features dropped in training; the layer holds no weights.

    Returns:
        keras.Model: RGB float32 [batch, height, width, 3] in 0..255 -> float32 logits [batch, outputs]. The last
        feature map is the output of the layer named "features".

    Raises:
        KeyError: no such backbone.
    """
    backbone = BACKBONES[architecture.backbone]
    image = keras.Input((*shape, 3), name="image")
    x = layers.Identity(name="features")(backbone.build(image))
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    for units in architecture.hidden:
        x = layers.Dropout(dropout, name="hidden_dropout")(x) if dropout else x
        x = layers.Dense(units, activation="relu", name="hidden")(x)
    x = layers.Dropout(dropout, name="logits_dropout")(x) if dropout else x
    logits = layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name=architecture.backbone)


def head_layers(architecture: Architecture) -> tuple[str, ...]:
    """Names of the layers above the backbone that hold weights."""
    return ("hidden", "logits") if architecture.hidden else ("logits",)


# ---------------------------------------------------------------- EfficientNet-Lite

# Tan & Le 2019 (arXiv:1905.11946) table 1 without squeeze-and-excite and with ReLU6, as google's
# tpu/models/official/efficientnet/lite has it: kernel, repeats, in, out, expansion, stride.
_LITE_BLOCKS = (
    (3, 1, 32, 16, 1, 1),
    (3, 2, 16, 24, 6, 2),
    (5, 2, 24, 40, 6, 2),
    (3, 3, 40, 80, 6, 2),
    (5, 3, 80, 112, 6, 1),
    (5, 4, 112, 192, 6, 2),
    (3, 1, 192, 320, 6, 1),
)
_LITE_STEM, _LITE_TOP = 32, 1280  # Neither is scaled in the Lite family.


def _lite(width: float, depth: float) -> Callable[[Any], Any]:
    def backbone(image: Any) -> Any:
        x = layers.Rescaling(1 / 128, offset=-127 / 128, name="rescaling")(image)
        x = _convolution(x, _LITE_STEM, 3, 2, "stem")
        last = len(_LITE_BLOCKS)
        for number, (kernel, repeats, _, filters, expansion, stride) in enumerate(_LITE_BLOCKS, start=1):
            count = repeats if number in {1, last} else math.ceil(repeats * depth)
            for index in range(count):
                name = f"block{number}{'abcdefgh'[index]}"
                x = _inverted_residual(
                    x, kernel, stride if index == 0 else 1, expansion, _rounded(filters * width), name
                )
        return _convolution(x, _LITE_TOP, 1, 1, "top")

    return backbone


def _inverted_residual(x: Any, kernel: int, stride: int, expansion: int, filters: int, name: str) -> Any:
    channels = x.shape[-1]
    y = x if expansion == 1 else _convolution(x, channels * expansion, 1, 1, f"{name}_expand")
    y = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}_depthwise_conv")(y)
    y = _normalised(y, f"{name}_depthwise", activate=True)
    y = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}_project_conv")(y)
    y = _normalised(y, f"{name}_project", activate=False)
    if stride == 1 and channels == filters:
        y = layers.Add(name=f"{name}_add")([x, y])
    return y


def _convolution(x: Any, filters: int, kernel: int, stride: int, name: str) -> Any:
    x = layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=f"{name}_conv")(x)
    return _normalised(x, name, activate=True)


def _normalised(x: Any, name: str, *, activate: bool) -> Any:
    x = layers.BatchNormalization(epsilon=1e-3, momentum=0.99, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if activate else x


def _rounded(filters: float) -> int:
    """To the nearest multiple of eight, never more than a tenth down."""
    nearest = max(8, int(filters + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * filters else nearest


# ---------------------------------------------------------------- a small network from scratch


def _convnet(image: Any) -> Any:
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(image)
    for number, filters in enumerate((16, 32, 64, 128), start=1):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"block{number}_conv")(x)
        x = layers.BatchNormalization(name=f"block{number}_bn")(x)
        x = layers.ReLU(name=f"block{number}_relu")(x)
        x = layers.MaxPooling2D(name=f"block{number}_pool")(x)
    return x


# ---------------------------------------------------------------- Keras's own


def _application(application: Callable[..., Any], *, tf_scaled: bool) -> Callable[[Any], Any]:
    # `tf_scaled` rows expect -1..1 and leave the scaling to the caller; the others rescale inside.
    def backbone(image: Any) -> Any:
        x = layers.Rescaling(1 / 127.5, offset=-1.0, name="input_scaling")(image) if tf_scaled else image
        return application(include_top=False, weights=None, input_tensor=x).output

    return backbone


def _numbered(pattern: str, first: int, last: int) -> tuple[str, ...]:
    return tuple(pattern.format(number) for number in range(first, last + 1))


BACKBONES: dict[str, Backbone] = {
    "efficientnet_lite0": Backbone(_lite(1.0, 1.0), ("stem_", *_numbered("block{}", 1, 7), "top_"), None),
    "convnet": Backbone(_convnet, _numbered("block{}_", 1, 4), None),
    "efficientnet_b0": Backbone(
        _application(keras.applications.EfficientNetB0, tf_scaled=False),
        ("stem_", *_numbered("block{}", 1, 7), "top_"),
        keras.applications.EfficientNetB0,
    ),
    "mobilenet_v2": Backbone(
        _application(keras.applications.MobileNetV2, tf_scaled=True),
        ("Conv1", "bn_Conv1", "expanded_conv_", *_numbered("block_{}_", 1, 16), "Conv_1"),
        keras.applications.MobileNetV2,
    ),
}
"""Every backbone that weights may be loaded into, by the name that manifests and recipes use."""

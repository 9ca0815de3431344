"""EfficientNet-Lite: EfficientNet without squeeze-and-excite and with ReLU6, so that it stays exact in few bits."""

import math
from collections.abc import Callable
from typing import Any

from keras import layers

# Tan & Le 2019 (arXiv:1905.11946) table 1, as google's tpu/models/official/efficientnet/lite has it:
# kernel, repeats, filters, expansion, stride.
_BLOCKS = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)
_STEM, _TOP = 32, 1280  # Neither is scaled in the Lite family, nor is the depth of the first and the last block.


def efficientnet_lite(width: float, depth: float) -> Callable[[Any], Any]:
    """Describe a member of the family.

    Args:
        width: by which the filters of each block are multiplied, then rounded to a multiple of eight.
        depth: by which the repeats of each block are multiplied, then rounded up.

    Returns:
        RGB float [batch, h, w, 3] in 0..255 -> feature map [batch, h / 32, w / 32, 1280], rounded up.
    """

    def backbone(image: Any) -> Any:
        x = layers.Rescaling(1 / 128, offset=-127 / 128, dtype="float32", name="input_scaling")(image)
        x = _convolution(x, _STEM, 3, 2, "stem")
        for number, (kernel, repeats, filters, expansion, stride) in enumerate(_BLOCKS, start=1):
            count = repeats if number in {1, len(_BLOCKS)} else math.ceil(repeats * depth)
            for index in range(count):
                name = f"block{number}{'abcdefgh'[index]}"
                first = stride if index == 0 else 1
                x = _inverted_residual(x, kernel, first, expansion, _rounded(filters * width), name)
        return _convolution(x, _TOP, 1, 1, "top")

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

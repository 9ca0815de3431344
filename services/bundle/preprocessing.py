"""Pixels to model input: the same code when a model is trained and when it serves."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.bundle.manifest import Preprocessing
from services.imaging import Pixels, stretch

_RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Shrinks by whole factors first, down to this multiple of the target; Pillow calls 3.0 all but indistinguishable
# from one direct resampling, and it is several times faster on a camera's photograph.
_REDUCING_GAP = 3.0


def prepare(pixels: Pixels, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Turn decoded pixels into the model's input.

    Args:
        pixels: as services.imaging.Raster holds them: uint8 RGB or grey, or deep float32 grey.
        preprocessing: from the manifest.

    Returns:
        uint8 [height, width, 3], RGB in 0..255. The graph takes the same values as float32 and normalises them.
    """
    if pixels.dtype != np.uint8:
        pixels = stretch(pixels, *preprocessing.window_percentiles)
    image = Image.fromarray(pixels)
    if preprocessing.colour == "grey":
        image = image.convert("L")
    resized = _resize(image, preprocessing)
    return np.asarray(resized.convert("RGB"))


def _resize(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    target = (preprocessing.width, preprocessing.height)
    method = _RESAMPLING[preprocessing.interpolation]
    if preprocessing.fit == "stretch" or image.size == target:
        return _resample(image, target, method)
    scale = min(target[0] / image.width, target[1] / image.height)
    inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    pad = preprocessing.pad if image.mode == "L" else (preprocessing.pad,) * 3
    canvas = Image.new(image.mode, target, pad)
    canvas.paste(_resample(image, inner, method), ((target[0] - inner[0]) // 2, (target[1] - inner[1]) // 2))
    return canvas


def _resample(image: Image.Image, size: tuple[int, int], method: Image.Resampling) -> Image.Image:
    if image.size == size:
        return image
    return image.resize(size, method, reducing_gap=_REDUCING_GAP)

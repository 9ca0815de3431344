"""Pixels to model input: the same code when a model is trained and when it serves."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.bundle.framing import framed
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

_LEAST_RANGE = 16
"""Grey levels between the percentiles below which a picture is not stretched: it would be a picture of its noise."""


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
        # Before anything looks for borders, which it does in grey.
        image = image.convert("L")
    if preprocessing.borders == "trimmed":
        image = image.crop(framed(image))
    fitted = _fitted(image, preprocessing)
    if preprocessing.levels == "stretched":
        fitted = _stretched(fitted, preprocessing)
    return np.asarray(_padded(fitted, preprocessing).convert("RGB"))


def _fitted(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    """The picture as large as it will be seen, still without padding."""
    width, height = preprocessing.width, preprocessing.height
    if preprocessing.fit == "letterbox" and image.size != (width, height):
        scale = min(width / image.width, height / image.height)
        width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return _resample(image, (width, height), _RESAMPLING[preprocessing.interpolation])


def _stretched(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    """The picture over the whole range of levels; of a coloured one all channels alike."""
    low, high = np.percentile(np.asarray(image.convert("L")), preprocessing.window_percentiles)
    if high - low < _LEAST_RANGE:
        return image
    levels = np.rint(np.clip((np.arange(256) - low) * (255 / (high - low)), 0, 255)).astype(int).tolist()
    return image.point(levels * len(image.getbands()))


def _padded(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    width, height = preprocessing.width, preprocessing.height
    if image.size == (width, height):
        return image
    pad = preprocessing.pad if image.mode == "L" else (preprocessing.pad,) * 3
    canvas = Image.new(image.mode, (width, height), pad)
    canvas.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return canvas


def _resample(image: Image.Image, size: tuple[int, int], method: Image.Resampling) -> Image.Image:
    if image.size == size:
        return image
    return image.resize(size, method, reducing_gap=_REDUCING_GAP)

"""The same picture as other people would send it: other file formats, sizes, framings, exposures and blemishes."""

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFilter, ImageOps

_LONGEST = {"WEBP": 16_383, "JPEG": 65_500}
"""The most pixels along a side that a format holds, as libwebp and libjpeg write it."""

_LONGEST_TRIPLED = 4096
_FRAME = 0.1
_TURN = 10.0
_BLUR = 0.01
_SHIFT = 51  # a fifth of 0..255
_CONTRAST = 0.6
_MIDDLE = 127.5
_NOISE = 10.0


@dataclass(frozen=True, slots=True)
class Variant:
    """One way in which a picture may arrive.

    Attributes:
        name: for programs.
        title: what is done to the picture, for people.
        write: a decoded picture, grey or RGB with 8 bits, to the content of the file that would be sent.
    """

    name: str
    title: str
    write: Callable[[Image.Image], bytes]


# ---------------------------------------------------------------- formats


def _png(picture: Image.Image) -> bytes:
    return _written(picture, "PNG")


def _webp_lossless(picture: Image.Image) -> bytes:
    return _written(picture, "WEBP", lossless=True, quality=0, method=0)


def _tiff(picture: Image.Image) -> bytes:
    return _written(picture, "TIFF")


def _jpeg_30(picture: Image.Image) -> bytes:
    return _written(picture, "JPEG", quality=30)


def _plain(picture: Image.Image) -> bytes:
    # Of the formats without loss, which all give the same pixels, the one that costs least to write and to read.
    return _written(picture, "BMP")


def _written(picture: Image.Image, image_format: str, **options: Any) -> bytes:
    longest = _LONGEST.get(image_format, max(picture.size))
    if max(picture.size) > longest:
        # Nobody can send it so but smaller.
        picture = ImageOps.contain(picture, (longest, longest))
    file = io.BytesIO()
    picture.save(file, image_format, **options)
    return file.getvalue()


# ---------------------------------------------------------------- sizes and framings


def _half_size(picture: Image.Image) -> bytes:
    return _plain(_scaled(picture, 0.5))


def _triple_size(picture: Image.Image) -> bytes:
    return _plain(_scaled(picture, max(1.0, min(3.0, _LONGEST_TRIPLED / max(picture.size)))))


def _scaled(picture: Image.Image, factor: float) -> Image.Image:
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _black_frame(picture: Image.Image) -> bytes:
    across, down = round(picture.width * _FRAME), round(picture.height * _FRAME)
    return _plain(ImageOps.expand(picture, (across, down, across, down), 0))


def _turned_10(picture: Image.Image) -> bytes:
    return _plain(picture.rotate(_TURN, Image.Resampling.BICUBIC))


# ---------------------------------------------------------------- exposures and blemishes


def _blurred(picture: Image.Image) -> bytes:
    return _plain(picture.filter(ImageFilter.GaussianBlur(_BLUR * max(picture.size))))


def _brighter(picture: Image.Image) -> bytes:
    return _toned(picture, 1.0, _SHIFT)


def _darker(picture: Image.Image) -> bytes:
    return _toned(picture, 1.0, -_SHIFT)


def _less_contrast(picture: Image.Image) -> bytes:
    return _toned(picture, _CONTRAST, (1 - _CONTRAST) * _MIDDLE)


def _toned(picture: Image.Image, gain: float, offset: float) -> bytes:
    levels = np.clip(np.rint(np.arange(256) * gain + offset), 0, 255).astype(np.uint8)
    return _plain(picture.point(levels.tolist() * len(picture.getbands())))


def _noisy(picture: Image.Image) -> bytes:
    levels = np.asarray(picture)
    # By the picture itself, so that its noise is the same whichever others are measured with it.
    noise = np.random.default_rng(zlib.crc32(levels.tobytes())).standard_normal(levels.shape, np.float32)
    return _plain(Image.fromarray(np.clip(np.rint(levels + _NOISE * noise), 0, 255).astype(np.uint8)))


VARIANTS = (
    Variant("png", "Saved as PNG", _png),
    Variant("webp_lossless", "Saved as WebP without loss", _webp_lossless),
    Variant("tiff", "Saved as TIFF", _tiff),
    Variant("jpeg_30", "Saved as JPEG of quality 30", _jpeg_30),
    Variant("half_size", "Half the size", _half_size),
    Variant(
        "triple_size",
        f"Three times the size, but no side longer than {_LONGEST_TRIPLED} pixels for it",
        _triple_size,
    ),
    Variant("black_frame", "In a black frame outside the picture, each side of it 10 % of that edge", _black_frame),
    Variant("turned_10", "Turned by 10 degrees on the same canvas, the corners filled with black", _turned_10),
    Variant("blurred", "Blurred by a Gaussian whose sigma is 1 % of the longest side", _blurred),
    Variant("brighter", "Brighter: 20 % of the range added, what exceeds white clipped", _brighter),
    Variant("darker", "Darker: 20 % of the range taken off, what falls below black clipped", _darker),
    Variant("less_contrast", "60 % of the contrast, about the middle of the range", _less_contrast),
    Variant("noisy", "With Gaussian noise whose sigma is 10 of 255 levels in every channel", _noisy),
)
"""Every variant, those without any loss first."""

LOSSLESS = frozenset({"png", "webp_lossless", "tiff"})
"""Names of the variants that change the file and no pixel."""

"""Untrusted bytes to pixels: sniff the type, check the size in the header, decode, turn upright, drop identity.

What leaves this room is an array of pixels and nothing else: no EXIF, no file name, no colour profile.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from services.errors import TooManyFrames, TooManyPixels, UndecodableImage, UnsupportedImage

Pixels = NDArray[Any]

MEDIA_TYPES = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
}
"""Accepted media types and Pillow's name of the one decoder that each may reach."""

# Pillow's decoders let these escape on hostile or torn files; none of them says anything about our own code here,
# because nothing but Pillow runs inside the guarded blocks.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    ZeroDivisionError,
    MemoryError,
    struct.error,
    zlib.error,
)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_BITMAP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
_DEEP_GREY = {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}


@dataclass(frozen=True, slots=True)
class Raster:
    """One decoded image.

    Attributes:
        pixels: uint8 [height, width, 3] RGB, uint8 [height, width] grey, or, for more than 8 bits, float32
            [height, width] grey in the file's own units, which preprocessing must window.
        media_type: the sniffed type.
        width: pixels across as stored, before any shrinking while decoding.
        height: pixels down as stored.
    """

    pixels: Pixels
    media_type: str
    width: int
    height: int

    @property
    def deep(self) -> bool:
        """Whether the pixels hold more than 8 bits and still need a window."""
        return self.pixels.dtype != np.uint8


def sniff(content: bytes) -> str:
    """Name the media type of `content` by its first bytes; what the client calls it does not count.

    Raises:
        UnsupportedImage: none of the accepted types.
    """
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[:4] in {b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"}:
        return "image/tiff"
    # "BM" alone also begins ordinary text; a bitmap has one of a few header lengths at byte 14.
    if content[:2] == b"BM" and int.from_bytes(content[14:18], "little") in _BITMAP_HEADERS:
        return "image/bmp"
    if not content:
        message = "The file is empty."
        raise UnsupportedImage(message)
    message = "This is not a JPEG, PNG, WebP, BMP or TIFF image."
    raise UnsupportedImage(message)


def decode(content: bytes, *, max_pixels: int, shrink_to: int | None = None) -> Raster:
    """Decode one still image, upright, without metadata.

    Args:
        content: the whole file.
        max_pixels: the most pixels that the header may declare.
        shrink_to: edge length in pixels that the caller will resize to; a JPEG is then decoded at the smallest
            eighth that still is at least twice as large on both sides.

    Raises:
        UnsupportedImage: not an accepted type.
        TooManyPixels: the header declares more than `max_pixels`.
        TooManyFrames: an animation or several pages.
        UndecodableImage: broken, truncated, or a pixel format that cannot be read faithfully.
    """
    media_type = sniff(content)
    image = _open(content, media_type)
    with image:
        width, height = image.size
        if width * height > max_pixels:
            raise TooManyPixels(_too_many_pixels(width, height, max_pixels))
        _refuse_frames(image, media_type)
        _refuse_deep_colour(content, image, media_type)
        if shrink_to is not None and image.format == "JPEG":
            image.draft(None, (2 * shrink_to, 2 * shrink_to))
        pixels = _pixels(image)
    return Raster(pixels, media_type, width, height)


def stretch(pixels: Pixels, low_percentile: float, high_percentile: float) -> Pixels:
    """Map the used range of a deep grey image to 8 bits.

    Imagers write 10 to 16 bits into 16-bit files, so a division by 256 can turn the picture black. The two
    percentiles bound the window, so a few hot or dead pixels do not decide it.

    Args:
        pixels: float32 [height, width], finite.
        low_percentile: the percentile that becomes 0.
        high_percentile: the percentile that becomes 255.

    Returns:
        uint8 [height, width]; all zero where the image is constant.
    """
    low, high = np.percentile(pixels, (low_percentile, high_percentile))
    if high <= low:
        low, high = float(pixels.min()), float(pixels.max())
    if high <= low:
        return np.zeros(pixels.shape, np.uint8)
    scaled = (pixels - np.float32(low)) * np.float32(255.0 / (high - low))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def encode_jpeg(pixels: Pixels) -> bytes:
    """A JPEG of uint8 [height, width, 3], without metadata, for a page to show."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _open(content: bytes, media_type: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=(MEDIA_TYPES[media_type],))
    except _BOMB as bomb:
        message = "The image's header declares more pixels than are decoded here."
        raise TooManyPixels(message) from bomb
    except _BROKEN as broken:
        raise UndecodableImage(_undecodable(media_type)) from broken


def _refuse_frames(image: Image.Image, media_type: str) -> None:
    # A phone's JPEG may carry previews in the multi-picture format; its first picture is the photograph.
    if media_type == "image/jpeg":
        return
    try:
        frames = getattr(image, "n_frames", 1)
    except _BROKEN as broken:
        raise UndecodableImage(_undecodable(media_type)) from broken
    if frames > 1:
        message = f"The file holds {frames} frames or pages; send a single image."
        raise TooManyFrames(message)


def _refuse_deep_colour(content: bytes, image: Image.Image, media_type: str) -> None:
    # Pillow keeps only the high byte of each 16-bit colour sample, which turns a 12-bit picture nearly black.
    deep_png = media_type == "image/png" and content[24] == 16 and content[25] in {2, 4, 6}  # noqa: PLR2004
    deep_tiff = media_type == "image/tiff" and image.mode in {"RGB", "RGBA", "CMYK"} and max(_tiff_bits(image)) > 8  # noqa: PLR2004
    if deep_png or deep_tiff:
        message = "Colour with 16 bits per channel is not read; save it with 8 bits per channel, or as 16-bit grey."
        raise UndecodableImage(message)


def _tiff_bits(image: Image.Image) -> tuple[int, ...]:
    bits_per_sample = 258
    tags: Any = getattr(image, "tag_v2", {})
    value = tags.get(bits_per_sample, (8,))
    return value if isinstance(value, tuple) and value else (8,)


def _pixels(image: Image.Image) -> Pixels:
    media_type = Image.MIME.get(image.format or "", "image")
    try:
        image.load()
        upright = ImageOps.exif_transpose(image)
        if upright.mode in _DEEP_GREY:
            return _deep(np.asarray(upright, dtype=np.float32))
        if upright.mode in {"1", "L"}:
            return np.asarray(upright.convert("L"))
        if upright.mode == "LA" or upright.has_transparency_data:
            upright = _on_white(upright.convert("RGBA"))
        return np.asarray(upright.convert("RGB"))
    except _BROKEN as broken:
        raise UndecodableImage(_undecodable(media_type)) from broken


def _deep(pixels: Pixels) -> Pixels:
    if not np.isfinite(pixels).all():
        message = "The image holds values that are not numbers."
        raise UndecodableImage(message)
    return pixels


def _on_white(image: Image.Image) -> Image.Image:
    # Figures and cut-outs are drawn for paper: what shows through transparency is white.
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image)


def _undecodable(media_type: str) -> str:
    name = MEDIA_TYPES.get(media_type, "image").replace("WEBP", "WebP")
    return f"The {name} file is damaged or incomplete and cannot be decoded."


def _too_many_pixels(width: int, height: int, max_pixels: int) -> str:
    return f"The image is {width} x {height} pixels; at most {max_pixels / 1e6:g} million are accepted."

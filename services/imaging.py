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
from PIL import Image, ImageFile, TiffImagePlugin

from services.errors import TooManyFrames, TooManyPixels, UndecodableImage, UnsupportedImage
from services.sprawl import sprawls

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
# because nothing but Pillow runs inside the guarded blocks. A warning is raised only where warnings are errors.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    Warning,
    struct.error,
    zlib.error,
)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_BITMAP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
_DEEP_GREY = {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation to the turn that undoes it."""

_MOST_EXIF_BYTES = 2**20
_NEW_SUBFILE_TYPE, _WIDTH, _LENGTH, _BITS_PER_SAMPLE = 254, 256, 257, 258
_PHOTOMETRIC, _ORIENTATION, _PLANAR = 262, 274, 284
_TILE_WIDTH, _TILE_LENGTH, _SAMPLE_FORMAT = 322, 323, 339


@dataclass(frozen=True, slots=True)
class Raster:
    """One decoded image.

    Attributes:
        pixels: uint8 [height, width, 3] RGB, uint8 [height, width] grey, or, for more than 8 bits, float32
            [height, width] grey in the file's own units, negated where white is stored as zero, which preprocessing
            must window.
        media_type: the sniffed type.
        width: pixels across as the header declares them, before any shrinking while decoding.
        height: pixels down, likewise.
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
        UndecodableImage: broken, truncated, of absurdly many parts, or of a kind that cannot be read faithfully.
    """
    media_type = sniff(content)
    if sprawls(content, media_type):
        message = f"The {_name(media_type)} file is made of too many parts; save it anew in an image editor."
        raise UndecodableImage(message)
    image = _open(content, media_type)
    with image:
        # A TIFF's own sides, because Pillow swaps them already here where the picture lies on its side.
        width, height = _tag(image, _WIDTH, image.width), _tag(image, _LENGTH, image.height)
        if width * height > max_pixels:
            message = f"The image is {width} x {height} pixels; at most {max_pixels / 1e6:g} million are accepted."
            raise TooManyPixels(message)
        _refuse_frames(image, media_type)
        _refuse_tiles(image, width, height, max_pixels)
        _refuse_kind(image, media_type)
        if shrink_to is not None and media_type == "image/jpeg":
            image.draft(None, (2 * shrink_to, 2 * shrink_to))
        pixels = _pixels(image, media_type)
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
    # The percentiles are values of the picture itself: between two extreme ones there may be no float32.
    low, high = np.percentile(pixels, (low_percentile, high_percentile), method="nearest").tolist()
    if high <= low:
        low, high = float(pixels.min()), float(pixels.max())
    if high <= low:
        return np.zeros(pixels.shape, np.uint8)
    scaled = np.subtract(np.clip(pixels, low, high), low, dtype=np.float64)
    scaled *= 255 / (high - low)
    return np.asarray(np.rint(scaled, out=scaled), np.uint8)


def _open(content: bytes, media_type: str) -> ImageFile.ImageFile:
    try:
        return Image.open(io.BytesIO(content), formats=(MEDIA_TYPES[media_type],))
    except _BOMB as bomb:
        message = "The image's header declares more pixels than are decoded here."
        raise TooManyPixels(message) from bomb
    except _BROKEN as broken:
        raise UndecodableImage(_undecodable(media_type)) from broken


def _refuse_frames(image: Image.Image, media_type: str) -> None:
    # A phone's JPEG may carry previews in the multi-picture format; its first picture is the photograph.
    # The frames are not counted: a TIFF may chain a million of them.
    if media_type != "image/jpeg" and getattr(image, "is_animated", False):
        message = "The file holds several frames or pages; send a single image."
        raise TooManyFrames(message)


def _refuse_tiles(image: Image.Image, width: int, height: int, max_pixels: int) -> None:
    # A TIFF is decoded tile by tile, and one tile may be far larger than the picture.
    across, down = _tag(image, _TILE_WIDTH, 1), _tag(image, _TILE_LENGTH, 1)
    if not (isinstance(across, int) and isinstance(down, int) and across > 0 and down > 0):
        raise UndecodableImage(_undecodable("image/tiff"))
    columns, rows = -(-width // across), -(-height // down)
    if columns * across * rows * down > max_pixels:
        message = "The image's header declares tiles of more pixels than are decoded here."
        raise TooManyPixels(message)


def _refuse_kind(image: ImageFile.ImageFile, media_type: str) -> None:
    # Pillow opens all of these without complaint, but reads them wrongly or far too slowly.
    wide_png = media_type == "image/png" and any(";16" in str(tile.args) for tile in image.tile)
    wide_tiff = max(_tag(image, _BITS_PER_SAMPLE, (8,))) > 8  # noqa: PLR2004
    if image.mode not in _DEEP_GREY and (wide_png or wide_tiff):
        # Only the high byte of each sample would be kept, which turns a 12-bit picture nearly black.
        message = "Colour with 16 bits per channel is not read; save it with 8 bits per channel, or as 16-bit grey."
        raise UndecodableImage(message)
    if any(tile.codec_name == "bmp_rle" for tile in image.tile):
        # Unpacked in Python, byte by byte: a file of one kilobyte would keep a core busy for seconds.
        message = "A run-length encoded BMP is not read; save it as PNG."
        raise UndecodableImage(message)
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _tiff_misread(image):
        message = "This kind of TIFF cannot be read faithfully; save it as PNG."
        raise UndecodableImage(message)


def _tiff_misread(image: TiffImagePlugin.TiffImageFile) -> bool:
    compressed = any(tile.codec_name == "libtiff" for tile in image.tile)
    # The bytes of a compressed big-endian file are swapped once too often.
    swapped = compressed and image.tag_v2.prefix == b"MM" and image.mode in {"I", "F"}
    # Signed bytes are read as unsigned ones.
    signed = image.mode not in _DEEP_GREY and set(_tag(image, _SAMPLE_FORMAT, (1,))) != {1}
    # White stored as zero is not turned round when the planes are said to be apart.
    negative = not compressed and _tag(image, _PLANAR, 1) != 1 and _tag(image, _PHOTOMETRIC, 1) == 0
    # The first picture of a camera's raw file is its thumbnail.
    thumbnail = _tag(image, _NEW_SUBFILE_TYPE, 0) == 1
    # A damaged fax decodes to noise, with a line on stderr for each row and no error.
    fax = image.info.get("compression") in {"tiff_ccitt", "group3", "group4"}
    return swapped or signed or negative or thumbnail or fax


def _tag(image: Image.Image, tag: int, default: Any) -> Any:
    try:
        return getattr(image, "tag_v2", {}).get(tag, default)
    except _BROKEN as broken:
        raise UndecodableImage(_undecodable("image/tiff")) from broken


def _pixels(image: ImageFile.ImageFile, media_type: str) -> Pixels:
    try:
        image.load()
        upright = _upright(image)
        if upright.mode in _DEEP_GREY:
            return _deep(upright, image)
        if upright.mode == "La":
            upright = upright.convert("LA")
        if upright.has_transparency_data:
            upright = _on_white(upright)
        mode = "L" if upright.mode in {"1", "L"} else "RGB"
        return np.asarray(upright if upright.mode == mode else upright.convert(mode))
    except _BROKEN as broken:
        raise UndecodableImage(_undecodable(media_type)) from broken


def _upright(image: Image.Image) -> Image.Image:
    for key in ("exif", "Raw profile type exif"):
        if len(image.info.get(key, "")) > _MOST_EXIF_BYTES:
            del image.info[key]
    try:
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except _BROKEN:
        # Torn metadata say nothing against the pixels.
        return image
    return image if turn is None else image.transpose(turn)


def _deep(upright: Image.Image, image: Image.Image) -> Pixels:
    values = np.asarray(upright)
    if values.dtype == np.int32 and _tag(image, _SAMPLE_FORMAT, (1,)) == (1,):
        # Pillow has no unsigned 32-bit mode and lets the upper half wrap.
        values = values.view(np.uint32)
    pixels = values.astype(np.float32)
    if not np.isfinite(pixels).all():
        message = "The image holds values that are not numbers."
        raise UndecodableImage(message)
    # White may be stored as zero, as radiographs often are; Pillow turns only 8 bits round.
    return -pixels if _tag(image, _PHOTOMETRIC, 1) == 0 else pixels


def _on_white(image: Image.Image) -> Image.Image:
    # Figures and cut-outs are drawn for paper: what shows through transparency is white.
    cut_out = image if image.mode == "RGBA" else image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(cut_out, mask=cut_out)
    return white


def _name(media_type: str) -> str:
    return MEDIA_TYPES[media_type].replace("WEBP", "WebP")


def _undecodable(media_type: str) -> str:
    return f"The {_name(media_type)} file is damaged or incomplete and cannot be decoded."

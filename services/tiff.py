"""What is peculiar to TIFF: tags that Pillow passes over, tiles larger than the picture, kinds that Pillow misreads."""

from typing import Any

from PIL import Image, ImageFile, TiffImagePlugin

from services.damage import BROKEN, damaged
from services.errors import TooManyPixels

_FORMAT = "TIFF"

DEEP_GREY = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
"""Pillow's names for grey of more than 8 bits."""

NEW_SUBFILE_TYPE, WIDTH, LENGTH, BITS_PER_SAMPLE = 254, 256, 257, 258
PHOTOMETRIC, ORIENTATION, PLANAR = 262, 274, 284
TILE_WIDTH, TILE_LENGTH, SAMPLE_FORMAT = 322, 323, 339


def tag(image: Image.Image, number: int, default: Any) -> Any:
    """A tag's value; the default where it is missing, or where the image is no TIFF.

    Raises:
        UndecodableImage: the tag is torn.
    """
    try:
        return getattr(image, "tag_v2", {}).get(number, default)
    except BROKEN as broken:
        raise damaged(_FORMAT) from broken


def refuse_tiles(image: Image.Image, width: int, height: int, max_pixels: int) -> None:
    """Refuse tiles that together hold more pixels than a picture may: one may be far larger than the picture.

    Args:
        image: opened, of any format.
        width: pixels across, as stored.
        height: pixels down, as stored.
        max_pixels: the most that may be decoded.

    Raises:
        TooManyPixels: they hold more.
        UndecodableImage: their sides are no whole numbers.
    """
    across, down = tag(image, TILE_WIDTH, 1), tag(image, TILE_LENGTH, 1)
    if not (isinstance(across, int) and isinstance(down, int) and across > 0 and down > 0):
        raise damaged(_FORMAT)
    columns, rows = -(-width // across), -(-height // down)
    if columns * across * rows * down > max_pixels:
        message = "The image's header declares tiles of more pixels than are decoded here."
        raise TooManyPixels(message)


def is_misread(image: ImageFile.ImageFile) -> bool:
    """Whether Pillow opens the image without complaint and reads it wrongly; never so for other formats."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    compressed = any(tile.codec_name == "libtiff" for tile in image.tile)
    # The bytes of a compressed big-endian file are swapped once too often.
    swapped = compressed and image.tag_v2.prefix == b"MM" and image.mode in {"I", "F"}
    # Signed bytes are read as unsigned ones.
    signed = image.mode not in DEEP_GREY and set(tag(image, SAMPLE_FORMAT, (1,))) != {1}
    # White stored as zero is not turned round when the planes are said to be apart.
    negative = not compressed and tag(image, PLANAR, 1) != 1 and tag(image, PHOTOMETRIC, 1) == 0
    # The first picture of a camera's raw file is its thumbnail.
    thumbnail = tag(image, NEW_SUBFILE_TYPE, 0) == 1
    # A damaged fax decodes to noise, with a line on stderr for each row and no error.
    fax = image.info.get("compression") in {"tiff_ccitt", "group3", "group4"}
    return swapped or signed or negative or thumbnail or fax

"""Untrusted bytes to pixels: sniff the type, check the size in the header, decode, turn upright, drop identity.

What leaves this room is an array of pixels and, of a DICOM file, what the standard calls such images: no EXIF, no file
name, no colour profile, no patient.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from services import dicom, tiff
from services.damage import BROKEN, damaged, sprawling
from services.errors import TooManyFrames, TooManyPixels, UndecodableImage, UnsupportedImage
from services.sprawl import sprawls
from services.tiff import DEEP_GREY, is_misread, refuse_tiles

Pixels = NDArray[Any]

DICOM = "application/dicom"
MEDIA_TYPES = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WebP",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    DICOM: "DICOM",
}
"""Accepted media types and their names for people; in capitals they are Pillow's, which reads all of them but DICOM."""

_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_BITMAP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
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
        modality: the standard's term for the kind of image, as CT; None where no DICOM header says it.
        body_part: the standard's term for the part of the body, as CHEST; None likewise.
        notes: sentences on how a DICOM file was read.
    """

    pixels: Pixels
    media_type: str
    width: int
    height: int
    modality: str | None = None
    body_part: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def deep(self) -> bool:
        """Whether the pixels hold more than 8 bits and still need a window."""
        return self.pixels.dtype != np.uint8


def sniff(content: bytes) -> str:
    """Name the media type of `content` by its first bytes; what the client calls it does not count.

    A DICOM file is told by the signature behind its preamble. A bare data set without them could be anything and is
    refused.

    Raises:
        UnsupportedImage: none of the accepted types.
    """
    # First, because some scanners write the head of a TIFF into the preamble.
    if dicom.is_dicom(content):
        return DICOM
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
    message = "This is not a JPEG, PNG, WebP, BMP, TIFF or DICOM image."
    raise UnsupportedImage(message)


def decode(
    content: bytes,
    *,
    max_pixels: int,
    shrink_to: int | None = None,
    frame: int | None = None,
    window: tuple[float, float] | None = None,
) -> Raster:
    """Decode one still image, upright, without metadata.

    Args:
        content: the whole file.
        max_pixels: the most pixels that the header may declare.
        shrink_to: edge length in pixels that the caller will resize to; a JPEG is then decoded at the smallest
            eighth that still is at least twice as large on both sides.
        frame: which frame of a DICOM file with several, counted from 1.
        window: centre and width in the modality's units, in place of the one that a DICOM file asks for; without
            effect on other files and on colour.

    Raises:
        UnsupportedImage: not an accepted type.
        TooManyPixels: the header declares more than `max_pixels`.
        TooManyFrames: an animation, several pages, or several frames of which none was chosen.
        MalformedRequest: the chosen frame is not there.
        UndecodableImage: broken, truncated, of absurdly many parts, or of a kind that cannot be read faithfully.
    """
    media_type = sniff(content)
    if media_type == DICOM:
        return _of_dicom(dicom.read(content, max_pixels=max_pixels, frame=frame, window=window))
    if sprawls(content, media_type):
        raise sprawling(MEDIA_TYPES[media_type])
    image = _open(content, media_type)
    with image:
        # A TIFF's own sides, because Pillow swaps them already here where the picture lies on its side.
        width, height = tiff.tag(image, tiff.WIDTH, image.width), tiff.tag(image, tiff.LENGTH, image.height)
        if width * height > max_pixels:
            message = f"The image is {width} x {height} pixels; at most {max_pixels / 1e6:g} million are accepted."
            raise TooManyPixels(message)
        _refuse_frames(image, media_type)
        refuse_tiles(image, width, height, max_pixels)
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


def _of_dicom(picture: dicom.Dicom) -> Raster:
    height, width = picture.pixels.shape[:2]
    return Raster(picture.pixels, DICOM, width, height, picture.modality, picture.body_part, picture.notes)


def _open(content: bytes, media_type: str) -> ImageFile.ImageFile:
    try:
        return Image.open(io.BytesIO(content), formats=(MEDIA_TYPES[media_type].upper(),))
    except _BOMB as bomb:
        message = "The image's header declares more pixels than are decoded here."
        raise TooManyPixels(message) from bomb
    except BROKEN as broken:
        raise damaged(MEDIA_TYPES[media_type]) from broken


def _refuse_frames(image: Image.Image, media_type: str) -> None:
    # A phone's JPEG may carry previews in the multi-picture format; its first picture is the photograph.
    # The frames are not counted: a TIFF may chain a million of them.
    if media_type != "image/jpeg" and getattr(image, "is_animated", False):
        message = "The file holds several frames or pages; send a single image."
        raise TooManyFrames(message)


def _refuse_kind(image: ImageFile.ImageFile, media_type: str) -> None:
    # Pillow opens all of these without complaint, but reads them wrongly or far too slowly.
    wide_png = media_type == "image/png" and any(";16" in str(tile.args) for tile in image.tile)
    wide_tiff = max(tiff.tag(image, tiff.BITS_PER_SAMPLE, (8,))) > 8  # noqa: PLR2004
    if image.mode not in DEEP_GREY and (wide_png or wide_tiff):
        # Only the high byte of each sample would be kept, which turns a 12-bit picture nearly black.
        message = "Colour with 16 bits per channel is not read; save it with 8 bits per channel, or as 16-bit grey."
        raise UndecodableImage(message)
    if any(tile.codec_name == "bmp_rle" for tile in image.tile):
        # Unpacked in Python, byte by byte: a file of one kilobyte would keep a core busy for seconds.
        message = "A run-length encoded BMP is not read; save it as PNG."
        raise UndecodableImage(message)
    if is_misread(image):
        message = "This kind of TIFF cannot be read faithfully; save it as PNG."
        raise UndecodableImage(message)


def _pixels(image: ImageFile.ImageFile, media_type: str) -> Pixels:
    try:
        image.load()
        upright = _upright(image)
        if upright.mode in DEEP_GREY:
            return _deep(upright, image)
        if upright.mode == "La":
            upright = upright.convert("LA")
        if upright.has_transparency_data:
            upright = _on_white(upright)
        mode = "L" if upright.mode in {"1", "L"} else "RGB"
        return np.asarray(upright if upright.mode == mode else upright.convert(mode))
    except BROKEN as broken:
        raise damaged(MEDIA_TYPES[media_type]) from broken


def _upright(image: Image.Image) -> Image.Image:
    for key in ("exif", "Raw profile type exif"):
        if len(image.info.get(key, "")) > _MOST_EXIF_BYTES:
            del image.info[key]
    try:
        turn = _UPRIGHT.get(image.getexif().get(tiff.ORIENTATION, 1))
    except BROKEN:
        # Torn metadata say nothing against the pixels.
        return image
    return image if turn is None else image.transpose(turn)


def _deep(upright: Image.Image, image: Image.Image) -> Pixels:
    values = np.asarray(upright)
    if values.dtype == np.int32 and tiff.tag(image, tiff.SAMPLE_FORMAT, (1,)) == (1,):
        # Pillow has no unsigned 32-bit mode and lets the upper half wrap.
        values = values.view(np.uint32)
    pixels = values.astype(np.float32)
    if not np.isfinite(pixels).all():
        message = "The image holds values that are not numbers."
        raise UndecodableImage(message)
    # White may be stored as zero, as radiographs often are; Pillow turns only 8 bits round.
    return -pixels if tiff.tag(image, tiff.PHOTOMETRIC, 1) == 0 else pixels


def _on_white(image: Image.Image) -> Image.Image:
    # Figures and cut-outs are drawn for paper: what shows through transparency is white.
    cut_out = image if image.mode == "RGBA" else image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(cut_out, mask=cut_out)
    return white

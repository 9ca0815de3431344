"""DICOM files: the elements that a picture needs, one frame's pixels, and the window that the file asks for."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from services.dicom.elements import PREAMBLE, SIGNATURE, take_over
from services.dicom.terms import body_part_of, modality_of
from services.errors import MalformedRequest

_WIDEST_PIXEL = 3
"""Bytes: three colours of 8 bits; grey takes one or two."""


@dataclass(frozen=True, slots=True)
class Dicom:
    """One frame of a DICOM file.

    Attributes:
        pixels: uint8 [rows, columns] grey in the window that was applied, or as stored where 8 bits need none; float32
            [rows, columns] grey in the modality's units, as Hounsfield's, where the file asks for no window; uint8
            [rows, columns, 3] RGB. Black is low everywhere: floats are negated where the file stores white as zero.
        modality: the standard's term for the kind of image, as CT; None where the file has none.
        body_part: the standard's term for the part of the body, as CHEST; None where the file has none.
        notes: sentences on which frame was read and which window was applied.
    """

    pixels: NDArray[Any]
    modality: str | None
    body_part: str | None
    notes: tuple[str, ...]


def is_dicom(content: bytes) -> bool:
    """Whether a file bears DICOM's signature behind its preamble; a bare data set without them is not recognised."""
    return content.startswith(SIGNATURE, PREAMBLE)


def read(
    content: bytes, *, max_pixels: int, frame: int | None = None, window: tuple[float, float] | None = None
) -> Dicom:
    """Read one frame of a DICOM file.

    In the standard's order (PS3.3 C.11, PS3.4 N.2): modality table or rescaling, VOI table or window, and last the
    inversion of MONOCHROME1.

    Args:
        content: the whole file.
        max_pixels: the most pixels that a frame may have.
        frame: which one of several, counted from 1.
        window: centre and width in the modality's units, in place of what the file asks for.

    Raises:
        TooManyPixels: a frame has more than `max_pixels`.
        TooManyFrames: the file holds several frames and none was chosen.
        MalformedRequest: there is no such frame.
        UndecodableImage: torn, without a picture, or of a kind that is not read.
    """
    if frame is not None and frame < 1:
        message = "Frames are counted from 1."
        raise MalformedRequest(message)
    elements = take_over(content, frame=(frame or 1) - 1, max_bytes=max_pixels * _WIDEST_PIXEL)
    # pydicom takes most of a second to import, and most images are no DICOM files.
    from services.dicom.frames import stored_pixels  # noqa: PLC0415
    from services.dicom.header import read_header  # noqa: PLC0415
    from services.dicom.shades import coloured, shown  # noqa: PLC0415

    header = read_header(elements)
    header.require_readable(elements, frame=frame, max_pixels=max_pixels)
    pixels = stored_pixels(header, elements, (frame or 1) - 1)
    notes = [f"Frame {frame or 1} of {header.frames} was read."] if header.frames > 1 else []
    if header.palette is not None:
        pixels = coloured(header.palette, pixels)
    elif not header.coloured:
        pixels, applied = shown(header, pixels, window)
        notes += [applied] if applied else []
    return Dicom(pixels, modality_of(header.modality, header.sop_class), body_part_of(header.body_part), tuple(notes))

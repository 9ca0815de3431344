"""One frame's stored values, decoded by pydicom and the one plug-in that may."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import encapsulate, get_frame

from services.damage import BROKEN, damaged
from services.dicom.codestream import declared
from services.dicom.elements import Elements
from services.dicom.header import Header
from services.dicom.library import decoder
from services.dicom.syntaxes import FORMAT
from services.errors import UndecodableImage


def stored_pixels(header: Header, elements: Elements, index: int) -> NDArray[Any]:
    """Decode one frame.

    Args:
        header: found readable.
        elements: of the same file.
        index: of the frame, from zero.

    Returns:
        Whole numbers of 8 or 16 bits, signed or not, [rows, columns], or uint8 [rows, columns, 3] RGB.

    Raises:
        UndecodableImage: torn, or of other sides than the header says.
    """
    frames = header.frames
    if elements.fragments is None:
        length = frames * header.frame_bytes
        pixels = elements.pixels[: length + length % 2]
    else:
        frame = _frame(header, elements, index)
        _require_declared(header, elements, frame)
        # One frame by itself, so that what is decoded is what was looked at.
        pixels, frames, index = memoryview(encapsulate([frame], has_bot=False)), 1, 0
    options: dict[str, Any] = {
        "rows": header.rows,
        "columns": header.columns,
        "number_of_frames": frames,
        "samples_per_pixel": header.samples,
        "photometric_interpretation": header.photometric,
        "planar_configuration": header.planar,
        "bits_allocated": header.bits_allocated,
        "bits_stored": header.bits_stored,
        "pixel_representation": int(header.signed),
        "pixel_keyword": "PixelData",
        "pixel_vr": elements.pixels_type or "OW",
    }
    try:
        plugin = elements.syntax.plugin or ""
        decoded, _ = decoder(elements.uid).as_array(bytes(pixels), index=index, decoding_plugin=plugin, **options)
        return np.ascontiguousarray(decoded, decoded.dtype.newbyteorder("="))
    except BROKEN as broken:
        raise damaged(FORMAT) from broken


def _frame(header: Header, elements: Elements, index: int) -> bytes:
    try:
        return get_frame(bytes(elements.pixels), index, number_of_frames=header.frames, extended_offsets=header.offsets)
    except BROKEN as broken:
        raise damaged(FORMAT) from broken


def _require_declared(header: Header, elements: Elements, frame: bytes) -> None:
    head = declared(frame, elements.syntax)
    if head is None:
        return
    if (head.width, head.height, head.samples) != (header.columns, header.rows, header.samples):
        message = "The compressed picture in the DICOM file is not of the size that the file's header says."
        raise UndecodableImage(message)
    if head.bits > header.bits_allocated:
        raise damaged(FORMAT)

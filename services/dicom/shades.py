"""From stored values to shades: modality table or rescaling, VOI table or window, inversion; and palettes to colours.

A sample has at most 65 536 values, so the steps are taken on those, and the pixels are looked up in what comes out.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_windowing

from services.dicom.header import Header, Table
from services.errors import UndecodableImage

_WHITE = 255
_MOST_UNITS = 1e30
"""Beyond it lies what 32 bits cannot hold; no unit of any modality comes near."""
_STRIPE = 256
"""Rows that are looked up at once."""
_FULL_SCALE = 2**16 - 1
"""White as pydicom's windows give it for 16 bits, before it is brought to 8."""


def shown(
    header: Header, pixels: NDArray[Any], window: tuple[float, float] | None
) -> tuple[NDArray[np.uint8] | NDArray[np.float32], str | None]:
    """Show the stored values of a grey frame as the file asks for, or in a given window.

    Args:
        header: of the frame.
        pixels: stored values, whole numbers of 8 or 16 bits [rows, columns].
        window: centre and width in the modality's units, in place of the file's.

    Returns:
        uint8 [rows, columns] and a sentence on what was applied; uint8 as stored where 8 bits need no window; or
        float32 [rows, columns] in the modality's units, for preprocessing to find a window.

    Raises:
        UndecodableImage: values that are not numbers.
    """
    values = _values(pixels)
    units = _in_units(header, values)
    windowed, applied = _windowed(header, units, window)
    inverted = header.photometric == "MONOCHROME1"
    if windowed is None and _is_plain(header, pixels, units):
        windowed = values.astype(np.uint8)
    if windowed is not None:
        return _looked_up(_WHITE - windowed if inverted else windowed, pixels), applied
    deep = _looked_up((-units if inverted else units).astype(np.float32), pixels)
    return _without_padding(header, pixels, deep), None


def coloured(palette: tuple[Table, Table, Table], pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Look the colours of an indexed frame up.

    Args:
        palette: tables of red, green and blue.
        pixels: whole numbers [rows, columns].

    Returns:
        uint8 [rows, columns, 3], RGB.
    """
    deepest = max(int(table.entries.max()) for table in palette)
    # Some writers declare 16 bits and fill 8.
    white = _FULL_SCALE if palette[0].bits > 8 and deepest > _WHITE else _WHITE  # noqa: PLR2004
    shares = np.stack([table[_values(pixels)] / white for table in palette], axis=-1)
    return _looked_up(_to_8_bits(shares), pixels)


def _values(pixels: NDArray[Any]) -> NDArray[np.int32]:
    """Every value that a sample of these may have, in the order of its bits read as an unsigned number."""
    unsigned = np.dtype(f"u{pixels.dtype.itemsize}")
    return np.arange(np.iinfo(unsigned).max + 1).astype(unsigned).view(pixels.dtype).astype(np.int32)


def _looked_up(table: NDArray[Any], pixels: NDArray[Any]) -> NDArray[Any]:
    places = pixels.view(f"u{pixels.dtype.itemsize}")
    out = np.empty(pixels.shape + table.shape[1:], table.dtype)
    # By stripes, because each place becomes 64 bits long on the way.
    for top in range(0, len(pixels), _STRIPE):
        out[top : top + _STRIPE] = table[places[top : top + _STRIPE]]
    return out


def _in_units(header: Header, values: NDArray[np.int32]) -> NDArray[np.float64]:
    if header.modality_table is not None:
        return header.modality_table[values].astype(np.float64)
    slope, intercept = header.rescaling or (1.0, 0.0)
    units = values.astype(np.float64)
    if abs(slope) < _MOST_UNITS and abs(intercept) < _MOST_UNITS:
        return units * slope + intercept
    message = "The image holds values that are not numbers."
    raise UndecodableImage(message)


def _is_plain(header: Header, pixels: NDArray[Any], units: NDArray[np.float64]) -> bool:
    full = pixels.dtype == np.uint8 and header.bits_stored == 8  # noqa: PLR2004 - every shade is in use
    return bool(full and np.array_equal(units, np.arange(len(units))))


def _windowed(
    header: Header, units: NDArray[np.float64], window: tuple[float, float] | None
) -> tuple[NDArray[np.uint8] | None, str | None]:
    if window is not None:
        return _in_window(units, window, "LINEAR"), f"The window with {_words(window)} was applied."
    if header.voi_table is not None:
        white = 2**header.voi_table.bits - 1
        looked_up = header.voi_table[np.rint(np.clip(units, -(2.0**31), 2.0**31))]
        return _to_8_bits(looked_up / white), "The VOI table of the DICOM file was applied."
    if header.windows and _is_usable(header.windows[0], header.function):
        count = len(header.windows)
        which = "The window" if count == 1 else f"The first of {count} windows"
        told = f"{which} of the DICOM file was applied: {_words(header.windows[0])}."
        return _in_window(units, header.windows[0], header.function), told
    return None, None


def _is_usable(window: tuple[float, float], function: str) -> bool:
    centre, width = window
    narrowest = {"LINEAR": 1.0, "LINEAR_EXACT": math.ulp(0.0), "SIGMOID": math.ulp(0.0)}.get(function, math.inf)
    return math.isfinite(centre) and math.isfinite(width) and width >= narrowest


def _in_window(units: NDArray[np.float64], window: tuple[float, float], function: str) -> NDArray[np.uint8]:
    asked = Dataset()
    asked.PhotometricInterpretation, asked.BitsStored, asked.PixelRepresentation = "MONOCHROME2", 16, 0
    # As numbers, not as texts of the file; pydicom's own range of 16 bits is that of white and black alone.
    asked.WindowCenter, asked.WindowWidth, asked.VOILUTFunction = *window, function
    with np.errstate(over="ignore"):
        return _to_8_bits(apply_windowing(units, asked) / _FULL_SCALE)


def _to_8_bits(shares: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.asarray(np.rint(shares.clip(0, 1) * _WHITE), np.uint8)


def _without_padding(header: Header, pixels: NDArray[Any], deep: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring what fills the edges into the range of what was imaged, which a window is then found for."""
    if header.padding is None:
        return deep
    kinds = np.iinfo(pixels.dtype)
    # A negative value may be written as the unsigned one of the same bits, and the other way round.
    low, high = sorted((edge - kinds.min) % (kinds.max - kinds.min + 1) + kinds.min for edge in header.padding)
    imaged = deep[(pixels < low) | (pixels > high)]
    return deep.clip(imaged.min(), imaged.max()) if imaged.size else deep


def _words(window: tuple[float, float]) -> str:
    return f"centre {window[0]:g}, width {window[1]:g}"

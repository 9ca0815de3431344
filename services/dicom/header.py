"""What the header of a DICOM file says of its pixels, as plain values, and whether such pixels are read."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataelem import RawDataElement

from services.damage import BROKEN, damaged
from services.dicom.elements import Elements
from services.dicom.library import parse
from services.dicom.syntaxes import FORMAT
from services.errors import MalformedRequest, TooManyFrames, TooManyPixels, UndecodableImage

_GREY = {"MONOCHROME1", "MONOCHROME2"}
_COLOURED = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}
_PALETTE = "PALETTE COLOR"
_DEEP = 16
_LONGEST_VALUE = 1024
"""Bytes of an element that is not a table; a longer one would be taken apart number by number."""


@dataclass(frozen=True, slots=True)
class Table:
    """A look-up table: the value `first` and all below are shown as the first entry, all above the last as the last.

    Attributes:
        entries: uint16 [entries].
        first: the first value that has an entry of its own.
        bits: how many of an entry's bits count.
    """

    entries: NDArray[np.uint16]
    first: int
    bits: int

    def __getitem__(self, values: NDArray[Any]) -> NDArray[np.uint16]:
        places = np.clip(np.asarray(values, np.int64) - self.first, 0, len(self.entries) - 1)
        return np.asarray(self.entries[places], np.uint16)


@dataclass(frozen=True, slots=True)
class Header:
    """The header of one frame.

    Attributes:
        high_bit: the place of a sample's highest bit; None where the file does not say.
        padding: the stored values that fill what was not imaged, from the lowest to the highest.
        rescaling: slope and intercept from stored values to the modality's units.
        windows: centre and width of each, in the modality's units.
        function: the shape of the windows.
        palette: for indexed colour, the tables of red, green and blue.
    """

    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int | None
    signed: bool
    planar: int
    padding: tuple[int, int] | None
    modality_table: Table | None
    rescaling: tuple[float, float] | None
    voi_table: Table | None
    windows: tuple[tuple[float, float], ...]
    function: str
    palette: tuple[Table, Table, Table] | None
    offsets: tuple[bytes, bytes] | None
    modality: str
    body_part: str
    sop_class: str

    @property
    def coloured(self) -> bool:
        """Whether a pixel has three samples."""
        return self.samples > 1

    @property
    def frame_bytes(self) -> int:
        """Length of one frame that is not compressed."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples  # two pixels share their colours
        return self.rows * self.columns * samples * self.bits_allocated // 8

    def require_readable(self, elements: Elements, *, frame: int | None, max_pixels: int) -> None:
        """Refuse what is not read, before any pixel is touched.

        Args:
            elements: of the same file.
            frame: the chosen frame, counted from 1.
            max_pixels: the most pixels that a frame may have.

        Raises:
            TooManyPixels, TooManyFrames, MalformedRequest, UndecodableImage: as services.dicom.read.
        """
        if self.rows < 1 or self.columns < 1 or self.frames < 1:
            raise damaged(FORMAT)
        if self.rows * self.columns > max_pixels:
            sides = f"{self.columns} x {self.rows}"
            message = f"The image is {sides} pixels; at most {max_pixels / 1e6:g} million are accepted."
            raise TooManyPixels(message)
        if self.frames > 1 and frame is None:
            message = (
                f"The file holds {self.frames} frames; send a single image, or choose one by the parameter frame, "
                f"from 1 to {self.frames}."
            )
            raise TooManyFrames(message)
        if (frame or 1) > self.frames:
            message = f"There is no frame {frame}; the file holds {self.frames}."
            raise MalformedRequest(message)
        self._require_known_kind(compressed=elements.fragments is not None)
        if (elements.syntax.plugin is None) != (elements.fragments is None):
            raise damaged(FORMAT)
        # As many frames as declared must be there: nothing may be counted on that the file only claims to hold.
        there = len(elements.pixels) // self.frame_bytes if elements.fragments is None else elements.fragments
        if there < self.frames:
            raise damaged(FORMAT)

    def _require_known_kind(self, *, compressed: bool) -> None:
        kinds = _COLOURED if self.samples == 3 else {*_GREY, _PALETTE} if self.samples == 1 else set()  # noqa: PLR2004 - red, green and blue
        if self.photometric not in kinds or (self.photometric == _PALETTE) != (self.palette is not None):
            message = "The DICOM file stores its colours in a way that is not read; save it as PNG."
            raise UndecodableImage(message)
        if self.coloured and self.bits_allocated == _DEEP:
            message = "Colour with 16 bits per channel is not read; save it with 8 bits per channel, or as 16-bit grey."
            raise UndecodableImage(message)
        if self.bits_allocated not in {8, _DEEP} or not 1 <= self.bits_stored <= self.bits_allocated:
            message = f"DICOM pictures with {self.bits_allocated} bits per sample are not read, only with 8 to 16."
            raise UndecodableImage(message)
        if not compressed and self.high_bit not in {None, self.bits_stored - 1}:
            message = "The DICOM file stores its bits at unusual places, which is not read; save it as PNG."
            raise UndecodableImage(message)


def read_header(elements: Elements) -> Header:
    """Take the header's values out of the elements of a file.

    Raises:
        UndecodableImage: a value that is needed is missing, or is none of its kind.
    """
    try:
        dataset = parse(elements.header)
        _raise_groups(dataset)
        return _header(dataset, big_endian=elements.syntax.big_endian)
    except BROKEN as broken:
        raise damaged(FORMAT) from broken


def _header(dataset: Dataset, *, big_endian: bool) -> Header:
    photometric = _text(dataset, "PhotometricInterpretation")
    slope, intercept = _numbers(dataset, "RescaleSlope"), _numbers(dataset, "RescaleIntercept")
    windows = zip(_numbers(dataset, "WindowCenter"), _numbers(dataset, "WindowWidth"), strict=False)
    padding = _numbers(dataset, "PixelPaddingValue") + _numbers(dataset, "PixelPaddingRangeLimit")
    has_palette = photometric == _PALETTE and "RedPaletteColorLookupTableData" in dataset
    offsets = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
    return Header(
        rows=_whole(dataset, "Rows"),
        columns=_whole(dataset, "Columns"),
        frames=_whole(dataset, "NumberOfFrames", 1) or 1,
        samples=_whole(dataset, "SamplesPerPixel", 1),
        photometric=photometric,
        bits_allocated=_whole(dataset, "BitsAllocated"),
        bits_stored=_whole(dataset, "BitsStored"),
        high_bit=_whole(dataset, "HighBit") if "HighBit" in dataset else None,
        signed=_whole(dataset, "PixelRepresentation", 0) == 1,
        planar=_whole(dataset, "PlanarConfiguration", 0),
        padding=(int(min(padding)), int(max(padding))) if padding else None,
        modality_table=_table_in(dataset, "ModalityLUTSequence", big_endian=big_endian),
        rescaling=(slope[0], intercept[0]) if slope and intercept else None,
        voi_table=_table_in(dataset, "VOILUTSequence", big_endian=big_endian),
        windows=tuple(windows),
        function=_text(dataset, "VOILUTFunction") or "LINEAR",
        palette=_palette(dataset, big_endian=big_endian) if has_palette else None,
        offsets=offsets if all(offsets) else None,
        modality=_text(dataset, "Modality"),
        body_part=_text(dataset, "BodyPartExamined"),
        sop_class=_text(dataset, "SOPClassUID"),
    )


def _raise_groups(dataset: Dataset) -> None:
    """Bring up what an enhanced file says per frame; its one item left is the frame's own (PS3.3 C.7.6.16)."""
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in (dataset.get(groups) or [])[:1]:
            for macro in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
                for item in (group.get(macro) or [])[:1]:
                    dataset.update(item)


def _values(dataset: Dataset, keyword: str) -> list[Any]:
    if keyword not in dataset:
        return []
    raw = dataset.get_item(keyword)
    if isinstance(raw, RawDataElement) and raw.value is not None and len(raw.value) > _LONGEST_VALUE:
        raise ValueError
    value = dataset[keyword].value
    return [] if value is None else list(value) if dataset[keyword].VM > 1 else [value]


def _numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    return tuple(float(value) for value in _values(dataset, keyword) if value != "")


def _whole(dataset: Dataset, keyword: str, default: int | None = None) -> int:
    values = _values(dataset, keyword)
    if not values and default is not None:
        return default
    (value,) = values
    return int(value)


def _text(dataset: Dataset, keyword: str) -> str:
    return "".join(str(value) for value in _values(dataset, keyword)[:1]).strip("\0 ")


def _table_in(dataset: Dataset, sequence: str, *, big_endian: bool) -> Table | None:
    items = dataset.get(sequence)
    if not items:
        return None
    return _table(items[0].LUTDescriptor, items[0].LUTData, big_endian=big_endian)


def _palette(dataset: Dataset, *, big_endian: bool) -> tuple[Table, Table, Table]:
    def table(colour: str) -> Table:
        name = f"{colour}PaletteColorLookupTable"
        return _table(dataset[f"{name}Descriptor"].value, dataset[f"{name}Data"].value, big_endian=big_endian)

    return table("Red"), table("Green"), table("Blue")


def _table(descriptor: Any, stored: Any, *, big_endian: bool) -> Table:
    """A table as PS3.3 C.11.1.1 and C.7.6.3.1.5 describe it: how many entries, the first value, bits of an entry."""
    count, first, bits = (int(number) for number in descriptor)
    count = count % 2**_DEEP or 2**_DEEP
    if isinstance(stored, bytes):
        # Entries of 8 bits may be packed; an even length may be made by a filling byte.
        packed = len(stored) < 2 * count
        entries = np.frombuffer(stored, np.uint8 if packed else np.dtype(">u2" if big_endian else "<u2"))
    else:
        entries = np.atleast_1d(np.asarray(stored, np.int64) % 2**_DEEP)
    if not 8 <= bits <= _DEEP or len(entries) < count:  # noqa: PLR2004 - the least that the standard knows
        raise ValueError
    return Table(entries[:count].astype(np.uint16), first, bits)

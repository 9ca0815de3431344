"""The data elements of a DICOM file: a bounded walk takes over those that a picture needs and steps over the rest.

Nothing of the patient is among those taken over, so nothing behind this room can log, keep or repeat it.
"""

import struct
import zlib
from dataclasses import dataclass

from services.damage import BROKEN, damaged, sprawling
from services.dicom.syntaxes import EXPLICIT_LITTLE_ENDIAN, FORMAT, Syntax, require_syntax
from services.errors import TooManyPixels, UndecodableImage

PREAMBLE = 128
"""Bytes before the signature."""
SIGNATURE = b"DICM"

# Ten times what any scanner writes; walking over as many takes a fifth of a second.
_MOST_PARTS = 100_000
_DEEPEST = 64
"""Sequences and items that lie within each other."""
_LONGEST_ELEMENT = 2**17
"""Bytes of one element that is taken over: a table of 65 536 entries of 16 bits."""
_LONGEST_SEQUENCE = 2**19
_LONGEST_HEADER = 2**24
"""Bytes that deflated elements may have beside the pixels."""

_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
"""Types of elements whose length has 32 bits."""
_TRANSFER_SYNTAX, _PIXELS, _PER_FRAME = 0x00020010, 0x7FE00010, 0x52009230
_SEQUENCES = {0x00283000, 0x00283010, 0x52009229, _PER_FRAME, 0x7FE00001, 0x7FE00002}
"""The modality and VOI tables, what holds for all frames, what holds for each, and the tables of frames' offsets."""
_KEPT = _SEQUENCES | {
    *(0x00080016, 0x00080060, 0x00180015),  # kind of object, modality, body part
    *(0x00280002, 0x00280004, 0x00280006, 0x00280008, 0x00280010, 0x00280011),  # samples, frames, rows, columns
    *(0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00280120, 0x00280121),  # bits, padding
    *(0x00281050, 0x00281051, 0x00281052, 0x00281053, 0x00281056),  # window, rescaling
    *(0x00281101, 0x00281102, 0x00281103, 0x00281201, 0x00281202, 0x00281203),  # palette
}


@dataclass(frozen=True, slots=True)
class Elements:
    """What was taken over of a DICOM file.

    Attributes:
        uid: identifies the transfer syntax; of a deflated file, that of what came out.
        syntax: how the file stores elements and pixels.
        header: a DICOM file of the elements alone, without pixels; not deflated.
        pixels: the value of Pixel Data, as stored.
        pixels_type: the value representation of Pixel Data; empty where the syntax leaves it out.
        fragments: pieces that compressed pixels lie in; None for pixels that are not compressed.
    """

    uid: str
    syntax: Syntax
    header: bytes
    pixels: memoryview
    pixels_type: str
    fragments: int | None


def take_over(content: bytes, *, frame: int, max_bytes: int) -> Elements:
    """Walk over a DICOM file.

    Args:
        content: the whole file, hostile or torn.
        frame: which frame's own elements to take over, from zero.
        max_bytes: the most bytes that deflated pixels may have.

    Raises:
        UndecodableImage: no DICOM file, torn, without pixels, of a syntax that is not read, or of absurdly many parts.
        TooManyPixels: deflated, and longer than a picture may be.
    """
    try:
        uid, begin = _meta(content)
    except BROKEN as broken:
        raise damaged(FORMAT) from broken
    syntax = require_syntax(uid)
    data, at = (_inflated(content[begin:], max_bytes), 0) if syntax.deflated else (content, begin)
    try:
        elements = _Walk(data, syntax).dataset(at, frame, EXPLICIT_LITTLE_ENDIAN if syntax.deflated else uid)
    except BROKEN as broken:
        raise damaged(FORMAT) from broken
    if elements is None:
        message = "The DICOM file holds no picture."
        raise UndecodableImage(message)
    return elements


class _Walk:
    """A walk over the elements of one file that counts its steps."""

    def __init__(self, data: bytes, syntax: Syntax) -> None:
        order = ">" if syntax.big_endian else "<"
        self._data, self._syntax, self._order = data, syntax, order
        self._pair, self._short, self._long = (struct.Struct(order + form).unpack_from for form in ("HH", "H", "I"))
        self._parts = 0

    def dataset(self, at: int, frame: int, uid: str) -> Elements | None:
        """What is taken over of the data set at `at`; None where it holds no pixels."""
        kept: list[bytes] = []
        while at < len(self._data):
            tag, kind, length, value = self.head(at, implicit=self._syntax.implicit)
            pieces, end = None, value + length
            if length == _UNDEFINED:
                pieces, end = self.items(value, None, implicit=self._inner(kind))
            if end > len(self._data):
                raise EOFError
            if tag == _PIXELS:
                # Behind the pixels stands nothing that a picture needs.
                pixels = memoryview(self._data)[value : end if pieces is None else end - 8]
                fragments = None if pieces is None else len(pieces) - 1  # the first one is a table of offsets
                return Elements(uid, self._syntax, _file(uid, kept), pixels, kind.decode("ascii"), fragments)
            if tag in _KEPT:
                kept.append(self._one_of(at, value, end, frame) if tag == _PER_FRAME else self._data[at:end])
                if len(kept[-1]) > (_LONGEST_SEQUENCE if tag in _SEQUENCES else _LONGEST_ELEMENT):
                    raise sprawling(FORMAT)
            at = end
        return None

    def head(self, at: int, *, implicit: bool) -> tuple[int, bytes, int, int]:
        """Tag, type, length and place of the value of the element at `at`."""
        self._count()
        tag = self._tag(at)
        if implicit:
            return tag, b"", self._long(self._data, at + 4)[0], at + 8
        kind = self._data[at + 4 : at + 6]
        if kind in _LONG:
            return tag, kind, self._long(self._data, at + 8)[0], at + 12
        if not (kind.isalpha() and kind.isupper()):
            raise ValueError
        return tag, kind, self._short(self._data, at + 6)[0], at + 8

    def items(self, at: int, end: int | None, *, implicit: bool) -> tuple[list[tuple[int, int]], int]:
        """Begin and end of each item of the sequence at `at`, and the place behind the sequence."""
        spans: list[tuple[int, int]] = []
        # Everything of undefined length that is open: whether it is an item, and whether it leaves out types.
        nested = [(False, implicit)]
        began = at
        while nested and at != end:
            self._count()
            is_item, implicit = nested[-1]
            tag = self._tag(at)
            if tag == (_ITEM_END if is_item else _SEQUENCE_END):
                nested.pop()
                at += 8
            elif is_item or tag == _ITEM:
                kind, length, value = self.head(at, implicit=implicit or not is_item)[1:]
                if length == _UNDEFINED:
                    nested.append((not is_item, implicit or kind == b"UN"))
                at = value if length == _UNDEFINED else value + length
            else:
                raise ValueError
            if len(nested) == 1:
                spans.append((began, at))
                began = at
            elif len(nested) > _DEEPEST:
                raise sprawling(FORMAT)
        if end not in {None, at} or len(nested) > 1:
            raise ValueError
        return spans, at

    def _one_of(self, at: int, value: int, end: int, frame: int) -> bytes:
        """A sequence cut down to the one item of a frame."""
        implicit = self._syntax.implicit
        defined = self._long(self._data, value - 4)[0] != _UNDEFINED
        spans, _ = self.items(value, end if defined else None, implicit=implicit)
        item = self._data[slice(*spans[frame])] if frame < len(spans) else b""
        length = struct.pack(self._order + "I", len(item))
        return self._data[at : value - 4] + length + item

    def _inner(self, kind: bytes) -> bool:
        # What is of no known type holds elements that leave out theirs.
        return self._syntax.implicit or kind == b"UN"

    def _tag(self, at: int) -> int:
        group, element = self._pair(self._data, at)
        return int(group << 16 | element)

    def _count(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise sprawling(FORMAT)


def _meta(content: bytes) -> tuple[str, int]:
    """The identifier of the transfer syntax, and where the data set begins."""
    walk, uid, at = _Walk(content, Syntax()), "", PREAMBLE + len(SIGNATURE)
    while content[at : at + 2] == b"\x02\x00":
        tag, _, length, value = walk.head(at, implicit=False)
        at = value + length
        if tag == _TRANSFER_SYNTAX:
            uid = content[value:at].decode("ascii").rstrip("\0 ")
    if not uid:
        raise ValueError
    return uid, at


def _inflated(squeezed: bytes, max_bytes: int) -> bytes:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = stream.decompress(squeezed, max_bytes + _LONGEST_HEADER)
    except zlib.error as broken:
        raise damaged(FORMAT) from broken
    if stream.unconsumed_tail:
        message = "The DICOM file unpacks to more bytes than a picture of the size that is accepted here."
        raise TooManyPixels(message)
    if not stream.eof:
        raise damaged(FORMAT)
    return data


def _file(uid: str, kept: list[bytes]) -> bytes:
    name = uid.encode("ascii")
    name += b"\0" * (len(name) % 2)
    syntax = struct.pack("<HH2sH", 2, 0x10, b"UI", len(name)) + name
    group = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(syntax))
    return bytes(PREAMBLE) + SIGNATURE + group + syntax + b"".join(kept)

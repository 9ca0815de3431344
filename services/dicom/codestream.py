"""What a compressed frame says of its own size, read before its decoder sees it."""

import struct
from dataclasses import dataclass

from services.damage import BROKEN, damaged, sprawling
from services.dicom.syntaxes import FORMAT, Syntax
from services.sprawl import sprawls

_MOST_SEGMENTS = 500  # before the pixels; a byte that fills counts as one
_MOST_TILES = 2048
_MOST_LAYERS = 256
"""Of JPEG 2000, whose decoder takes memory for each tile and each layer, however empty."""

_SIZE, _CODING_STYLE, _FIRST_TILE = 0xFF51, 0xFF52, 0xFF90
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7}
_SCAN, _JPEG_LS_PARAMETERS = 0xDA, 0xF8
_OVERSIZE = 4
"""The parameter of JPEG-LS that replaces the sides in the frame's head."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What the head of a compressed frame declares; `bits` are those of the deepest sample."""

    width: int
    height: int
    samples: int
    bits: int


def declared(frame: bytes, syntax: Syntax) -> Declared | None:
    """Read the head of a compressed frame.

    Returns:
        None for run lengths, which declare no size; their decoder stops at the size that it is given.

    Raises:
        UndecodableImage: torn, of another kind than the syntax says, or of absurdly many parts.
    """
    if syntax.codestream == "RLE":
        return None
    if syntax.codestream == "JPEG" and sprawls(frame, "image/jpeg"):
        raise sprawling(FORMAT)
    try:
        return _jpeg_2000(frame) if syntax.codestream == "JPEG 2000" else _jpeg(frame, syntax.frames)
    except BROKEN as broken:
        raise damaged(FORMAT) from broken


def _jpeg(frame: bytes, kinds: frozenset[int]) -> Declared:
    """ISO/IEC 10918-1, B.2.2; JPEG-LS has the same head, ISO/IEC 14495-1, C.2.2."""
    if not frame.startswith(b"\xff\xd8"):
        raise ValueError
    found, at = [], 2
    for _ in range(_MOST_SEGMENTS):
        if frame[at] != 0xFF:  # noqa: PLR2004 - every marker begins so
            raise ValueError
        marker = frame[at + 1]
        if marker == 0xFF:  # noqa: PLR2004 - a filling byte
            at += 1
            continue
        (length,) = struct.unpack_from(">H", frame, at + 2)
        if marker == _SCAN:
            break
        if marker in _FRAMES:
            bits, height, width, samples = struct.unpack_from(">BHHB", frame, at + 4)
            found.append((marker, Declared(width, height, samples, bits)))
        if marker == _JPEG_LS_PARAMETERS and frame[at + 4] == _OVERSIZE:
            raise ValueError
        at += 2 + length
    else:
        raise sprawling(FORMAT)
    ((kind, head),) = found
    if kind not in kinds:
        raise ValueError
    return head


def _jpeg_2000(frame: bytes) -> Declared:
    """ISO/IEC 15444-1, A.5.1 and A.6.1."""
    if not frame.startswith(b"\xff\x4f\xff\x51"):
        raise ValueError
    head, at = None, 2
    while (marker := struct.unpack_from(">H", frame, at)[0]) != _FIRST_TILE:
        if marker == _SIZE and head is None:
            head = _size(frame, at)
        elif marker == _SIZE:
            raise ValueError
        if marker == _CODING_STYLE and struct.unpack_from(">H", frame, at + 6)[0] > _MOST_LAYERS:
            raise sprawling(FORMAT)
        at += 2 + struct.unpack_from(">H", frame, at + 2)[0]
    if head is None:
        raise ValueError
    return head


def _size(frame: bytes, at: int) -> Declared:
    right, bottom, left, top, wide, high, tiles_left, tiles_top, samples = struct.unpack_from(">8IH", frame, at + 6)
    components = [struct.unpack_from(">BBB", frame, at + 40 + 3 * number) for number in range(samples)]
    if any((across, down) != (1, 1) for _, across, down in components):
        raise ValueError
    if -(-(right - tiles_left) // wide) * -(-(bottom - tiles_top) // high) > _MOST_TILES:
        raise sprawling(FORMAT)
    return Declared(right - left, bottom - top, samples, max(depth & 0x7F for depth, _, _ in components) + 1)

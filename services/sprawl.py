"""Files made of so many parts that a parser would toil over them: told by a scan of their outline, before any parser.

A few megabytes can keep Pillow busy for minutes without declaring one pixel too many.
"""

import re
from typing import Literal

# No camera, scanner or editor comes near these counts.
_MOST_SEGMENTS = 500  # of a JPEG, each up to 64 KiB
_MOST_EXIF_SEGMENTS = 16  # of these; Pillow joins them one by one
_MOST_SCANS = 100  # of a progressive JPEG; each passes over the whole picture
_MOST_CHUNKS = 500  # of a PNG that hold no pixels; each may unpack to 1 MiB
_MOST_TAGS = 500  # of a TIFF
_MOST_NUMBERS = 2**17  # in all of these tags together; each becomes a Python object

# Markers without a length are passed over: stuffed bytes, restarts, and those that Pillow does not follow either.
_JPEG_SEGMENT = re.compile(rb"\xff([^\x00\x01\xc8\xd0-\xd8\xf0-\xfd\xff])")
_PNG_PIXELS = {b"IDAT", b"fcTL", b"fdAT"}
_TIFF_NUMBERS = {3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 16}
"""TIFF's types that Pillow unpacks; it skips those that it does not know."""
_TIFF_WHOLE_NUMBERS = {3: 2, 4: 4, 13: 4, 16: 8}
"""TIFF's types of whole numbers and their lengths."""
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_TIFF_DIRECTORIES = {34665, 34853, 40965}


def sprawls(content: bytes, media_type: str) -> bool:
    """Whether a file of this type has more parts than any that a camera, scanner or editor writes.

    Args:
        content: the whole file, of any kind; torn and hostile files are followed as far as they go.
        media_type: the sniffed type.
    """
    outline = {"image/jpeg": _jpeg_sprawls, "image/png": _png_sprawls, "image/tiff": _tiff_sprawls}.get(media_type)
    return outline is not None and outline(content)


def _jpeg_sprawls(content: bytes) -> bool:
    position, segments, exifs, scans = 2, 0, 0, 0
    while segment := _JPEG_SEGMENT.search(content, position):
        position = segment.end()
        segments += 1
        exifs += content.startswith(b"Exif", position + 2)
        scans += segment[1] == b"\xda"
        if segments > _MOST_SEGMENTS or exifs > _MOST_EXIF_SEGMENTS or scans > _MOST_SCANS:
            return True
        if segment[1] != b"\xd9":
            position += int.from_bytes(content[position : position + 2], "big")
        elif scans:
            return False  # what lies behind the end, as a phone's further pictures and films, is not read
    return False


def _png_sprawls(content: bytes) -> bool:
    position, chunks = 8, 0
    while position < len(content):
        chunks += content[position + 4 : position + 8] not in _PNG_PIXELS
        if chunks > _MOST_CHUNKS:
            return True
        position += 12 + int.from_bytes(content[position : position + 4], "big")
    return False


def _tiff_sprawls(content: bytes) -> bool:
    order: Literal["little", "big"] = "little" if content.startswith(b"II") else "big"
    # Lengths of an offset, of the count of entries and of one entry, in BigTIFF and in TIFF.
    word, head, entry = (8, 8, 20) if b"+" in content[:4] else (4, 2, 12)

    def number(at: int, size: int) -> int:
        return int.from_bytes(content[at : at + size], order)

    directories, numbers = [number(word, word)], 0
    for directory in directories:
        tags = number(directory, head)
        if tags > _MOST_TAGS:
            return True
        for at in range(directory + head, directory + head + tags * entry, entry):
            tag, kind, count = number(at, 2), number(at + 2, 2), number(at + 4, word)
            numbers += count if kind in _TIFF_NUMBERS else 0
            size = _TIFF_WHOLE_NUMBERS.get(kind, word + 1)
            if size > word and tag in {_TILE_WIDTH, _TILE_LENGTH, *_TIFF_DIRECTORIES}:
                return True  # here libtiff may read a number that Pillow does not see
            if tag in _TIFF_DIRECTORIES and len(directories) <= len(_TIFF_DIRECTORIES):
                directories.append(number(at + 4 + word, size))
    return numbers > _MOST_NUMBERS

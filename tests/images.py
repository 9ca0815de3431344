"""Images drawn in code: pictures as arrays, and files that hold them, honest and hostile.

    pixels = gradient(60, 40)
    content = saved(pixels, "JPEG", exif=orientation(6))
    content = tiff(radiograph(), big_endian=True)       # what Pillow cannot write, byte by byte

Nobody's picture is in this repository; whatever a test needs to see is drawn here.
"""

import functools
import io
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[Any]
Tags = Mapping[int, tuple[int, Iterable[int]]]
"""TIFF tags: number -> (type, values); type 3 is 16 bits, type 4 is 32 bits."""

_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda pixels: pixels,
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: np.rot90,
    7: lambda pixels: np.rot90(pixels.swapaxes(0, 1), 2),
    8: lambda pixels: np.rot90(pixels, -1),
}
_SAMPLE_FORMATS = {"u": 1, "i": 2, "f": 3}
_TYPE_CODES = {3: "H", 4: "I"}
_BLACK_IS_ZERO, _RGB = 1, 2


# ---------------------------------------------------------------- pictures


def gradient(width: int = 60, height: int = 40) -> Pixels:
    """Red grows to the right, green downwards, blue to the lower left: no turn or mirror leaves it as it is."""
    down, across = np.mgrid[:height, :width].astype(float)
    right, low = across / max(width - 1, 1), down / max(height - 1, 1)
    shares = np.stack([right, low, (1 - right + low) / 2], axis=-1)
    return np.asarray(np.rint(255 * shares), np.uint8)


@functools.cache
def photograph(width: int = 800, height: int = 600, seed: int = 0) -> Pixels:
    """Soft blobs of colour, a few hard edges and fine grain, as a camera sees the world."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (height // 50 + 2, width // 50 + 2, 3), np.uint8))
    picture = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(float)
    picture[height // 3 : height // 2, width // 4 : width // 2] = (230, 40, 60)
    picture += random.normal(0, 4, picture.shape)
    pixels = picture.clip(0, 255).astype(np.uint8)
    pixels.flags.writeable = False  # the cache hands the same one to every test
    return pixels


def radiograph(width: int = 64, height: int = 48, *, most: int = 4095) -> NDArray[np.uint16]:
    """A bright disc that fades into a dark field; its values run from 0 to `most`, by default 12 bits of 16."""
    down, across = np.mgrid[:height, :width].astype(float)
    distance = np.hypot((down - height / 2) / height, (across - width / 3) / width)
    brightness = np.exp(-8 * distance**2)
    scaled = (brightness - brightness.min()) / np.ptp(brightness)
    return np.asarray(np.rint(scaled * most), np.uint16)


def turned(pixels: Pixels, orientation: int) -> Pixels:
    """The picture as a camera stores it that was held so that EXIF calls it `orientation`."""
    return np.ascontiguousarray(_TURNS[orientation](pixels))


# ---------------------------------------------------------------- files by Pillow


def saved(picture: Pixels | Image.Image, kind: str, **options: Any) -> bytes:
    """A file of Pillow's format `kind`; the options are those of `Image.save`."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def orientation(value: int) -> Image.Exif:
    """EXIF with an orientation and a person's name."""
    exif = Image.Exif()
    exif[0x0112] = value
    exif[0x013B] = "Jane Roe"
    return exif


def several(kind: str) -> bytes:
    """An animation, a multi-page file or (MPO) a phone's photograph with a second picture, all 60 x 40 pixels."""
    second = Image.fromarray(255 - gradient())
    return saved(gradient(), kind, save_all=True, append_images=[second])


# ---------------------------------------------------------------- files byte by byte


def png(
    width: int,
    height: int,
    rows: bytes,
    *,
    depth: int = 8,
    colour: int = 0,
    first: bytes = b"",
    middle: bytes = b"",
) -> bytes:
    """A PNG of `rows` (each with its filter byte), with whole chunks put before the header and before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + first + chunk(b"IHDR", header) + middle + pixels + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff(
    pixels: Pixels,
    *,
    big_endian: bool = False,
    deflate: bool = False,
    photometric: int | None = None,
    tags: Tags | None = None,
) -> bytes:
    """A TIFF of one strip, [height, width] grey or [height, width, 3] colour, of any NumPy type; `tags` win."""
    order: Literal["<", ">"] = ">" if big_endian else "<"
    height, width, samples = (*pixels.shape, 1)[:3]
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    data = zlib.compress(data) if deflate else data
    described: dict[int, tuple[int, Iterable[int]]] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [8 * pixels.dtype.itemsize] * samples),
        259: (3, [8 if deflate else 1]),
        262: (3, [(_BLACK_IS_ZERO if samples == 1 else _RGB) if photometric is None else photometric]),
        273: (4, [8]),
        277: (3, [samples]),
        278: (4, [height]),
        279: (4, [len(data)]),
        339: (3, [_SAMPLE_FORMATS[pixels.dtype.kind]] * samples),
    }
    return tiff_of(described | dict(tags or {}), data, order=order)


def tiff_of(tags: Tags, data: bytes, *, order: str = "<") -> bytes:
    """A TIFF of these tags; `data` lies at byte 8, before the directory."""
    data += bytes(len(data) % 2)
    at = 8 + len(data)
    entries, beyond = b"", b""
    for tag, (kind, numbers) in sorted(tags.items()):
        values = list(numbers)
        packed = struct.pack(f"{order}{len(values)}{_TYPE_CODES[kind]}", *values)
        if len(packed) > 4:
            offset = at + 2 + 12 * len(tags) + 4 + len(beyond)
            beyond += packed
            packed = struct.pack(f"{order}I", offset)
        entries += struct.pack(f"{order}HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    return head + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + beyond


def claiming(kind: str, width: int, height: int) -> bytes:
    """A few bytes of image whose header claims to hold `width` x `height` pixels."""
    if kind == "PNG":
        return png(width, height, b"\0", colour=2)
    if kind == "TIFF":
        return tiff(np.zeros((2, 2), np.uint8), tags={256: (4, [width]), 257: (4, [height])})
    content = bytearray(saved(np.zeros((8, 8, 3), np.uint8), kind, **({"lossless": True} if kind == "WEBP" else {})))
    if kind == "JPEG":
        sides = content.index(b"\xff\xc0") + 5
        content[sides : sides + 4] = struct.pack(">HH", height, width)
    elif kind == "BMP":
        content[18:26] = struct.pack("<ii", width, height)
    else:
        bits = int.from_bytes(content[21:25], "little") >> 28 << 28
        content[21:25] = (bits | (height - 1) << 14 | (width - 1)).to_bytes(4, "little")
    return bytes(content)

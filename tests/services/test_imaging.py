import pickle
import random
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from services.errors import SightlineError, TooManyFrames, TooManyPixels, UndecodableImage, UnsupportedImage
from services.imaging import DICOM, MEDIA_TYPES, Pixels, Raster, decode, sniff, stretch
from tests.dicoms import dicom
from tests.images import (
    chunk,
    claiming,
    gradient,
    orientation,
    photograph,
    png,
    radiograph,
    saved,
    several,
    tiff,
    tiff_of,
    turned,
)

MAX_PIXELS = 1_000_000
PILLOWS = {media_type: kind.upper() for media_type, kind in MEDIA_TYPES.items() if media_type != DICOM}
GREY = gradient()[..., 0]
LOSSLESS = {
    "PNG": saved(gradient(), "PNG"),
    "BMP": saved(gradient(), "BMP"),
    "WebP": saved(gradient(), "WEBP", lossless=True),
    "TIFF": saved(gradient(), "TIFF"),
    "TIFF, LZW": saved(gradient(), "TIFF", compression="tiff_lzw"),
    "TIFF, deflate": saved(gradient(), "TIFF", compression="tiff_adobe_deflate"),
    "TIFF, big-endian": tiff(gradient(), big_endian=True),
    "BigTIFF": saved(gradient(), "TIFF", big_tiff=True),
}
LOSSY = {
    "JPEG": saved(gradient(), "JPEG", quality=95, subsampling=0),
    "JPEG, progressive": saved(gradient(), "JPEG", quality=95, subsampling=0, progressive=True),
    "WebP": saved(gradient(), "WEBP", quality=95),
    "TIFF, JPEG": saved(gradient(), "TIFF", compression="jpeg", quality=95),
    "MPO": several("MPO"),
}
DEEP = {
    "PNG": saved(radiograph(), "PNG"),
    "TIFF": tiff(radiograph()),
    "TIFF, big-endian": tiff(radiograph(), big_endian=True),
    "TIFF, deflate": tiff(radiograph(), deflate=True),
    "TIFF, deflate, big-endian": tiff(radiograph(), deflate=True, big_endian=True),
    "TIFF, signed 16": tiff(radiograph().astype(np.int16)),
    "TIFF, unsigned 32": tiff(radiograph().astype(np.uint32)),
    "TIFF, signed 32": tiff(radiograph().astype(np.int32)),
    "TIFF, signed 32, big-endian": tiff(radiograph().astype(np.int32), big_endian=True),
    "TIFF, float": tiff(radiograph().astype(np.float32)),
    "TIFF, float, deflate": tiff(radiograph().astype(np.float32), deflate=True),
    "TIFF, float, big-endian": tiff(radiograph().astype(np.float32), big_endian=True),
}
ANYTHING = LOSSLESS | LOSSY | {f"deep {name}": content for name, content in DEEP.items()}

# Pillow warns of torn metadata. Tests turn warnings into errors, a service does not; this is the service's way.
as_served = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def named(contents: dict[str, bytes]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("content", contents.values(), ids=contents.keys())


def difference(left: Pixels, right: Pixels) -> float:
    assert left.shape == right.shape
    return float(np.abs(left.astype(float) - right).mean())


# ---------------------------------------------------------------- which types


@pytest.mark.parametrize(
    ("kind", "media_type"), [(kind, media_type) for media_type, kind in PILLOWS.items()], ids=PILLOWS.values()
)
def test_the_content_alone_names_the_type(kind: str, media_type: str) -> None:
    content = saved(gradient(), kind)
    assert sniff(content) == media_type
    assert decode(content, max_pixels=MAX_PIXELS).media_type == media_type


@named(
    {
        "GIF": saved(gradient(), "GIF"),
        "PDF": saved(gradient(), "PDF"),
        "EPS": saved(gradient(), "EPS"),
        "ICO": saved(gradient(), "ICO"),
        "PPM": saved(gradient(), "PPM"),
        "JPEG 2000": saved(gradient(), "JPEG2000"),
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>',
        "text": b"A picture is worth a thousand words, but these are only ten.",
        "text that begins as a bitmap does": b"BMW builds cars, and this sentence is long enough for a header.",
        "RIFF that is sound": b"RIFF\x24\0\0\0WAVEfmt " + bytes(20),
        "DICOM without its preamble": dicom(radiograph())[132:],
        "zip": b"PK\x03\x04" + bytes(60),
        "a cut signature": b"\x89PNG\r\n",
        "empty": b"",
        "random": random.Random(7).randbytes(4096),
    }
)
def test_nothing_else_is_an_image(content: bytes) -> None:
    with pytest.raises(UnsupportedImage):
        decode(content, max_pixels=MAX_PIXELS)


def test_a_dicom_file_is_told_by_the_signature_behind_its_preamble() -> None:
    content = dicom(radiograph(), Modality="DX", BodyPartExamined="CHEST", WindowCenter="600", WindowWidth="1600")
    for preamble in (bytes(128), b"II*\0".ljust(128, b"\0"), b"\xff" * 128):
        raster = decode(preamble + content[128:], max_pixels=MAX_PIXELS)
        assert sniff(preamble + content[128:]) == raster.media_type == DICOM
        assert (raster.width, raster.height, raster.deep) == (64, 48, False)
        assert (raster.modality, raster.body_part) == ("DX", "CHEST")
        assert raster.notes == ("The window of the DICOM file was applied: centre 600, width 1600.",)


def test_frame_and_window_are_handed_on_to_dicom_and_mean_nothing_to_others() -> None:
    film = dicom(np.stack([radiograph(), radiograph() // 2]), frames=2)
    with pytest.raises(TooManyFrames, match="2 frames"):
        decode(film, max_pixels=MAX_PIXELS)
    raster = decode(film, max_pixels=MAX_PIXELS, frame=2, window=(1024, 2048))
    assert raster.notes == ("Frame 2 of 2 was read.", "The window with centre 1024, width 2048 was applied.")
    assert np.abs(raster.pixels - radiograph() / 2 / 2047 * 255).max() <= 1
    plain = decode(LOSSLESS["PNG"], max_pixels=MAX_PIXELS, frame=2, window=(1024, 2048))
    assert np.array_equal(plain.pixels, gradient())
    assert (plain.modality, plain.body_part, plain.notes) == (None, None, ())


@pytest.mark.parametrize("signature", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"II*\0", b"MM\0+"])
@as_served
def test_a_signature_alone_is_a_damaged_image(signature: bytes) -> None:
    for tail in (b"", bytes(3), bytes(100), b"BM" * 50):
        with pytest.raises(UndecodableImage):
            decode(signature + tail, max_pixels=MAX_PIXELS)


# ---------------------------------------------------------------- size, from the header


@pytest.mark.parametrize("kind", PILLOWS.values())
@pytest.mark.parametrize(
    "sides",
    [(1001, 1000), (12_000, 8_000), (13_300, 13_300), (16_000, 16_000)],
    ids=["just too many", "Pillow warns", "just below Pillow's limit", "Pillow refuses"],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_more_pixels_than_allowed_are_refused_from_the_header(kind: str, sides: tuple[int, int]) -> None:
    with pytest.raises(TooManyPixels):
        decode(claiming(kind, *sides), max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("kind", PILLOWS.values())
def test_a_warning_of_a_bomb_raised_as_an_error_is_the_same_refusal(kind: str) -> None:
    with pytest.raises(TooManyPixels):
        decode(claiming(kind, 12_000, 8_000), max_pixels=MAX_PIXELS)


def test_exactly_as_many_pixels_as_allowed_are_decoded() -> None:
    content = LOSSLESS["PNG"]
    assert decode(content, max_pixels=60 * 40).pixels.shape == (40, 60, 3)
    with pytest.raises(TooManyPixels, match="60 x 40"):
        decode(content, max_pixels=60 * 40 - 1)


def tile_bomb(*, lying: bool = False) -> bytes:
    # 64 x 64 pixels in one tile of 64 megabytes; lying on its side, its tags name the sides the other way round.
    squeezed = zlib.compress(bytes(8000 * 8000), level=1)
    sides = {
        256: (4, [64]),
        257: (4, [64]),
        322: (4, [8000]),
        323: (4, [8000]),
        324: (4, [8]),
        325: (4, [len(squeezed)]),
    }
    grey = {258: (3, [8]), 259: (3, [8]), 262: (3, [1]), 277: (3, [1])}
    return tiff_of(sides | grey | ({274: (3, [6])} if lying else {}), squeezed)


def test_a_tile_counts_whole_even_if_the_picture_is_a_corner_of_it() -> None:
    for lying in (False, True):
        with pytest.raises(TooManyPixels):
            decode(tile_bomb(lying=lying), max_pixels=MAX_PIXELS)


def test_tiles_are_counted_along_the_sides_as_stored() -> None:
    # 8 wide and 100 000 long in tiles of 16 384 x 16: 1.6 thousand million pixels to unpack. Counted along the
    # sides as shown it would be 1.8 million.
    tall = {256: (4, [8]), 257: (4, [100_000]), 274: (3, [6]), 322: (4, [16_384]), 323: (4, [16])}
    rest = {258: (3, [8]), 259: (3, [8]), 262: (3, [1]), 277: (3, [1]), 324: (4, [8] * 6250), 325: (4, [8] * 6250)}
    with pytest.raises(TooManyPixels):
        decode(tiff_of(tall | rest, zlib.compress(bytes(16_384 * 16))), max_pixels=4_000_000)


def test_a_tile_edge_that_only_libtiff_can_read_is_refused() -> None:
    # As a signed number of 64 bits, which Pillow's reader of tags skips.
    content = tile_bomb()
    for edge in (322, 323):
        plain, far = struct.pack("<HHII", edge, 4, 1, 8000), struct.pack("<HHII", edge, 17, 1, len(content))
        assert content.count(plain) == 1
        content = content.replace(plain, far)
    with pytest.raises(UndecodableImage, match="too many parts"):
        decode(content + struct.pack("<q", 8000), max_pixels=MAX_PIXELS)


def test_a_picture_smaller_than_its_tile_is_decoded() -> None:
    tile = np.zeros((64, 64), np.uint8)
    tile[:40, :60] = GREY
    sides = {256: (4, [60]), 257: (4, [40]), 322: (4, [64]), 323: (4, [64]), 324: (4, [8]), 325: (4, [64 * 64])}
    content = tiff_of(sides | {258: (3, [8]), 262: (3, [1]), 277: (3, [1])}, tile.tobytes())
    assert np.array_equal(decode(content, max_pixels=MAX_PIXELS).pixels, GREY)


MEASURE = """
import sys, warnings
from pathlib import Path
from services.errors import TooManyPixels
from services.imaging import decode
warnings.simplefilter("ignore")
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
decode(Path(sys.argv[1]).read_bytes(), max_pixels=10_000)
for path in sys.argv[2:]:
    content = Path(path).read_bytes()
    before = peak()
    try:
        decode(content, max_pixels=40_000_000)
    except TooManyPixels:
        print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from Linux's /proc")
def test_too_many_pixels_are_refused_without_memory_for_them(tmp_path: Path) -> None:
    # A process of its own, because the peak of this one may lie behind it.
    bombs = [LOSSLESS["TIFF"]]
    bombs += [claiming(kind, *sides) for kind in PILLOWS.values() for sides in ((12_000, 8_000), (16_000, 16_000))]
    bombs += [claiming("PNG", 30_000, 30_000), png(14_000, 14_000, bytes(1751 * 14_000), depth=1), tile_bomb()]
    paths = [tmp_path / str(number) for number in range(len(bombs))]
    for path, content in zip(paths, bombs, strict=True):
        path.write_bytes(content)
    printed = subprocess.run([sys.executable, "-c", MEASURE, *paths], check=True, capture_output=True, text=True).stdout
    kibibytes = [int(line) for line in printed.split()]
    assert len(kibibytes) == len(bombs) - 1
    assert max(kibibytes) < 4 * 1024


# ---------------------------------------------------------------- work, from the structure


def after_the_start(kind: str, part: bytes, times: int) -> bytes:
    content, start = saved(gradient(), kind), {"JPEG": 2, "PNG": 33}[kind]
    return content[:start] + part * times + content[start:]


def repeated_scan(times: int) -> bytes:
    content = saved(GREY, "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * times + content[-2:]


def many_strips(count: int) -> bytes:
    grey = {256: (4, [2]), 257: (4, [2]), 258: (3, [8]), 262: (3, [1]), 277: (3, [1]), 278: (4, [1])}
    return tiff_of(grey | {273: (4, [8] * count), 279: (4, [2] * 2)}, bytes(4))


def numbers_in_exif(count: int) -> bytes:
    # The directory of EXIF stands behind the picture's own; Pillow unpacks all of it when it loads the picture.
    plain = tiff(GREY, tags={34665: (4, [0])})
    pointed = tiff(GREY, tags={34665: (4, [len(plain)])})
    rationals = struct.pack("<HHHIII", 1, 33434, 5, count, len(plain) + 18, 0)
    return pointed + rationals + bytes(8 * count)


SPRAWLING = {
    "JPEG of comments": after_the_start("JPEG", b"\xff\xfe\x00\x02", 100_000),
    "JPEG of EXIF": after_the_start("JPEG", b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527), 100),
    "JPEG of EXIF behind an early end": after_the_start(
        "JPEG", b"\xff\xd9\xff\xff" + b"\xff\xe1\x00\x12Exif\0\0" + bytes(10), 100_000
    ),
    "JPEG of EXIF behind a marker without length": after_the_start(
        "JPEG", b"\xff\xf0\xff\xff" + b"\xff\xe1\x00\x12Exif\0\0" + bytes(10), 100_000
    ),
    "JPEG of early ends": after_the_start("JPEG", b"\xff\xd9", 1_000_000),
    "JPEG of scans": repeated_scan(200),
    "PNG of small chunks": after_the_start("PNG", chunk(b"abCd", b""), 100_000),
    "PNG of squeezed profiles": after_the_start(
        "PNG", chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(2**20 - 1))), 1000
    ),
    "PNG of nameless squeezed texts": after_the_start(
        "PNG", chunk(b"zTXt", b"\0\0" + zlib.compress(bytes(2**20 - 1))), 1000
    ),
    "TIFF of strips": many_strips(300_000),
    "TIFF of tags": tiff(GREY, tags={60_000 + number: (3, [0]) for number in range(5000)}),
    "TIFF of numbers in EXIF": numbers_in_exif(200_000),
}


@named(SPRAWLING)
def test_a_file_of_very_many_parts_is_refused_before_it_costs_time(content: bytes) -> None:
    start = time.process_time()
    with pytest.raises(UndecodableImage, match="too many parts"):
        decode(content, max_pixels=MAX_PIXELS)
    assert time.process_time() - start < 0.2


def test_a_tiff_of_very_many_pages_is_refused_without_counting_them() -> None:
    tags = {256: (4, [1]), 257: (4, [1]), 258: (3, [8]), 262: (3, [1]), 273: (4, [0]), 279: (4, [1])}
    content = bytearray(tiff_of(tags, b""))
    page = content[8 : 8 + 2 + 12 * len(tags) + 4]
    for number in range(1, 10_000):
        content[-4:] = struct.pack("<I", 8 + number * len(page))
        content += page
    start = time.process_time()
    with pytest.raises(TooManyFrames):
        decode(bytes(content), max_pixels=MAX_PIXELS)
    assert time.process_time() - start < 0.2


@named(
    {
        "JPEG with 300 segments of extended XMP": after_the_start(
            "JPEG", b"\xff\xe1\x00\x22http://ns.adobe.com/xmp/ext\0\0\0\0\0", 300
        ),
        "JPEG with 50 scans": repeated_scan(50),
        "PNG with 200 texts": after_the_start("PNG", chunk(b"tEXt", b"Comment\0hello"), 200),
        "JPEG with a film behind its end": LOSSY["JPEG"] + b"\xff\xda\x00\x02" * 1000,
        "TIFF with 20 000 strips": tiff_of(
            {
                256: (4, [1]),
                257: (4, [20_000]),
                258: (3, [8]),
                262: (3, [1]),
                273: (4, range(8, 20_008)),
                278: (4, [1]),
            },
            bytes(20_000),
        ),
    }
)
def test_a_file_of_as_many_parts_as_programs_write_is_decoded(content: bytes) -> None:
    assert decode(content, max_pixels=MAX_PIXELS).pixels.size


def test_a_run_length_encoded_bitmap_is_refused() -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 1_000_000, 1, 1, 8, 1, 4, 0, 0, 0, 0)
    palette = bytes(value for level in range(256) for value in (level, 0, level, 0))
    content = b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + 40 + 1024) + header + palette + b"\1\5\0\0\0\1"
    with pytest.raises(UndecodableImage, match="run-length"):
        decode(content, max_pixels=MAX_PIXELS)


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@named(ANYTHING | {"Palette": saved(Image.fromarray(gradient()).quantize(16), "PNG")})
@as_served
def test_a_truncated_file_is_undecodable(content: bytes, share: float) -> None:
    first_picture = content[: content.find(b"\xff\xd9\xff\xd8")]  # all but a byte, except for a phone's two pictures
    with pytest.raises(UndecodableImage):
        decode(first_picture[: int(len(first_picture) * share)], max_pixels=MAX_PIXELS)


@named(ANYTHING)
@pytest.mark.parametrize("served", [pytest.param(True, marks=as_served), False], ids=["as served", "warnings raised"])
def test_damage_ends_in_a_picture_or_in_a_refusal(content: bytes, served: bool) -> None:  # noqa: ARG001, FBT001
    chance = random.Random(len(content))
    for _ in range(25):
        damaged = bytearray(content)
        for _ in range(chance.choice((1, 1, 2, 8))):
            damaged[chance.randrange(len(damaged) // chance.choice((1, 8)))] = chance.randrange(256)
        cut = chance.choice((len(damaged), chance.randrange(len(damaged))))
        try:
            raster = decode(bytes(damaged[:cut]), max_pixels=MAX_PIXELS, shrink_to=chance.choice((None, 8)))
        except SightlineError:
            continue
        assert isinstance(raster, Raster)
        assert raster.pixels.size


def breaking_off(content: bytes, *rest: bytes) -> bytes:
    """A PNG whose pixels break off in the middle of their stream, and what follows there."""
    stream = content.index(b"IDAT") - 4
    half = content[stream + 8 : -16 - 10]
    return content[:stream] + chunk(b"IDAT", half) + b"".join(rest)


@named(
    {
        "a short header": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(12)),
        "no palette": png(2, 1, b"\0\0\1", colour=3),
        "an endless palette": png(2, 1, b"\0\0\1", colour=3, middle=chunk(b"PLTE", bytes(3000))),
        "a transparency in words": png(2, 1, b"\0\0\1", middle=chunk(b"tEXt", b"transparency\0none")),
        "a frame in words": png(2, 1, b"\0\0\1", middle=chunk(b"tEXt", b"bbox\0gold")),
        "a chunk without a name": breaking_off(LOSSLESS["PNG"], b"\0\0\0\4\xff\xfe\xfd\xfc1234"),
        "a cut chunk": breaking_off(LOSSLESS["PNG"], b"\0\0\0"),
        "another decoder's signature": b"\x89PNG\r\n\x1a\n".ljust(2048, b"\0") + b"PCD_" + bytes(1_400_000),
    }
)
def test_however_pillow_breaks_it_is_one_refusal(content: bytes) -> None:
    with pytest.raises(UndecodableImage, match="The PNG file is damaged"):
        decode(content, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize(
    "torn",
    [
        chunk(b"eXIf", b"garbage!"),
        chunk(b"tEXt", b"Raw profile type exif\0\n\n\nzz"),
        chunk(b"iTXt", b"exif\0\0\0\0\0garbage"),
        # A million fractions as the one orientation: too long to be read at all.
        chunk(b"eXIf", b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x0112, 5, 10**6, 26, 0) + bytes(8 * 10**6)),
    ],
    ids=["no EXIF", "no hexadecimals", "words", "endless"],
)
def test_torn_exif_costs_neither_the_picture_nor_time(torn: bytes) -> None:
    start = time.process_time()
    assert decode(png(2, 1, b"\0\0\1", middle=torn), max_pixels=MAX_PIXELS).pixels.tolist() == [[0, 1]]
    assert time.process_time() - start < 0.2


@as_served
def test_torn_metadata_do_not_spoil_a_good_picture() -> None:
    good = decode(LOSSY["JPEG"], max_pixels=MAX_PIXELS).pixels
    for torn in (
        b"\xff\xe1\x00\x10Exif\0\0garbage!",
        b"\xff\xe1\x00\x12Exif\0\0II*\0\x08\0\0\0\xff\xff",
        b"\xff\xe2\x00\x08MPF\0\0\0",
    ):
        content = LOSSY["JPEG"][:2] + torn + LOSSY["JPEG"][2:]
        assert np.array_equal(decode(content, max_pixels=MAX_PIXELS).pixels, good)


def test_an_orientation_that_is_not_one_is_no_turn() -> None:
    for value in (0, 9, 4711):
        content = saved(gradient(), "PNG", exif=orientation(value))
        assert np.array_equal(decode(content, max_pixels=MAX_PIXELS).pixels, gradient())


# ---------------------------------------------------------------- more than 8 bits


@named(DEEP)
def test_a_deep_image_keeps_its_numbers(content: bytes) -> None:
    raster = decode(content, max_pixels=MAX_PIXELS)
    assert raster.deep
    assert raster.pixels.dtype == np.float32
    assert np.array_equal(raster.pixels, radiograph())


@named(LOSSLESS | LOSSY)
def test_an_image_of_8_bits_is_not_deep(content: bytes) -> None:
    assert not decode(content, max_pixels=MAX_PIXELS).deep


def test_unsigned_32_bits_do_not_wrap() -> None:
    numbers = np.array([[0, 2**30, 2**31, 2**32 - 2**8]], np.uint32)
    assert np.array_equal(decode(tiff(numbers), max_pixels=MAX_PIXELS).pixels, numbers.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("deflate", [False, True])
def test_white_stored_as_zero_is_white(dtype: type[np.generic], deflate: bool) -> None:  # noqa: FBT001
    picture = radiograph(most=255)
    content = tiff((255 - picture).astype(dtype), photometric=0, deflate=deflate)
    shown = decode(content, max_pixels=MAX_PIXELS).pixels.astype(float)
    assert np.array_equal(shown - shown.min(), picture)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_undecodable(value: float) -> None:
    pixels = radiograph().astype(np.float32)
    pixels[3, 4] = value
    with pytest.raises(UndecodableImage, match="not numbers"):
        decode(tiff(pixels), max_pixels=MAX_PIXELS)


def deep_colour_png(colour: int, samples: int, first: bytes = b"") -> bytes:
    row = b"\0" + b"\x0f\xff" * samples * 4
    return png(4, 3, row * 3, depth=16, colour=colour, first=first)


@named(
    {
        "PNG RGB": deep_colour_png(2, 3),
        "PNG RGBA": deep_colour_png(6, 4),
        "PNG grey with alpha": deep_colour_png(4, 2),
        "PNG with a text before its header": deep_colour_png(2, 3, first=chunk(b"tEXt", b"a\0b")),
        "TIFF RGB": tiff(np.full((3, 4, 3), 4095, np.uint16)),
        "TIFF RGB, big-endian": tiff(np.full((3, 4, 3), 4095, np.uint16), big_endian=True),
        "TIFF RGB, deflate": tiff(np.full((3, 4, 3), 4095, np.uint16), deflate=True),
        "TIFF RGB, a plane per colour": tiff(np.full((3, 4, 3), 4095, np.uint16), tags={284: (3, [2])}),
    }
)
def test_deep_colour_is_refused_with_advice(content: bytes) -> None:
    with pytest.raises(UndecodableImage, match="save it with 8 bits per channel"):
        decode(content, max_pixels=MAX_PIXELS)


@named(
    {
        "compressed big-endian float": tiff(radiograph().astype(np.float32), big_endian=True, deflate=True),
        "compressed big-endian int32": tiff(radiograph().astype(np.int32), big_endian=True, deflate=True),
        "compressed big-endian int16": tiff(radiograph().astype(np.int16), big_endian=True, deflate=True),
        "signed bytes": tiff(GREY.astype(np.int8)),
        "white as zero in separate planes": tiff(GREY, photometric=0, tags={284: (3, [2])}),
        "the thumbnail of a raw file": tiff(GREY, tags={254: (4, [1])}),
        "fax": saved(Image.fromarray(GREY).convert("1"), "TIFF", compression="group4"),
    }
)
def test_a_tiff_that_pillow_misreads_is_refused_with_advice(content: bytes) -> None:
    with pytest.raises(UndecodableImage, match="save it as PNG"):
        decode(content, max_pixels=MAX_PIXELS)


def test_stretch_uses_the_whole_range() -> None:
    shown = stretch(radiograph().astype(np.float32), 0.5, 99.5)
    assert shown.dtype == np.uint8
    assert (shown.min(), shown.max()) == (0, 255)
    assert len(np.unique(shown)) > 200
    assert 20 < shown.mean() < 200


def test_stretch_does_not_heed_a_hot_pixel() -> None:
    picture = radiograph().astype(np.float32)
    hot = picture.copy()
    hot[0, 0] = 65_535
    calm, heated = stretch(picture, 0.5, 99.5), stretch(hot, 0.5, 99.5)
    assert heated[0, 0] == 255
    heated[0, 0] = calm[0, 0]
    assert np.abs(calm.astype(int) - heated).max() <= 1


def test_stretch_does_not_heed_the_unit() -> None:
    picture = radiograph().astype(np.float32)
    for changed in (picture * 16, picture - 1024, picture / 4096):
        assert np.abs(stretch(changed, 0.5, 99.5).astype(int) - stretch(picture, 0.5, 99.5)).max() <= 1


def test_stretch_makes_a_constant_image_black() -> None:
    for value in (0, 4095, -1.5, 3e38):
        assert not stretch(np.full((5, 7), value, np.float32), 0.5, 99.5).any()


def test_stretch_shows_what_lies_outside_two_equal_percentiles() -> None:
    picture = np.zeros((100, 100), np.float32)
    picture[0, 0] = 9
    assert stretch(picture, 0.5, 99.5)[0, 0] == 255


@pytest.mark.parametrize("span", [(-3e38, 3e38), (0, 1e-45), (1e30, 2e30)])
def test_stretch_survives_the_ends_of_float32(span: tuple[float, float]) -> None:
    assert stretch(np.array([span], np.float32), 0.5, 99.5).tolist() == [[0, 255]]


# ---------------------------------------------------------------- colour, transparency


@named(LOSSLESS)
def test_lossless_files_of_one_picture_are_one_raster(content: bytes) -> None:
    raster = decode(content, max_pixels=MAX_PIXELS)
    assert np.array_equal(raster.pixels, gradient())
    assert (raster.width, raster.height) == (60, 40)


@named(LOSSY)
def test_lossy_files_come_close(content: bytes) -> None:
    assert difference(decode(content, max_pixels=MAX_PIXELS).pixels, gradient()) < 3


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "JPEG"])
def test_grey_stays_grey(kind: str) -> None:
    pixels = decode(saved(GREY, kind), max_pixels=MAX_PIXELS).pixels
    assert pixels.ndim == 2
    assert difference(pixels, GREY) < 1


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_one_bit_is_black_and_white(kind: str) -> None:
    bits = GREY > 127
    assert np.array_equal(decode(saved(bits, kind), max_pixels=MAX_PIXELS).pixels, np.where(bits, 255, 0))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_a_palette_is_looked_up(kind: str) -> None:
    indexed = Image.fromarray(gradient()).quantize(64)
    assert np.array_equal(
        decode(saved(indexed, kind), max_pixels=MAX_PIXELS).pixels, np.asarray(indexed.convert("RGB"))
    )


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_what_is_transparent_is_white(kind: str) -> None:
    opacity = np.zeros((40, 60, 1), np.uint8)
    opacity[:, 20:40] = 128
    opacity[:, 40:] = 255
    content = saved(
        np.concatenate([gradient(), opacity], axis=-1), kind, **({"lossless": True} if kind == "WEBP" else {})
    )
    shown = decode(content, max_pixels=MAX_PIXELS).pixels
    assert (shown[:, :20] == 255).all()
    assert difference(shown[:, 20:40], gradient()[:, 20:40] / 2 + 127) < 1
    assert np.array_equal(shown[:, 40:], gradient()[:, 40:])


@named(
    {
        "palette, one colour": saved(Image.frombytes("P", (2, 1), b"\0\1"), "PNG", transparency=0),
        "palette, by alpha": saved(Image.frombytes("P", (2, 1), b"\0\1"), "PNG", transparency=b"\0\xff"),
        "grey with alpha": saved(Image.frombytes("LA", (2, 1), b"\0\0\1\xff"), "PNG"),
        "grey, one level": png(2, 1, b"\0\0\1", middle=chunk(b"tRNS", b"\0\0")),
        "RGB, one colour": png(2, 1, b"\0\0\0\0\1\1\1", colour=2, middle=chunk(b"tRNS", bytes(6))),
        "TIFF, grey with premultiplied alpha": tiff_of(
            {
                256: (4, [2]),
                257: (4, [1]),
                258: (3, [8, 8]),
                262: (3, [1]),
                273: (4, [8]),
                277: (3, [2]),
                338: (3, [1]),
            },
            b"\0\0\1\xff",
        ),
    }
)
def test_every_kind_of_transparency_shows_white(content: bytes) -> None:
    left, right = np.atleast_3d(decode(content, max_pixels=MAX_PIXELS).pixels)[0]
    assert (left == 255).all()
    assert (right <= 1).all()


def test_a_single_transparent_bit_shows_white() -> None:
    content = png(8, 1, b"\0\x0f", depth=1, middle=chunk(b"tRNS", b"\0\0"))
    assert (decode(content, max_pixels=MAX_PIXELS).pixels == 255).all()


def adobe_cmyk(red: tuple[int, int, int, int], transform: int) -> bytes:
    content = bytearray(saved(Image.new("CMYK", (16, 16), red), "JPEG", quality=100, subsampling=0))
    content[content.index(b"Adobe") + 11] = transform
    return bytes(content)


@named(
    {
        "CMYK JPEG, as Adobe inverts it": adobe_cmyk((0, 255, 255, 0), transform=0),
        # Red as YCCK: what is stored is cyan in YCbCr, and Pillow inverts once more while it saves.
        "YCCK JPEG, as Adobe inverts it": adobe_cmyk((255 - 179, 255 - 171, 255 - 1, 0), transform=2),
        "CMYK TIFF": saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "TIFF"),
        "YCbCr JPEG": saved(Image.new("RGB", (16, 16), "red").convert("YCbCr"), "JPEG", quality=100),
        "YCbCr TIFF": saved(Image.new("RGB", (16, 16), "red").convert("YCbCr"), "TIFF"),
        "LAB TIFF": saved(Image.new("LAB", (16, 16), (138, 209, 198)), "TIFF"),
    }
)
def test_red_is_red_in_every_colour_space(content: bytes) -> None:
    shown = decode(content, max_pixels=MAX_PIXELS).pixels.astype(int)
    assert np.abs(shown - (255, 0, 0)).max() <= 8


# ---------------------------------------------------------------- upright, without identity


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize(
    "options",
    [
        {"format": "PNG"},
        {"format": "TIFF"},
        {"format": "TIFF", "compression": "tiff_lzw"},
        {"format": "WEBP", "lossless": True},
    ],
    ids=str,
)
def test_a_turned_picture_is_shown_upright(options: dict[str, object], value: int) -> None:
    kind = str(options["format"])
    rest = {name: option for name, option in options.items() if name != "format"}
    stored = turned(gradient(), value)
    raster = decode(saved(stored, kind, exif=orientation(value), **rest), max_pixels=MAX_PIXELS)
    assert np.array_equal(raster.pixels, gradient())
    assert (raster.height, raster.width) == stored.shape[:2]


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_turned_deep_picture_is_shown_upright(kind: str, value: int) -> None:
    content = saved(turned(radiograph(), value), kind, exif=orientation(value))
    assert np.array_equal(decode(content, max_pixels=MAX_PIXELS).pixels, radiograph())


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("shrink_to", [None, 48])
def test_a_turned_jpeg_is_shown_upright_shrunk_or_not(value: int, shrink_to: int | None) -> None:
    picture = photograph(400, 300)
    upright = decode(saved(picture, "JPEG", quality=95), max_pixels=MAX_PIXELS, shrink_to=shrink_to)
    content = saved(turned(picture, value), "JPEG", quality=95, exif=orientation(value))
    raster = decode(content, max_pixels=MAX_PIXELS, shrink_to=shrink_to)
    assert difference(raster.pixels, upright.pixels) < 2
    assert (raster.pixels.shape == picture.shape) == (shrink_to is None)


def test_a_raster_holds_pixels_and_nothing_of_the_person() -> None:
    assert [field.name for field in fields(Raster)] == [
        *("pixels", "media_type", "width", "height"),
        *("modality", "body_part", "notes"),
    ]
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        named_picture = saved(gradient(), kind, exif=orientation(1), icc_profile=profile)
        assert b"Jane Roe" in named_picture
        raster = decode(named_picture, max_pixels=MAX_PIXELS)
        assert b"Jane Roe" not in pickle.dumps(raster)
        assert raster.pixels.tobytes() == decode(saved(gradient(), kind), max_pixels=MAX_PIXELS).pixels.tobytes()


# ---------------------------------------------------------------- one picture per file


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_several_frames_are_refused(kind: str) -> None:
    with pytest.raises(TooManyFrames):
        decode(several(kind), max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("shrink_to", [None, 10])
def test_a_phone_jpeg_with_a_second_picture_shows_its_first(shrink_to: int | None) -> None:
    shown = decode(several("MPO"), max_pixels=MAX_PIXELS, shrink_to=shrink_to).pixels
    first = decode(saved(gradient(), "JPEG"), max_pixels=MAX_PIXELS, shrink_to=shrink_to).pixels
    assert np.array_equal(shown, first)


# ---------------------------------------------------------------- shrunk while decoding


@pytest.mark.parametrize(
    ("shrink_to", "shape"), [(300, (600, 800)), (299, (600, 800)), (150, (300, 400)), (96, (300, 400)), (30, (75, 100))]
)
def test_a_jpeg_is_shrunk_to_no_less_than_twice_the_target(shrink_to: int, shape: tuple[int, int]) -> None:
    raster = decode(saved(photograph(), "JPEG"), max_pixels=MAX_PIXELS, shrink_to=shrink_to)
    assert raster.pixels.shape[:2] == shape
    assert min(shape) >= 2 * shrink_to
    assert (raster.width, raster.height) == (800, 600)


@pytest.mark.parametrize("shrink_to", [1, 64, 100_000])
@named({"JPEG, tiny": saved(gradient(3, 2), "JPEG"), "JPEG, thin": saved(gradient(5000, 1), "JPEG")} | LOSSLESS)
def test_what_cannot_shrink_keeps_its_sides(content: bytes, shrink_to: int) -> None:
    assert (
        decode(content, max_pixels=MAX_PIXELS, shrink_to=shrink_to).pixels.shape
        == decode(content, max_pixels=MAX_PIXELS).pixels.shape
    )


def test_errors_name_no_path_and_no_pillow() -> None:
    refused: list[Callable[[], object]] = [
        lambda: decode(b"", max_pixels=1),
        lambda: decode(LOSSLESS["PNG"], max_pixels=1),
        lambda: decode(LOSSLESS["PNG"][:60], max_pixels=MAX_PIXELS),
        lambda: decode(several("PNG"), max_pixels=MAX_PIXELS),
        lambda: decode(deep_colour_png(2, 3), max_pixels=MAX_PIXELS),
    ]
    for refuse in refused:
        with pytest.raises(SightlineError) as caught:
            refuse()
        sentence = str(caught.value)
        assert sentence.endswith(".")
        assert not any(word in sentence for word in ("/", "PIL", "Pillow", "BytesIO", "0x"))

import json
import logging
import pickle
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from imagecodecs import htj2k_encode, jpeg8_encode
from pydicom import Dataset, Sequence, dcmread, uid
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from starlette.testclient import TestClient

from services.dicom import Dicom, read
from services.dicom.library import parse
from services.dicom.syntaxes import SYNTAXES
from services.errors import (
    MalformedRequest,
    SightlineError,
    TooManyFrames,
    TooManyPixels,
    UndecodableImage,
    UnsupportedImage,
)
from services.imaging import DICOM, decode, sniff
from tests.dicoms import PATIENT, compressed, dataset, dicom, element, elements, written
from tests.images import Pixels, gradient, radiograph, saved

MAX_PIXELS = 1_000_000
DEEP = radiograph()  # 12 bits of 16
GREY = np.ascontiguousarray(gradient()[..., 0])
SIGNED = DEEP.astype(np.int16) - 1024

# Some files of other people do not say of their colours what their JPEG says, and pydicom warns of it. Tests turn
# warnings into errors, a service does not; this is the service's way.
as_served = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def shown(content: bytes, **options: Any) -> Dicom:
    return read(content, max_pixels=MAX_PIXELS, **options)


def sample(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read()


def sequence(**said: Any) -> Sequence:
    item = Dataset()
    for keyword, value in said.items():
        setattr(item, keyword, value)
    return Sequence([item])


def lossless_jpeg(pixels: Pixels, predictor: int = 1) -> bytes:
    unsigned = pixels.view(f"u{pixels.itemsize}")
    options: dict[str, Any] = {"bitspersample": 16} if pixels.itemsize > 1 else {}
    if pixels.ndim == 3:
        options |= {"colorspace": "RGB", "outcolorspace": "RGB"}
    return bytes(jpeg8_encode(unsigned, lossless=True, predictor=predictor, **options))


# ---------------------------------------------------------------- transfer syntaxes


@pytest.mark.parametrize("pixels", [DEEP, SIGNED, GREY, gradient()], ids=["12 bits", "signed", "8 bits", "colour"])
@pytest.mark.parametrize(
    "syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.RLELossless,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
    ],
    ids=lambda syntax: syntax.keyword,
)
def test_what_is_stored_without_loss_is_read_without_loss(syntax: uid.UID, pixels: Pixels) -> None:
    read_back = shown(dicom(pixels, syntax=syntax)).pixels
    assert read_back.dtype == (np.uint8 if pixels.dtype == np.uint8 else np.float32)
    assert np.array_equal(read_back, pixels)


@pytest.mark.parametrize("pixels", [DEEP, SIGNED, GREY, gradient()], ids=["12 bits", "signed", "8 bits", "colour"])
@pytest.mark.parametrize("predictor", [1, 6])
def test_lossless_jpeg_is_read_without_loss(pixels: Pixels, predictor: int) -> None:
    syntax = uid.JPEGLosslessSV1 if predictor == 1 else uid.JPEGLossless
    content = compressed(lossless_jpeg(pixels, predictor), syntax, like=pixels)
    assert np.array_equal(shown(content).pixels, pixels)


@pytest.mark.parametrize("syntax", [uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K])
@pytest.mark.parametrize("pixels", [DEEP, GREY], ids=["16 bits", "8 bits"])
def test_high_throughput_jpeg_2000_is_read(syntax: uid.UID, pixels: Pixels) -> None:
    content = compressed(bytes(htj2k_encode(pixels, reversible=True)), syntax, like=pixels)
    assert np.array_equal(shown(content).pixels, pixels)


def test_jpeg_of_12_bits_comes_close() -> None:
    frame = bytes(jpeg8_encode(DEEP, 95, bitspersample=12))
    pixels = shown(compressed(frame, uid.JPEGExtended12Bit, like=DEEP, BitsStored=12)).pixels
    assert np.abs(pixels - DEEP).mean() < 10


@pytest.mark.parametrize("pixels", [GREY, gradient()], ids=["grey", "colour"])
def test_baseline_jpeg_comes_close(pixels: Pixels) -> None:
    frame = saved(pixels, "JPEG", quality=95, subsampling=0)
    colours = "MONOCHROME2" if pixels.ndim == 2 else "YBR_FULL_422"
    for syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit):
        read_back = shown(compressed(frame, syntax, like=pixels, PhotometricInterpretation=colours)).pixels
        assert read_back.shape == pixels.shape
        assert np.abs(read_back.astype(float) - pixels).mean() < 3


def test_every_syntax_of_the_list_is_one_that_pydicom_knows_and_no_video() -> None:
    for name in SYNTAXES:
        assert uid.UID(name).is_transfer_syntax
        assert "MPEG" not in uid.UID(name).name


@pytest.mark.parametrize(
    ("syntax", "named"),
    [
        ("1.2.840.10008.1.2.4.102", "MPEG-4, 1.2.840.10008.1.2.4.102"),
        ("1.2.840.10008.1.2.4.110", "JPEG XL"),
        ("1.2.840.10008.1.2.4.94", "JPIP"),
        ("1.2.840.10008.1.2.4.999", "1.2.840.10008.1.2.4.999"),
        (f"1.2.3.{PATIENT}", "a private one"),
    ],
)
def test_another_syntax_is_refused_by_name(syntax: str, named: str) -> None:
    with pytest.raises(UndecodableImage, match="transfer syntax") as caught:
        shown(elements(syntax=syntax))
    assert named in str(caught.value)
    assert PATIENT not in str(caught.value)


# ---------------------------------------------------------------- from stored values to shades


def test_rescaling_gives_the_modalitys_units() -> None:
    pixels = shown(dicom(DEEP, RescaleSlope="2", RescaleIntercept="-1024")).pixels
    assert np.array_equal(pixels, DEEP * 2.0 - 1024)


def test_a_modality_table_is_looked_up_and_its_ends_go_on() -> None:
    steps = [10, 20, 30]
    tables = sequence(LUTDescriptor=[3, 100, 16], LUTData=struct.pack("<3H", *steps), ModalityLUTType="US")
    tables[0]["LUTData"].VR = "OW"
    stored = np.array([[0, 100, 101, 102, 4000]], np.uint16)
    assert shown(dicom(stored, ModalityLUTSequence=tables)).pixels.tolist() == [[10, 10, 20, 30, 30]]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        # PS3.3 C.11.2.1.2.1: ((x - (c - 0.5)) / (w - 1) + 0.5) of white.
        (None, [0, 0, 64, 128, 191, 255, 255]),
        ("LINEAR", [0, 0, 64, 128, 191, 255, 255]),
        # PS3.3 C.11.2.1.3.2: ((x - c) / w + 0.5).
        ("LINEAR_EXACT", [0, 0, 64, 128, 191, 255, 255]),
        # PS3.3 C.11.2.1.3.1: 1 / (1 + exp(-4 (x - c) / w)).
        ("SIGMOID", [5, 30, 69, 128, 186, 225, 250]),
    ],
)
def test_the_files_window_is_applied(function: str | None, expected: list[int]) -> None:
    stored = np.array([[0, 1000, 1500, 2000, 2500, 3000, 4000]], np.uint16)
    said: dict[str, Any] = {"WindowCenter": "1000", "WindowWidth": "2000", "VOILUTFunction": function}
    picture = shown(dicom(stored, RescaleSlope="1", RescaleIntercept="-1000", **said))
    assert picture.pixels.dtype == np.uint8
    assert np.abs(picture.pixels[0].astype(int) - expected).max() <= 1
    assert picture.notes == ("The window of the DICOM file was applied: centre 1000, width 2000.",)


def test_the_linear_windows_differ_by_half_a_step() -> None:
    stored = np.arange(256, dtype=np.uint16)[None]
    window: dict[str, Any] = {"WindowCenter": "128", "WindowWidth": "256"}
    linear = shown(dicom(stored, **window)).pixels[0]
    exact = shown(dicom(stored, **window, VOILUTFunction="LINEAR_EXACT")).pixels[0]
    assert np.array_equal(linear, np.arange(256))
    assert np.array_equal(exact, np.rint(np.arange(256) / 256 * 255))


def test_of_several_windows_the_first_is_applied_and_the_note_says_so() -> None:
    many = shown(dicom(DEEP, WindowCenter=["600", "40"], WindowWidth=["1600", "80"]))
    assert np.array_equal(many.pixels, shown(dicom(DEEP, WindowCenter="600", WindowWidth="1600")).pixels)
    assert many.notes == ("The first of 2 windows of the DICOM file was applied: centre 600, width 1600.",)


@pytest.mark.parametrize(
    "said",
    [
        {"WindowWidth": "0"},
        {"WindowWidth": "-5"},
        {"WindowWidth": "0", "VOILUTFunction": "SIGMOID"},
        {"WindowWidth": "100", "VOILUTFunction": "CUBIC"},
        {"WindowWidth": None},
    ],
)
def test_a_window_that_is_none_leaves_the_picture_deep(said: dict[str, Any]) -> None:
    picture = shown(dicom(DEEP, WindowCenter="600", **said))
    assert picture.pixels.dtype == np.float32
    assert picture.notes == ()


def test_a_given_window_takes_the_place_of_the_files() -> None:
    stored = np.array([[0, 1024, 1044, 1064, 1104, 4095]], np.uint16)
    units: dict[str, Any] = {"RescaleSlope": "1", "RescaleIntercept": "-1024"}
    asked: dict[str, Any] = {"WindowCenter": "600", "WindowWidth": "1600", "VOILUTFunction": "SIGMOID"}
    for said in ({}, asked):
        picture = shown(dicom(stored, **units, **said), window=(40, 81))
        assert picture.pixels.tolist() == [[0, 2, 65, 129, 255, 255]]
        assert picture.notes == ("The window with centre 40, width 81 was applied.",)


def voi(entries: Pixels, first: int, bits: int) -> Sequence:
    tables = sequence(LUTDescriptor=[len(entries) % 2**16, first, bits], LUTData=entries.astype("<u2").tobytes())
    tables[0]["LUTData"].VR = "OW"
    return tables


@pytest.mark.parametrize(("bits", "most"), [(8, 255), (10, 1023), (16, 65_535)])
def test_a_voi_table_goes_before_a_window_and_fills_its_own_bits(bits: int, most: int) -> None:
    # 4096 entries of 8 bits too: more entries than an entry can count.
    falling = np.rint(np.linspace(most, 0, 4096))
    picture = shown(dicom(DEEP, VOILUTSequence=voi(falling, 0, bits), WindowCenter="600", WindowWidth="1600"))
    assert picture.notes == ("The VOI table of the DICOM file was applied.",)
    assert np.abs(picture.pixels - (255 - DEEP / 4095 * 255)).max() <= 1


def test_a_voi_table_is_read_by_the_modalitys_units() -> None:
    stored = np.array([[0, 1023, 1024, 1025, 1026, 4095]], np.uint16)
    picture = shown(
        dicom(
            stored,
            RescaleSlope="1",
            RescaleIntercept="-1024",
            VOILUTSequence=voi(np.array([0, 128, 255]), 0, 8),
        )
    )
    assert picture.pixels.tolist() == [[0, 0, 0, 128, 255, 255]]


def test_white_stored_as_zero_is_turned_round_last() -> None:
    window: dict[str, Any] = {"WindowCenter": "600", "WindowWidth": "1600"}
    upright = shown(dicom(DEEP, **window)).pixels
    assert np.array_equal(shown(dicom(DEEP, **window, PhotometricInterpretation="MONOCHROME1")).pixels, 255 - upright)
    assert np.array_equal(shown(dicom(GREY, PhotometricInterpretation="MONOCHROME1")).pixels, 255 - GREY)
    deep = shown(dicom(DEEP, RescaleSlope="2", RescaleIntercept="5", PhotometricInterpretation="MONOCHROME1")).pixels
    assert np.array_equal(deep, -(DEEP * 2.0 + 5))


@pytest.mark.parametrize(("value", "limit"), [(-2000, None), (63_536, None), (-2000, -1990)])
def test_padding_does_not_widen_the_range(value: int, limit: int | None) -> None:
    stored = SIGNED.copy()
    stored[:5] = -2000
    stored[5:9] = -2000 if limit is None else limit
    made = dataset(stored)
    for number, said in ((0x0120, value), (0x0121, limit)):
        if said is not None:
            made.add_new((0x0028, number), "SS" if said < 0 else "US", said)
    pixels = shown(written(made)).pixels
    assert pixels.min() == stored[9:].min() == pixels[0, 0]
    assert np.array_equal(pixels[9:], stored[9:])


def test_a_picture_of_padding_alone_is_left_as_it_is() -> None:
    made = dataset(np.full((3, 4), -2000, np.int16))
    made.add_new((0x0028, 0x0120), "SS", -2000)
    assert (shown(written(made)).pixels == -2000).all()


def test_8_bits_in_a_deep_file_find_a_window_and_8_of_8_do_not() -> None:
    assert shown(dicom(GREY)).pixels.dtype == np.uint8
    assert shown(dicom(GREY, BitsStored=7)).pixels.dtype == np.float32
    assert shown(dicom(GREY, RescaleSlope="1", RescaleIntercept="0")).pixels.dtype == np.uint8
    assert shown(dicom(GREY, RescaleSlope="2", RescaleIntercept="0")).pixels.dtype == np.float32


@pytest.mark.parametrize("slope", ["1e300", "-1e300", "nan", "inf"])
def test_numbers_that_are_none_are_undecodable(slope: str) -> None:
    made = dataset(DEEP, RescaleIntercept="0")
    made.add_new((0x0028, 0x1053), "UT", slope)
    with pytest.raises(UndecodableImage):
        shown(written(made).replace(b"\x28\x00\x53\x10UT\0\0", b"\x28\x00\x53\x10UT\0\0"))
    content = dicom(DEEP, RescaleIntercept="0", RescaleSlope="7777777777")
    with pytest.raises(UndecodableImage, match="not numbers"):
        shown(content.replace(b"7777777777", slope.rjust(10).encode()))


# ---------------------------------------------------------------- colour


def test_colours_may_lie_in_planes() -> None:
    planes = np.ascontiguousarray(gradient().transpose(2, 0, 1)).reshape(gradient().shape)
    assert np.array_equal(shown(dicom(planes, PlanarConfiguration=1)).pixels, gradient())


def test_luminance_and_colour_become_rgb() -> None:
    # PS3.3 C.7.6.3.1.2: of full range, as JFIF has it.
    red, green, blue = gradient().astype(float).transpose(2, 0, 1)
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    stored = np.stack([luminance, 128 + (blue - luminance) / 1.772, 128 + (red - luminance) / 1.402], axis=-1)
    pixels = shown(dicom(np.rint(stored).clip(0, 255).astype(np.uint8), PhotometricInterpretation="YBR_FULL")).pixels
    assert np.abs(pixels.astype(int) - gradient()).max() <= 2


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_is_looked_up(bits: int) -> None:
    random = np.random.default_rng(3)
    colours = random.integers(0, 256, (256, 3), np.uint8)
    made = dataset(GREY, PhotometricInterpretation="PALETTE COLOR")
    for column, colour in enumerate(("Red", "Green", "Blue")):
        entries = colours[:, column] if bits == 8 else colours[:, column].astype("<u2") * 257
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, bits])
        setattr(made, f"{colour}PaletteColorLookupTableData", entries.tobytes())
    assert np.array_equal(shown(written(made)).pixels, colours[GREY])


@pytest.mark.parametrize(
    "said",
    [
        {"PhotometricInterpretation": "HSV"},
        {"PhotometricInterpretation": "MONOCHROME2"},
        {"PhotometricInterpretation": None},
    ],
)
def test_other_colours_are_refused(said: dict[str, Any]) -> None:
    with pytest.raises(UndecodableImage, match="colours"):
        shown(dicom(gradient(), **said))
    with pytest.raises(UndecodableImage, match="colours"):
        shown(dicom(GREY, PhotometricInterpretation="PALETTE COLOR"))


def test_deep_colour_is_refused_with_advice() -> None:
    with pytest.raises(UndecodableImage, match="save it with 8 bits per channel"):
        shown(dicom(gradient().astype(np.uint16)))


# ---------------------------------------------------------------- frames


@pytest.mark.parametrize(
    "syntax", [uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless, uid.JPEG2000Lossless]
)
def test_of_several_frames_one_is_chosen(syntax: uid.UID) -> None:
    film = np.stack([DEEP, DEEP // 2, DEEP // 3])
    content = dicom(film, frames=3, syntax=syntax)
    with pytest.raises(TooManyFrames, match=r"3 frames; .* parameter frame, from 1 to 3"):
        shown(content)
    for number in (1, 2, 3):
        picture = shown(content, frame=number)
        assert np.array_equal(picture.pixels, film[number - 1])
        assert picture.notes == (f"Frame {number} of 3 was read.",)
    for number in (-1, 0, 4):
        with pytest.raises(MalformedRequest):
            shown(content, frame=number)


def test_a_single_frame_may_be_asked_for_by_number() -> None:
    assert np.array_equal(shown(dicom(DEEP), frame=1).pixels, DEEP)
    with pytest.raises(MalformedRequest, match="no frame 2"):
        shown(dicom(DEEP), frame=2)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian])
@pytest.mark.parametrize("defined", [True, False])
def test_an_enhanced_file_has_units_for_all_and_a_window_for_each_frame(syntax: uid.UID, defined: bool) -> None:  # noqa: FBT001
    film = np.stack([DEEP, DEEP])
    made = dataset(film, frames=2, syntax=syntax)
    made.SharedFunctionalGroupsSequence = sequence(
        PixelValueTransformationSequence=sequence(RescaleSlope="1", RescaleIntercept="-1024")
    )
    made.PerFrameFunctionalGroupsSequence = Sequence(
        [sequence(FrameVOILUTSequence=sequence(WindowCenter=centre, WindowWidth="400"))[0] for centre in ("40", "500")]
    )
    if not defined:
        for groups in (made["SharedFunctionalGroupsSequence"], made["PerFrameFunctionalGroupsSequence"]):
            groups.is_undefined_length = True
            for item in groups.value:
                item.is_undefined_length_sequence_item = True
    content = written(made)
    for number, centre in ((1, 40), (2, 500)):
        picture = shown(content, frame=number)
        assert f"centre {centre}, width 400" in picture.notes[1]
        plain = dicom(DEEP, RescaleSlope="1", RescaleIntercept="-1024", WindowCenter=str(centre), WindowWidth="400")
        assert np.array_equal(picture.pixels, shown(plain).pixels)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless])
def test_frames_that_the_file_only_claims_to_hold_are_refused(syntax: uid.UID) -> None:
    content = written(dataset(DEEP, NumberOfFrames=10**9))
    if syntax == uid.RLELossless:
        frame = dataset(DEEP)
        frame.compress(uid.RLELossless)
        frame.NumberOfFrames = 10**9
        content = written(frame)
    with pytest.raises(TooManyFrames, match="1000000000"):
        shown(content)
    for number in (1, 10**9):
        with pytest.raises(UndecodableImage):
            shown(content, frame=number)


# ---------------------------------------------------------------- size, from the header


def test_more_pixels_than_allowed_are_refused_from_the_header() -> None:
    content = dicom(DEEP)
    assert read(content, max_pixels=DEEP.size).pixels.shape == DEEP.shape
    with pytest.raises(TooManyPixels, match="64 x 48"):
        read(content, max_pixels=DEEP.size - 1)


@pytest.mark.parametrize(
    "syntax", [uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian, uid.RLELossless, uid.JPEG2000]
)
def test_pixels_that_are_only_claimed_are_refused_before_any_is_touched(syntax: uid.UID) -> None:
    # What should be pixels would break every decoder.
    made = dataset(DEEP, Rows=65_000, Columns=65_000)
    made.file_meta.TransferSyntaxUID = syntax
    if syntax.is_encapsulated:
        made.PixelData = encapsulate([b"no picture"])
        made["PixelData"].is_undefined_length = True
    with pytest.raises(TooManyPixels, match="65000 x 65000"):
        shown(written(made))


def deflated(data: bytes) -> bytes:
    squeeze = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return elements(squeeze.compress(data) + squeeze.flush(), syntax=uid.DeflatedExplicitVRLittleEndian)


def test_a_deflated_bomb_is_refused_while_it_unpacks() -> None:
    content = deflated(element(0x7FE0, 0x10, b"OW", bytes(200_000_000)))
    assert len(content) < 300_000
    start = time.process_time()
    with pytest.raises(TooManyPixels, match="unpacks"):
        shown(content)
    assert time.process_time() - start < 1


# ---------------------------------------------------------------- work, from the structure


def nested(depth: int) -> bytes:
    opened = element(0x0040, 0xA730, b"SQ", b"", length=2**32 - 1) + struct.pack("<HHI", 0xFFFE, 0xE000, 2**32 - 1)
    closed = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return opened * depth + closed * depth


ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
SPRAWLING = {
    "elements": elements(element(0x0009, 0x1010, b"LO", b"") * 1_000_000),
    "items": elements(element(0x0040, 0xA730, b"SQ", b"", length=2**32 - 1), ITEM * 1_000_000, END),
    "deep sequences": elements(nested(200_000)),
    "sequences a little too deep": elements(nested(33)),
    "fragments": elements(
        element(0x7FE0, 0x10, b"OB", b"", length=2**32 - 1), ITEM * 1_000_000, END, syntax=uid.RLELossless
    ),
    "a long table": elements(element(0x0028, 0x3010, b"SQ", ITEM * 1_000_000)),
    "frames' own elements": elements(element(0x5200, 0x9230, b"SQ", ITEM * 1_000_000)),
    "a long window": elements(element(0x0028, 0x1050, b"UT", b"1\\" * 1_000_000)),
    "deflated elements": deflated(element(0x0009, 0x1010, b"LO", b"") * 1_000_000),
}


@pytest.mark.parametrize("content", SPRAWLING.values(), ids=SPRAWLING.keys())
def test_a_file_of_very_many_parts_is_refused_before_it_costs_time(content: bytes) -> None:
    start = time.process_time()
    with pytest.raises(UndecodableImage, match="too many parts"):
        shown(content)
    assert time.process_time() - start < 1


def test_private_nested_sequences_of_a_scanner_are_stepped_over() -> None:
    made = written(dataset(DEEP))
    at = made.index(b"\x28\x00\x02\x00US")
    assert np.array_equal(shown(made[:at] + nested(20) + made[at:]).pixels, DEEP)
    # Of no known type, and so without types within.
    plain = struct.pack("<HHII", 0xFFFE, 0xE000, 16, 0x00101010) + struct.pack("<I", 8) + b"12345678"
    unknown = element(0x0029, 0x1010, b"UN", b"", length=2**32 - 1) + plain + END
    assert np.array_equal(shown(made[:at] + unknown + made[at:]).pixels, DEEP)


# ---------------------------------------------------------------- damage and lies


HEADER = {
    "Rows": 0,
    "Columns": 0,
    "BitsAllocated": 32,
    "BitsStored": 17,
    "HighBit": 3,
    "SamplesPerPixel": 4,
    "NumberOfFrames": -3,
}


@pytest.mark.parametrize(("keyword", "value"), HEADER.items(), ids=HEADER.keys())
def test_nonsense_in_the_header_is_refused(keyword: str, value: int) -> None:
    said: dict[str, Any] = {"HighBit": 11} | {keyword: value}
    with pytest.raises(UndecodableImage):
        shown(dicom(DEEP, **said))


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated", "PhotometricInterpretation"])
def test_what_is_needed_and_missing_is_refused(keyword: str) -> None:
    said: dict[str, Any] = {keyword: None, "HighBit": 11}
    with pytest.raises(UndecodableImage):
        shown(dicom(DEEP, **said))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize(
    "syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.RLELossless,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
    ],
    ids=lambda syntax: syntax.keyword,
)
def test_a_truncated_file_is_undecodable(syntax: uid.UID, share: float) -> None:
    content = dicom(DEEP, syntax=syntax)
    with pytest.raises(UndecodableImage):
        shown(content[: max(132, int(len(content) * share))])


def encoded(pixels: Pixels, syntax: uid.UID) -> bytes:
    made = dataset(pixels)
    made.compress(syntax)
    at = made.PixelData.index(struct.pack("<HH", 0xFFFE, 0xE000), 4)
    (length,) = struct.unpack_from("<I", made.PixelData, at + 4)
    return bytes(made.PixelData[at + 8 : at + 8 + length])


LARGER = radiograph(640, 480)
CODESTREAMS: dict[uid.UID, Callable[[Pixels], bytes]] = {
    uid.JPEGLosslessSV1: lossless_jpeg,
    uid.JPEGLSLossless: lambda pixels: encoded(pixels, uid.JPEGLSLossless),
    uid.JPEG2000Lossless: lambda pixels: encoded(pixels, uid.JPEG2000Lossless),
    uid.HTJ2K: lambda pixels: bytes(htj2k_encode(pixels, reversible=True)),
    uid.JPEGExtended12Bit: lambda pixels: bytes(jpeg8_encode(pixels, 95, bitspersample=12)),
}


@pytest.mark.parametrize(("syntax", "encode"), CODESTREAMS.items(), ids=lambda value: getattr(value, "keyword", ""))
def test_a_frame_of_other_sides_than_the_headers_is_refused(syntax: uid.UID, encode: Callable[[Pixels], bytes]) -> None:
    for pixels in (LARGER, DEEP[:, :-1], np.ascontiguousarray(DEEP.T)):
        with pytest.raises(UndecodableImage, match="not of the size"):
            shown(compressed(encode(pixels), syntax, like=DEEP))


def test_a_frame_of_more_colours_or_bits_than_the_headers_is_refused() -> None:
    colour = saved(gradient(), "JPEG")
    with pytest.raises(UndecodableImage, match="not of the size"):
        shown(compressed(colour, uid.JPEGBaseline8Bit, like=GREY))
    with pytest.raises(UndecodableImage):
        shown(compressed(lossless_jpeg(DEEP), uid.JPEGLosslessSV1, like=DEEP.astype(np.uint8)))


def jpeg_2000(*, layers: int = 1, tile: int = 2**20) -> bytes:
    size = struct.pack(">HHH8IH", 0xFF51, 41, 0, 64, 48, 0, 0, tile, tile, 0, 0, 1) + b"\x0f\x01\x01"
    style = struct.pack(">HHBBHB", 0xFF52, 12, 0, 0, layers, 0) + b"\x05\x04\x04\0\0"
    return b"\xff\x4f" + size + style + b"\xff\x90\0\x0a" + bytes(8)


LIES = {
    "progressive for baseline": (uid.JPEGBaseline8Bit, saved(GREY, "JPEG", progressive=True), GREY),
    "baseline for lossless": (uid.JPEGLosslessSV1, saved(GREY, "JPEG"), GREY),
    "PNG for baseline": (uid.JPEGBaseline8Bit, saved(GREY, "PNG"), GREY),
    "JPEG 2000 with a container": (uid.JPEG2000, saved(GREY, "JPEG2000"), GREY),
    "JPEG for JPEG-LS": (uid.JPEGLSLossless, saved(GREY, "JPEG"), GREY),
    "two heads": (uid.JPEGBaseline8Bit, b"\xff\xd8" + saved(GREY, "JPEG")[2:20] + b"\xff\xc0\0\x11" + bytes(15), GREY),
    "tiny tiles": (uid.JPEG2000, jpeg_2000(tile=1), DEEP),
    "no tiles": (uid.JPEG2000, jpeg_2000(tile=0), DEEP),
    "65 535 layers": (uid.JPEG2000, jpeg_2000(layers=65_535), DEEP),
    "a head alone": (uid.JPEG2000, jpeg_2000(), DEEP),
    "very many comments": (uid.JPEGBaseline8Bit, b"\xff\xd8" + b"\xff\xfe\0\2" * 100_000 + saved(GREY, "JPEG"), GREY),
    "very many filling bytes": (uid.JPEGLSLossless, b"\xff\xd8" + b"\xff" * 100_000, GREY),
    "oversize sides": (uid.JPEGLSLossless, b"\xff\xd8\xff\xf8\0\6\4\2\0\0", GREY),
    "endless runs": (uid.RLELossless, struct.pack("<16I", 2, 64, 66, *[0] * 13) + b"\x81\0" * 500_000, DEEP),
    "no runs": (uid.RLELossless, b"\1\0", DEEP),
    "runs elsewhere": (uid.RLELossless, struct.pack("<16I", 2, 2**31, 2**32 - 1, *[0] * 13), DEEP),
    "very many runs' ends": (uid.RLELossless, struct.pack("<16I", 255, *[64] * 15), DEEP),
    "nothing": (uid.JPEGBaseline8Bit, bytes(2), GREY),
}


@pytest.mark.parametrize(("syntax", "codestream", "like"), LIES.values(), ids=LIES.keys())
def test_a_frame_that_is_not_what_it_should_be_is_refused(syntax: uid.UID, codestream: bytes, like: Pixels) -> None:
    start = time.process_time()
    with pytest.raises(UndecodableImage):
        shown(compressed(codestream, syntax, like=like))
    assert time.process_time() - start < 1


def test_compressed_and_plain_pixels_are_not_mistaken_for_each_other() -> None:
    made = dataset(DEEP)
    made.file_meta.TransferSyntaxUID = uid.RLELossless
    plain = written(dataset(DEEP)).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")
    with pytest.raises(UndecodableImage):
        shown(plain)
    pieces = dicom(DEEP, syntax=uid.RLELossless).replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.1\0")
    with pytest.raises(UndecodableImage):
        shown(pieces)


WHOLE = {
    syntax.keyword: dicom(DEEP, syntax=syntax, WindowCenter="600", WindowWidth="1600")
    for syntax in (
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.RLELossless,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
    )
} | {syntax.keyword: compressed(encode(DEEP), syntax, like=DEEP) for syntax, encode in CODESTREAMS.items()}


@as_served
@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE.keys())
def test_damage_ends_in_a_picture_or_in_a_refusal(content: bytes) -> None:
    chance = np.random.default_rng(len(content))
    for _ in range(25):
        damaged = bytearray(content)
        for place in chance.integers(132, len(damaged), chance.choice([1, 2, 8])):
            damaged[place] = chance.integers(256)
        try:
            picture = shown(bytes(damaged[: chance.integers(132, len(damaged) * 3)]))
        except SightlineError:
            continue
        assert picture.pixels.size


# ---------------------------------------------------------------- the sample files of pydicom


@as_served
@pytest.mark.parametrize(
    ("name", "modality", "body_part"),
    [
        ("CT_small.dcm", "CT", None),
        ("693_J2KI.dcm", "CT", None),
        ("J2K_pixelrep_mismatch.dcm", "CT", "HEAD"),
        ("JPEG2000.dcm", "NM", "WHOLEBODY"),
        ("JPGExtended.dcm", "NM", "WHOLEBODY"),
        ("JPEGLSNearLossless_16.dcm", None, None),
        ("MR_small.dcm", "MR", None),
        ("MR_small_RLE.dcm", "MR", None),
        ("MR_small_bigendian.dcm", "MR", None),
        ("MR_small_implicit.dcm", "MR", None),
        ("MR_small_jp2klossless.dcm", "MR", None),
        ("MR_small_jpeg_ls_lossless.dcm", "MR", None),
        ("MR_small_padded.dcm", "MR", None),
        ("examples_overlay.dcm", "MR", "ABDOMEN"),
        ("image_dfl.dcm", None, None),
    ],
)
def test_grey_samples_are_shown_as_pydicom_shows_them(name: str, modality: str | None, body_part: str | None) -> None:
    content = sample(name)
    raster = decode(content, max_pixels=MAX_PIXELS)
    assert (raster.media_type, raster.modality, raster.body_part) == (DICOM, modality, body_part)
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    theirs = dcmread(path)
    if name == "JPGExtended.dcm":
        assert (raster.pixels.shape, raster.pixels.max()) == ((1024, 256), 264)  # they need another decoder for it
        return
    units = apply_modality_lut(theirs.pixel_array, theirs)
    if "WindowCenter" not in theirs:
        assert np.array_equal(raster.pixels, units)
        return
    windowed = apply_voi_lut(units, theirs, index=0)
    slope, intercept = float(theirs.get("RescaleSlope", 1)), float(theirs.get("RescaleIntercept", 0))
    low, high = (
        np.array([-(2 ** (theirs.BitsStored - 1)), 2 ** (theirs.BitsStored - 1) - 1])
        if theirs.PixelRepresentation
        else np.array([0, 2**theirs.BitsStored - 1])
    ) * slope + intercept
    assert np.abs(raster.pixels - (windowed - low) / (high - low) * 255).max() <= 0.51


@as_served
@pytest.mark.parametrize(
    "name",
    [
        "ExplVR_BigEnd.dcm",
        "SC_rgb_dcmtk_+eb+cr.dcm",
        "SC_rgb_dcmtk_+eb+cy+np.dcm",
        "SC_rgb_gdcm_KY.dcm",
        "SC_rgb_jls_lossy_line.dcm",
        "SC_rgb_jls_lossy_sample.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "SC_rgb_rle.dcm",
        "SC_rgb_small_odd_big_endian.dcm",
        "SC_rgb_small_odd_jpeg.dcm",
        "SC_ybr_full_422_uncompressed.dcm",
        "examples_jpeg2k.dcm",
        "examples_rgb_color.dcm",
    ],
)
def test_colour_samples_are_shown_as_pydicom_shows_them(name: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    assert np.array_equal(decode(sample(name), max_pixels=MAX_PIXELS).pixels, dcmread(path).pixel_array)


def test_a_lossless_jpeg_of_another_program_shows_its_bars() -> None:
    pixels = decode(sample("SC_rgb_jpeg_gdcm.dcm"), max_pixels=MAX_PIXELS).pixels
    assert pixels[5, 5].tolist() == [255, 0, 0]
    assert {tuple(colour) for colour in pixels[::10, 50]} >= {(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)}


def test_a_sample_with_a_palette_is_coloured() -> None:
    pixels = decode(sample("examples_palette.dcm"), max_pixels=MAX_PIXELS).pixels
    assert pixels.shape == (350, 800, 3)
    assert (pixels.max(axis=-1) > pixels.min(axis=-1)).any()


@as_served
def test_a_frame_of_a_samples_film_is_chosen() -> None:
    content = sample("examples_ybr_color.dcm")
    with pytest.raises(TooManyFrames, match="30 frames"):
        decode(content, max_pixels=MAX_PIXELS)
    first, last = (decode(content, max_pixels=MAX_PIXELS, frame=frame).pixels for frame in (1, 30))
    assert first.shape == last.shape == (240, 320, 3)
    assert not np.array_equal(first, last)


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("MR_truncated.dcm", "damaged"),
        ("SC_rgb_rle_16bit.dcm", "16 bits per channel"),
        ("rtdose_1frame.dcm", "32 bits per sample"),
        ("liver_1frame.dcm", "1 bits per sample"),
        ("JPEG2000-embedded-sequence-delimiter.dcm", "too many parts"),
        ("meta_missing_tsyntax.dcm", "damaged"),
        ("rtplan.dcm", "holds no picture"),
        ("test-SR.dcm", "holds no picture"),
        ("badVR.dcm", "damaged"),
    ],
)
def test_samples_that_are_no_pictures_for_us_are_refused(name: str, refusal: str) -> None:
    with pytest.raises(UndecodableImage, match=refusal):
        decode(sample(name), max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("name", ["no_meta.dcm", "ExplVR_LitEndNoMeta.dcm", "rtstruct.dcm"])
def test_a_data_set_without_preamble_is_not_recognised(name: str) -> None:
    with pytest.raises(UnsupportedImage):
        sniff(sample(name))


# ---------------------------------------------------------------- what it shows, and nothing of whom


@pytest.mark.parametrize(
    ("said", "modality", "body_part"),
    [
        ({"Modality": "CT", "BodyPartExamined": "HEAD"}, "CT", "HEAD"),
        ({"Modality": "dx ", "BodyPartExamined": "Chest PA"}, "DX", "CHEST"),
        ({"Modality": "DX", "BodyPartExamined": "LEFT HAND"}, "DX", "HAND"),
        ({"Modality": "MR", "BodyPartExamined": "T-SPINE"}, "MR", "TSPINE"),
        ({"Modality": "MR", "BodyPartExamined": "HEAD_NECK"}, "MR", "HEADNECK"),
        ({"Modality": "OT"}, None, None),
        ({"Modality": PATIENT, "BodyPartExamined": PATIENT}, None, None),
        ({"Modality": "", "BodyPartExamined": ""}, None, None),
        ({"SOPClassUID": uid.CTImageStorage}, "CT", None),
        ({"SOPClassUID": uid.DigitalXRayImageStorageForPresentation}, "DX", None),
        ({"SOPClassUID": uid.MRImageStorage, "Modality": "CR"}, "CR", None),
    ],
)
@pytest.mark.filterwarnings("ignore:.*:UserWarning:pydicom")
def test_modality_and_body_part_are_the_standards_terms_or_nothing(
    said: dict[str, Any], modality: str | None, body_part: str | None
) -> None:
    picture = shown(dicom(DEEP, **said))
    assert (picture.modality, picture.body_part) == (modality, body_part)


def test_nothing_that_tells_the_patient_leaves_the_room(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    contents = [dicom(DEEP), dicom(DEEP, syntax=uid.ImplicitVRLittleEndian), dicom(DEEP, BodyPartExamined=PATIENT)]
    contents += [content[: len(content) // 2] for content in WHOLE.values()]
    contents += [dicom(DEEP, Rows=65_000, Columns=65_000), dicom(np.stack([DEEP, DEEP]), frames=2)]
    contents += [compressed(b"\xff\xd8" + PATIENT.encode(), uid.JPEGBaseline8Bit, like=GREY)]
    contents += [dicom(DEEP, PhotometricInterpretation=PATIENT.upper()[:16])]
    told = []
    for content in [*contents, *WHOLE.values()]:
        assert PATIENT.encode() in content or len(content) < 500
        try:
            told.append(pickle.dumps(decode(content, max_pixels=MAX_PIXELS)))
        except SightlineError as refused:
            told.append(str(refused).encode())
    assert len({*told}) > 5
    # Of a frame that breaks its decoder pydicom logs every step.
    assert not [record for record in caplog.records if record.name.startswith("pydicom")]
    printed = "".join(capfd.readouterr())
    for trace in (*told, caplog.text.encode(), printed.encode()):
        assert PATIENT.lower().encode() not in trace.lower()
        assert b"4711" not in trace


def test_nothing_that_tells_the_patient_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []

    def listening(content: bytes) -> Dataset:
        parsed.append(content)
        return parse(content)

    monkeypatch.setattr("services.dicom.header.parse", listening)
    for content in WHOLE.values():
        shown(content)
    assert len(parsed) == len(WHOLE)
    assert not any(PATIENT.encode() in content or b"19010203" in content for content in parsed)


@pytest.mark.parametrize("page", [True, False], ids=["page", "program"])
def test_nothing_that_tells_the_patient_is_in_an_answer(
    client: TestClient,
    caplog: pytest.LogCaptureFixture,
    page: bool,  # noqa: FBT001
) -> None:
    caplog.set_level(logging.DEBUG)
    headers = {"accept": "text/html"} if page else {}
    url = "/tasks/shapes" if page else "/api/v1/tasks/shapes/predictions"
    for content in (dicom(GREY), dicom(DEEP, Modality="CT"), dicom(GREY)[:-1000], dicom(GREY, Rows=60_000)):
        response = client.post(url, files=[("image", ("film.dcm", content, DICOM))], headers=headers)
        assert response.status_code in {200, 413, 422}
        assert PATIENT not in response.text
        if not page:
            response = client.post(url, content=content, headers={"content-type": DICOM})
            assert response.status_code in {200, 413, 422}
            assert PATIENT not in json.dumps(response.json())
    assert PATIENT not in caplog.text

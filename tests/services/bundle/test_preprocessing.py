from typing import Any

import numpy as np
import pytest

from services.bundle.manifest import Preprocessing
from services.bundle.preprocessing import prepare
from services.imaging import Pixels, decode, stretch
from tests.images import gradient, photograph, radiograph, saved, tiff

MAX_PIXELS = 1_000_000
LOSSLESS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "BMP": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
}
PICTURES = {
    "colour": gradient(),
    "grey": gradient()[..., 0],
    "deep": radiograph().astype(np.float32),
    "one pixel": gradient(1, 1),
    "thin": gradient(5000, 1),
    "tall": gradient(1, 5000)[..., 0],
    "large": photograph(),
}

every_colour = pytest.mark.parametrize("colour", ["rgb", "grey"])
every_fit = pytest.mark.parametrize("fit", ["letterbox", "stretch"])
every_interpolation = pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])


def preprocessing(**changed: Any) -> Preprocessing:
    fields: dict[str, Any] = {
        "height": 48,
        "width": 64,
        "borders": "kept",
        "colour": "rgb",
        "fit": "letterbox",
        "interpolation": "bilinear",
        "pad": 127,
        "window": None,
        "levels": "kept",
        "window_percentiles": (0.5, 99.5),
    }
    return Preprocessing(**fields | changed)


def occupied(tensor: Pixels, pad: int) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what is not padding."""
    rows, columns = (np.flatnonzero((tensor != pad).any(axis=(2, other))) for other in (1, 0))
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


@every_interpolation
@every_fit
@every_colour
@pytest.mark.parametrize("pixels", PICTURES.values(), ids=PICTURES.keys())
def test_the_input_has_the_shape_that_the_graph_takes(
    pixels: Pixels, colour: str, fit: str, interpolation: str
) -> None:
    tensor = prepare(pixels, preprocessing(colour=colour, fit=fit, interpolation=interpolation))
    assert tensor.shape == (48, 64, 3)
    assert tensor.dtype == np.uint8


@every_fit
def test_a_picture_of_the_right_size_passes_unchanged(fit: str) -> None:
    assert np.array_equal(prepare(gradient(64, 48), preprocessing(fit=fit)), gradient(64, 48))


@pytest.mark.parametrize("pad", [0, 127, 255])
@pytest.mark.parametrize(
    "pixels", [np.full((100, 50, 3), 9, np.uint8), np.full((100, 50), 9, np.uint8)], ids=["RGB", "grey"]
)
def test_the_letterbox_keeps_the_aspect_and_pads_both_sides_alike(pixels: Pixels, pad: int) -> None:
    tensor = prepare(pixels, preprocessing(pad=pad))
    # 50 x 100 in 64 x 48 is 24 x 48, with 20 columns of padding on either side.
    assert occupied(tensor, pad) == (0, 47, 20, 43)
    assert (tensor[:, 20:44] == 9).all()
    assert (tensor[:, :20] == pad).all()
    assert (tensor[:, 44:] == pad).all()


def test_the_letterbox_pads_above_and_below_a_wide_picture() -> None:
    assert occupied(prepare(np.full((10, 40, 3), 9, np.uint8), preprocessing()), 127) == (16, 31, 0, 63)


@pytest.mark.parametrize(("width", "height", "box"), [(5000, 1, (23, 23, 0, 63)), (1, 5000, (0, 47, 31, 31))])
def test_a_line_stays_visible_in_the_letterbox(width: int, height: int, box: tuple[int, int, int, int]) -> None:
    assert occupied(prepare(np.full((height, width, 3), 9, np.uint8), preprocessing()), 127) == box


def test_one_pixel_fills_the_letterbox() -> None:
    tensor = prepare(np.full((1, 1, 3), 9, np.uint8), preprocessing())
    assert occupied(tensor, 127) == (0, 47, 8, 55)


def test_stretch_fills_the_input_and_leaves_no_padding() -> None:
    tensor = prepare(np.full((100, 50, 3), 9, np.uint8), preprocessing(fit="stretch"))
    assert (tensor == 9).all()


@every_interpolation
@every_fit
def test_the_picture_is_neither_turned_nor_mirrored(fit: str, interpolation: str) -> None:
    tensor = prepare(gradient(640, 480), preprocessing(fit=fit, interpolation=interpolation))
    assert np.abs(tensor.astype(int) - gradient(64, 48)).max() <= 4


def test_grey_drops_colour_and_repeats_the_channel() -> None:
    tensor = prepare(photograph(), preprocessing(colour="grey"))
    assert np.array_equal(tensor[..., 0], tensor[..., 1])
    assert np.array_equal(tensor[..., 0], tensor[..., 2])
    red, green, blue = (
        prepare(np.full((9, 9, 3), dye, np.uint8), preprocessing(colour="grey"))[24, 32, 0]
        for dye in np.diag((255, 255, 255))
    )
    assert (red, green, blue) == (76, 150, 29)


def test_rgb_keeps_colour() -> None:
    tensor = prepare(np.full((9, 9, 3), (200, 10, 60), np.uint8), preprocessing())
    assert tensor[24, 32].tolist() == [200, 10, 60]


@every_fit
@every_colour
def test_a_grey_picture_is_the_same_stored_as_grey_or_as_colour(colour: str, fit: str) -> None:
    grey = photograph()[..., 0]
    settings = preprocessing(colour=colour, fit=fit)
    assert np.array_equal(prepare(grey, settings), prepare(np.stack([grey] * 3, axis=-1), settings))


@every_interpolation
@every_colour
@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_lossless_file_format_changes_nothing(kind: str, colour: str, interpolation: str) -> None:
    settings = preprocessing(colour=colour, interpolation=interpolation)
    picture = photograph(400, 300)
    raster = decode(saved(picture, kind, **LOSSLESS[kind]), max_pixels=MAX_PIXELS, shrink_to=64)
    assert np.array_equal(prepare(raster.pixels, settings), prepare(picture, settings))


@every_interpolation
@every_fit
@pytest.mark.parametrize("edge", [48, 70, 96])
def test_decoding_a_jpeg_shrunk_changes_next_to_nothing(edge: int, fit: str, interpolation: str) -> None:
    # Measured in grey levels: 0.15 to 0.38 on average, and up to 5 at a hard edge.
    content = saved(photograph(), "JPEG", quality=90)
    settings = preprocessing(height=edge, width=edge, fit=fit, interpolation=interpolation)
    whole = decode(content, max_pixels=MAX_PIXELS)
    shrunk = decode(content, max_pixels=MAX_PIXELS, shrink_to=edge)
    assert shrunk.pixels.size <= whole.pixels.size / 4
    gap = np.abs(prepare(whole.pixels, settings).astype(int) - prepare(shrunk.pixels, settings))
    assert gap.mean() < 0.5
    assert gap.max() <= 8


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
@pytest.mark.parametrize("colour", ["rgb", "grey"])
def test_12_bits_of_16_are_not_black(dtype: type[np.generic], colour: str) -> None:
    raster = decode(tiff(radiograph(640, 480).astype(dtype)), max_pixels=MAX_PIXELS)
    tensor = prepare(raster.pixels, preprocessing(colour=colour))
    levels = np.bincount(tensor.ravel(), minlength=256)
    assert 20 < tensor.mean() < 200
    assert levels[:32].sum() > 0
    assert levels[224:].sum() > 0
    assert (levels > 0).sum() > 150


def test_one_hot_pixel_does_not_darken_the_picture() -> None:
    picture = radiograph(640, 480)
    hot = picture.copy()
    hot[5, 5] = 65_535
    calm, heated = (prepare(each.astype(np.float32), preprocessing()).astype(int) for each in (picture, hot))
    assert np.abs(calm - heated).mean() < 0.1


def test_the_window_is_the_manifests() -> None:
    picture = radiograph(64, 48).astype(np.float32)
    for window in ((0.0, 100.0), (0.5, 99.5), (10.0, 70.0)):
        assert np.array_equal(
            prepare(picture, preprocessing(window_percentiles=window))[..., 0], stretch(picture, *window)
        )
    narrow, wide = (prepare(picture, preprocessing(window_percentiles=(0.0, high))) for high in (70.0, 100.0))
    assert narrow.mean() > wide.mean() + 10


def test_a_constant_deep_image_is_black_inside_its_padding() -> None:
    tensor = prepare(np.full((30, 30), 700, np.float32), preprocessing())
    assert not tensor[:, 8:56].any()
    assert (tensor[:, :8] == 127).all()


def test_what_is_given_is_not_changed() -> None:
    for pixels in PICTURES.values():
        before = pixels.copy()
        prepare(pixels, preprocessing())
        assert np.array_equal(pixels, before)


def mapped(picture: Pixels, gain: float, offset: float) -> Pixels:
    return np.clip(np.rint(picture * gain + offset), 0, 255).astype(np.uint8)


@every_fit
@every_colour
@pytest.mark.parametrize(("gain", "offset"), [(0.6, 51.0), (0.5, 0.0), (0.7, 70.0)])
def test_stretched_levels_undo_a_loss_of_contrast_and_a_shift(
    colour: str, fit: str, gain: float, offset: float
) -> None:
    settings = preprocessing(colour=colour, fit=fit, levels="stretched")
    picture = photograph(400, 300)
    gap = np.abs(prepare(mapped(picture, gain, offset), settings).astype(int) - prepare(picture, settings).astype(int))
    assert gap.max() <= 4
    kept = preprocessing(colour=colour, fit=fit)
    changed = np.abs(prepare(mapped(picture, gain, offset), kept).astype(int) - prepare(picture, kept).astype(int))
    assert changed.mean() > 10


def test_stretched_levels_reach_from_black_to_white_and_leave_the_padding() -> None:
    picture = mapped(photograph(300, 100), 0.3, 100)
    tensor = prepare(picture, preprocessing(levels="stretched", colour="grey"))
    top, bottom, _, _ = occupied(tensor, 127)
    shown = tensor[top : bottom + 1]
    assert shown.min() == 0
    assert shown.max() == 255
    assert (tensor[:top] == 127).all()


def test_next_to_nothing_is_not_stretched_into_noise() -> None:
    random = np.random.default_rng(2)
    faint = np.clip(np.rint(100 + 2 * random.standard_normal((48, 64))), 0, 255).astype(np.uint8)
    assert np.array_equal(prepare(faint, preprocessing(levels="stretched"))[..., 0], faint)


@every_fit
def test_trimmed_borders_leave_the_picture_as_if_it_had_none(fit: str) -> None:
    settings = preprocessing(borders="trimmed", fit=fit)
    picture = photograph(400, 300)
    frame = np.zeros((400, 500, 3), np.uint8)
    frame[50:350, 50:450] = picture
    gap = np.abs(prepare(frame, settings).astype(int) - prepare(picture, settings).astype(int))
    assert gap.mean() < 6
    kept = preprocessing(fit=fit)
    assert np.abs(prepare(frame, kept).astype(int) - prepare(picture, kept).astype(int)).mean() > 20


def test_deep_pixels_are_trimmed_and_stretched_too() -> None:
    deep = np.full((300, 400), 100.0, np.float32)
    deep[60:240, 80:320] = radiograph(240, 180)
    settings = preprocessing(borders="trimmed", levels="stretched", colour="grey")
    gap = np.abs(
        prepare(deep, settings).astype(int) - prepare(radiograph(240, 180).astype(np.float32), settings).astype(int)
    )
    assert gap.mean() < 6

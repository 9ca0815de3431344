"""Every variant is what its title says, and the lossless ones change nothing."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from services.bundle.manifest import Preprocessing
from services.bundle.preprocessing import prepare
from services.imaging import decode
from tests.bundles import PREPROCESSING
from tests.training.pictures import paint
from training.variants import LOSSLESS, VARIANTS

BY_NAME = {variant.name: variant for variant in VARIANTS}
PAINTED, GREY = paint(1), paint(2, width=61, height=83, grey=True)


def sent(name: str, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What arrives of a picture."""
    content = BY_NAME[name].write(Image.fromarray(pixels))
    return decode(content, max_pixels=10**8).pixels


def test_every_variant_has_its_own_name_and_title() -> None:
    assert len(BY_NAME) == len({variant.title for variant in VARIANTS}) == len(VARIANTS) == 13
    assert set(BY_NAME) >= LOSSLESS


@pytest.mark.parametrize("pixels", [PAINTED, GREY])
@pytest.mark.parametrize("name", sorted(LOSSLESS))
@pytest.mark.parametrize("colour", ["rgb", "grey"])
@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
def test_another_format_without_loss_gives_the_same_tensor(
    pixels: NDArray[np.uint8], name: str, colour: str, fit: str
) -> None:
    preprocessing = Preprocessing.model_validate(PREPROCESSING.model_dump() | {"colour": colour, "fit": fit})
    np.testing.assert_array_equal(prepare(sent(name, pixels), preprocessing), prepare(pixels, preprocessing))


@pytest.mark.parametrize("pixels", [PAINTED, GREY])
@pytest.mark.parametrize("name", sorted(set(BY_NAME) - LOSSLESS))
def test_every_other_variant_changes_the_tensor(pixels: NDArray[np.uint8], name: str) -> None:
    assert (prepare(sent(name, pixels), PREPROCESSING) != prepare(pixels, PREPROCESSING)).mean() > 0.1


@pytest.mark.parametrize(
    ("name", "media_type"), [("png", "PNG"), ("webp_lossless", "WEBP"), ("tiff", "TIFF"), ("jpeg_30", "JPEG")]
)
def test_the_formats_are_what_they_are_called(name: str, media_type: str) -> None:
    with Image.open(io.BytesIO(BY_NAME[name].write(Image.fromarray(PAINTED)))) as image:
        assert image.format == media_type
        if media_type == "JPEG":
            # The quality is not in the file; its tables are.
            known = io.BytesIO()
            Image.fromarray(PAINTED).save(known, "JPEG", quality=30)
            with Image.open(known) as other:
                assert image.quantization == other.quantization  # type: ignore[attr-defined]


def test_sizes() -> None:
    assert sent("half_size", PAINTED).shape == (45, 60, 3)
    assert sent("triple_size", PAINTED).shape == (270, 360, 3)
    assert sent("triple_size", np.zeros((10, 2000), np.uint8)).shape == (20, 4096)
    assert sent("triple_size", np.zeros((2, 5000), np.uint8)).shape == (2, 5000)
    assert sent("half_size", np.zeros((1, 1), np.uint8)).shape == (1, 1)


def test_what_a_format_cannot_hold_is_sent_smaller() -> None:
    assert sent("webp_lossless", np.zeros((20, 20_000), np.uint8)).shape == (16, 16_383, 3)
    assert sent("jpeg_30", np.zeros((2, 70_000), np.uint8)).shape == (2, 65_500)
    assert sent("png", np.zeros((2, 70_000), np.uint8)).shape == (2, 70_000)


def test_the_frame_lies_around_the_picture() -> None:
    framed = sent("black_frame", PAINTED)
    assert framed.shape == (90 + 2 * 9, 120 + 2 * 12, 3)
    np.testing.assert_array_equal(framed[9:-9, 12:-12], PAINTED)
    assert framed.sum() == PAINTED.sum()


def test_the_turn_keeps_the_canvas_and_blackens_the_corners() -> None:
    marked = np.full((101, 101), 255, np.uint8)
    turned = sent("turned_10", marked)
    assert turned.shape == marked.shape
    assert [turned[row, column] for row in (0, -1) for column in (0, -1)] == [0] * 4
    # Counter-clockwise: what lay 40 pixels to the right of the middle has gone up.
    point = np.zeros((101, 101), np.uint8)
    point[48:53, 88:93] = 255
    weights = sent("turned_10", point) / 255
    rows, columns = np.mgrid[:101, :101]
    assert (weights * rows).sum() / weights.sum() == pytest.approx(50 - 40 * np.sin(np.pi / 18), abs=0.1)
    assert (weights * columns).sum() / weights.sum() == pytest.approx(50 + 40 * np.cos(np.pi / 18), abs=0.1)


def test_the_blur_has_a_sigma_of_a_hundredth_of_the_longest_side() -> None:
    step = np.zeros((40, 400), np.uint8)
    step[:, 200:] = 255
    edge = np.diff(sent("blurred", step)[20].astype(float)) / 255
    places = np.arange(len(edge)) + 0.5
    deviation = np.sqrt((edge * (places - (edge * places).sum()) ** 2).sum())
    assert deviation == pytest.approx(4, abs=0.2)


def test_tones() -> None:
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(4, axis=0)
    np.testing.assert_array_equal(sent("brighter", ramp)[0], np.minimum(np.arange(256) + 51, 255))
    np.testing.assert_array_equal(sent("darker", ramp)[0], np.maximum(np.arange(256) - 51, 0))
    flat = sent("less_contrast", ramp)[0].astype(float)
    np.testing.assert_allclose(flat - 127.5, 0.6 * (np.arange(256) - 127.5), atol=0.51)
    np.testing.assert_array_equal(sent("brighter", PAINTED), np.minimum(PAINTED.astype(int) + 51, 255))


def test_noise_is_of_the_picture_itself() -> None:
    grey = np.full((100, 100, 3), 128, np.uint8)
    noise = sent("noisy", grey).astype(float) - 128
    assert noise.mean() == pytest.approx(0, abs=0.2)
    assert noise.std() == pytest.approx(10, abs=0.2)
    # Each channel has its own.
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.05
    np.testing.assert_array_equal(sent("noisy", grey), sent("noisy", grey))
    assert abs(np.corrcoef(noise.ravel(), (sent("noisy", grey + 1).astype(float) - 129).ravel())[0, 1]) < 0.05

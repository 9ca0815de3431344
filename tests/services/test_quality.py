import numpy as np
import pytest
from numpy.typing import NDArray

from services.bundle.manifest import Preprocessing
from services.bundle.preprocessing import prepare
from services.imaging import Raster
from services.quality import blank, notes
from tests.bundles import PREPROCESSING, draw

GREY = PREPROCESSING.model_copy(update={"colour": "grey"})


def told(pixels: NDArray[np.uint8] | NDArray[np.float32], preprocessing: Preprocessing = PREPROCESSING) -> list[str]:
    height, width = pixels.shape[:2]
    raster = Raster(pixels, "image/png", width, height)
    return list(notes(raster, preprocessing))


def is_blank(pixels: NDArray[np.uint8]) -> bool:
    return blank(prepare(pixels, PREPROCESSING), PREPROCESSING)


def plain(*shape: int, value: int) -> NDArray[np.uint8]:
    return np.full(shape, value, np.uint8)


def test_of_a_good_image_nothing_is_said() -> None:
    assert told(draw(0)) == []
    assert told(draw(1)[..., 0], GREY) == []


def test_the_window_of_a_deep_image_is_told() -> None:
    (note,) = told(draw(0)[..., 0].astype(np.float32) * 16)
    assert note == "The image has more than 8 bits; its 0.5th to 99.5th percentile was shown to the model."


@pytest.mark.parametrize(("size", "small"), [((15, 40), True), ((16, 40), False), ((40, 15), True)])
def test_an_image_of_less_than_half_the_models_size_is_small(size: tuple[int, int], *, small: bool) -> None:
    width, height = size
    said = told(draw(0, width=width, height=height))
    note = (
        f"The image is small: {width} x {height} pixels. The model was made for pictures of at least 16 pixels on each "
        "side."
    )
    assert said == ([note] if small else [])


@pytest.mark.parametrize("value", [0, 127, 128, 254])
@pytest.mark.parametrize("shape", [(64, 64, 3), (40, 120, 3), (120, 40, 3)])
def test_a_nearly_blank_image_is_told_whatever_its_shape(shape: tuple[int, ...], value: int) -> None:
    # In a letterbox its bands differ from it.
    faint = plain(*shape, value=value)
    faint[10:20, 10:20] += 1
    assert is_blank(faint)


def test_a_faint_drawing_is_not_blank() -> None:
    faint = plain(64, 64, 3, value=200)
    faint[16:48, 16:48] = 180
    assert not is_blank(faint)


def test_a_tint_is_told_where_the_model_looks_at_grey_levels_alone() -> None:
    sepia = np.stack([draw(2)[..., 0] // 2 + share for share in (120, 80, 30)], axis=-1).astype(np.uint8)
    (note,) = told(sepia, GREY)
    assert note.startswith("The image is strongly tinted")
    assert told(sepia) == []
    slight = np.stack([draw(2)[..., 0] // 2 + share for share in (60, 55, 50)], axis=-1).astype(np.uint8)
    assert told(slight, GREY) == []

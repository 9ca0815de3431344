import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from services.bundle.framing import framed
from tests.images import photograph


def picture(width: int = 240, height: int = 180) -> Image.Image:
    return Image.fromarray(photograph(width, height))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_picture_without_borders_is_left_whole(mode: str) -> None:
    assert framed(picture().convert(mode)) == (0, 0, 240, 180)


@pytest.mark.parametrize("level", [0, 90, 255])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_plain_border_is_found_whatever_its_level(mode: str, level: int) -> None:
    image = picture().convert(mode)
    fill = level if mode == "L" else (level,) * 3
    left, top, right, bottom = framed(ImageOps.expand(image, (30, 20, 10, 40), fill))
    # Within the cell of a thumbnail.
    np.testing.assert_allclose((left, top, right, bottom), (30, 20, 270, 200), atol=2)


def test_borders_of_two_levels_are_cut_off_both() -> None:
    framed_twice = ImageOps.expand(ImageOps.expand(picture().convert("L"), 16, 0), 16, 255)
    np.testing.assert_allclose(framed(framed_twice), (32, 32, 272, 212), atol=2)


def test_noise_and_specks_on_a_border_do_not_make_it_picture() -> None:
    random = np.random.default_rng(1)
    levels = np.asarray(ImageOps.expand(picture().convert("L"), 40, 0)).astype(float)
    noisy = np.clip(levels + 8 * random.standard_normal(levels.shape), 0, 255)
    noisy[5:8, 5:8] = 255
    found = framed(Image.fromarray(noisy.astype(np.uint8)))
    np.testing.assert_allclose(found, (40, 40, 280, 220), atol=4)


def disc(edge: int, radius: int) -> NDArray[np.uint8]:
    down, across = np.ogrid[:edge, :edge]
    inside = (down - edge // 2) ** 2 + (across - edge // 2) ** 2 < radius**2
    return np.where(inside, 200, 0).astype(np.uint8)


def test_what_would_leave_little_is_left_whole() -> None:
    assert framed(Image.fromarray(disc(200, 20))) == (0, 0, 200, 200)
    left, _, right, _ = framed(Image.fromarray(disc(200, 70)))
    np.testing.assert_allclose((left, right), (30, 170), atol=6)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_plain_picture_is_all_picture(level: int) -> None:
    assert framed(Image.new("L", (300, 100), level)) == (0, 0, 300, 100)


def test_less_contrast_changes_no_border() -> None:
    image = ImageOps.expand(picture().convert("L"), 30, 0)
    flat = image.point([round(level * 0.6 + 51) for level in range(256)])
    assert framed(flat) == framed(image)


@pytest.mark.parametrize("size", [(1, 1), (5000, 1), (1, 5000), (129, 131), (2, 300)])
def test_a_box_lies_within_any_picture(size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    left, top, right, bottom = framed(Image.fromarray(random.integers(0, 256, size[::-1], np.uint8)))
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]

"""What happens to a figure on its way: now and then something, and never beyond the bounds."""

import numpy as np
import pytest
from PIL import Image

from training.simulation.reproduction import LEAST, MOST, reproduced


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(256, size=(height, width, 3)).astype(np.uint8))


@pytest.mark.parametrize("size", [(60, 50), (900, 500), (1200, 40), (30, 400), (420, 420), (200, 60)])
def test_any_picture_ends_within_the_bounds(size: tuple[int, int]) -> None:
    for seed in range(30):
        image = reproduced(np.random.default_rng(seed), noise(*size))
        assert LEAST <= max(image.size) <= MOST
        assert min(image.size) >= 14
        assert image.mode == "RGB"


def test_some_pictures_stay_as_they_are_and_most_do_not() -> None:
    original = noise(300, 200)
    same = [reproduced(np.random.default_rng(seed), original).tobytes() == original.tobytes() for seed in range(60)]
    assert 5 < sum(same) < 40


def test_some_lose_their_colour() -> None:
    grey = 0
    for seed in range(80):
        pixels = np.asarray(reproduced(np.random.default_rng(seed), noise(240, 200)), int)
        grey += int(np.ptp(pixels[40:-40, 40:-40], axis=-1).mean() < 5)
    assert 1 <= grey <= 16

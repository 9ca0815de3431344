"""A floor is high where images are told apart by their look from afar, or by their frame."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.answering import one_hot, samples
from training.floors import BORDER, EDGE, PREPROCESSING, floors, thumbnails
from training.images import Images


def images(pixels: NDArray[np.uint8], classes: NDArray[np.int64], labels: int = 2) -> Images:
    return Images(pixels, one_hot(classes, labels), samples([*range(len(pixels))]))


def noise(count: int, seed: int, *, colour: bool = False) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    side = PREPROCESSING.height
    pixels = random.integers(60, 190, (count, side, side, 3 if colour else 1), dtype=np.uint8)
    return np.repeat(pixels, 1 if colour else 3, axis=3), random.integers(0, 2, count)


def test_thumbnails_are_means_of_blocks() -> None:
    pixels, classes = noise(3, 0, colour=True)
    small = thumbnails(images(pixels, classes))
    assert small.shape == (3, EDGE, EDGE, 3)
    assert small[1, 5, 7, 2] == pytest.approx(pixels[1, 10:12, 14:16, 2].mean() / 255)


def test_noise_has_no_floor() -> None:
    found = floors(images(*noise(120, 1)), images(*noise(200, 2)), "softmax")
    for floor in (found.thumbnail, found.border):
        assert floor.balanced_accuracy.low < 0.5 < floor.balanced_accuracy.high
        assert floor.macro_roc_auc is not None
        assert floor.macro_roc_auc.value == pytest.approx(0.5, abs=0.15)


def framed(count: int, seed: int) -> Images:
    """Pictures of noise of which one class has a darker frame."""
    pixels, classes = noise(count, seed)
    wide = BORDER * PREPROCESSING.height // EDGE
    darker = np.full(pixels.shape[1:], 30, np.uint8)
    darker[wide:-wide, wide:-wide] = 0
    pixels[classes == 1] -= darker
    return images(pixels, classes)


def centred(count: int, seed: int) -> Images:
    """Pictures of noise of which one class is brighter in the middle."""
    pixels, classes = noise(count, seed)
    pixels[classes == 1, 18:30, 18:30] += 40
    return images(pixels, classes)


def test_a_frame_alone_gives_a_class_away() -> None:
    found = floors(framed(120, 1), framed(100, 2), "softmax")
    assert found.border.balanced_accuracy.value > 0.95
    assert found.thumbnail.balanced_accuracy.value > 0.95


def test_what_is_in_the_middle_is_not_in_the_border() -> None:
    found = floors(centred(120, 1), centred(100, 2), "softmax")
    assert found.thumbnail.balanced_accuracy.value > 0.95
    assert found.border.balanced_accuracy.value < 0.65


def test_colour_counts() -> None:
    def tinted(count: int, seed: int) -> Images:
        pixels, classes = noise(count, seed, colour=True)
        # The same brightness, from another mixture.
        pixels[classes == 1] = pixels[classes == 1] + np.array([25, 0, -25], np.int8).astype(np.uint8)
        return images(pixels, classes)

    assert floors(tinted(80, 1), tinted(80, 2), "softmax").thumbnail.balanced_accuracy.value > 0.95


def test_several_labels_have_a_floor_each() -> None:
    def doubled(count: int, seed: int) -> Images:
        plain = centred(count, seed)
        return Images(plain.pixels, np.stack([plain.truths[:, 1], plain.truths[:, 1]], axis=1), plain.samples)

    found = floors(doubled(120, 1), doubled(100, 2), "sigmoid")
    assert found.thumbnail.balanced_accuracy.value > 0.95

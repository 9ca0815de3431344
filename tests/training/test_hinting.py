"""A right hint mends what the image leaves open, a wrong one spoils no more than that, and a confident image stays."""

import numpy as np
import pytest
from numpy.typing import NDArray

from services.bundle.hints import Rule
from tests.training.answering import ONCE, SEVERAL, guesses, one_hot, samples
from training.answers import Answers
from training.hinting import AS_THEY_ARE, TITLES, WORSE, measure_hints, worsen
from training.images import Images


def said(rows: list[tuple[float, ...]], truth: list[int]) -> Answers:
    chances = np.array(rows)
    return Answers(np.log(chances), one_hot(truth, chances.shape[1]), samples([*range(len(rows))]))


# Confident and right, open and right, open and wrong, confident and wrong.
FOUR = said(
    [(0.96, 0.03, 0.01), (0.6, 0.38, 0.02), (0.6, 0.38, 0.02), (0.95, 0.04, 0.01)],
    [0, 0, 1, 1],
)


def test_hints_are_counted_image_by_image() -> None:
    found = measure_hints(AS_THEY_ARE, FOUR, ONCE)
    assert (found.name, found.title, found.images) == ("as_they_are", "As they are", 4)
    assert found.alone.value == 0.5
    # The open and wrong one is mended; the confident and wrong one is not.
    assert found.right.value == 0.75
    # Of two wrong hints for each image, one for the open and right one does harm.
    assert found.wrong.value == 0.375
    assert found.misleading.value == 0.25


def test_without_confidence_and_with_a_great_ratio_the_hint_decides_alone() -> None:
    found = measure_hints("blurred", FOUR, ONCE, Rule(ratio=1e9, confident=1.0, plausible=0.0))
    assert found.right.value == 1
    assert found.wrong.value == 0


def test_a_ratio_of_one_changes_nothing() -> None:
    found = measure_hints("small", guesses(200, 6), ONCE, Rule(ratio=1.0, confident=0.9, plausible=0.0))
    for outcome in (found.right, found.wrong, found.misleading):
        assert outcome == found.alone


def test_right_hints_help_and_wrong_ones_harm_less_than_misleading_ones() -> None:
    found = measure_hints("small", guesses(300, 6), ONCE)
    right, alone, wrong, misleading = (
        outcome.value for outcome in (found.right, found.alone, found.wrong, found.misleading)
    )
    assert right > alone > wrong > misleading
    assert found.alone.low < alone < found.alone.high


def test_labels_that_do_not_exclude_each_other_take_no_hint() -> None:
    with pytest.raises(ValueError, match="one label"):
        measure_hints(AS_THEY_ARE, guesses(20, 3, several=True), SEVERAL)


# ---------------------------------------------------------------- worse images


def drawn() -> Images:
    random = np.random.default_rng(2)
    pixels: NDArray[np.uint8] = random.integers(0, 256, (2, 96, 128, 3), dtype=np.uint8)
    return Images(pixels, one_hot([0, 1], 2), samples([0, 1]))


@pytest.mark.parametrize("way", WORSE)
def test_worse_images_have_lost_detail_and_kept_their_truth(way: str) -> None:
    images = drawn()
    worse = worsen(images, way)
    assert worse.pixels.shape == images.pixels.shape
    assert worse.pixels[:].dtype == np.uint8
    assert worse.truths is images.truths
    for before, after in zip(images.pixels[:], worse.pixels[:], strict=True):
        assert after.std() < 0.9 * before.std()
        assert after.mean() == pytest.approx(before.mean(), abs=6)


def test_there_are_no_other_ways() -> None:
    assert set(TITLES) == {AS_THEY_ARE, *WORSE}
    with pytest.raises(KeyError):
        worsen(drawn(), "burnt")

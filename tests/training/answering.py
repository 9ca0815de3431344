"""Answers that tests make up: what was predicted of which truth, in which groups."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.bundle.manifest import Calibration
from training.answers import Answers
from training.folders import Sample

ONCE = Calibration(temperature=1.0, activation="softmax")
"""Probabilities as the logits give them, one label per image."""

SEVERAL = Calibration(temperature=1.0, activation="sigmoid")
"""The same, several labels per image."""


def samples(groups: Sequence[object], sources: Sequence[str] | None = None) -> tuple[Sample, ...]:
    """One image per group given, all of one source unless sources are given."""
    named = sources or ["drawn"] * len(groups)
    return tuple(
        Sample(f"{index}.png", ("x",), f"g{group}", source)
        for index, (group, source) in enumerate(zip(groups, named, strict=True))
    )


def one_hot(classes: Sequence[int] | NDArray[np.int64], labels: int) -> NDArray[np.bool_]:
    """Truths bool [n, labels] of images with one label each."""
    truths: NDArray[np.bool_] = np.arange(labels) == np.asarray(classes)[:, None]
    return truths


def answers(
    predicted: Sequence[int],
    truth: Sequence[int],
    labels: int,
    groups: Sequence[object] | None = None,
    sure: float = 0.8,
) -> Answers:
    """Answers that give `sure` to what was predicted and share the rest among the other labels."""
    chances = np.full((len(predicted), labels), (1 - sure) / (labels - 1))
    chances[np.arange(len(predicted)), predicted] = sure
    return Answers(np.log(chances), one_hot(truth, labels), samples(groups or range(len(predicted))))


def yes_no(said: Sequence[Sequence[int]], truth: Sequence[Sequence[int]], sure: float = 0.8) -> Answers:
    """Answers about several labels per image, each affirmed or denied with `sure`."""
    chances = np.where(np.array(said, bool), sure, 1 - sure)
    return Answers(np.log(chances / (1 - chances)), np.array(truth, bool), samples(range(len(said))))


def guesses(count: int, labels: int, *, seed: int = 0, skill: float = 2.0, several: bool = False) -> Answers:
    """Answers that lean towards random truths by `skill`, two images per group, in two sources."""
    random = np.random.default_rng(seed)
    truths = random.random((count, labels)) < 0.3 if several else one_hot(random.integers(0, labels, count), labels)
    logits = random.normal(0, 1, (count, labels)) + skill * truths - several
    numbers = np.arange(count) // 2
    return Answers(logits, truths, samples(numbers.tolist(), [f"source {number % 2}" for number in numbers]))

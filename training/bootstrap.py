"""How far a figure may be off by the luck of the draw: the bootstrap (Efron 1979) over groups of images.

A resample draws as many whole groups (patients, backgrounds) as there are, with replacement. It is nothing but one
weight per image, so every figure is computed from weights, and many resamples at once.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from services.bundle.evaluation import Estimate
from training.folders import Sample

RESAMPLES = 1000
"""How often the bootstrap draws, and a permutation test tosses."""

_AT_ONCE = 50
# Of weights at once: with a few copies in the making, some hundred megabytes.
_MOST_NUMBERS = 5_000_000
_INTERVAL = (2.5, 97.5)
_OF_NOTHING = 3


def resamples(samples: Sequence[Sample], seed: int) -> Iterator[NDArray[np.float64]]:
    """Weights of the images in each resample, RESAMPLES in all, a few at a time to spare memory.

    Args:
        samples: the n images; those of one group are drawn together.
        seed: the same seed and samples give the same resamples.

    Yields:
        float64 [some, n]: how often each image was drawn.
    """
    group_of_image, count = _groups(samples)
    random = np.random.default_rng(seed)
    even = np.full(count, 1 / count)
    for some in _portions(len(samples)):
        yield random.multinomial(count, even, size=some)[:, group_of_image].astype(np.float64)


def swaps(samples: Sequence[Sample], seed: int) -> Iterator[NDArray[np.float64]]:
    """For each group of images the toss of a coin, RESAMPLES times in all, a few at a time.

    Args:
        samples: the n images; those of one group share their tosses.
        seed: the same seed and samples give the same tosses.

    Yields:
        float64 [some, n]: 0 or 1.
    """
    group_of_image, count = _groups(samples)
    random = np.random.default_rng(seed)
    for some in _portions(len(samples)):
        yield random.integers(0, 2, (some, count))[:, group_of_image].astype(np.float64)


def _groups(samples: Sequence[Sample]) -> tuple[NDArray[np.int64], int]:
    names, group_of_image = np.unique([sample.group for sample in samples], return_inverse=True)
    return group_of_image, len(names)


def _portions(images: int) -> Iterator[int]:
    at_once = max(1, min(_AT_ONCE, _MOST_NUMBERS // images))
    for start in range(0, RESAMPLES, at_once):
        yield min(at_once, RESAMPLES - start)


def estimate(value: float, drawn: NDArray[np.float64], groups: int | None = None) -> Estimate | None:
    """A figure with its 95 % interval, by the percentiles of what it was in the resamples.

    Where a share is one or nothing in every group, resampling cannot show that it might be otherwise. Then the interval
    reaches as far as n groups leave room for, 3/n (Hanley & Lippman-Hand 1983).

    Args:
        value: of the images as they are; NaN where the figure is undefined.
        drawn: of each resample; where one lacks what the figure needs, it is NaN and left out.
        groups: for a share of images, of how many groups these are; None for any other figure.

    Returns:
        None for an undefined figure.
    """
    if np.isnan(value):
        return None
    low, high = (float(end) for end in np.percentile(drawn[~np.isnan(drawn)], _INTERVAL))
    if groups is not None and low == high == value and value in {0, 1}:
        room = min(1.0, _OF_NOTHING / groups)
        low, high = (1 - room, 1.0) if value else (0.0, room)
    # Resampling pushes a calibration error upwards, at times past the figure itself; an interval holds its figure.
    return Estimate(value=value, low=min(low, value), high=max(high, value))

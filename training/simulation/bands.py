"""Lanes of a gel and the bands, smears and ladders in them, as optical density."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.textures import Field, Shape, blur, fractal, noise, warp


@dataclass(frozen=True, slots=True)
class Lanes:
    """Where the lanes of a gel run.

    Attributes:
        centres: x of each, in pixels.
        width: from one to the next, in pixels.
    """

    centres: NDArray[np.float64]
    width: float

    def __len__(self) -> int:
        return len(self.centres)


def lanes(rng: Rng, left: float, right: float, number: int) -> Lanes:
    """Lanes side by side between two sides."""
    width = (right - left) / number
    centres = left + width * (np.arange(number) + 0.5 + rng.normal(0, 0.03, number))
    return Lanes(centres, width)


@dataclass(frozen=True, slots=True)
class Band:
    """What one band looks like.

    Attributes:
        x: its centre.
        y: its centre.
        width: half of it, in pixels.
        height: the deviation downwards, in pixels.
        bow: how many pixels its ends hang lower than its middle.
        square: 2 for a band that fades sidewards as a Gaussian, more for one with straight ends.
        tail: how much of it smears upwards.
    """

    x: float
    y: float
    width: float
    height: float
    bow: float = 0.0
    square: float = 4.0
    tail: float = 0.0


def lay_band(density: Field, band: Band, strength: float) -> None:
    """Add a band to a field of densities."""
    reach = band.width * (1 + 3 / band.square)
    first, last = max(0, int(band.x - reach)), min(density.shape[1], int(band.x + reach) + 1)
    drop = 4 * band.height + abs(band.bow) + 12 * band.height * (band.tail > 0)
    top, bottom = max(0, int(band.y - drop)), min(density.shape[0], int(band.y + drop) + 1)
    if first >= last or top >= bottom:
        return
    across = (np.arange(first, last) - band.x) / band.width
    down = np.arange(top, bottom)[:, None] - band.y - band.bow * across**2
    profile = np.exp(-0.5 * (down / band.height) ** 2)
    if band.tail:
        profile = profile + band.tail * np.where(down < 0, np.exp(down / (4 * band.height)), 0)
    density[top:bottom, first:last] += strength * profile * np.exp(-(np.abs(across) ** band.square))


def strengths(rng: Rng, number: int) -> NDArray[np.float64]:
    """How much there is in each lane: even, graded, on and off, or anything."""
    kind = pick(rng, ("even", "graded", "on and off", "in turns", "anything"))
    if kind == "even":
        amounts = np.ones(number)
    elif kind == "graded":
        amounts = np.geomspace(1, between(rng, 0.03, 0.3), number)[:: 1 if chance(rng, 0.5) else -1]
    elif kind == "on and off":
        amounts = rng.choice([1.0, between(rng, 0, 0.12)], number)
    elif kind == "in turns":
        amounts = np.resize(rng.uniform(0.05, 1, count(rng, 2, 4)), number)
    else:
        amounts = rng.uniform(0, 1, number) ** 1.5
    return amounts * rng.uniform(0.8, 1.2, number)


def lay_row(rng: Rng, density: Field, places: Lanes, y: float, height: float, amounts: Sequence[float]) -> None:
    """Add one band per lane at about the same height: one protein across the samples of a blot.

    Args:
        rng: the random numbers.
        density: the field.
        places: the lanes.
        y: of the row.
        height: deviation of a band downwards.
        amounts: one per lane.
    """
    half, square = places.width * between(rng, 0.3, 0.5), between(rng, 2, 7)
    bow, tilt = height * rng.normal(0, 0.6), height * rng.normal(0, 0.8)
    tail = between(rng, 0.02, 0.25) if chance(rng, 0.3) else 0.0
    smile = height * rng.normal(0, 1.2)
    for number, (x, amount) in enumerate(zip(places.centres, amounts, strict=True)):
        side = 2 * number / max(len(places) - 1, 1) - 1
        band = Band(
            x,
            y + tilt * side + smile * side**2 + height * rng.normal(0, 0.15),
            half * (0.8 + 0.25 * min(amount, 1.5)) * between(rng, 0.9, 1.08),
            height * (0.7 + 0.4 * min(amount, 1.5)) * between(rng, 0.85, 1.15),
            bow + height * rng.normal(0, 0.15),
            square,
            tail,
        )
        lay_band(density, band, amount)


def lay_ladder(rng: Rng, density: Field, x: float, width: float, bounds: tuple[float, float]) -> list[float]:
    """Add a ladder of known sizes, closer together farther down or up.

    Args:
        rng: the random numbers.
        density: the field.
        x: of its lane.
        width: of its lane.
        bounds: the uppermost and the lowest y.

    Returns:
        The y of its rungs.
    """
    rungs = count(rng, 5, 16)
    steps = np.cumsum(np.geomspace(1, between(rng, 1.5, 6), rungs)[:: 1 if chance(rng, 0.7) else -1])
    places = bounds[0] + (bounds[1] - bounds[0]) * (steps - steps[0]) / max(steps[-1] - steps[0], 1e-6)
    height = max(0.7, (bounds[1] - bounds[0]) / between(rng, 90, 220))
    bold = set(rng.choice(rungs, 2, replace=False).tolist())
    for number, y in enumerate(places):
        amount = between(rng, 0.35, 0.8) * (1.6 if number in bold else 1.0)
        lay_band(density, Band(x, float(y), width * 0.38, height, 0, 5), amount)
    return [float(y) for y in places]


def lay_smear(rng: Rng, density: Field, x: float, width: float, bounds: tuple[float, float], amount: float) -> None:
    """Add what is sheared or overloaded: a lane that is grey from one y to another."""
    height, span = density.shape[0], bounds[1] - bounds[0]
    middle, spread = bounds[0] + span * between(rng, 0.2, 0.8), span * between(rng, 0.12, 0.4)
    first, last = max(0, int(x - 0.6 * width)), min(density.shape[1], int(x + 0.6 * width) + 1)
    if first >= last:
        return
    across = (np.arange(first, last) - x) / (0.42 * width)
    down = (np.arange(height)[:, None] - middle) / spread
    streaks = 1 + 0.25 * noise(rng, (height, last - first), (span / 6, 3))
    density[:, first:last] += amount * np.exp(-(across**4)) * np.exp(-0.5 * down**2) * streaks


def distorted(rng: Rng, density: Field, strength: float) -> Field:
    """Lanes that do not run straight: the whole gel bent by heat, pull and uneven salt."""
    shape: Shape = density.shape
    side = np.linspace(-1, 1, shape[1], dtype=np.float32) - rng.uniform(-0.3, 0.3)
    smile = strength * rng.normal() * side**2 * np.linspace(0.2, 1, shape[0], dtype=np.float32)[:, None]
    waves = 0.3 * strength * noise(rng, shape, max(shape) / 3)
    return warp(density, smile + waves, 0.5 * strength * noise(rng, shape, max(shape) / 2))


def dirt(rng: Rng, shape: Shape) -> Field:
    """Specks, scratches and blotches, from 0 to about 1; nothing of it on a clean blot."""
    spoilt = np.zeros(shape, np.float32)
    if chance(rng, 0.5):
        for _ in range(count(rng, 1, 30)):
            row, column = rng.integers(shape[0]), rng.integers(shape[1])
            size = count(rng, 1, 2)
            spoilt[row : row + size, column : column + size] = between(rng, 0.2, 1)
        spoilt = blur(spoilt, between(rng, 0.4, 0.9))
    if chance(rng, 0.25):
        ends = rng.uniform(0, 1, (2, 2)) * shape
        steps = np.linspace(0, 1, 2 * max(shape))[:, None]
        rows, columns = (ends[0] + (ends[1] - ends[0]) * steps).astype(np.intp).T
        spoilt[np.clip(rows, 0, shape[0] - 1), np.clip(columns, 0, shape[1] - 1)] += between(rng, 0.1, 0.5)
    if chance(rng, 0.35):
        cloud = fractal(rng, shape, max(shape) / between(rng, 2, 6))
        spoilt += between(rng, 0.02, 0.12) * np.clip(cloud, 0, 2)
    return spoilt

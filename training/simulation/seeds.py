"""Seeds, grains, berries and fruits."""

import math

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, pick
from training.simulation.outlines import blob, disc, distance, moved, paint, placed, scattered
from training.simulation.sheet import Point, frame
from training.simulation.stage import dome, filled, ground, laid, lit, photographed
from training.simulation.textures import Colour, Field, Pixels, fractal, noise, shaded, tint, unit

_COATS: tuple[Colour, ...] = (
    (0.75, 0.6, 0.35), (0.35, 0.2, 0.1), (0.1, 0.08, 0.07), (0.85, 0.8, 0.65), (0.7, 0.12, 0.1), (0.85, 0.45, 0.1),
    (0.45, 0.6, 0.2), (0.25, 0.2, 0.4), (0.9, 0.8, 0.2),
)  # fmt: skip
_PEELS: tuple[Colour, ...] = (
    (0.75, 0.1, 0.08), (0.9, 0.5, 0.1), (0.55, 0.65, 0.15), (0.85, 0.75, 0.2), (0.4, 0.15, 0.35), (0.7, 0.55, 0.35),
)  # fmt: skip
_BLUSHES: tuple[Colour, ...] = ((0.6, 0.7, 0.2), (0.9, 0.7, 0.2), (0.5, 0.1, 0.1))


def _seed(rng: Rng, shown: Pixels, place: Point, away: Field, colour: Colour) -> None:
    """Paint one: its shadow, its dark side, its lit side, its gleam.

    Args:
        rng: the random numbers.
        shown: the picture, which is changed.
        place: of its centre.
        away: what `distance` says of its form.
        colour: of its coat.
    """
    size = away.shape[0] / 3
    mask, gleam = (
        disc(away, min(0.25, 2 / size)),
        np.exp(-(((away - 0.1) / 0.3) ** 2)) * np.float32(between(rng, 0, 0.6)),
    )
    rounded = np.sqrt(np.clip(1.02 - away**2, 0, 1)) * (1 + 0.15 * noise(rng, away.shape, max(2, size / 4)))
    paint(shown, moved(mask, round(size / 6)) * np.float32(0.4), place, (0.05, 0.05, 0.05))
    paint(shown, mask, place, shaded(colour, between(rng, 0.45, 0.62)))
    paint(shown, mask * np.clip(rounded, 0, 1), place, colour)
    paint(shown, moved(mask * gleam, -round(size / 4)), place, shaded(colour, 0.6, 0.4))


def seeds(rng: Rng) -> Image.Image:
    """A few large ones or many small ones, spread out."""
    shape, number = frame(rng, 0.6, 1.7), pick(rng, (1, 3, 8, 20, 60, 150))
    shown, size = ground(rng, shape), min(60.0, 0.3 * max(shape) / math.sqrt(number))
    long, rough, colour = between(rng, 1, 2.4), between(rng, 0.02, 0.2), pick(rng, _COATS)
    for place in scattered(rng, shape, number, size * 1.9, size):
        away = distance(rng, size * between(rng, 0.75, 1.1), long=long, rough=rough)
        _seed(rng, shown, place, away, shaded(colour, between(rng, 0.85, 1.1)))
    return photographed(rng, shown, 0.6)


def fruits(rng: Rng) -> Image.Image:
    """One or a few large fruits or roots, whole."""
    shape, number = frame(rng, 0.7, 1.7), pick(rng, (1, 2, 3, 5))
    size = min(shape) * between(rng, 0.28, 0.42) / math.sqrt(number)
    long, rough = between(rng, 0.7, 1.5), between(rng, 0.02, 0.12)
    places = scattered(rng, shape, number, size * 2, size)
    outlines = [placed(blob(rng, rough, 4), place, (size * long, size), between(rng, -0.4, 0.4)) for place in places]
    mask, peel = filled(shape, *outlines), pick(rng, _PEELS)
    skin = tint(unit(fractal(rng, shape, size, 5)), (peel, peel, pick(rng, (peel, *_BLUSHES))))
    shown = laid(rng, ground(rng, shape), lit(rng, skin, dome(mask, size / 2.5), between(rng, 0, 0.5)), mask)
    return photographed(rng, shown, 0.6)

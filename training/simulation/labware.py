"""Plates of wells and tubes, photographed."""

import itertools

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.outlines import disc, distance, moved, paint
from training.simulation.sheet import Point, frame, sheet_of
from training.simulation.stage import ground, photographed
from training.simulation.textures import Colour, Field, Pixels, fractal, mix, shaded, smooth

_PLATES = ((2, 3), (3, 4), (4, 6), (4, 6), (6, 8), (8, 12), (8, 12))
"""Rows and columns of wells."""

_PLASTICS: tuple[Colour, ...] = ((0.92, 0.93, 0.94), (0.8, 0.82, 0.84), (0.05, 0.05, 0.05), (0.6, 0.65, 0.68))
_MEDIA: tuple[Colour, ...] = (
    (0.9, 0.3, 0.5), (0.5, 0.2, 0.6), (0.9, 0.8, 0.2), (0.2, 0.4, 0.8), (0.85, 0.55, 0.5), (0.9, 0.9, 0.92),
)  # fmt: skip
_CHANGED: tuple[Colour, ...] = ((0.95, 0.85, 0.3), (0.95, 0.95, 0.95), (0.3, 0.2, 0.5))
_LIQUIDS: tuple[Colour, ...] = (
    (0.85, 0.2, 0.2), (0.9, 0.75, 0.3), (0.4, 0.2, 0.5), (0.2, 0.5, 0.3), (0.75, 0.5, 0.3), (0.3, 0.5, 0.85),
)  # fmt: skip


def _blend(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def _well(rng: Rng, shown: Pixels, place: Point, radius: float, content: Colour) -> None:
    """Paint one: its wall, its content, now and then cells in it, and a reflection."""
    away = distance(rng, radius, rough=0.0)
    paint(shown, disc(away, 0.05), place, shaded(content, 0.55))
    paint(shown, disc(away / 0.93, 0.08), place, content)
    if chance(rng, 0.3):
        spots = disc(away / 0.9, 0.1) * smooth(fractal(rng, away.shape, 5, 3), 0.5, 1)
        paint(shown, spots * np.float32(0.6), place, shaded(content, 0.35))
    ring = np.exp(-(((away - 0.75) / 0.1) ** 2)) * np.float32(0.35)
    paint(shown, moved(ring, -2) * disc(away), place, (1, 1, 1))


def wells(rng: Rng) -> Image.Image:
    """A plate of wells with coloured or clear contents."""
    (rows, columns), shape = pick(rng, _PLATES), frame(rng, 1.25, 1.65)
    plastic = np.full(shape, between(rng, 0.6, 1), np.float32)
    shown = mix(ground(rng, shape), pick(rng, _PLASTICS), plastic)
    step = min(shape[0] / (rows + 0.5), shape[1] / (columns + 0.5))
    top, left = (shape[0] - step * rows) / 2, (shape[1] - step * columns) / 2
    first, graded = pick(rng, _MEDIA), chance(rng, 0.4)
    second = pick(rng, (*_CHANGED, first))
    for row, column in itertools.product(range(rows), range(columns)):
        content = _blend(first, second, column / columns if graded else rng.random())
        _well(rng, shown, (left + step * (column + 0.5), top + step * (row + 0.5)), step * 0.43, content)
    image = photographed(rng, shown, 0.1)
    if chance(rng, 0.6):
        return image
    sheet = sheet_of(image)
    for row, letter in zip(range(rows), "ABCDEFGH", strict=False):
        at = (max(2.0, left - 4), top + step * (row + 0.5))
        sheet.words(at, letter, min(9, step / 2), "#333333", anchor="rm")
    return sheet.finished()


def _tube(rng: Rng, shown: Pixels, across: Field, down: Field, liquid: Colour) -> Pixels:
    """One tube.

    Args:
        rng: the random numbers.
        shown: the picture.
        across: how far each pixel lies to the right of the tube's middle, over half its width.
        down: how far each pixel lies from the top of the picture, over its height.
        liquid: what is in the tube.
    """
    top, bottom, surface = 0.08, between(rng, 0.86, 0.9), between(rng, 0.2, 0.6)
    taper = np.clip((bottom - down) / 0.25, 0.05, 1) ** 0.6
    inside = smooth(np.abs(across) / taper, 1.02, 0.96) * smooth(down, top, top + 0.01) * (down < bottom)
    shown = mix(shown, (0.9, 0.93, 0.95), 0.45 * inside)
    shown = mix(shown, liquid, inside * smooth(down, surface, surface + 0.01) * between(rng, 0.6, 0.95))
    if chance(rng, 0.6):
        pellet = smooth(down, bottom - between(rng, 0.02, 0.15), bottom)
        shown = mix(shown, shaded(liquid, 0.3), inside * pellet)
    return mix(shown, (1, 1, 1), 0.5 * inside * np.exp(-(((across + 0.55) / 0.12) ** 2)))


def tubes(rng: Rng) -> Image.Image:
    """Tubes side by side with pellets and coloured liquids."""
    shape, number, liquid = frame(rng, 0.8, 1.8), count(rng, 2, 8), pick(rng, _LIQUIDS)
    shown, wide = ground(rng, shape), shape[1] / (number + 0.6)
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    for tube in range(number):
        across = (columns - wide * (tube + 0.8)) / (wide * 0.36)
        shown = _tube(rng, shown, across, rows / shape[0], shaded(liquid, between(rng, 0.8, 1.2)))
    return photographed(rng, shown, 0.3)

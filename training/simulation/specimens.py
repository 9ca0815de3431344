"""Organs, tumours, slices of them, and skin."""

import math

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.outlines import Outline, blob, disc, distance, paint, placed, scattered
from training.simulation.sheet import Sheet, frame
from training.simulation.stage import dome, filled, ground, laid, lit, photographed
from training.simulation.textures import Colour, Field, Pixels, Shape, blur, fractal, mix, plain, smooth, tint, unit

_FLESH: tuple[Colour, ...] = (
    (0.55, 0.15, 0.12), (0.65, 0.3, 0.25), (0.75, 0.5, 0.42), (0.45, 0.12, 0.15), (0.8, 0.65, 0.55), (0.35, 0.15, 0.12),
    (0.85, 0.75, 0.7), (0.6, 0.4, 0.2),
)  # fmt: skip
_CUTS: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((0.6, 0.12, 0.12), (0.8, 0.35, 0.3), (0.95, 0.9, 0.82)),
    ((0.75, 0.65, 0.55), (0.9, 0.85, 0.75), (0.5, 0.2, 0.15)),
    ((0.7, 0.5, 0.45), (0.85, 0.7, 0.62), (0.6, 0.1, 0.1)),
)
"""Rim, inside and dead part of a slice."""

_SKINS: tuple[Colour, ...] = (
    (0.9, 0.72, 0.62), (0.82, 0.6, 0.48), (0.6, 0.4, 0.3), (0.4, 0.26, 0.18), (0.93, 0.78, 0.72), (0.88, 0.65, 0.6),
)  # fmt: skip
_LESIONS: tuple[Colour, ...] = (
    (0.3, 0.17, 0.12), (0.55, 0.15, 0.13), (0.7, 0.35, 0.3), (0.2, 0.1, 0.1), (0.85, 0.75, 0.5),
)  # fmt: skip
_ROWS = ((1, 1), (1, 1), (1, 2), (1, 4), (1, 6), (2, 5), (3, 6), (2, 3))


def _surface(rng: Rng, mask: Field, size: float) -> Pixels:
    """The surface of an organ: two shades, vessels, a wet gleam."""
    shape: Shape = mask.shape
    first, second = pick(rng, _FLESH), pick(rng, _FLESH)
    between_them: Colour = ((first[0] + second[0]) / 2, (first[1] + second[1]) / 2, (first[2] + second[2]) / 2)
    skin = tint(unit(fractal(rng, shape, size / 1.5, 5)), (first, first, between_them))
    vessels = smooth(np.abs(fractal(rng, shape, size, 3)), 0.06, 0.0) * np.float32(between(rng, 0, 0.6))
    skin = mix(skin, (0.45, 0.06, 0.08), blur(vessels, 0.7))
    height = dome(mask, size / 2.2) + between(rng, 0, 1.5) * fractal(rng, shape, size / 5, 3)
    return lit(rng, skin, height, between(rng, 0.1, 0.7))


def organs(rng: Rng) -> Image.Image:
    """Organs or tumours that were taken out, one or in rows by group."""
    rows, columns = pick(rng, _ROWS)
    aspect = columns / rows
    shape = frame(rng, min(2.4, max(0.6, 0.7 * aspect)), max(0.9, min(3.5, 1.4 * aspect)))
    size = min(shape[0] / rows, shape[1] / columns) * between(rng, 0.28, 0.44)
    long, rough = math.sqrt(between(rng, 1, 1.6)), between(rng, 0.1, 0.4)
    outlines: list[Outline] = []
    for row in range(rows):
        scale = size * (between(rng, 0.35, 1) if row else 1)
        for column in range(columns):
            each, turn = scale * between(rng, 0.7, 1), rng.normal(0, 0.5)
            centre = (shape[1] * (column + 0.5) / columns, shape[0] * (row + 0.5) / rows)
            outlines.append(placed(blob(rng, rough, 5), centre, (each * long, each / long), turn))
    mask = filled(shape, *outlines)
    return photographed(rng, laid(rng, ground(rng, shape), _surface(rng, mask, size), mask), 0.7)


def slices(rng: Rng) -> Image.Image:
    """Slices of a brain or a heart, red where it lives and pale where it does not, or a cut specimen with layers."""
    number = pick(rng, (1, 2, 4, 6))
    shape = frame(rng, min(3.0, 0.6 * number), min(4.0, 1.2 * number))
    scene, size = ground(rng, shape), min(shape[0] * 0.42, shape[1] / number * 0.45)
    rim, inner, dead = pick(rng, _CUTS)
    for place in range(number):
        centre = (shape[1] * (place + 0.5) / number, shape[0] / 2)
        mask = filled(shape, placed(blob(rng, 0.12, 4), centre, (size, size * between(rng, 0.75, 1))))
        depth = smooth(blur(mask, size / 6), 0.5, 0.98) + 0.12 * fractal(rng, shape, size / 3, 4)
        cut = tint(np.clip(depth, 0, 1), (rim, inner, inner, rim))
        if chance(rng, 0.7):
            wide = size * between(rng, 0.15, 0.5)
            spot = placed(blob(rng, 0.3, 5), (centre[0] + size * rng.normal(0, 0.35), centre[1]), (wide, wide))
            cut = mix(cut, dead, blur(filled(shape, spot), size / 20))
        scene = laid(rng, scene, cut, mask)
    return photographed(rng, scene, 0.6)


def _hairy(rng: Rng, shown: Pixels) -> Pixels:
    shape: Shape = (shown.shape[0], shown.shape[1])
    hairs, lean = Sheet(shape, "black"), between(rng, 0, 2 * math.pi)
    for x, y in scattered(rng, shape, count(rng, 5, 60)):
        angle, long = lean + rng.normal(0, 0.4), between(rng, 10, 50)
        middle = (x + long * math.cos(angle), y + long * math.sin(angle))
        end = (x + 1.7 * long * math.cos(angle + 0.3), y + 1.7 * long * math.sin(angle + 0.3))
        hairs.line([(x, y), middle, end], "white", 0.6)
    return mix(shown, (0.12, 0.08, 0.06), hairs.pixels()[..., 0] * np.float32(0.8))


def skin(rng: Rng) -> Image.Image:
    """Skin with moles, rashes, wounds and hairs."""
    shape = frame(rng, 0.7, 1.6)
    pores = between(rng, 0.01, 0.05) * fractal(rng, shape, between(rng, 3, 9), 3, 0.7)
    shown = plain(shape, pick(rng, _SKINS)) * (1 + 0.05 * fractal(rng, shape, max(shape) / 3, 4) + pores)[..., None]
    redness = smooth(fractal(rng, shape, max(shape) / 5, 4), 0.4, 1.6) * np.float32(between(rng, 0, 0.7))
    shown = mix(shown, (0.75, 0.3, 0.28), redness)
    for place in scattered(rng, shape, pick(rng, (1, 1, 1, 3, 12)), 20, min(shape) * 0.25):
        size = min(shape) * between(rng, 0.04, 0.3)
        away = distance(rng, size, rough=between(rng, 0.1, 0.5), long=between(rng, 1, 1.6))
        mottled = 0.75 + 0.25 * fractal(rng, away.shape, size / 3, 4)
        paint(shown, disc(away / 1.25, 0.25) * np.float32(0.4), place, (0.75, 0.35, 0.33))
        paint(shown, np.clip(disc(away, 0.12) * mottled, 0, 1), place, pick(rng, _LESIONS))
    return photographed(rng, _hairy(rng, shown) if chance(rng, 0.4) else shown, 0.35)

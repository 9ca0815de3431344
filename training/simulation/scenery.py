"""Landscapes, streets and rooms: scenes that no experiment shows."""

import itertools
import math

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.outlines import Outline, blob, placed, scattered
from training.simulation.sheet import Point, frame
from training.simulation.stage import dome, filled, laid, lit, photographed
from training.simulation.textures import (
    Colour,
    Field,
    Pixels,
    Shape,
    any_colour,
    fractal,
    mix,
    noise,
    plain,
    shaded,
    smooth,
    tint,
    unit,
)  # fmt: skip

_SKIES: tuple[tuple[Colour, ...], ...] = (
    ((0.25, 0.45, 0.8), (0.75, 0.87, 0.97)),
    ((0.5, 0.55, 0.6), (0.85, 0.86, 0.88)),
    ((0.2, 0.15, 0.35), (0.95, 0.5, 0.25), (1, 0.85, 0.5)),
    ((0.02, 0.03, 0.1), (0.08, 0.1, 0.25)),
    ((0.6, 0.75, 0.9), (0.95, 0.95, 0.95)),
)
"""From the zenith to the horizon."""

_FIELDS: tuple[Colour, ...] = (
    (0.3, 0.45, 0.15), (0.6, 0.5, 0.3), (0.25, 0.4, 0.5), (0.75, 0.7, 0.55), (0.85, 0.87, 0.9), (0.35, 0.3, 0.25),
)  # fmt: skip
_CROWNS: tuple[Colour, ...] = ((0.15, 0.3, 0.1), (0.25, 0.4, 0.12), (0.45, 0.3, 0.1), (0.1, 0.22, 0.12))
_WINDOWS: tuple[Colour, ...] = ((0.15, 0.2, 0.3), (0.95, 0.85, 0.5))
_CAR = ((-1, 0), (1, 0), (1, -0.4), (0.6, -0.45), (0.35, -0.85), (-0.5, -0.85), (-0.75, -0.45), (-1, -0.4))
_PANES = ((0.5, -0.48), (0.3, -0.78), (-0.45, -0.78), (-0.6, -0.48))


def _shape(shown: Pixels) -> Shape:
    return shown.shape[0], shown.shape[1]


def _polygon(*corners: Point) -> Outline:
    return np.asarray(corners, np.float32)


def _heights(shape: Shape) -> Field:
    """0 in the top row and 1 in the lowest."""
    return np.repeat(np.linspace(0, 1, shape[0], dtype=np.float32)[:, None], shape[1], axis=1)


def _mottled(rng: Rng, shape: Shape, colour: Colour, cell: float, strength: float) -> Pixels:
    return plain(shape, colour) * (1 + strength * fractal(rng, shape, cell, 4))[..., None]


def _tree(rng: Rng, shown: Pixels, foot: Point, size: float) -> Pixels:
    """A conifer or a broad-leaved tree."""
    (x, y), shape = foot, _shape(shown)
    if chance(rng, 0.3):
        crowns = [_polygon((x - size * 0.4, y - size * 0.2), (x + size * 0.4, y - size * 0.2), (x, y - size * 1.7))]
    else:
        middles = [(x + rng.normal(0, size * 0.25), y - size + rng.normal(0, size * 0.2)) for _ in range(4)]
        crowns = [placed(blob(rng, 0.25, 8), middle, (size * 0.4, size * 0.36)) for middle in middles]
    trunk = _polygon((x - size * 0.07, y), (x + size * 0.07, y), (x, y - size))
    shown = mix(shown, (0.25, 0.17, 0.1), filled(shape, trunk))
    return mix(shown, _mottled(rng, shape, pick(rng, _CROWNS), 9, 0.45), filled(shape, *crowns))


def _houses(rng: Rng, shown: Pixels, foot: float) -> Pixels:
    """A row of houses with windows, standing on a line."""
    shape, x, panes = _shape(shown), 0.0, list[Outline]()
    while x < shape[1]:
        wide, tall = between(rng, 18, 50), shape[0] * between(rng, 0.08, 0.4)
        wall = _polygon((x, foot), (x + wide, foot), (x + wide, foot - tall), (x, foot - tall))
        shown = mix(shown, any_colour(rng, 0.3, 0.85), filled(shape, wall))
        for left, top in itertools.product(np.arange(4, wide - 6, 8) + x, np.arange(5, tall - 8, 11) + foot - tall):
            panes.append(_polygon((left, top), (left + 3, top), (left + 3, top + 5), (left, top + 5)))
        x += wide + between(rng, 0, 25)
    return mix(shown, pick(rng, _WINDOWS), filled(shape, *panes))


def _hills(rng: Rng, shown: Pixels, horizon: float) -> Pixels:
    """Ridges behind each other, the farther ones bluer."""
    shape, heights, number = _shape(shown), _heights(_shape(shown)), count(rng, 1, 4)
    for layer in range(number):
        ridge = horizon - 0.18 + 0.1 * layer + 0.09 * fractal(rng, (1, shape[1]), shape[1] / between(rng, 2, 5), 5)
        haze, dark = 0.15 * (number - layer) / number, between(rng, 0.25, 0.5)
        hill = _mottled(rng, shape, (dark + 0.6 * haze, dark + 0.8 * haze, dark + 1.1 * haze), 12, 0.12)
        shown = mix(shown, hill, smooth(heights - ridge, 0, 0.01))
    return shown


def landscape(rng: Rng) -> Image.Image:
    """Sky, hills, ground or water, trees, a road, houses."""
    shape, horizon = frame(rng, 0.6, 1.9), between(rng, 0.3, 0.7)
    heights, across = _heights(shape), np.linspace(0, 1, shape[1], dtype=np.float32)
    shown = tint(np.clip(heights / horizon, 0, 1), pick(rng, _SKIES))
    clouds = smooth(fractal(rng, shape, max(shape) / 3, 5), between(rng, -0.3, 1), 2) * between(rng, 0, 0.9)
    shown = _hills(rng, mix(shown, (0.97, 0.97, 0.98), clouds), horizon)
    texture = fractal(rng, shape, 20, 4, 0.7) * np.clip(heights - horizon + 0.1, 0, 1) + 0.2 * noise(
        rng, shape, (2, 14)
    )
    near = plain(shape, pick(rng, _FIELDS)) * (1 + 0.4 * texture)[..., None]
    shown = mix(shown, near, smooth(heights, horizon, horizon + 0.01))
    if chance(rng, 0.35):
        away = np.abs(across - between(rng, 0.3, 0.7) - (heights - horizon) * between(rng, -0.3, 0.3))
        road = (away < 0.03 + 0.5 * (heights - horizon)) & (heights > horizon)
        shown = mix(shown, (0.35, 0.35, 0.37), 0.9 * road.astype(np.float32))
    if chance(rng, 0.3):
        shown = _houses(rng, shown, shape[0] * (horizon + 0.06))
    for low in sorted(rng.uniform(horizon, 0.95, count(rng, 0, 8)).tolist()):
        size = shape[0] * (0.08 + 0.5 * (low - horizon)) * between(rng, 0.7, 1.3)
        shown = _tree(rng, shown, (between(rng, 0, shape[1]), shape[0] * low), size)
    return photographed(rng, shown, 0)


def still_life(rng: Rng) -> Image.Image:
    """Boxes, balls and cups on a table before a wall."""
    shape, edge = frame(rng, 0.7, 1.6), between(rng, 0.45, 0.7)
    heights, table = _heights(shape), any_colour(rng, 0.2, 0.8)
    wood = unit(noise(rng, shape, (3, 90)) + 0.4 * noise(rng, shape, (1.4, 40)))
    shown = _mottled(rng, shape, any_colour(rng, 0.3, 0.9), 60, 0.04)
    shown = mix(shown, tint(wood, (shaded(table, 0.6), table)), smooth(heights, edge, edge + 0.01))
    for x, y in scattered(rng, (round(shape[0] * 0.4), shape[1]), count(rng, 2, 6), 50):
        size, foot = min(shape) * between(rng, 0.08, 0.2), shape[0] * 0.55 + y
        top, half = foot - size * between(rng, 1, 3), 0.7 * size
        box = _polygon((x - half, foot), (x + half, foot), (x + half * between(rng, 0.7, 1.1), top), (x - half, top))
        ball = placed(blob(rng, 0, 1), (x, foot - size), (size, size))
        mask, skin = filled(shape, ball if chance(rng, 0.4) else box), plain(shape, any_colour(rng, 0.05, 0.95))
        if chance(rng, 0.3):
            skin = mix(skin, any_colour(rng), smooth(np.sin(heights * between(rng, 40, 160)), 0, 0.2))
        shown = laid(rng, shown, lit(rng, skin, dome(mask, size / 2), 0.3), mask)
    return photographed(rng, shown, 0)


def _car(rng: Rng, shown: Pixels, at: Point, size: float) -> Pixels:
    shape = _shape(shown)
    mask = filled(shape, placed(_polygon(*_CAR), at, (size, size)))
    shown = laid(rng, shown, lit(rng, plain(shape, any_colour(rng, 0.1, 0.9)), dome(mask, size / 4), 0.4), mask)
    shown = mix(shown, (0.15, 0.2, 0.25), filled(shape, placed(_polygon(*_PANES), at, (size, size))))
    hubs = [(at[0] + side * size * 0.6, at[1]) for side in (-1, 1)]
    wheels = [placed(blob(rng, 0, 1), hub, (size * 0.2, size * 0.2)) for hub in hubs]
    return mix(shown, (0.05, 0.05, 0.05), filled(shape, *wheels))


def street(rng: Rng) -> Image.Image:
    """Houses, cars and signs, as simple as a child draws them but lit as in a photograph."""
    shape = frame(rng, 0.8, 1.7)
    heights, grey = _heights(shape), between(rng, 0.3, 0.6)
    shown = mix(tint(heights, pick(rng, _SKIES)), (grey, grey, grey), smooth(heights, 0.7, 0.72))
    shown = _houses(rng, shown, shape[0] * 0.7)
    for _ in range(count(rng, 1, 3)):
        at = (shape[1] * between(rng, 0.2, 0.8), shape[0] * between(rng, 0.75, 0.92))
        shown = _car(rng, shown, at, min(shape) * between(rng, 0.12, 0.3))
    if chance(rng, 0.5):
        x, y, foot = shape[1] * between(rng, 0.1, 0.9), shape[0] * between(rng, 0.3, 0.6), shape[0] * 0.8
        plate = placed(blob(rng, 0, 1, pick(rng, (3, 4, 8, 40))), (x, y), (18, 18), math.pi / 8)
        shown = mix(
            shown, (0.5, 0.5, 0.5), filled(shape, _polygon((x - 2, y), (x + 2, y), (x + 2, foot), (x - 2, foot)))
        )
        shown = mix(shown, any_colour(rng), filled(shape, plate))
    return photographed(rng, shown, 0)

"""Shapes without a meaning: gradients, polygons, checks, icons."""

import itertools
from collections.abc import Callable

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.networks import arrow
from training.simulation.outlines import blob, placed, scattered
from training.simulation.sheet import Point, Sheet, frame, picture
from training.simulation.textures import any_colour, tint, unit

_GROUNDS = ("white", "#fafafa", "#222222", "#3060a0", "#e8d8b8")
_INKS = ("#e41a1c", "#377eb8", "#4daf4a", "#984ea3", "#ff7f00", "#222222", "#00a0a0", "#c0a000")
_PALE = ("#dae8fc", "#d5e8d4", "#ffe6cc", "#fff2cc", "#f8cecc", "#e1d5e7")


def gradient(rng: Rng) -> Image.Image:
    """Colours that run into each other: straight, round or in waves."""
    shape = frame(rng, 0.6, 1.8)
    rows, columns = (axis / max(shape) for axis in np.mgrid[: shape[0], : shape[1]].astype(np.float32))
    waves = np.sin(rows * between(rng, 5, 60)) * np.sin(columns * between(rng, 5, 60))
    field = pick(rng, (rows, columns, rows + columns, np.hypot(rows - 0.5, columns - 0.5), waves))
    return picture(tint(unit(field), [any_colour(rng) for _ in range(count(rng, 2, 4))]))


def polygons(rng: Rng) -> Image.Image:
    """Regular polygons over each other."""
    shape = frame(rng, 0.6, 1.8)
    sheet = Sheet(shape, pick(rng, _GROUNDS))
    for place in scattered(rng, shape, count(rng, 3, 40)):
        size, ink = between(rng, 5, 70), pick(rng, _INKS)
        corners = placed(blob(rng, 0, 1, pick(rng, (3, 4, 5, 6, 40))), place, (size, size), between(rng, 0, 6))
        sheet.polygon(corners, ink if chance(rng, 0.7) else None, ink)
    return sheet.finished()


def checks(rng: Rng) -> Image.Image:
    """A board of squares."""
    shape = frame(rng, 0.6, 1.8)
    sheet, step, inks = Sheet(shape, pick(rng, _GROUNDS)), between(rng, 12, 50), [pick(rng, _INKS) for _ in range(3)]
    for row, column in itertools.product(range(int(shape[0] / step) + 1), range(int(shape[1] / step) + 1)):
        if (row + column) % 2 or chance(rng, 0.2):
            sheet.box((column * step, row * step), (step, step), inks[(row * column) % 3])
    return sheet.finished()


def _letter(rng: Rng, sheet: Sheet, at: Point, half: float, ink: str) -> None:
    high = half * between(rng, 0.6, 0.8)
    sheet.box((at[0] - half, at[1] - high), (2 * half, 2 * high), None, ink, 2)
    sheet.line([(at[0] - half, at[1] - high), at, (at[0] + half, at[1] - high)], ink, 2)


def _person(rng: Rng, sheet: Sheet, at: Point, half: float, ink: str) -> None:
    head = half * between(rng, 0.35, 0.45)
    sheet.ellipse((at[0], at[1] - half * 0.4), (head, head), ink)
    sheet.wedge((at[0], at[1] + half * 0.8), half * 0.8, (180, 360), ink)


def _lens(rng: Rng, sheet: Sheet, at: Point, half: float, ink: str) -> None:
    radius = half * between(rng, 0.5, 0.65)
    sheet.ellipse((at[0] - half * 0.2, at[1] - half * 0.2), (radius, radius), None, ink, 2.5)
    sheet.line([(at[0] + half * 0.25, at[1] + half * 0.25), (at[0] + half * 0.8, at[1] + half * 0.8)], ink, 3)


def _columns(rng: Rng, sheet: Sheet, at: Point, half: float, ink: str) -> None:
    for column in range(3):
        left = at[0] - half + column * half * 0.7
        sheet.box((left, at[1] + half), (half * 0.5, -half * between(rng, 0.5, 2)), ink)


def _pointer(rng: Rng, sheet: Sheet, at: Point, half: float, ink: str) -> None:
    side = pick(rng, (-1, 1))
    arrow(sheet, (at[0] - side * half, at[1] + half), (at[0] + side * half, at[1] - half), ink, 3)


_ICONS: tuple[Callable[[Rng, Sheet, Point, float, str], None], ...] = (_letter, _person, _lens, _columns, _pointer)


def icons(rng: Rng) -> Image.Image:
    """Rows of small signs."""
    shape = frame(rng, 0.6, 1.8)
    sheet, step, ink = Sheet(shape, pick(rng, _GROUNDS)), between(rng, 40, 110), pick(rng, _INKS)
    for x, y in itertools.product(np.arange(step / 2, shape[1], step), np.arange(step / 2, shape[0], step)):
        at, half = (float(x), float(y)), step * 0.32
        if chance(rng, 0.5):
            sheet.ellipse(at, (half * 1.25, half * 1.25), pick(rng, _PALE), ink, 1.5)
        pick(rng, _ICONS)(rng, sheet, at, half, ink)
    return sheet.finished()

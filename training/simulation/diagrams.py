"""Venn diagrams, structural formulae and maps."""

import itertools
import math

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.outlines import scattered
from training.simulation.sheet import Point, Sheet, frame, lettering, picture, sheet_of
from training.simulation.textures import Colour, Field, Pixels, Shape, fractal, mix, smooth, tint, unit

_GROUPS = ("OH", "O", "N", "NH₂", "Cl", "CH₃", "F", "Br")
_SITES = ("Site 1", "Lima", "Ulm", "Station B", "Oxford", "Lake", "North")
_LANDS: tuple[tuple[Colour, ...], ...] = (
    ((0.9, 0.95, 0.85), (0.55, 0.7, 0.4), (0.6, 0.45, 0.3), (1, 1, 1)),
    ((0.95, 0.95, 0.9), (0.9, 0.85, 0.7)),
    ((0.85, 0.85, 0.85), (0.7, 0.7, 0.7)),
)
_SEAS: tuple[Colour, ...] = ((0.65, 0.8, 0.95), (0.8, 0.88, 0.92), (1, 1, 1))
_DISTRICTS: tuple[tuple[Colour, ...], ...] = (
    ((0.97, 0.95, 0.9), (0.9, 0.5, 0.3), (0.5, 0.05, 0.1)),
    ((0.95, 0.97, 1), (0.4, 0.6, 0.85), (0.05, 0.2, 0.45)),
    ((0.95, 0.95, 0.8), (0.45, 0.7, 0.4), (0.05, 0.3, 0.15)),
)


def venn(rng: Rng) -> Image.Image:
    """Overlapping circles with numbers."""
    shape = frame(rng, 0.9, 1.5)
    number, radius = count(rng, 2, 4), min(shape) * between(rng, 0.24, 0.32)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    shown, centres = np.ones((*shape, 3), np.float32), []
    for circle in range(number):
        turn = 2 * math.pi * circle / number + 0.5
        centre = (shape[1] / 2 + 0.62 * radius * math.cos(turn), shape[0] / 2 + 0.62 * radius * math.sin(turn))
        shown[np.hypot(rows - centre[1], columns - centre[0]) < radius] *= rng.uniform(0.5, 1, 3).astype(np.float32)
        centres.append(centre)
    sheet, edged = sheet_of(picture(shown), lettering(rng)), chance(rng, 0.7)
    for x, y in centres:
        if edged:
            sheet.ellipse((x, y), (radius, radius), None, "black")
        out = (1.5 * x - 0.25 * shape[1], 1.5 * y - 0.25 * shape[0])
        sheet.words(out, str(count(rng, 1, 2000)), 11, anchor="mm")
    sheet.words((shape[1] / 2, shape[0] / 2), str(count(rng, 1, 300)), 11, anchor="mm")
    return sheet.finished()


def _around(centre: Point, reach: float, turn: float) -> Point:
    return centre[0] + reach * math.cos(turn), centre[1] + reach * math.sin(turn)


def _ring(rng: Rng, sheet: Sheet, centre: Point, bond: float) -> None:
    """A ring of six with double bonds and what is bound to it."""
    turns = [math.pi / 3 * corner + math.pi / 6 for corner in range(6)]
    sheet.polygon([_around(centre, bond, turn) for turn in turns], None, "black", 1.2)
    inner = [_around(centre, 0.8 * bond, turn) for turn in [*turns, turns[0]]]
    for start, end in list(itertools.pairwise(inner))[:: 2 if chance(rng, 0.7) else 6]:
        sheet.line([start, end], "black", 1.2)
    for corner in rng.permutation(6)[: count(rng, 0, 3)]:
        sheet.line([_around(centre, bond, turns[corner]), _around(centre, 1.9 * bond, turns[corner])], "black", 1.2)
        ink, place = pick(rng, ("black", "black", "#c00000", "#0000c0")), _around(centre, 2.2 * bond, turns[corner])
        sheet.words(place, pick(rng, _GROUPS), bond * 0.55, ink, anchor="mm")


def molecule(rng: Rng) -> Image.Image:
    """Structural formulae: rings, side by side or joined by a bond."""
    shape = frame(rng, 0.8, 2)
    sheet = Sheet(shape, "white")
    for _ in range(pick(rng, (1, 2, 2, 3))):
        bond = between(rng, 12, 26)
        centre = (between(rng, 0.1, 0.5) * shape[1], between(rng, 0.25, 0.75) * shape[0])
        for _ in range(count(rng, 1, 4)):
            _ring(rng, sheet, centre, bond)
            if chance(rng, 0.4):
                centre = (centre[0] + bond * math.sqrt(3), centre[1])
                continue
            turn = pick(rng, (-math.pi / 6, math.pi / 6))
            sheet.line([_around(centre, bond, turn), _around(centre, 2 * bond, turn)], "black", 1.2)
            centre = _around(centre, 3 * bond, turn)
    return sheet.finished()


def _districts(rng: Rng, height: Field) -> Pixels:
    """Regions by colour, with lines between them."""
    step = np.floor(unit(height) * count(rng, 5, 9))
    shown = tint(step / step.max(), pick(rng, _DISTRICTS))
    edge = np.zeros(step.shape, bool)
    edge[1:] |= step[1:] != step[:-1]
    edge[:, 1:] |= step[:, 1:] != step[:, :-1]
    shown[edge] = 0.3
    return shown


def land(rng: Rng) -> Image.Image:
    """A map: land and sea, or districts, with roads and places."""
    shape: Shape = frame(rng, 0.8, 1.8)
    height = fractal(rng, shape, max(shape) / between(rng, 2, 4), 6, 0.55)
    if chance(rng, 0.6):
        shore = between(rng, -0.4, 0.6)
        shown = mix(tint(unit(height), pick(rng, _LANDS)), pick(rng, _SEAS), smooth(height, shore + 0.02, shore))
    else:
        shown = _districts(rng, height)
    sheet = sheet_of(picture(shown), lettering(rng))
    for _ in range(count(rng, 0, 5)):
        road = np.cumsum(rng.normal(0, 14, (20, 2)), axis=0) + rng.uniform(0, 1, 2) * (shape[1], shape[0])
        ink = pick(rng, ("#e0a030", "white", "#5080c0", "#888888"))
        sheet.line(road.astype(np.float32), ink, between(rng, 0.8, 2.5))
    for x, y in scattered(rng, shape, count(rng, 0, 9), 30, 20):
        sheet.ellipse((x, y), (2.5, 2.5), "#c02020", "black")
        sheet.words((x + 5, y), pick(rng, _SITES), 8, anchor="lm")
    return sheet.finished()

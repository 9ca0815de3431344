"""Plants and their leaves, as they are photographed for phenotyping."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.outlines import SQUARE, Outline, blob, placed, scattered
from training.simulation.sheet import Point, Sheet, frame
from training.simulation.stage import cast_shadow, filled, ground, laid, photographed
from training.simulation.textures import (
    Colour,
    Pixels,
    Shape,
    blur,
    fractal,
    is_dark,
    mix,
    plain,
    shaded,
    smooth,
    tint,
    unit,
)

_GREENS: tuple[Colour, ...] = (
    (0.2, 0.42, 0.12), (0.3, 0.55, 0.18), (0.13, 0.3, 0.12), (0.45, 0.6, 0.25), (0.35, 0.45, 0.3), (0.5, 0.55, 0.15),
    (0.4, 0.25, 0.3),
)  # fmt: skip
_BLIGHTS: tuple[Colour, ...] = ((0.75, 0.7, 0.2), (0.4, 0.25, 0.1), (0.8, 0.78, 0.6))
_SOIL: tuple[Colour, ...] = ((0.05, 0.04, 0.03), (0.43, 0.32, 0.22))
_POTS: tuple[Colour, ...] = ((0.7, 0.35, 0.22), (0.12, 0.12, 0.12), (0.92, 0.92, 0.92), (0.2, 0.3, 0.55))
_TRAYS: tuple[Colour, ...] = ((0.08, 0.08, 0.08), (0.3, 0.45, 0.5), (0.75, 0.78, 0.8), (0.12, 0.2, 0.15))
_WALLS: tuple[Colour, ...] = (
    (0.97, 0.97, 0.97), (0.9, 0.85, 0.78), (0.6, 0.65, 0.7), (0.1, 0.1, 0.12), (0.3, 0.35, 0.5), (0.8, 0.8, 0.8),
)  # fmt: skip
_PLATES: tuple[Colour, ...] = ((0.1, 0.1, 0.12), (0.03, 0.03, 0.03), (0.75, 0.75, 0.7), (0.35, 0.4, 0.42))
_STATIONS = 40
"""Along a leaf from its base to its tip."""


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A leaf: its outline, one side after the other, and its midrib."""

    edge: Outline
    rib: Outline

    def veins(self) -> list[Outline]:
        """Lines from the midrib towards both sides."""
        pairs = [(at, min(at + 5, _STATIONS - 1)) for at in range(4, _STATIONS - 2, 4)]
        ends = [(at, side) for at, out in pairs for side in (self.edge[out], self.edge[-out - 1])]
        return [np.stack([self.rib[at], self.rib[at] + 0.85 * (side - self.rib[at])]) for at, side in ends]


def _leaf(rng: Rng, base: Point, length: float, angle: float, slim: float, toothed: float = 0.0) -> _Leaf:
    """A leaf that grows from a place in a direction.

    Args:
        rng: the random numbers.
        base: where it begins.
        length: in pixels.
        angle: in radians.
        slim: half its width over its length.
        toothed: how deep its teeth are.
    """
    along = np.linspace(0, 1, _STATIONS)
    half = slim * length * np.sin(math.pi * along ** between(rng, 0.6, 1.3)) ** between(rng, 0.7, 1.3)
    half *= 1 + toothed * np.abs(np.sin(along * between(rng, 15, 40)))
    rib = np.stack([length * along, length * between(rng, -0.35, 0.35) * along**2], axis=-1)
    reach = np.stack([np.zeros_like(half), half], axis=-1)
    edge = np.concatenate([rib + reach, (rib - reach)[::-1]])
    return _Leaf(
        placed(edge.astype(np.float32), base, (1, 1), angle), placed(rib.astype(np.float32), base, (1, 1), angle)
    )


def _foliage(rng: Rng, scene: Pixels, leaves: list[_Leaf], rib: float) -> Pixels:
    """Leaves over each other, with shade, ribs, shadows, and now and then an illness.

    Args:
        rng: the random numbers.
        scene: what lies behind.
        leaves: the lowest first.
        rib: width of the midribs, in pixels.
    """
    shape: Shape = (scene.shape[0], scene.shape[1])
    green = pick(rng, _GREENS)
    blade = plain(shape, green) * (1 + 0.12 * fractal(rng, shape, 14, 3))[..., None]
    if chance(rng, 0.4):
        spots = smooth(fractal(rng, shape, between(rng, 8, 40), 3), between(rng, 0.8, 1.6), 2)
        blade = mix(blade, pick(rng, _BLIGHTS), spots * np.float32(between(rng, 0.2, 0.9)))
    shown = cast_shadow(rng, scene, filled(shape, *(leaf.edge for leaf in leaves)))
    for some in _layers(leaves):
        mask = filled(shape, *(leaf.edge for leaf in some))
        shade = between(rng, 0.75, 1.2) * (0.72 + 0.3 * blur(mask, 2.5))
        shown = mix(shown, blade * shade[..., None], mask)
    ribs = Sheet(shape, "black")
    for leaf in leaves:
        ribs.line(leaf.rib, "white", rib)
    return mix(shown, shaded(green, 1.25, 0.12), ribs.pixels()[..., 0] * np.float32(between(rng, 0.3, 0.8)))


def _layers(leaves: list[_Leaf]) -> list[list[_Leaf]]:
    """About five layers, the lowest first."""
    each = max(1, len(leaves) // 5)
    return [leaves[first : first + each] for first in range(0, len(leaves), each)]


def _rosette(rng: Rng, centre: Point, radius: float) -> list[_Leaf]:
    """Leaves about a centre, each turned by about the golden angle against the one before."""
    number, start, golden = count(rng, 4, 16), between(rng, 0, 6), between(rng, 2.2, 2.5)
    slim, toothed = between(rng, 0.16, 0.34), between(rng, 0, 0.2)
    lengths = [radius * (1 - 0.6 * step / number) * between(rng, 0.8, 1.05) for step in range(number)]
    return [_leaf(rng, centre, long, start + step * golden, slim, toothed) for step, long in enumerate(lengths)]


def rosette(rng: Rng) -> Image.Image:
    """A plant from above, alone, often in a pot."""
    shape = frame(rng, 0.7, 1.5)
    radius = min(shape) * between(rng, 0.25, 0.52)
    centre = (shape[1] * between(rng, 0.42, 0.58), shape[0] * between(rng, 0.42, 0.58))
    scene = ground(rng, shape)
    if chance(rng, 0.5):
        form = blob(rng, 0.0, 1) if chance(rng, 0.5) else SQUARE
        rim, pot = (filled(shape, placed(form, centre, (radius * size, radius * size))) for size in (1.2, 1.1))
        soil = tint(unit(fractal(rng, shape, 7, 4, 0.8)), _SOIL)
        scene = mix(mix(scene, pick(rng, _POTS), rim), soil, pot)
    return photographed(rng, _foliage(rng, scene, _rosette(rng, centre, radius), 1.2))


def tray(rng: Rng) -> Image.Image:
    """Many pots with a young plant each, from above."""
    shape = frame(rng, 0.7, 1.6)
    rows, columns = count(rng, 2, 6), count(rng, 3, 7)
    down, across = shape[0] / rows, shape[1] / columns
    pots, leaves = [], list[_Leaf]()
    for row, column in itertools.product(range(rows), range(columns)):
        centre = (across * (column + 0.5), down * (row + 0.5))
        pots.append(placed(SQUARE, centre, (across * 0.42, down * 0.42)))
        if chance(rng, 0.9):
            leaves += _rosette(rng, centre, min(across, down) * between(rng, 0.12, 0.5))
    scene = plain(shape, pick(rng, _TRAYS)) * (1 + 0.1 * fractal(rng, shape, 30, 2))[..., None]
    scene = mix(scene, tint(unit(fractal(rng, shape, 5, 3, 0.8)), _SOIL), filled(shape, *pots))
    return photographed(rng, _foliage(rng, scene, leaves, 0.6), 0.25)


def _stem(rng: Rng, foot: Point, tall: float, *, grassy: bool) -> tuple[Outline, list[_Leaf]]:
    """A stem and its leaves: broad ones along it, or blades from near its foot."""
    rise = np.linspace(0, 1, 30)
    stem = np.stack([foot[0] + tall * rng.normal(0, 0.16) * rise**1.5, foot[1] - tall * rise], axis=-1)
    leaves = []
    for at in rng.uniform(0.02 if grassy else 0.2, 1, count(rng, 5, 22)):
        x, y = stem[int(at * 29)]
        angle = -math.pi / 2 + pick(rng, (-1, 1)) * between(rng, 0.3, 1.4)
        long, slim = (between(rng, 0.3, 0.7), between(rng, 0.02, 0.06)) if grassy else (between(rng, 0.1, 0.28), 0.2)
        leaves.append(_leaf(rng, (float(x), float(y)), tall * long, angle, slim * between(rng, 0.7, 1.3)))
    return stem.astype(np.float32), leaves


def potted(rng: Rng) -> Image.Image:
    """A plant from the side, in a pot, before a wall or in a cabinet."""
    shape = frame(rng, 0.5, 1.3)
    x, y = shape[1] * between(rng, 0.4, 0.6), shape[0] * between(rng, 0.7, 0.85)
    wide, high = min(shape) * between(rng, 0.09, 0.2), shape[0] * between(rng, 0.1, 0.2)
    wall, floor = plain(shape, pick(rng, _WALLS)), np.zeros(shape, np.float32)
    floor[round(y + high) - 4 :] = between(rng, 0.05, 0.3)
    narrow = 0.75 * wide
    pot = np.asarray([(x - wide, y), (x + wide, y), (x + narrow, y + high), (x - narrow, y + high)], np.float32)
    rounded = 0.5 + 0.5 * np.cos(np.clip((np.arange(shape[1]) - x) / wide, -1, 1) * 1.3)
    clay = plain(shape, pick(rng, _POTS)) * rounded[None, :, None].astype(np.float32)
    shown = laid(rng, mix(wall, (0, 0, 0), floor), clay, filled(shape, pot))
    stalks, leaves, grassy = Sheet(shape, "black"), list[_Leaf](), chance(rng, 0.4)
    for _ in range(1 if grassy else count(rng, 1, 6)):
        line, more = _stem(rng, (x + wide * rng.normal(0, 0.3), y), y * between(rng, 0.35, 0.9), grassy=grassy)
        stalks.line(line, "white", between(rng, 1.2, 3))
        leaves += more
    shown = mix(shown, pick(rng, _GREENS), stalks.pixels()[..., 0])
    return photographed(rng, _foliage(rng, shown, leaves, 0.5), 0.3)


def detached_leaves(rng: Rng) -> Image.Image:
    """Leaves on a plain ground, one or several."""
    shape, number = frame(rng, 0.6, 1.8), pick(rng, (1, 1, 2, 3, 5, 8))
    slim, toothed = between(rng, 0.1, 0.38), between(rng, 0, 0.25)
    size, leaves, veins = max(shape) * between(rng, 0.45, 0.8) / math.sqrt(number), list[_Leaf](), Sheet(shape, "black")
    for x, y in scattered(rng, shape, number, size * 0.6, size * 0.3):
        angle = between(rng, 0, 2 * math.pi)
        base = (x - size / 2 * math.cos(angle), y - size / 2 * math.sin(angle))
        leaves.append(_leaf(rng, base, size * between(rng, 0.8, 1.1), angle, slim, toothed))
    for line in (line for leaf in leaves for line in leaf.veins()):
        veins.line(line, "white", max(0.5, size / 150))
    shown = _foliage(rng, ground(rng, shape), leaves, size / 60)
    return photographed(rng, mix(shown, (0.75, 0.8, 0.5), veins.pixels()[..., 0] * np.float32(between(rng, 0.1, 0.5))))


def seedlings(rng: Rng) -> Image.Image:
    """Seedlings on a square plate: rows of small leaves and pale roots that grow downwards."""
    shape = frame(rng, 0.8, 1.4)
    plate = plain(shape, pick(rng, _PLATES)) + 0.03 * fractal(rng, shape, 60, 3)[..., None]
    pale: Colour = (0.95, 0.95, 0.88) if is_dark(plate) else (0.5, 0.42, 0.3)
    roots, leaves = Sheet(shape, "black"), list[_Leaf]()
    for row in range(pick(rng, (1, 1, 2))):
        top, long, number = shape[0] * (0.12 + 0.45 * row), shape[0] * between(rng, 0.12, 0.45), count(rng, 4, 14)
        for x in (np.arange(number) + 0.7) / (number + 0.4) * shape[1]:
            side = np.cumsum(rng.normal(0, 0.25, max(5, int(long * between(rng, 0.5, 1.2)))))
            root = np.stack([x + side, top + np.arange(side.size)], axis=-1).astype(np.float32)
            roots.line(root, "white", 1.1)
            for at in range(10, len(root), count(rng, 8, 30)):
                turn = pick(rng, (-1, 1)) * between(rng, 4, 22)
                roots.line(np.stack([root[at], root[at] + np.asarray((turn, 0.8 * abs(turn)))]), "white", 0.7)
            pair = (-0.5 + rng.normal(0, 0.3), -2.6 + rng.normal(0, 0.3))
            leaves.extend(_leaf(rng, (float(x), top), between(rng, 5, 14), angle, 0.3) for angle in pair)
    shown = mix(plate, pale, blur(roots.pixels()[..., 0], 0.4) * np.float32(between(rng, 0.5, 1)))
    return photographed(rng, _foliage(rng, shown, leaves, 0.4), 0.4)

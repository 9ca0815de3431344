"""Round things: their outlines, and soft masks of them that are laid into a field."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training.simulation.dice import Rng
from training.simulation.textures import Colour, Field, Pixels, Shape, smooth

Outline = NDArray[np.float32]
"""Corners of a polygon as x and y, of shape (corners, 2)."""


SQUARE: Outline = np.asarray([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float32)
"""Its sides lie at 1 from the origin."""


def blob(rng: Rng, roughness: float, harmonics: int = 5, corners: int = 64) -> Outline:
    """A closed outline about the origin, of radius about 1.

    Args:
        rng: the random numbers.
        roughness: how far it strays from a circle.
        harmonics: how many waves of the outline the finest has.
        corners: of the polygon.
    """
    angles = np.linspace(0, 2 * math.pi, corners, endpoint=False)
    radius = 1 + sum(
        roughness * rng.normal() / wave * np.cos(wave * angles + rng.uniform(0, 2 * math.pi))
        for wave in range(2, harmonics + 2)
    )
    return np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=-1).astype(np.float32)


def placed(outline: Outline, centre: tuple[float, float], size: tuple[float, float], angle: float = 0.0) -> Outline:
    """An outline scaled along x and y, turned by an angle in radians, and moved."""
    scaled = outline * np.asarray(size, np.float32)
    cosine, sine = math.cos(angle), math.sin(angle)
    turned = scaled @ np.asarray([[cosine, sine], [-sine, cosine]], np.float32)
    return (turned + np.asarray(centre, np.float32)).astype(np.float32)


def distance(rng: Rng, radius: float, *, long: float = 1.0, rough: float = 0.1, angle: float | None = None) -> Field:
    """How far each pixel of a small square lies from the centre of a round thing: 1 on its outline.

    Args:
        rng: the random numbers.
        radius: pixels from the centre to the outline, on average.
        long: length over width.
        rough: how far the outline strays from an ellipse.
        angle: of the long axis, in radians; by chance if none is given.
    """
    reach = math.ceil(radius * max(math.sqrt(long), 1 / math.sqrt(long)) * (1.35 + rough)) + 2
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    turn = rng.uniform(0, math.pi) if angle is None else angle
    along = (columns * math.cos(turn) + rows * math.sin(turn)) / math.sqrt(long)
    aside = (rows * math.cos(turn) - columns * math.sin(turn)) * math.sqrt(long)
    away, bearing = np.hypot(along, aside), np.arctan2(aside, along)
    edge = radius * np.ones_like(away)
    for wave in (2, 3, 4, 5):
        edge += radius * rough * rng.normal() / wave * np.cos(wave * bearing + rng.uniform(0, 2 * math.pi))
    return np.asarray(away / np.maximum(edge, 1e-3), np.float32)


def disc(away: Field, softness: float = 0.15) -> Field:
    """A mask of what `distance` says lies inside: 1 within, 0 outside, a soft edge between."""
    return smooth(away, 1 + softness, 1 - softness)


def window(field: Field, stamp: Field, centre: tuple[float, float]) -> tuple[Field, Field]:
    """The part of a field that a stamp about a centre (x, y) covers, as a view, and the part of the stamp within."""
    top, left = round(centre[1]) - stamp.shape[0] // 2, round(centre[0]) - stamp.shape[1] // 2
    height, width = field.shape[:2]
    first, last = max(top, 0), min(top + stamp.shape[0], height)
    start, end = max(left, 0), min(left + stamp.shape[1], width)
    if first >= last or start >= end:
        return field[:0, :0], stamp[:0, :0]
    return field[first:last, start:end], stamp[first - top : last - top, start - left : end - left]


def moved(stamp: Field, pixels: int) -> Field:
    """A stamp moved down and to the right, or back where the number is negative: a shadow, a gleam."""
    return np.roll(stamp, (pixels, pixels), (0, 1))


def add(field: Field, stamp: Field, centre: tuple[float, float], strength: float = 1.0) -> None:
    """Add a stamp to a field, about a centre (x, y)."""
    part, within = window(field, stamp, centre)
    part += strength * within


def raise_to(field: Field, stamp: Field, centre: tuple[float, float], strength: float = 1.0) -> None:
    """Lay a stamp into a field where it is the higher one, about a centre (x, y)."""
    part, within = window(field, stamp, centre)
    np.maximum(part, strength * within, out=part)


def paint(pixels: Pixels, stamp: Field, centre: tuple[float, float], colour: Colour) -> None:
    """Cover a picture with a colour where a stamp about a centre (x, y) says so."""
    part, within = window(pixels, stamp, centre)
    part += within[..., None] * (np.asarray(colour, np.float32) - part)


def crowd(shape: Shape, radius: float, share: float) -> int:
    """How many discs of a radius cover a share of a picture; at least one."""
    return max(1, round(share * shape[0] * shape[1] / (math.pi * radius**2)))


def scattered(
    rng: Rng, shape: Shape, number: int, apart: float = 0.0, margin: float = 0.0
) -> Iterator[tuple[float, float]]:
    """Places (x, y) in a picture, fewer than asked for where they would come closer to each other than `apart` pixels.

    Args:
        rng: the random numbers.
        shape: of the picture.
        number: how many at most.
        apart: pixels between them at least.
        margin: pixels to the edge of the picture at least; negative to let them lie outside.
    """
    taken = np.empty((number, 2))
    found = 0
    for _ in range(4 * number):
        place = rng.uniform((margin, margin), (shape[1] - margin, shape[0] - margin))
        if found == number:
            return
        if apart and found and np.hypot(*(taken[:found] - place).T).min() < apart:
            continue
        taken[found] = place
        found += 1
        yield float(place[0]), float(place[1])

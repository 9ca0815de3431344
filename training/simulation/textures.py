"""Fields of noise and what can be done with them: the surfaces of everything that is not line art."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.simulation.dice import Rng

Field = NDArray[np.floating[Any]]
"""Of shape (height, width)."""

Pixels = NDArray[np.floating[Any]]
"""Of shape (height, width, 3), red, green and blue from 0 to 1."""

Colour = tuple[float, float, float]
"""Red, green and blue from 0 to 1."""

Shape = tuple[int, int]
"""Height and width in pixels."""

_MOST_TILES = 64


def resized(field: Field, shape: Shape) -> Field:
    """A field at another size, interpolated bicubically."""
    height, width = shape
    source = Image.fromarray(np.ascontiguousarray(field, np.float32))
    return np.asarray(source.resize((width, height), Image.Resampling.BICUBIC), np.float32)


def noise(rng: Rng, shape: Shape, cell: float | tuple[float, float]) -> Field:
    """Smooth noise of unit deviation, about.

    Args:
        rng: the random numbers.
        shape: of the result.
        cell: pixels between independent values; down and across, if they differ.
    """
    down, across = cell if isinstance(cell, tuple) else (cell, cell)
    grid = (max(2, math.ceil(shape[0] / down) + 1), max(2, math.ceil(shape[1] / across) + 1))
    return resized(rng.standard_normal(grid, np.float32), shape)


def fractal(rng: Rng, shape: Shape, cell: float, octaves: int = 4, roughness: float = 0.5) -> Field:
    """Noise on several scales, each half as wide as the one before and `roughness` times as strong."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        width = cell / 2**octave
        if width < 1:
            break
        total += roughness**octave * noise(rng, shape, width)
    return total


def grain(rng: Rng, shape: Shape) -> Field:
    """Independent values of unit deviation in every pixel."""
    return rng.standard_normal(shape, np.float32)


def unit(field: Field) -> Field:
    """A field stretched to the range from 0 to 1."""
    low, high = float(field.min()), float(field.max())
    return ((field - low) / max(high - low, 1e-6)).astype(np.float32)


def smooth(field: Field, low: float, high: float) -> Field:
    """A soft step: 0 below `low`, 1 above `high`, Hermite's cubic between; `low` may be the larger one."""
    position = np.clip((field - low) / (high - low), 0, 1)
    return np.asarray(position * position * (3 - 2 * position), np.float32)


def is_dark(pixels: NDArray[np.floating[Any]]) -> bool:
    """Whether light inks are wanted on a picture or a field."""
    return float(pixels.mean()) < 1 / 2


def blur(field: Field, sigma: float) -> Field:
    """A field under a Gaussian of a deviation in pixels, its edge pixels repeated outwards."""
    margin = math.ceil(3 * sigma) + 1
    padded = np.pad(field, margin, mode="edge")
    rows, columns = np.fft.fftfreq(padded.shape[0])[:, None], np.fft.rfftfreq(padded.shape[1])
    gauss = np.exp(-2 * (math.pi * sigma) ** 2 * (rows**2 + columns**2))
    blurred = np.fft.irfft2(np.fft.rfft2(padded) * gauss, s=padded.shape)
    return blurred[margin:-margin, margin:-margin].astype(np.float32)


def softened(pixels: Pixels, sigma: float) -> Pixels:
    """A picture under such a Gaussian."""
    return np.stack([blur(pixels[..., channel], sigma) for channel in range(3)], axis=-1)


def warp(field: Field, down: Field, across: Field) -> Field:
    """A field whose pixels are taken from elsewhere.

    Args:
        field: of shape (height, width).
        down: how many pixels below it each pixel is taken from, of shape (height, width).
        across: how many pixels to the right.
    """
    height, width = field.shape[:2]
    rows = np.clip(np.arange(height)[:, None] + down, 0, height - 1).astype(np.intp)
    columns = np.clip(np.arange(width) + across, 0, width - 1).astype(np.intp)
    return field[rows, columns]


def tint(field: Field, colours: Sequence[Colour]) -> Pixels:
    """The colours of a ramp with even steps, by a field of values from 0 to 1."""
    stops = np.linspace(0, 1, len(colours))
    channels = [np.interp(field, stops, [colour[channel] for colour in colours]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def any_colour(rng: Rng, low: float = 0.0, high: float = 1.0) -> Colour:
    """A colour whose parts lie anywhere between two bounds."""
    red, green, blue = rng.uniform(low, high, 3).tolist()
    return red, green, blue


def shaded(colour: Colour, share: float, light: float = 0.0) -> Colour:
    """A colour that is darker by a factor, and lighter by what is added to it."""
    red, green, blue = (light + share * part for part in colour)
    return red, green, blue


def plain(shape: Shape, colour: Colour) -> Pixels:
    """A picture of one colour."""
    return np.full((*shape, 3), colour, np.float32)


def mix(below: Pixels, above: Pixels | Colour, share: Field) -> Pixels:
    """One picture over another.

    Args:
        below: the picture that is covered.
        above: a picture of the same size, or a colour.
        share: how much of it is covered, from 0 to 1, of shape (height, width).
    """
    weight = share[..., None]
    return (below * (1 - weight) + np.asarray(above, np.float32) * weight).astype(np.float32)


def cells(rng: Rng, shape: Shape, size: float, jitter: float = 0.9) -> tuple[Field, Field, NDArray[np.intp]]:
    """A plane divided among scattered points, each pixel to its nearest (Voronoi cells).

    Args:
        rng: the random numbers.
        shape: of the results.
        size: pixels between points.
        jitter: how far points stray from a grid, as a share of `size`.

    Returns:
        Pixels to the nearest point, how much farther the second nearest is, and the number of the cell.
    """
    step = max(size, max(shape) / _MOST_TILES)
    rows, columns = math.ceil(shape[0] / step) + 4, math.ceil(shape[1] / step) + 4
    points = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1) + 0.5
    points += rng.uniform(-jitter / 2, jitter / 2, points.shape)
    place = np.stack(np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij"), axis=-1) / step + 2
    tile = place.astype(np.intp)
    nearest = np.full(shape, np.inf)
    second = np.full(shape, np.inf)
    owner = np.zeros(shape, np.intp)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            row, column = tile[..., 0] + down, tile[..., 1] + across
            away = np.hypot(*np.moveaxis(points[row, column] - place, -1, 0))
            closer = away < nearest
            second = np.where(closer, nearest, np.minimum(second, away))
            owner = np.where(closer, row * columns + column, owner)
            nearest = np.where(closer, away, nearest)
    return (nearest * step).astype(np.float32), ((second - nearest) * step).astype(np.float32), owner


def relief(height: Field, angle: float, strength: float) -> Field:
    """How brightly a surface is lit from one side: 0 on the level, positive towards the light.

    Args:
        height: of the surface, in pixels.
        angle: where the light comes from, in radians.
        strength: a factor.
    """
    down, across = np.gradient(height)
    return np.asarray(strength * (down * math.sin(angle) + across * math.cos(angle)), np.float32)


def slope(rng: Rng, shape: Shape) -> Field:
    """A plane that runs from -1 to 1 across a picture in some direction: light that is not even."""
    angle = rng.uniform(0, 2 * math.pi)
    rows, columns = np.linspace(-1, 1, shape[0])[:, None], np.linspace(-1, 1, shape[1])
    plane = rows * math.sin(angle) + columns * math.cos(angle)
    return np.asarray(plane / np.abs(plane).max(), np.float32)


def vignette(shape: Shape) -> Field:
    """The squared distance from the centre, 1 in the corners."""
    rows, columns = np.linspace(-1, 1, shape[0])[:, None], np.linspace(-1, 1, shape[1])
    return ((rows**2 + columns**2) / 2).astype(np.float32)

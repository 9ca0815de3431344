"""Ways to show many events of two quantities: as points, in colours of their density, in bins, as contours."""

from collections.abc import Callable

import numpy as np

from training.simulation.dice import Rng, between, chance, count, pick, weighted
from training.simulation.events import Events
from training.simulation.textures import Colour, Field, Pixels, Shape, blur, is_dark, mix, smooth, tint

Painter = Callable[[Rng, Events, Pixels], Pixels]
"""Draws events onto the empty face of a plot."""

_RAINBOW = (
    (0.1, 0.1, 0.8),
    (0.0, 0.5, 1),
    (0.1, 0.9, 0.9),
    (0.3, 0.9, 0.2),
    (1, 0.95, 0.1),
    (1, 0.5, 0),
    (0.9, 0.05, 0.05),
)
_RAMPS: tuple[tuple[Colour, ...], ...] = (
    _RAINBOW, _RAINBOW, _RAINBOW,
    ((0.27, 0, 0.33), (0.23, 0.32, 0.55), (0.13, 0.57, 0.55), (0.37, 0.79, 0.38), (0.99, 0.91, 0.14)),
    ((0.37, 0.31, 0.64), (0.4, 0.76, 0.65), (0.9, 0.96, 0.6), (0.99, 0.68, 0.38), (0.62, 0, 0.26)),
    ((0.05, 0.03, 0.3), (0.6, 0.1, 0.5), (0.95, 0.4, 0.3), (0.98, 0.95, 0.6)),
    ((0.75, 0.75, 0.78), (0.3, 0.3, 0.32), (0, 0, 0)),
    ((0.6, 0.75, 0.95), (0.2, 0.4, 0.8), (0.02, 0.1, 0.4)),
    ((0.05, 0.07, 0.17), (0.07, 0.17, 0.26), (0.1, 0.35, 0.5), (0.34, 0.69, 0.97)),
)  # fmt: skip
COLOURS: tuple[Colour, ...] = (
    (0.85, 0.05, 0.05), (0.05, 0.1, 0.8), (0.05, 0.55, 0.1), (0.5, 0.1, 0.6), (0.95, 0.5, 0), (0.5, 0.5, 0.5),
    (0.1, 0.7, 0.8),
)  # fmt: skip
"""Of populations."""

_BLACK: Colour = (0, 0, 0)
_ON_DARK: tuple[Colour, ...] = ((0.2, 1, 0.3), (1, 1, 1), (1, 0.9, 0.2), (1, 0.3, 0.3))
_FEW = 3000
_SPARSE = 0.1


def _shape(face: Pixels) -> Shape:
    return face.shape[0], face.shape[1]


def _counted(events: Events, shape: Shape) -> Field:
    """How many events fall on each pixel, the first row being the top."""
    height, width = shape
    rows = np.clip(((1 - events[:, 1]) * (height - 1)).astype(np.intp), 0, height - 1)
    columns = np.clip((events[:, 0] * (width - 1)).astype(np.intp), 0, width - 1)
    flat = np.bincount(rows * width + columns, minlength=height * width)
    return flat.reshape(shape).astype(np.float32)


def _density(events: Events, shape: Shape, sigma: float) -> Field:
    seen = blur(_counted(events, shape), sigma)
    return np.asarray(np.clip(seen / max(float(seen.max()), 1e-6), 0, 1), np.float32)


def _points(rng: Rng, events: Events, shape: Shape) -> Field:
    """A mask of dots, larger ones where there are few."""
    size = count(rng, 0, 2)
    share = between(rng, 0.3, 0.9) if chance(rng, 0.3) else 1.0
    seen = (_counted(events, shape) > 0).astype(np.float32)
    for _ in range(size if len(events) < _FEW else 0):
        wider = seen.copy()
        wider[1:] = np.maximum(wider[1:], seen[:-1])
        wider[:, 1:] = np.maximum(wider[:, 1:], seen[:, :-1])
        seen = wider
    return seen * np.float32(share)


def dots(rng: Rng, events: Events, face: Pixels) -> Pixels:
    """Every event as a point; now and then those near one place in another colour."""
    colour = pick(rng, _ON_DARK if is_dark(face) else (_BLACK, _BLACK, *COLOURS))
    shown = mix(face, colour, _points(rng, events, _shape(face)))
    for _ in range(pick(rng, (0, 0, 1, 3))):
        near = np.hypot(*(events - events[rng.integers(len(events))]).T) < between(rng, 0.08, 0.25)
        shown = mix(shown, pick(rng, COLOURS), _points(rng, events[near], _shape(face)))
    return shown


def pseudocolour(rng: Rng, events: Events, face: Pixels) -> Pixels:
    """Every event as a point in the colour of how many lie about it."""
    near = _density(events, _shape(face), between(rng, 1.5, 4)) ** between(rng, 0.4, 0.9)
    return mix(face, tint(near, pick(rng, _RAMPS)), _points(rng, events, _shape(face)))


def binned(rng: Rng, events: Events, face: Pixels) -> Pixels:
    """Square bins, filled by how many events they hold."""
    (height, width), side = _shape(face), count(rng, 2, 6)
    coarse = _counted(events, (max(4, height // side), max(4, width // side)))
    rows = np.arange(height) * coarse.shape[0] // height
    columns = np.arange(width) * coarse.shape[1] // width
    bins = np.log1p(coarse[rows[:, None], columns])
    return mix(face, tint(bins / max(float(bins.max()), 1e-6), pick(rng, _RAMPS)), (bins > 0).astype(np.float32))


def smoothed(rng: Rng, events: Events, face: Pixels) -> Pixels:
    """A smooth cloud of colour, with or without the outliers as points."""
    shape = _shape(face)
    near = _density(events, shape, between(rng, 2, 5)) ** between(rng, 0.3, 0.7)
    shown = mix(face, tint(near, pick(rng, _RAMPS)), smooth(near, 0.02, between(rng, 0.1, 0.4)))
    if chance(rng, 0.6):
        return shown
    return mix(shown, _BLACK, ((_counted(events, shape) > 0) & (near < _SPARSE)).astype(np.float32))


def _edges(step: Field) -> Field:
    edge = np.zeros(step.shape, np.float32)
    edge[1:] += step[1:] != step[:-1]
    edge[:, 1:] += step[:, 1:] != step[:, :-1]
    return np.clip(edge, 0, 1)


def contours(rng: Rng, events: Events, face: Pixels) -> Pixels:
    """Lines of equal density, empty, filled, or as a zebra with every other band filled; outliers as points or not."""
    shape = _shape(face)
    near = _density(events, shape, between(rng, 3, 7)) ** between(rng, 0.4, 1)
    step = np.ceil(near * count(rng, 5, 14) - between(rng, 0.1, 0.6)).clip(0)
    filling = weighted(rng, {"zebra": 0.25, "ramp": 0.15, "none": 0.6})
    shown, ramp = face, pick(rng, _RAMPS)
    if filling == "zebra":
        grey: Colour = pick(rng, ((0.6, 0.6, 0.6), (0.3, 0.3, 0.3), (0.7, 0.75, 0.9)))
        shown = mix(shown, grey, (step % 2).astype(np.float32))
    elif filling == "ramp":
        shown = mix(shown, tint(step / max(float(step.max()), 1), ramp), (step > 0).astype(np.float32))
    if chance(rng, 0.5):
        shown = mix(shown, pick(rng, _ON_DARK) if is_dark(face) else _BLACK, _points(rng, events, shape) * (step == 0))
    if chance(rng, 0.35):
        return mix(shown, tint(near, ramp), _edges(step))
    ink = pick(rng, _ON_DARK if is_dark(face) else (_BLACK, _BLACK, *COLOURS))
    return mix(shown, ink, _edges(step) * np.float32(between(rng, 0.6, 1)))


PAINTERS: tuple[Painter, ...] = (
    dots, dots, pseudocolour, pseudocolour, pseudocolour, binned, smoothed, contours, contours, contours,
)  # fmt: skip
"""Likelier ones more than once."""

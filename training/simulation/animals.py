"""Whole animals, as outlines with textures: fish, mice, worms, insects."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.outlines import Outline, blob, disc, distance, paint, placed
from training.simulation.sheet import Sheet, frame
from training.simulation.stage import dome, filled, ground, laid, lit, photographed
from training.simulation.textures import Colour, Field, Pixels, Shape, fractal, mix, noise, plain, shaded, smooth, tint

_STEPS = 90
"""Along a body from head to tail."""

_SCALES: tuple[tuple[Colour, Colour], ...] = (
    ((0.25, 0.28, 0.3), (0.85, 0.85, 0.82)),
    ((0.75, 0.4, 0.12), (0.95, 0.8, 0.6)),
    ((0.3, 0.33, 0.2), (0.8, 0.75, 0.55)),
    ((0.7, 0.68, 0.6), (0.9, 0.88, 0.8)),
)
"""Back and belly of fish."""

_FURS: tuple[Colour, ...] = ((0.92, 0.9, 0.87), (0.12, 0.1, 0.1), (0.45, 0.38, 0.3), (0.85, 0.7, 0.65), (0.6, 0.6, 0.6))
_WORMS: tuple[Colour, ...] = (
    (0.75, 0.45, 0.4), (0.9, 0.85, 0.7), (0.35, 0.5, 0.2), (0.25, 0.2, 0.15), (0.85, 0.8, 0.75),
)  # fmt: skip
_SHELLS: tuple[Colour, ...] = (
    (0.12, 0.08, 0.05), (0.35, 0.2, 0.08), (0.5, 0.12, 0.06), (0.1, 0.25, 0.15), (0.6, 0.5, 0.2), (0.1, 0.12, 0.3),
)  # fmt: skip
_HEAT: tuple[Colour, ...] = ((0.2, 0, 0.6), (0, 0.3, 1), (0, 0.9, 0.5), (1, 1, 0), (1, 0, 0))


def _body(stations: Sequence[tuple[float, float, float]]) -> Outline:
    """An outline from head to tail: x, y and half the width at each of some places, joined smoothly."""
    given, kernel = np.asarray(stations), np.hanning(11) / np.hanning(11).sum()
    at, fine = np.linspace(0, 1, len(given)), np.linspace(0, 1, _STEPS)
    joined = (np.pad(np.interp(fine, at, column), 5, mode="edge") for column in given.T)
    x, y, half = (np.convolve(line, kernel, "valid") for line in joined)
    along = np.stack([np.gradient(x), np.gradient(y)], axis=-1)
    aside = np.stack([-along[:, 1], along[:, 0]], axis=-1) / np.maximum(np.hypot(*along.T), 1e-6)[:, None]
    spine, reach = np.stack([x, y], axis=-1), aside * half[:, None]
    return np.concatenate([spine + reach, (spine - reach)[::-1]]).astype(np.float32)


def _corners(*places: tuple[float, float]) -> Outline:
    return np.asarray(places, np.float32)


def _fish_parts(rng: Rng, deep: float) -> list[Outline]:
    """A body, a tail and two fins, from -1 at the mouth to 1."""
    widths = ((-1, 0.02), (-0.75, 0.75 * deep), (-0.3, deep), (0.3, 0.7 * deep), (0.7, 0.22 * deep), (0.8, 0.2 * deep))
    fork = deep * between(rng, 0.6, 1.1)
    fins = [
        _corners((-0.2, sign * deep * 0.9), (0, sign * deep * between(rng, 1.2, 1.9)), (0.35, sign * deep * 0.6))
        for sign in (-1, 1)
    ]
    return [
        _body([(x, 0, half) for x, half in widths]),
        _corners((0.72, 0), (1.02, -fork), (0.93, 0), (1.02, fork)),
        *fins,
    ]


def _scales(rng: Rng, shape: Shape, top: float, bottom: float) -> Pixels:
    """The skin of a fish, dark above and pale below, half of them with stripes or bars."""
    down = np.clip((np.arange(shape[0], dtype=np.float32)[:, None] - top) / max(bottom - top, 1), 0, 1)
    back, belly = pick(rng, _SCALES)
    skin = tint(np.clip(down + 0.08 * fractal(rng, shape, 20, 3), 0, 1), (back, back, belly, belly))
    if chance(rng, 0.5):
        return skin
    if chance(rng, 0.5):
        phase = down * between(rng, 14, 34) + 0.3 * noise(rng, shape, 30)
    else:
        phase = np.arange(shape[1]) * between(rng, 0.1, 0.3) + noise(rng, shape, 40)
    return mix(
        skin, (0.12, 0.12, 0.2), smooth(np.sin(phase).astype(np.float32), 0.2, 0.7) * np.float32(between(rng, 0.3, 0.8))
    )


def fish(rng: Rng) -> Image.Image:
    """A fish from the side."""
    shape, deep, angle = frame(rng, 1.3, 2.6), between(rng, 0.12, 0.36), rng.normal(0, 0.12)
    size = min(shape[1], shape[0] * 1.8) * between(rng, 0.36, 0.46)
    centre, facing = (shape[1] * between(rng, 0.46, 0.54), shape[0] * between(rng, 0.46, 0.54)), pick(rng, (-1, 1))
    body, *fins = (placed(part, centre, (facing * size, size), angle) for part in _fish_parts(rng, deep))
    skin = _scales(rng, shape, float(body[:, 1].min()), float(body[:, 1].max()))
    shown = laid(rng, ground(rng, shape), 0.9 * skin + 0.05, filled(shape, *fins) * np.float32(between(rng, 0.3, 0.8)))
    mask = filled(shape, body)
    shown = laid(rng, shown, lit(rng, skin, dome(mask, deep * size / 2), 0.3), mask)
    x, y = (body[_STEPS // 11] + body[-_STEPS // 11]) / 2
    for share, colour in ((1.0, (0.85, 0.8, 0.6)), (0.65, (0.03, 0.03, 0.03))):
        paint(
            shown, disc(distance(rng, max(2.0, deep * size * 0.14) * share, rough=0), 0.2), (float(x), float(y)), colour
        )
    return photographed(rng, shown, 0.6)


def _mouse_parts(rng: Rng, wide: float) -> tuple[Outline, list[Outline]]:
    """The body, and legs, ears and tail, from -1 at the nose to 1."""
    widths = (
        (-1, 0.03),
        (-0.75, 0.5 * wide),
        (-0.5, 0.6 * wide),
        (-0.1, 0.8 * wide),
        (0.45, wide),
        (0.85, 0.6 * wide),
        (1, 0.05),
    )
    bare = [_body([(0.95, 0, 0.045), (1.3, rng.normal(0, 0.2), 0.03), (1.7, rng.normal(0, 0.3), 0.015)])]
    for side in (-1, 1):
        bare.append(placed(blob(rng, 0, 1), (-0.6, side * wide * 0.65), (0.12, 0.11)))
        for x in (-0.35, 0.7):
            knee, foot = (x + rng.normal(0, 0.08), side * (wide + 0.2), 0.05), (x - 0.1, side * (wide + 0.25), 0.02)
            bare.append(_body([(x, 0, 0.07), knee, foot]))
    return _body([(x, 0, half) for x, half in widths]), bare


def _spotted(rng: Rng, shape: Shape, centre: tuple[float, float], size: float) -> Field:
    """A soft round spot somewhere on a body."""
    canvas = np.zeros((*shape, 3), np.float32)
    spot = (centre[0] + rng.normal(0, size / 8), centre[1] + size * between(rng, -0.2, 0.5))
    paint(canvas, disc(distance(rng, size * between(rng, 0.06, 0.22), rough=0.3), 0.9), spot, (1, 1, 1))
    return canvas[..., 0]


def mouse(rng: Rng) -> Image.Image:
    """Mice from above, some with a tumour, some under the false colours of a luminescence camera."""
    number, glowing = pick(rng, (1, 1, 2, 3)), chance(rng, 0.25)
    shape = frame(rng, 0.55 * number, 0.9 * number)
    shown = plain(shape, (0.06, 0.06, 0.06)) if glowing else ground(rng, shape)
    fur: Colour = (0.55, 0.55, 0.55) if glowing else pick(rng, _FURS)
    bare: Colour = (0.4, 0.4, 0.4) if glowing else (0.85, 0.62, 0.58)
    size, spots = min(shape[0] * 0.38, shape[1] / number * 0.75), np.zeros(shape, np.float32)
    for place in range(number):
        centre, angle = (shape[1] * (place + 0.5) / number, shape[0] * 0.46), math.pi / 2 + rng.normal(0, 0.08)
        wide = between(rng, 0.3, 0.4)
        body, others = _mouse_parts(rng, wide)
        limbs = filled(shape, *(placed(part, centre, (size, size), angle) for part in others))
        mask = filled(shape, placed(body, centre, (size, size), angle))
        coat = (
            plain(shape, fur) * (1 + 0.1 * noise(rng, shape, (5, 1.5)) + 0.08 * fractal(rng, shape, 20, 2))[..., None]
        )
        shown = laid(rng, shown, plain(shape, bare), limbs)
        shown = laid(rng, shown, lit(rng, coat, dome(mask, size * wide / 1.6), 0.05), mask)
        if glowing or chance(rng, 0.35):
            spots = np.maximum(spots, _spotted(rng, shape, centre, size))
    if glowing:
        shown = mix(shown, tint(spots, _HEAT), smooth(spots, 0.08, 0.2) * np.float32(0.9))
    else:
        shown = mix(shown, pick(rng, ((0.5, 0.1, 0.1), (0.8, 0.5, 0.45))), smooth(spots, 0.4, 0.6))
    return photographed(rng, shown, 0.4)


def worm(rng: Rng) -> Image.Image:
    """Worms, larvae, caterpillars, snakes: long and bent, with rings."""
    shape = frame(rng, 0.7, 1.8)
    scene, colour = ground(rng, shape), pick(rng, _WORMS)
    for _ in range(pick(rng, (1, 1, 2, 4))):
        length, wide, stations = max(shape) * between(rng, 0.35, 0.8), between(rng, 3, 16), 40
        bearing = between(rng, 0, 6) + np.cumsum(np.cumsum(rng.normal(0, 0.03, stations)))
        spine = np.cumsum(np.stack([np.cos(bearing), np.sin(bearing)], axis=-1), axis=0) * length / stations
        spine += rng.uniform(0.35, 0.65, 2) * (shape[1], shape[0]) - spine.mean(axis=0)
        half = wide * np.sin(np.linspace(0.12, math.pi - 0.08, stations)) ** 0.4
        outline = _body([(float(x), float(y), float(w)) for (x, y), w in zip(spine, half, strict=True)])
        rings = Sheet(shape, "black")
        for step in range(2, _STEPS - 2, count(rng, 2, 5)):
            rings.line([outline[step], outline[-step - 1]], "white", 0.8)
        mask = filled(shape, outline)
        skin = mix(
            plain(shape, colour), shaded(colour, 0.55), rings.pixels()[..., 0] * np.float32(between(rng, 0, 0.8))
        )
        scene = laid(rng, scene, lit(rng, skin, dome(mask, wide), between(rng, 0, 0.6)), mask)
    return photographed(rng, scene, 0.5)


def _insect_parts(rng: Rng, wide: float) -> list[Outline]:
    """Head, thorax and abdomen."""
    return [
        _body([(-0.95, 0, 0.05), (-0.8, 0, wide * 0.5), (-0.68, 0, wide * 0.35)]),
        _body([(-0.7, 0, wide * 0.4), (-0.45, 0, wide * between(rng, 0.6, 0.9)), (-0.22, 0, wide * 0.5)]),
        _body([(-0.28, 0, wide * 0.6), (0.2, 0, wide), (0.7, 0, wide * 0.6), (0.9, 0, 0.03)]),
    ]


def _limbs(rng: Rng, wide: float) -> list[Outline]:
    """The lines of six legs and two antennae."""
    lines = []
    for side in (-1, 1):
        lines.append(_corners((-0.8, 0), (-1.0, side * 0.2), (-1.2, side * between(rng, 0.1, 0.4))))
        for x in (-0.35, -0.1, 0.15):
            knee = (x + rng.normal(0, 0.1), side * (wide + 0.3))
            lines.append(_corners((x, 0), knee, (x + between(rng, -0.3, 0.4), side * (wide + 0.6))))
    return lines


def insect(rng: Rng) -> Image.Image:
    """A beetle, a fly or a bug from above."""
    shape, wide = frame(rng, 0.7, 1.5), between(rng, 0.2, 0.5)
    size, angle = min(shape) * between(rng, 0.28, 0.42), math.pi / 2 + rng.normal(0, 0.4)
    centre, shell = (shape[1] / 2, shape[0] / 2), pick(rng, _SHELLS)
    legs = Sheet(shape, "black")
    for line in _limbs(rng, wide):
        legs.line(placed(line, centre, (size, size), angle), "white", size * 0.025)
    shown = laid(rng, ground(rng, shape), plain(shape, shaded(shell, 0.6)), legs.pixels()[..., 0])
    mask = filled(shape, *(placed(part, centre, (size, size), angle) for part in _insect_parts(rng, wide)))
    skin = plain(shape, shell) * (1 + 0.15 * fractal(rng, shape, 10, 3))[..., None]
    if chance(rng, 0.4):
        stripes = np.sin(np.arange(shape[0])[:, None] * between(rng, 0.15, 0.5)) + 0.2 * noise(rng, shape, 20)
        skin = mix(skin, pick(rng, ((0.8, 0.6, 0.1), (0.7, 0.1, 0.05), (0.9, 0.9, 0.85))), smooth(stripes, 0.2, 0.5))
    shown = laid(rng, shown, lit(rng, skin, dome(mask, size * wide / 2), 0.5), mask)
    if chance(rng, 0.6):
        pair = (_body([(-0.4, side * 0.1, 0.03), (0.3, side * 0.45, 0.2), (1.0, side * 0.6, 0.06)]) for side in (-1, 1))
        wings = filled(shape, *(placed(wing, centre, (size, size), angle) for wing in pair))
        veins = smooth(np.abs(noise(rng, shape, size / 6)), 0.12, 0.02) * np.float32(0.6)
        film = mix(plain(shape, (0.85, 0.85, 0.82)), (0.3, 0.25, 0.2), veins)
        shown = mix(shown, film, wings * np.float32(between(rng, 0.35, 0.85)))
    return photographed(rng, shown, 0.6)

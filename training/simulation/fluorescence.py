"""Cells that glow on a dark ground: nuclei, membranes, filaments, neurons, bacteria, in one channel or several."""

import math

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.outlines import add, crowd, disc, distance, raise_to, scattered
from training.simulation.sheet import frame, picture, scale_bar
from training.simulation.textures import (
    Colour,
    Field,
    Pixels,
    Shape,
    blur,
    cells,
    fractal,
    grain,
    noise,
    smooth,
    unit,
    vignette,
    warp,
)

_DYES: tuple[Colour, ...] = (
    (0.15, 0.3, 1), (0.1, 1, 0.2), (1, 0.15, 0.1), (1, 0.1, 0.9), (0.1, 0.9, 0.95), (1, 0.85, 0.1), (1, 0.45, 0.05),
)  # fmt: skip
_GREY: Colour = (1, 1, 1)
_BLUE = _DYES[0]
_SHORTEST = 12
"""Pixels of a branch that has branches itself."""

_UNITS = ("µm", "µm", "um", "nm")


def _camera(rng: Rng, light: Field, dirty: float = 1.0) -> Field:
    """Haze, uneven light and the noise of photons and of the camera."""
    shape: Shape = light.shape
    seen = light + between(rng, 0, 0.25) * blur(light, max(shape) / between(rng, 15, 40))
    seen = seen * (1 - between(rng, 0, 0.5) * vignette(shape)) + pick(rng, (0.0, 0.01, 0.03, 0.08)) * dirty
    noisy = between(rng, 0.0, 0.06) * dirty
    return np.asarray(np.clip(seen + noisy * grain(rng, shape) * np.sqrt(np.clip(seen, 0.02, 1)), 0, 1), np.float32)


def nuclei(rng: Rng, shape: Shape, radius: float, number: int) -> tuple[Field, list[tuple[float, float]]]:
    """Nuclei, a few of them bright and small, and where they lie."""
    light = np.zeros(shape, np.float32)
    long, rough = between(rng, 1, 1.6), between(rng, 0.03, 0.3)
    spread, texture = between(rng, 0.1, 0.6), between(rng, 0, 0.6)
    speckle = fractal(rng, shape, max(radius / 2, 2), 3)
    places = list(scattered(rng, shape, number, radius * pick(rng, (0.8, 1.6, 2.0)), -radius))
    for place in places:
        mitotic = chance(rng, 0.04)
        size = radius * between(rng, 0.75, 1.25) * (0.6 if mitotic else 1)
        away = distance(rng, max(size, 1.5), long=between(rng, 1, long) * (2 if mitotic else 1), rough=rough)
        glow = disc(away, between(rng, 0.1, 0.35)) * (1 - between(rng, 0, 0.3) * away**2)
        raise_to(light, np.clip(glow, 0, 1), place, (1.5 if mitotic else 1) * math.exp(-spread * rng.random() * 2))
    return np.clip(light * (1 + texture * 0.4 * speckle), 0, 1.2).astype(np.float32), places


def filaments(rng: Rng, shape: Shape, number: int, wiggle: float) -> Field:
    """Thin curved lines: actin, microtubules, hyphae.

    Args:
        rng: the random numbers.
        shape: of the field.
        number: of lines.
        wiggle: radians that one turns in a hundred pixels.
    """
    light = np.zeros(shape, np.float32)
    steps = np.arange(int(between(rng, 0.2, 1) * max(shape)))
    preferred, spread = between(rng, 0, math.pi), between(rng, 0.1, 3)
    for _ in range(number):
        turns = np.cumsum(rng.normal(0, wiggle / 100, steps.size)) + rng.normal(0, wiggle / 200) * steps / 10
        bearing = preferred + rng.normal(0, spread) + np.cumsum(turns) * 0.1 + turns
        x, y = rng.uniform(-0.1, 1.1) * shape[1], rng.uniform(-0.1, 1.1) * shape[0]
        columns = (x + np.cumsum(np.cos(bearing))).astype(np.intp)
        rows = (y + np.cumsum(np.sin(bearing))).astype(np.intp)
        inside = (columns >= 0) & (columns < shape[1]) & (rows >= 0) & (rows < shape[0])
        light[rows[inside], columns[inside]] += between(rng, 0.3, 1)
    return light


def _lines(rng: Rng, shape: Shape) -> Field:
    drawn = filaments(rng, shape, count(rng, 15, 220), between(rng, 1, 8))
    width = between(rng, 0.5, 1.4)
    return np.asarray(np.clip(blur(drawn, width) * 2.2 * width, 0, 1), np.float32)


def _membranes(rng: Rng, shape: Shape, size: float) -> Field:
    _, gap, owner = cells(rng, shape, size, between(rng, 0.5, 1))
    bend = size / 8 * noise(rng, shape, size)
    edge = np.exp(
        -((warp(gap, bend, bend.T if bend.shape[0] == bend.shape[1] else -bend) / between(rng, 1.0, 2.6)) ** 2)
    )
    bright = rng.uniform(0, between(rng, 0.05, 0.5), int(owner.max()) + 1)[owner]
    return np.asarray(np.clip(edge * (0.8 + 0.25 * noise(rng, shape, size / 2)) + bright, 0, 1), np.float32)


def _bodies(rng: Rng, shape: Shape, places: list[tuple[float, float]], radius: float) -> Field:
    """Cytoplasm around nuclei, brightest near them, drawn out into lobes."""
    light = np.zeros(shape, np.float32)
    for x, y in places:
        away = distance(rng, radius * between(rng, 1.6, 3), long=between(rng, 1, 2.5), rough=between(rng, 0.1, 0.7))
        place = (x + rng.normal(0, radius / 4), y + rng.normal(0, radius / 4))
        raise_to(light, smooth(away, 1.1, 0.2), place, between(rng, 0.3, 1))
    fibres = noise(rng, shape, (radius / 3, radius / 3)) * 0.25 + noise(rng, shape, (2, radius)) * 0.15
    return np.clip(light * (0.75 + fibres), 0, 1).astype(np.float32)


def _puncta(rng: Rng, shape: Shape) -> Field:
    light = np.zeros(shape, np.float32)
    crowd = unit(fractal(rng, shape, max(shape) / 5, 3))
    for x, y in scattered(rng, shape, count(rng, 60, 900)):
        if crowd[int(y), int(x)] > rng.random():
            light[int(y), int(x)] += between(rng, 0.3, 1)
    width = between(rng, 0.7, 2)
    return np.asarray(np.clip(blur(light, width) * 7 * width**2, 0, 1), np.float32)


def _merged(channels: list[tuple[Field, Colour]]) -> Pixels:
    return np.clip(sum(light[..., None] * np.asarray(dye, np.float32) for light, dye in channels), 0, 1).astype(
        np.float32
    )


def _barred(rng: Rng, pixels: Pixels) -> Image.Image:
    image = picture(pixels)
    return scale_bar(rng, image, _UNITS, "white") if chance(rng, 0.45) else image


def stained_nuclei(rng: Rng) -> Image.Image:
    """Nuclei alone, in grey or in the colour of their dye."""
    shape = frame(rng, 0.6, 1.6)
    radius = math.exp(between(rng, math.log(3), math.log(45)))
    light, _ = nuclei(rng, shape, radius, min(500, crowd(shape, radius, between(rng, 0.02, 0.5))))
    light = _camera(rng, blur(light * between(rng, 0.25, 1.1), between(rng, 0.3, 1 + radius / 12)))
    return _barred(rng, _merged([(light, pick(rng, (_GREY, _GREY, _BLUE, _BLUE, *_DYES)))]))


def cultured_cells(rng: Rng) -> Image.Image:
    """Cells in a dish: nuclei in one colour, what lies around them in another or two."""
    shape = frame(rng, 0.6, 1.6)
    radius = between(rng, 8, 30)
    kernel, places = nuclei(rng, shape, radius, crowd(shape, radius, between(rng, 0.08, 0.35)))
    around = _bodies(rng, shape, places, radius)
    lines = np.clip(_lines(rng, shape) * smooth(blur(around, radius / 2), 0.02, 0.35) * 1.4, 0, 1)
    dyes = [_DYES[number] for number in rng.permutation(np.arange(1, len(_DYES)))]
    second: list[tuple[Field, Colour]] = pick(
        rng,
        (
            [(around, dyes[0])],
            [(lines, dyes[0])],
            [(around, dyes[0]), (lines, dyes[1])],
            [(_puncta(rng, shape) * around, dyes[0]), (lines, dyes[1])],
        ),
    )
    shown = [(kernel * between(rng, 0.6, 1), _BLUE if chance(rng, 0.8) else _GREY), *second]
    if chance(rng, 0.15):
        shown = [(shown[-1][0], pick(rng, (_GREY, dyes[0])))]
    return _barred(
        rng, _merged([(_camera(rng, blur(light, between(rng, 0.3, 1.2)), 0.6), dye) for light, dye in shown])
    )


def epithelium(rng: Rng) -> Image.Image:
    """A sheet of cells whose borders glow, with or without nuclei."""
    shape = frame(rng, 0.6, 1.6)
    size = between(rng, 14, 60)
    edges = _camera(rng, blur(_membranes(rng, shape, size), between(rng, 0.4, 1.2)))
    channels = [(edges, pick(rng, (_GREY, *_DYES)))]
    if chance(rng, 0.6):
        kernel, _ = nuclei(rng, shape, size * 0.25, crowd(shape, size, 3))
        channels.append((_camera(rng, blur(kernel, 0.7), 0.5), _BLUE))
    return _barred(rng, _merged(channels))


def tissue_section(rng: Rng) -> Image.Image:
    """A slice of an organ in two or three dyes: crowded nuclei, stained regions, vessels and edges that stay dark."""
    shape = frame(rng, 0.6, 1.6)
    radius = between(rng, 2.5, 8)
    region = smooth(fractal(rng, shape, max(shape) / between(rng, 2, 5)), between(rng, -1.5, -0.2), 0.2)
    kernel, _ = nuclei(rng, shape, radius, min(600, crowd(shape, radius, between(rng, 0.3, 0.7))))
    marked = region * smooth(fractal(rng, shape, max(shape) / between(rng, 4, 14)), 0, 1)
    fibres = np.clip(noise(rng, shape, (between(rng, 1.5, 3), between(rng, 10, 40))), 0, 2) * 0.5
    dyes = rng.permutation(np.arange(1, len(_DYES)))
    channels = [
        (kernel * region, _BLUE),
        (np.clip(marked * (0.4 + fibres), 0, 1), _DYES[dyes[0]]),
    ]
    if chance(rng, 0.5):
        channels.append((_puncta(rng, shape) * region, _DYES[dyes[1]]))
    return _barred(
        rng, _merged([(_camera(rng, blur(light, between(rng, 0.4, 1)), 0.7), dye) for light, dye in channels])
    )


def neurons(rng: Rng) -> Image.Image:
    """Cell bodies with branching processes."""
    shape = frame(rng, 0.6, 1.6)
    light = np.zeros(shape, np.float32)
    places = list(scattered(rng, shape, count(rng, 1, 9), 40))
    radius = between(rng, 4, 10)
    for place in places:
        raise_to(light, disc(distance(rng, radius, rough=0.4, long=1.4), 0.5), place)
        for _ in range(count(rng, 3, 7)):
            _branch(rng, light, place, between(rng, 0, 2 * math.pi), between(rng, 40, 160), 3)
    glow = np.clip(blur(light, between(rng, 0.5, 1.0)) * 1.6, 0, 1)
    channels = [(_camera(rng, glow), pick(rng, (_GREY, _DYES[1], _DYES[2], _DYES[3])))]
    if chance(rng, 0.5):
        kernel, _ = nuclei(rng, shape, radius * 0.8, count(rng, 5, 60))
        channels.append((_camera(rng, kernel, 0.5), _BLUE))
    if chance(rng, 0.4):
        channels.append((_camera(rng, _puncta(rng, shape) * smooth(blur(light, 3), 0.01, 0.2)), _DYES[2]))
    shown = _merged(channels)
    return _barred(rng, 1 - shown if chance(rng, 0.08) else shown)


def _branch(rng: Rng, light: Field, start: tuple[float, float], bearing: float, length: float, depth: int) -> None:
    steps = int(length)
    turns = bearing + np.cumsum(rng.normal(0, 0.07, steps))
    columns, rows = start[0] + np.cumsum(np.cos(turns)), start[1] + np.cumsum(np.sin(turns))
    inside = (columns >= 0) & (columns < light.shape[1] - 1) & (rows >= 0) & (rows < light.shape[0] - 1)
    light[rows[inside].astype(np.intp), columns[inside].astype(np.intp)] += np.linspace(1, 0.4, steps)[inside] * 0.9
    if depth and steps > _SHORTEST:
        for _ in range(count(rng, 1, 2)):
            at = count(rng, steps // 3, steps - 1)
            _branch(
                rng,
                light,
                (float(columns[at]), float(rows[at])),
                float(turns[at]) + pick(rng, (-1, 1)) * between(rng, 0.3, 1),
                length * between(rng, 0.4, 0.7),
                depth - 1,
            )


def bacteria(rng: Rng) -> Image.Image:
    """Rods or cocci that glow, alone or in chains."""
    shape = frame(rng, 0.6, 1.6)
    light = np.zeros(shape, np.float32)
    radius, long = between(rng, 2, 7), pick(rng, (1.0, between(rng, 2, 5)))
    for x, y in scattered(rng, shape, count(rng, 10, 250)):
        angle = between(rng, 0, math.pi)
        for turn in range(pick(rng, (1, 1, 2, 4))):
            reach = turn * radius * math.sqrt(long) * 2
            stamp = disc(distance(rng, radius, long=long, rough=0.04, angle=angle), 0.3)
            add(light, stamp, (x + reach * math.cos(angle), y + reach * math.sin(angle)), between(rng, 0.3, 0.9))
    shown = [(_camera(rng, blur(np.clip(light, 0, 1), between(rng, 0.4, 1.5))), pick(rng, (_GREY, *_DYES)))]
    if chance(rng, 0.3):
        red = light * smooth(noise(rng, shape, 30), 0.75, 0.85)
        shown.append((_camera(rng, np.clip(red, 0, 1), 0.4), _DYES[2]))
    return _barred(rng, _merged(shown))

"""Unstained specimens under transmitted light: cultures, things in water, plant cells, algae, counting chambers."""

import math

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.fluorescence import filaments
from training.simulation.outlines import add, crowd, disc, distance, paint, raise_to, scattered
from training.simulation.sheet import frame, picture, scale_bar
from training.simulation.textures import (
    Colour,
    Field,
    Shape,
    blur,
    cells,
    fractal,
    grain,
    mix,
    noise,
    plain,
    relief,
    slope,
    smooth,
    softened,
    tint,
    unit,
    vignette,
)

_PULPS: tuple[tuple[Colour, Colour], ...] = (
    ((0.8, 0.9, 0.65), (0.6, 0.78, 0.4)),
    ((0.93, 0.9, 0.93), (0.75, 0.5, 0.75)),
    ((0.95, 0.93, 0.85), (0.85, 0.75, 0.55)),
    ((0.9, 0.93, 0.95), (0.8, 0.85, 0.9)),
)
"""What cells of plants are filled with, from one cell to another."""

_WALLS: tuple[Colour, ...] = ((0.3, 0.35, 0.2), (0.5, 0.25, 0.4), (0.85, 0.9, 0.85), (0.35, 0.2, 0.15))
_WITHIN = 0.2
"""How much of a wall there may be where a plastid lies."""

_CASTS: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((0, 0, 0), (0.5, 0.5, 0.5), (1, 1, 1)),
    ((0, 0, 0), (0.5, 0.5, 0.5), (1, 1, 1)),
    ((0.05, 0.06, 0.02), (0.55, 0.58, 0.45), (1, 1, 0.9)),
    ((0.02, 0.03, 0.08), (0.45, 0.53, 0.62), (0.95, 1, 1)),
    ((0.06, 0.03, 0.0), (0.6, 0.52, 0.38), (1, 0.98, 0.85)),
    ((0.02, 0.05, 0.03), (0.4, 0.55, 0.45), (0.95, 1, 0.95)),
)


def _cell_heights(rng: Rng, shape: Shape) -> Field:
    """How thick a culture is: spread, round or spindle-shaped cells."""
    height = np.zeros(shape, np.float32)
    radius, long = between(rng, 6, 26), between(rng, 1, 5)
    for place in scattered(rng, shape, crowd(shape, radius, between(rng, 0.1, 0.9)), radius * 0.9, -radius):
        away = distance(rng, radius * between(rng, 0.6, 1.2), long=between(rng, 1, long), rough=between(rng, 0.05, 0.5))
        add(height, np.sqrt(np.clip(1 - away**2, 0, 1)), place, between(rng, 0.4, 1))
        if chance(rng, 0.7):
            add(height, disc(distance(rng, radius * 0.3, rough=0.1), 0.5), place, 0.3)
    return height + between(rng, 0, 0.15) * fractal(rng, shape, 6, 2) * (height > 0)


def _graded(rng: Rng, light: Field, bar: float = 0.3) -> Image.Image:
    shape: Shape = light.shape
    seen = light + between(rng, 0, 0.1) * slope(rng, shape) - between(rng, 0, 0.2) * vignette(shape)
    seen += between(rng, 0.005, 0.03) * grain(rng, shape)
    image = picture(tint(np.clip(seen, 0, 1), pick(rng, _CASTS)))
    return scale_bar(rng, image, ("µm", "µm", "um")) if chance(rng, bar) else image


def phase_contrast(rng: Rng) -> Image.Image:
    """Cells with dark bodies and bright halos."""
    shape = frame(rng, 0.6, 1.7)
    height = blur(_cell_heights(rng, shape), 0.8)
    halo = blur(height, between(rng, 2.5, 6)) - height
    light = between(rng, 0.4, 0.65) + between(rng, 0.4, 1.1) * halo
    return _graded(rng, light + 0.3 * np.clip(height - 1, 0, 1))


def interference_contrast(rng: Rng) -> Image.Image:
    """Cells that look like a relief lit from one side."""
    shape = frame(rng, 0.6, 1.7)
    height = blur(_cell_heights(rng, shape), between(rng, 0.7, 1.6))
    return _graded(rng, between(rng, 0.4, 0.6) + relief(height, between(rng, 0, 2 * math.pi), between(rng, 1, 3.5)))


def suspension(rng: Rng) -> Image.Image:
    """Round things in water: yeast, eggs, organoids, dirt."""
    shape = frame(rng, 0.6, 1.9)
    light = between(rng, 0.65, 0.92) * np.ones(shape, np.float32)
    radius = between(rng, 2, 25)
    for place in scattered(rng, shape, min(400, crowd(shape, radius, between(rng, 0.02, 0.4))), radius):
        away = distance(
            rng, max(2.0, radius * between(rng, 0.5, 1.4)), rough=between(rng, 0.02, 0.5), long=between(rng, 1, 1.6)
        )
        wide = between(rng, 0.06, 0.25)
        rim = np.exp(-(((away - 0.95) / wide) ** 2)) - 0.5 * np.exp(-(((away - 1.15) / wide) ** 2))
        add(light, (rim + between(rng, -0.3, 0.5) * disc(away)).astype(np.float32), place, -between(rng, 0.1, 0.5))
    light += 0.04 * fractal(rng, shape, 5, 2)
    return _graded(rng, blur(light, between(rng, 0.4, 1.5)), 0.2)


def plant_cells(rng: Rng) -> Image.Image:
    """Walls in rows, with green plastids or without, or the purple of onion skin."""
    shape, size, stretch = frame(rng, 0.6, 1.7), between(rng, 18, 55), count(rng, 1, 3)
    _, gap, owner = cells(rng, (shape[0] * stretch, shape[1]), size, 0.6)
    gap, owner = gap[::stretch], owner[::stretch]
    wall = np.exp(-((gap / between(rng, 1.5, 4)) ** 2)).astype(np.float32)
    pixels = tint(rng.uniform(0, 1, int(owner.max()) + 1)[owner].astype(np.float32), pick(rng, _PULPS))
    for x, y in scattered(rng, shape, count(rng, 100, 500)) if chance(rng, 0.6) else ():
        if wall[int(y), int(x)] < _WITHIN:
            plastid = disc(distance(rng, between(rng, 1.5, 4), rough=0.1), 0.3) * np.float32(0.8)
            paint(pixels, plastid, (x, y), (0.2, between(rng, 0.4, 0.6), 0.15))
    pixels = mix(pixels, pick(rng, _WALLS), blur(wall, 0.7))
    image = picture(pixels + 0.02 * grain(rng, shape)[..., None])
    return scale_bar(rng, image, ("µm",)) if chance(rng, 0.3) else image


def field_of_view(rng: Rng) -> Image.Image:
    """What the eyepiece shows: a bright round field with algae, worms, hairs or pollen, black around it."""
    side = count(rng, 210, 400)
    shape: Shape = (side, round(side * between(rng, 0.75, 1)))
    pixels = plain(shape, pick(rng, ((0.93, 0.94, 0.9), (0.85, 0.9, 0.95), (0.95, 0.9, 0.78), (0.75, 0.82, 0.8))))
    ink: Colour = pick(rng, ((0.25, 0.45, 0.15), (0.45, 0.3, 0.1), (0.2, 0.25, 0.3), (0.6, 0.45, 0.1)))
    if chance(rng, 0.5):
        threads = np.clip(blur(filaments(rng, shape, count(rng, 3, 25), 2), between(rng, 0.8, 2.5)) * 4, 0, 1)
        pixels = mix(pixels, ink, threads * between(rng, 0.4, 1))
    for place in scattered(rng, shape, count(rng, 1, 40)):
        away = distance(rng, between(rng, 3, 22), rough=between(rng, 0.05, 0.4), long=between(rng, 1, 3))
        body = disc(away, 0.1) * (0.35 + 0.6 * np.exp(-(((away - 0.9) / 0.15) ** 2)))
        paint(pixels, np.clip(body, 0, 1).astype(np.float32), place, ink)
    soft = softened(pixels, between(rng, 0.5, 1.3))
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    away = np.hypot(rows - shape[0] / 2, columns - shape[1] / 2) / (min(shape) * between(rng, 0.46, 0.62))
    light = smooth(away, 1.03, 0.97) * (1 - 0.3 * np.clip(away, 0, 1) ** 2)
    return picture(
        soft * light[..., None] + 0.02 * grain(rng, shape)[..., None] + 0.02 * unit(noise(rng, shape, 50))[..., None]
    )


def counting_chamber(rng: Rng) -> Image.Image:
    """A counting chamber: cells on a ruled grid."""
    shape = frame(rng, 0.8, 1.5)
    light = between(rng, 0.6, 0.85) * np.ones(shape, np.float32)
    step = between(rng, 20, 70)
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    lean = between(rng, -0.03, 0.03)
    for axis in (rows + lean * columns, columns - lean * rows):
        away = np.abs((axis + 1000 * step) % step - step / 2)
        light -= between(rng, 0.1, 0.35) * np.exp(-((away / 1.1) ** 2)).astype(np.float32)
    dark = np.zeros(shape, np.float32)
    for place in scattered(rng, shape, count(rng, 10, 160), 6):
        away = distance(rng, between(rng, 2.5, 6), rough=0.06)
        raise_to(dark, np.exp(-(((away - 0.9) / 0.25) ** 2)).astype(np.float32), place, between(rng, 0.3, 0.6))
    return _graded(rng, blur(light - dark, 0.6), 0.1)

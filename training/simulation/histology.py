"""Stained sections and smears under transmitted light."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick, weighted
from training.simulation.outlines import add, crowd, disc, distance, paint, raise_to, scattered
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
    mix,
    noise,
    plain,
    slope,
    smooth,
    softened,
    tint,
    unit,
    vignette,
    warp,
)

# What stains absorb of red, green and blue (optical densities); the first three and the fast red after Ruifrok and
# Johnston, Anal Quant Cytol Histol 2001, the others by eye.
_HAEMATOXYLIN, _EOSIN, _DAB = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78)
_ANILINE, _FUCHSIN, _FAST_RED, _TOLUIDINE = (0.85, 0.5, 0.12), (0.1, 0.75, 0.4), (0.21, 0.85, 0.47), (0.8, 0.6, 0.15)
_UNITS = ("µm", "µm", "um", "mm")


def _lit(rng: Rng, stains: Sequence[tuple[Field, Colour]]) -> Pixels:
    """White light through stains, by Beer and Lambert, and what a camera makes of it."""
    shape: Shape = stains[0][0].shape
    density = sum(amount[..., None] * np.asarray(stain, np.float32) for amount, stain in stains)
    lamp = np.asarray((1, between(rng, 0.95, 1), between(rng, 0.88, 1)), np.float32) * between(rng, 0.88, 1)
    light = lamp * np.exp(-density) * (1 - between(rng, 0, 0.15) * vignette(shape)[..., None])
    return np.asarray(light + between(rng, 0, 0.02) * grain(rng, shape)[..., None], np.float32)


def _kernels(rng: Rng, shape: Shape, radius: float, where: Field, number: int) -> Field:
    """Nuclei where a field says that there are cells; in half of sections they lie along fibres."""
    dark = np.zeros(shape, np.float32)
    chromatin = fractal(rng, shape, max(radius, 2), 3)
    long, aligned, angle = between(rng, 1, 3), chance(rng, 0.5), between(rng, 0, math.pi)
    for x, y in scattered(rng, shape, number, radius * 1.2):
        if where[int(y), int(x)] < rng.random():
            continue
        turn = angle + rng.normal(0, 0.3) if aligned else between(rng, 0, math.pi)
        away = distance(rng, radius * between(rng, 0.7, 1.25), long=between(rng, 1, long), rough=0.15, angle=turn)
        rim = 1 + between(rng, 0, 0.4) * smooth(away, 0.5, 0.95)
        raise_to(dark, disc(away, 0.2) * rim, (x, y), between(rng, 0.5, 1.1))
    return np.clip(dark * (0.9 + 0.2 * chromatin), 0, 2).astype(np.float32)


def _ground(rng: Rng, shape: Shape, cell: float) -> Field:
    """Fibres and cytoplasm, bent by noise."""
    kind = pick(rng, ("fibres", "clouds", "cells"))
    if kind == "fibres":
        base = noise(rng, shape, (cell / 4, cell * 2)) + 0.5 * noise(rng, shape, (2, cell))
    elif kind == "clouds":
        base = 1.5 * fractal(rng, shape, cell)
    else:
        _, gap, owner = cells(rng, shape, cell, 0.9)
        base = 1.6 * smooth(gap, 0, 3) + 0.6 * rng.normal(0, 1, int(owner.max()) + 1)[owner] - 1
    bend = cell * 0.8 * noise(rng, shape, max(shape) / 4), cell * 0.8 * noise(rng, shape, max(shape) / 4)
    return np.asarray(np.clip(0.55 + 0.22 * warp(base.astype(np.float32), *bend), 0.02, 1.4), np.float32)


def _voids(rng: Rng, shape: Shape) -> Field:
    """Where there is tissue: all over, with lumens and fat, or a piece with an edge."""
    kind = pick(rng, ("whole", "fat", "torn", "edge", "lumens"))
    if kind == "whole":
        return np.ones(shape, np.float32)
    if kind == "fat":
        _, gap, owner = cells(rng, shape, between(rng, 20, 60), 0.9)
        fat = rng.random(int(owner.max()) + 1)[owner] < between(rng, 0.2, 0.9)
        return (1 - smooth(gap, 1, 4) * fat).astype(np.float32)
    if kind == "torn":
        return smooth(fractal(rng, shape, max(shape) / between(rng, 3, 8)), -1.2, -0.9)
    if kind == "edge":
        return smooth(slope(rng, shape) + 0.15 * fractal(rng, shape, max(shape) / 4), 0.35, 0.3)
    lumen = np.ones(shape, np.float32)
    for place in scattered(rng, shape, count(rng, 2, 12), 50):
        ring = distance(rng, between(rng, 8, 35), rough=0.35, long=between(rng, 1, 2))
        add(lumen, disc(ring, 0.1), place, -1)
    return np.clip(lumen, 0, 1)


def _mounted(rng: Rng, stains: Sequence[tuple[Field, Colour]]) -> Image.Image:
    """A picture of a stained section, a little out of focus, sometimes with a bar."""
    image = picture(_lit(rng, [(blur(amount, between(rng, 0.3, 0.9)), stain) for amount, stain in stains]))
    return scale_bar(rng, image, _UNITS, "black") if chance(rng, 0.3) else image


def _stained(rng: Rng, kernels: Field, ground: Field) -> list[tuple[Field, Colour]]:
    """Nuclei and what is between them in the stains of one protocol."""
    shape: Shape = kernels.shape
    protocol = weighted(rng, {"H&E": 0.6, "immunostain": 0.2, "trichrome": 0.12, "toluidine": 0.08})
    if protocol == "H&E":
        pink, blue = (ground * between(rng, 0.25, 0.9), _EOSIN), (ground * between(rng, 0, 0.3), _HAEMATOXYLIN)
        return [(kernels * between(rng, 0.8, 1.8), _HAEMATOXYLIN), pink, blue]
    if protocol == "immunostain":
        marked = smooth(fractal(rng, shape, max(shape) / between(rng, 3, 15)), 0, 0.8) * between(rng, 0.8, 2)
        colour = pick(rng, (_DAB, _DAB, _FAST_RED))
        faint = kernels * between(rng, 0.5, 1) + ground * between(rng, 0.02, 0.12)
        return [(faint, _HAEMATOXYLIN), ((kernels if chance(rng, 0.4) else ground) * marked, colour)]
    if protocol == "trichrome":
        collagen = smooth(fractal(rng, shape, max(shape) / 6), -0.2, 0.5)
        return [(kernels * 0.8, _HAEMATOXYLIN), (ground * collagen, _ANILINE), (ground * (1 - collagen), _FUCHSIN)]
    return [(kernels + ground * between(rng, 0.1, 0.5), _TOLUIDINE)]


def section(rng: Rng) -> Image.Image:
    """A section of some tissue, with holes and edges."""
    shape = frame(rng, 0.6, 1.7)
    radius = math.exp(between(rng, math.log(1.8), math.log(11)))
    tissue = _voids(rng, shape)
    ground = _ground(rng, shape, radius * between(rng, 2.5, 6)) * tissue
    dwelt = np.clip(0.5 + 0.5 * noise(rng, shape, max(shape) / between(rng, 2, 9)), 0.05, 1)
    # Cells line up along the edge of a lumen.
    rim = smooth(np.abs(blur(tissue, 2 * radius) - 0.7), 0.15, 0.05)
    many = min(700, crowd(shape, radius, between(rng, 0.2, 0.8)))
    kernels = _kernels(rng, shape, radius, np.clip(dwelt + 2 * rim, 0, 1) * tissue, many)
    return _mounted(rng, _stained(rng, kernels, ground))


def _lining(rng: Rng, dark: Field, centre: tuple[float, float], away: Field, radius: float) -> None:
    """Nuclei in a ring near the outline of a gland.

    Args:
        rng: the random numbers.
        dark: the field of nuclei, which is changed.
        centre: of the gland.
        away: what `distance` says of the gland's form.
        radius: of a nucleus.
    """
    middle = away.shape[0] // 2
    for turn in np.arange(0, 2 * math.pi, 3 * radius / middle):
        steps = np.arange(middle)
        along = away[(middle + steps * math.sin(turn)).astype(int), (middle + steps * math.cos(turn)).astype(int)]
        reach = int(np.argmax(along > between(rng, 0.72, 0.86)))
        kernel = disc(distance(rng, radius, long=1.6, rough=0.1, angle=float(turn)), 0.25)
        place = (centre[0] + reach * math.cos(turn), centre[1] + reach * math.sin(turn))
        raise_to(dark, kernel, place, between(rng, 0.7, 1.2))


def glands(rng: Rng) -> Image.Image:
    """Rings of nuclei around lumens in a pink stroma: gut, kidney, prostate."""
    shape, radius = frame(rng, 0.6, 1.7), between(rng, 2, 5)
    wall, lumen, dark = (np.zeros(shape, np.float32) for _ in range(3))
    size, hollow = between(rng, 5, 14) * radius, between(rng, 0.25, 0.6)
    for place in scattered(rng, shape, 60, size * between(rng, 1.6, 2.4), -size):
        away = distance(rng, size * between(rng, 0.6, 1), rough=0.25, long=between(rng, 1, 1.8))
        raise_to(wall, disc(away, 0.06), place)
        raise_to(lumen, disc(away / (hollow * between(rng, 0.8, 1.2)), 0.25), place)
        _lining(rng, dark, place, away, radius)
    stroma = _ground(rng, shape, 14) * between(rng, 0.3, 0.7)
    kernels = np.maximum(dark, _kernels(rng, shape, radius * 0.8, 0.5 * (1 - wall), 300))
    pink = (between(rng, 0.2, 0.5) * wall + stroma * (1 - wall)) * (1 - lumen)
    blue = kernels * between(rng, 0.9, 1.6) + 0.15 * wall * (1 - lumen)
    return _mounted(rng, [(blue, _HAEMATOXYLIN), (pink, _EOSIN)])


def blood(rng: Rng) -> Image.Image:
    """A smear: red cells with pale centres, and a few white ones in purple."""
    shape = frame(rng, 0.7, 1.6)
    radius = between(rng, 7, 34)
    red: Colour = pick(
        rng, ((0.82, 0.6, 0.58), (0.75, 0.55, 0.6), (0.85, 0.68, 0.55), (0.62, 0.6, 0.6), (0.8, 0.5, 0.55))
    )
    pixels = plain(shape, pick(rng, ((0.93, 0.91, 0.88), (0.95, 0.93, 0.96), (0.88, 0.88, 0.84), (0.9, 0.85, 0.9))))
    pale = between(rng, 0.2, 0.9)
    apart = radius * between(rng, 1.1, 2.1)
    for place in scattered(rng, shape, crowd(shape, radius, between(rng, 0.3, 1)), apart, -radius):
        away = distance(
            rng, radius * between(rng, 0.85, 1.1), rough=between(rng, 0.02, 0.2), long=between(rng, 1, 1.25)
        )
        body = disc(away, 0.1) * (1 - pale * smooth(away, 0.65, 0.1)) * between(rng, 0.8, 1)
        paint(pixels, body, place, red)
    for place in scattered(rng, shape, count(rng, 0, 3 + int(100 / radius)), 3 * radius):
        away = distance(rng, radius * between(rng, 1.2, 1.9), rough=0.1)
        paint(pixels, disc(away, 0.12), place, (0.72, 0.66, 0.82))
        for _ in range(count(rng, 1, 4)):
            lobe = disc(distance(rng, radius * between(rng, 0.5, 0.9), rough=0.3), 0.15)
            at = (place[0] + rng.normal(0, radius / 2), place[1] + rng.normal(0, radius / 2))
            paint(pixels, lobe * between(rng, 0.8, 1), at, (0.38, 0.2, 0.58))
    for place in scattered(rng, shape, count(rng, 0, 12)):
        paint(pixels, disc(distance(rng, max(radius / 5, 1.5), rough=0.3), 0.4), place, (0.55, 0.35, 0.6))
    shade = 1 - between(rng, 0, 0.25) * vignette(shape) + 0.02 * fractal(rng, shape, 40)
    soft = softened(pixels, between(rng, 0.4, 1))
    return picture(soft * shade[..., None] + between(rng, 0, 0.02) * grain(rng, shape)[..., None])


def smear_of_bacteria(rng: Rng) -> Image.Image:
    """Gram's stain: purple cocci, pink rods, and the smudge between them."""
    shape = frame(rng, 0.7, 1.6)
    pixels = tint(unit(fractal(rng, shape, max(shape) / 5)), ((0.96, 0.94, 0.95), (0.9, 0.82, 0.86)))
    inks: tuple[Colour, ...] = ((0.35, 0.15, 0.5), (0.8, 0.3, 0.45), (0.2, 0.3, 0.6))
    for _ in range(count(rng, 1, 2)):
        ink, radius, long = pick(rng, inks), between(rng, 1.5, 5), pick(rng, (1.0, 1.0, between(rng, 2, 6)))
        for x, y in scattered(rng, shape, count(rng, 20, 200)):
            for _ in range(pick(rng, (1, 1, 2, 3, 8))):
                place = (x + rng.normal(0, 2 * radius), y + rng.normal(0, 2 * radius))
                paint(
                    pixels, disc(distance(rng, radius, long=long, rough=0.05), 0.3) * between(rng, 0.6, 1), place, ink
                )
    return picture(pixels + between(rng, 0, 0.03) * grain(rng, shape)[..., None])


def slide(rng: Rng) -> Image.Image:
    """A whole section at low power on an empty slide, or several of them."""
    shape = frame(rng, 0.6, 2)
    inside = np.zeros(shape, np.float32)
    size = min(shape) * between(rng, 0.25, 0.48)
    for place in scattered(rng, shape, count(rng, 1, 4), size * 1.8, size * 0.9):
        raise_to(
            inside, disc(distance(rng, size * between(rng, 0.7, 1), rough=0.45, long=between(rng, 1, 1.6)), 0.03), place
        )
    layers = unit(fractal(rng, shape, size, 6, 0.6) + 2 * blur(inside, size / 4))
    folds = np.clip(1 - 6 * np.abs(fractal(rng, shape, size / 2)), 0, 1)
    texture = 0.4 + 0.8 * layers + 0.15 * grain(rng, shape)
    dark = inside * np.clip(texture * (1 - 0.8 * folds), 0, 2)
    stain = pick(rng, (_HAEMATOXYLIN, _DAB, _TOLUIDINE, _FUCHSIN))
    shown = _lit(rng, [(dark * between(rng, 0.2, 0.6), _EOSIN), (dark * smooth(layers, 0.4, 0.8) * 0.7, stain)])
    return picture(mix(shown, (0.96, 0.96, 0.97), (1 - inside) * 0.6))

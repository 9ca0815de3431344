"""Petri dishes and what grows in them, photographed from above or through an eyepiece."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.outlines import disc, distance, moved, paint, scattered, window
from training.simulation.sheet import Point, Sheet, frame, lettering, sheet_of
from training.simulation.stage import ground, photographed
from training.simulation.textures import (
    Colour,
    Field,
    Pixels,
    Shape,
    blur,
    fractal,
    grain,
    mix,
    plain,
    shaded,
    smooth,
)  # fmt: skip

_AGARS: tuple[Colour, ...] = (
    (0.85, 0.78, 0.6), (0.9, 0.87, 0.78), (0.55, 0.08, 0.08), (0.75, 0.35, 0.4), (0.3, 0.4, 0.35), (0.2, 0.18, 0.12),
    (0.8, 0.82, 0.84), (0.85, 0.6, 0.3), (0.25, 0.3, 0.5),
)  # fmt: skip
_COLONIES: tuple[Colour, ...] = (
    (0.95, 0.93, 0.82), (0.9, 0.8, 0.45), (0.97, 0.97, 0.95), (0.85, 0.3, 0.3), (0.3, 0.5, 0.4), (0.2, 0.3, 0.7),
    (0.55, 0.3, 0.55), (0.2, 0.2, 0.18), (0.6, 0.5, 0.35),
)  # fmt: skip
_FELTS: tuple[Colour, ...] = (
    (0.25, 0.35, 0.25), (0.3, 0.28, 0.2), (0.85, 0.8, 0.7), (0.1, 0.1, 0.1), (0.6, 0.45, 0.3),
)  # fmt: skip
_WRITTEN = ("LB + Amp", "10⁻⁴", "E. coli", "WT 3/7", "PDA", "YPD", "ctrl", "strain 12")


@dataclass(frozen=True, slots=True)
class _Dish:
    """Where a dish lies in a picture, in pixels."""

    shape: Shape
    centre: Point
    radius: float

    def away(self, centre: Point | None = None, radius: float | None = None) -> Field:
        """How far each pixel lies from the centre, or from another place: 1 on the rim."""
        x, y = self.centre if centre is None else centre
        rows, columns = np.ogrid[: self.shape[0], : self.shape[1]]
        return np.asarray(np.hypot(rows - y, columns - x) / (self.radius if radius is None else radius), np.float32)

    def at(self, out: float, turn: float) -> Point:
        """A place some way from the centre to the rim, in a direction in radians."""
        reach = out * self.radius
        return self.centre[0] + reach * math.cos(turn), self.centre[1] + reach * math.sin(turn)


def _empty(rng: Rng, shown: Pixels, dish: _Dish, agar: Colour) -> Pixels:
    """Agar, wall, reflections and the shadow around."""
    away = dish.away()
    shown = shown * (1 - 0.35 * smooth(away, 1.12, 0.98)[..., None])
    cloudy = 1 + 0.05 * fractal(rng, dish.shape, dish.radius / 2, 3) - 0.15 * away**2
    shown = mix(shown, plain(dish.shape, agar) * cloudy[..., None], smooth(away, 1.0, 0.985))
    for place, strength in ((0.99, 0.5), (0.95, between(rng, 0.1, 0.5)), (0.91, between(rng, 0, 0.3))):
        ring = np.exp(-(((away - place) * dish.radius / between(rng, 0.8, 2)) ** 2))
        shown = mix(shown, (0.95, 0.96, 0.97), strength * ring)
    return shown


def _colonies(rng: Rng, shown: Pixels, dish: _Dish) -> Pixels:
    """Single colonies, each round or lobed, some with a darker or paler middle."""
    colour, large = pick(rng, _COLONIES), chance(rng, 0.5)
    size = dish.radius * (between(rng, 0.04, 0.09) if large else between(rng, 0.012, 0.04))
    rough, shine = between(rng, 0.02, 0.25), np.float32(between(rng, 0, 0.7))
    for _ in range(count(rng, 1, 30) if large else count(rng, 3, 250)):
        place = dish.at(0.85 * math.sqrt(rng.random()), between(rng, 0, 2 * math.pi))
        away = distance(rng, max(1.2, size * between(rng, 0.4, 1.3)), rough=rough)
        paint(shown, moved(disc(away, 0.3), 1) * np.float32(0.3), place, (0.1, 0.08, 0.05))
        paint(shown, disc(away, 0.15), place, shaded(colour, between(rng, 0.9, 1)))
        if chance(rng, 0.4):
            paint(shown, disc(away / 0.5, 0.5) * np.float32(0.35), place, pick(rng, ((0.2, 0.15, 0.1), (1, 1, 1))))
        paint(shown, moved(np.exp(-((away / 0.3) ** 2)) * shine, -round(size / 3)), place, (1, 1, 1))
    return shown


def _streaks(rng: Rng, shown: Pixels, dish: _Dish) -> Pixels:
    """What a loop has drawn across the agar."""
    sheet = Sheet(dish.shape, "black")
    for _ in range(count(rng, 2, 4)):
        angle = between(rng, 0, 2 * math.pi)
        x, y = dish.at(between(rng, 0.2, 0.6), angle)
        along, points = angle + math.pi / 2 + between(rng, -0.4, 0.4), list[Point]()
        for step in range(count(rng, 6, 20)):
            reach = dish.radius * between(rng, 0.3, 0.42) * (-1) ** step
            down = 4 * step
            points.append(
                (
                    x + reach * math.cos(along) - down * math.cos(angle),
                    y + reach * math.sin(along) - down * math.sin(angle),
                )
            )
        sheet.line(points, "white", between(rng, 1, 3))
    growth = blur(sheet.pixels()[..., 0], 0.8) * np.clip(0.8 + 0.4 * fractal(rng, dish.shape, 5, 2), 0.2, 1)
    return mix(shown, pick(rng, _COLONIES), growth * smooth(dish.away(), 0.9, 0.86))


def _inhibited(rng: Rng, shown: Pixels, dish: _Dish) -> Pixels:
    """A lawn of bacteria with discs of paper and clear zones around them."""
    number, start = count(rng, 2, 7), between(rng, 0, 6)
    papers = [dish.at(0.55, start + 2 * math.pi * disk / number) for disk in range(number)]
    cover = smooth(dish.away(), 0.93, 0.9) * between(rng, 0.5, 0.9) * (1 + 0.06 * grain(rng, dish.shape))
    for paper in papers:
        cover = cover * (1 - disc(dish.away(paper, dish.radius * between(rng, 0.09, 0.3)), 0.1))
    shown = mix(shown, pick(rng, _COLONIES[:3]), np.clip(cover, 0, 1))
    for paper in papers:
        shown = mix(shown, (0.96, 0.96, 0.94), disc(dish.away(paper, dish.radius * 0.07), 0.1))
    return shown


def _plaques(rng: Rng, shown: Pixels, dish: _Dish) -> Pixels:
    """A lawn of bacteria with small holes that viruses made."""
    cover = smooth(dish.away(), 0.93, 0.9) * between(rng, 0.5, 0.9) * (1 + 0.06 * grain(rng, dish.shape))
    for place in scattered(rng, dish.shape, count(rng, 20, 200)):
        hole = disc(distance(rng, dish.radius * between(rng, 0.01, 0.03) + 1, rough=0.1), 0.3)
        part, within = window(cover, hole, place)
        part *= 1 - 0.9 * within
    return mix(shown, pick(rng, _COLONIES[:3]), np.clip(cover, 0, 1))


def _mould(rng: Rng, shown: Pixels, dish: _Dish) -> Pixels:
    """Fungi: rings of felt that grow outwards."""
    for _ in range(count(rng, 1, 3)):
        place = dish.at(abs(rng.normal(0, 0.35)), between(rng, 0, 2 * math.pi))
        away = dish.away(place, dish.radius * between(rng, 0.2, 0.7)) + 0.05 * fractal(rng, dish.shape, 12, 3)
        rings = 0.8 + 0.2 * np.cos(away * between(rng, 6, 22))
        dark = np.clip(smooth(away, 0.95, 0.3) * rings + 0.1 * grain(rng, dish.shape), 0, 1)
        felt = mix(plain(dish.shape, (0.95, 0.95, 0.92)), pick(rng, _FELTS), dark)
        shown = mix(shown, felt, smooth(away, 1.02, 0.95) * smooth(dish.away(), 0.95, 0.92))
    return shown


_GROWTHS: tuple[Callable[[Rng, Pixels, _Dish], Pixels], ...] = (
    _colonies, _colonies, _colonies, _streaks, _inhibited, _plaques, _mould,
)  # fmt: skip


def dish(rng: Rng) -> Image.Image:
    """One dish or a few, on a bench, some with writing on them."""
    number = pick(rng, (1, 1, 1, 2, 3))
    shape = frame(rng, 0.8 * number**0.9, 1.3 * number)
    shown, agar, growth = ground(rng, shape), pick(rng, _AGARS), pick(rng, _GROWTHS)
    radius = min(shape[0], shape[1] / number) * between(rng, 0.4, 0.49 if number > 1 else 0.62)
    for place in range(number):
        centre = (shape[1] * (place + 0.5) / number, shape[0] * between(rng, 0.48, 0.52))
        each = _Dish(shape, centre, radius)
        shown = growth(rng, _empty(rng, shown, each, agar), each)
    image = photographed(rng, shown, 0.35)
    if chance(rng, 0.7):
        return image
    sheet, size, ink = sheet_of(image, lettering(rng)), between(rng, 8, 16), pick(rng, ("black", "#102060", "#801010"))
    for _ in range(count(rng, 1, 2)):
        at = (sheet.width * between(rng, 0.3, 0.7), sheet.height * between(rng, 0.2, 0.85))
        sheet.words(at, pick(rng, _WRITTEN), size, ink, turned=between(rng, -40, 40))
    return sheet.finished()


def close_up(rng: Rng) -> Image.Image:
    """A part of a dish under a dissecting lens, often within the round edge of the eyepiece."""
    shape = frame(rng, 0.8, 1.4)
    centre = (shape[1] * between(rng, -0.1, 1.1), shape[0] * between(rng, -0.1, 1.1))
    part = _Dish(shape, centre, max(shape) * between(rng, 0.8, 1.4))
    shown = pick(rng, _GROWTHS)(rng, _empty(rng, ground(rng, shape), part, pick(rng, _AGARS)), part)
    if chance(rng, 0.6):
        eyepiece = part.away((shape[1] / 2, shape[0] / 2), min(shape) * between(rng, 0.47, 0.6))
        shown = shown * smooth(eyepiece, 1.02, 0.97)[..., None]
    return photographed(rng, shown, 0.2)

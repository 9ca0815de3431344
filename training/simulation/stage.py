"""What lies around a thing that is photographed: ground, light, shadow, ruler, label, and the camera itself."""

import math

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick, weighted
from training.simulation.sheet import Sheet, lettering, picture, scale_bar, sheet_of
from training.simulation.textures import (
    Colour,
    Field,
    Pixels,
    Shape,
    blur,
    fractal,
    grain,
    is_dark,
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

_CLOTHS: tuple[Colour, ...] = (
    (0.97, 0.97, 0.97), (0.96, 0.96, 0.95), (0.02, 0.02, 0.02), (0.08, 0.08, 0.1), (0.15, 0.35, 0.6), (0.12, 0.4, 0.38),
    (0.5, 0.5, 0.5), (0.75, 0.73, 0.68), (0.3, 0.5, 0.3), (0.85, 0.8, 0.7), (0.3, 0.45, 0.75), (0.65, 0.75, 0.8),
)  # fmt: skip
_UNITS = ("cm", "mm", "cm", "mm", "m")


def ground(rng: Rng, shape: Shape) -> Pixels:
    """A bench, a cloth, paper, wood, soil or stone."""
    kind = weighted(rng, {"plain": 0.4, "cloth": 0.15, "wood": 0.15, "grit": 0.15, "blurred": 0.15})
    if kind == "plain":
        shown = plain(shape, pick(rng, _CLOTHS))
    elif kind == "cloth":
        weave = np.sin(np.arange(shape[0]) * between(rng, 1, 2.5))[:, None] * np.sin(
            np.arange(shape[1]) * between(rng, 1, 2.5)
        )
        folds = relief(12 * fractal(rng, shape, max(shape) / 3, 2), between(rng, 0, 6), 0.25)
        shown = plain(shape, pick(rng, _CLOTHS)) + (0.04 * weave + folds)[..., None]
    elif kind == "wood":
        along = noise(rng, shape, (between(rng, 2, 5), max(shape) / 2)) + 0.5 * noise(rng, shape, (1.3, 60))
        shown = tint(unit(along), ((0.35, 0.22, 0.12), (0.65, 0.45, 0.28), (0.8, 0.62, 0.42)))
    elif kind == "grit":
        speckle = fractal(rng, shape, between(rng, 4, 14), 4, 0.8)
        shown = tint(
            unit(speckle),
            pick(
                rng,
                (
                    ((0.08, 0.06, 0.04), (0.35, 0.26, 0.18)),
                    ((0.3, 0.3, 0.3), (0.65, 0.65, 0.63)),
                    ((0.6, 0.52, 0.4), (0.85, 0.78, 0.65)),
                ),
            ),
        )
    else:
        shown = tint(unit(fractal(rng, shape, max(shape) / 2, 2)), (pick(rng, _CLOTHS), pick(rng, _CLOTHS)))
    return shown.astype(np.float32)


def cast_shadow(rng: Rng, shown: Pixels, mask: Field) -> Pixels:
    """Darken the ground beside a thing."""
    if chance(rng, 0.2):
        return shown
    reach = max(mask.shape) * between(rng, 0.005, 0.03)
    angle = between(rng, 0, 2 * math.pi)
    moved = np.roll(mask, (round(reach * math.sin(angle)), round(reach * math.cos(angle))), (0, 1))
    return shown * (1 - between(rng, 0.2, 0.6) * blur(moved, reach)[..., None])


def lit(rng: Rng, colour: Pixels, height: Field, gloss: float) -> Pixels:
    """A surface with light from one side, and the bright spots of a wet one.

    Args:
        rng: the random numbers.
        colour: of the surface.
        height: of the surface, in pixels.
        gloss: how wet it is, from 0 to 1.
    """
    angle = between(rng, 0, 2 * math.pi)
    slant = relief(height, angle, 1)
    down, across = np.gradient(height)
    steep = np.sqrt(1 + down**2 + across**2)
    shade = np.clip(0.75 + 0.25 / steep + 0.22 * np.clip(slant, -2, 2), 0.25, 1.35)
    shine = np.clip((1 + 0.8 * slant) / steep / 1.28, 0, 1) ** 24
    return np.asarray(colour * shade[..., None] + gloss * shine[..., None], np.float32)


def ruler(rng: Rng, image: Image.Image) -> Image.Image:
    """Lay a ruler along one side of a picture."""
    sheet = sheet_of(image, lettering(rng))
    paper = pick(rng, ("white", "#f5f0d8", "#c8ccd0", "#f0e060", "#202020"))
    ink = "white" if paper == "#202020" else "black"
    wide, step = between(rng, 14, 30), between(rng, 16, 45)
    below = chance(rng, 0.7)
    length = sheet.width if below else sheet.height
    start = between(rng, 0, 0.15) * length
    edge = (sheet.height if below else sheet.width) - wide * (1 if chance(rng, 0.6) else between(rng, 1.2, 2))
    if below:
        sheet.box((start, edge), (length, wide), paper)
    else:
        sheet.box((edge, start), (wide, length), paper)
    first = count(rng, 0, 12)
    for number, place in enumerate(np.arange(start + 4, length, step / 10)):
        long = wide * (0.45 if number % 10 == 0 else 0.32 if number % 5 == 0 else 0.2)
        ends = [(float(place), edge), (float(place), edge + long)]
        sheet.line(ends if below else [(y, x) for x, y in ends], ink, 0.6)
        if number % 10 == 0:
            at = (float(place), edge + wide * 0.72)
            sheet.words(
                at if below else at[::-1],
                str(first + number // 10),
                wide * 0.42,
                ink,
                anchor="mm",
                turned=0 if below else 90,
            )
    return sheet.finished()


def tag(rng: Rng, image: Image.Image) -> Image.Image:
    """Lay a written label or a colour chart into a corner."""
    sheet = sheet_of(image, lettering(rng))
    wide, high = between(rng, 40, 90), between(rng, 14, 30)
    left = between(rng, 2, 10) if chance(rng, 0.5) else sheet.width - wide - between(rng, 2, 10)
    top = between(rng, 2, 10) if chance(rng, 0.5) else sheet.height - high - between(rng, 2, 10)
    if chance(rng, 0.3):
        side = wide / 6
        for row in range(4):
            for column in range(6):
                sheet.box(
                    (left + column * side, top + row * side),
                    (side * 0.85, side * 0.85),
                    tuple(rng.uniform(0.05, 0.95, 3)),
                )
        return sheet.finished()
    sheet.box((left, top), (wide, high), pick(rng, ("white", "#fffbe0", "#e8e8e8")))
    text = pick(
        rng,
        (
            f"#{count(rng, 1, 400)}",
            f"plant {count(rng, 1, 60)}",
            "control",
            "Day 14",
            f"T{count(rng, 0, 9)}-R{count(rng, 1, 5)}",
            "WT",
            "mutant",
            "♀ adult",
        ),
    )
    sheet.words((left + wide / 2, top + high / 2), text, high * 0.5, anchor="mm")
    return sheet.finished()


def photographed(rng: Rng, shown: Pixels, measured: float = 0.5) -> Image.Image:
    """The picture that a camera takes: cast, uneven light, noise, softness; often with a ruler, a bar or a label.

    Args:
        rng: the random numbers.
        shown: the scene.
        measured: share of pictures with a ruler, a bar or a label.
    """
    shape: Shape = (shown.shape[0], shown.shape[1])
    cast = 1 + rng.normal(0, 0.05, 3)
    light = between(rng, 0.8, 1.1) + between(rng, 0, 0.2) * slope(rng, shape) - between(rng, 0, 0.3) * vignette(shape)
    seen: Pixels = shown * cast * light[..., None]
    if chance(rng, 0.4):
        seen = softened(seen, between(rng, 0.4, 1.1))
    seen = seen + between(rng, 0, 0.025) * grain(rng, shape)[..., None]
    image = picture(np.clip(seen, 0, 1).astype(np.float32))
    if not chance(rng, measured):
        return image
    measure = weighted(rng, {"ruler": 0.45, "bar": 0.35, "tag": 0.2})
    if measure == "ruler":
        return ruler(rng, image)
    if measure == "bar":
        dark = is_dark(np.asarray(image, np.float32)[-30:] / 255)
        return scale_bar(rng, image, _UNITS, "white" if dark else "black")
    return tag(rng, image)


def filled(shape: Shape, *polygons: np.ndarray) -> Field:
    """A soft mask of polygons: 1 within any of them."""
    sheet = Sheet(shape, "black")
    for polygon in polygons:
        sheet.polygon(polygon, "white")
    return np.asarray(sheet.pixels()[..., 0], np.float32)


def dome(mask: Field, radius: float, tall: float = 1.0) -> Field:
    """A height that swells from the edge of a mask inwards, over about `radius` pixels."""
    swell = sum(smooth(blur(mask, radius * share), 0.35, 1) * share for share in (0.25, 0.5, 1.0))
    return (tall * radius * 0.6 * swell * mask).astype(np.float32)


def laid(rng: Rng, scene: Pixels, thing: Pixels, mask: Field) -> Pixels:
    """A thing laid on a ground, with its shadow."""
    return mix(cast_shadow(rng, scene, mask), np.clip(thing, 0, 1), mask)

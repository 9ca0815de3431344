"""Membranes: western blots as strips and whole, dot blots, stained and overexposed ones, labelled or bare."""

import numpy as np
from PIL import Image, ImageOps

from training.simulation.bands import (
    Band,
    Lanes,
    dirt,
    distorted,
    lanes,
    lay_band,
    lay_ladder,
    lay_row,
    lay_smear,
    strengths,
)
from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.outlines import add, disc, distance, raise_to, scattered
from training.simulation.sheet import Sheet, frame, lettering, picture
from training.simulation.textures import (
    Colour,
    Field,
    Pixels,
    Shape,
    blur,
    fractal,
    grain,
    noise,
    slope,
    tint,
    vignette,
)

_NAMES = (
    "GAPDH", "β-actin", "p53", "pERK", "ERK1/2", "AKT", "pAKT", "Tubulin", "Cyclin D1", "FLAG", "HA", "GFP", "Myc",
    "LC3-II", "H3", "Bcl-2", "PARP", "Lamin B", "IP", "input", "STAT3", "p-mTOR", "vinculin", "N-cad", "CHOP",
)  # fmt: skip
_WEIGHTS = (
    "250",
    "180",
    "150",
    "130",
    "100",
    "95",
    "72",
    "70",
    "55",
    "50",
    "43",
    "37",
    "35",
    "25",
    "20",
    "17",
    "15",
    "10",
)
_LANES = (
    "Ctrl",
    "WT",
    "KO",
    "siRNA",
    "+",
    "-",
    "1",
    "2",
    "3",
    "0h",
    "6h",
    "24h",
    "M",
    "NC",
    "T1",
    "DMSO",
    "10 µM",
    "shRNA",
)


def _film(rng: Rng, density: Field) -> Field:
    """What a film, a scanner or a camera makes of densities: brightness from 0 to 1, dark bands on a light ground."""
    shape: Shape = density.shape
    ground = between(rng, 0.62, 1.0)
    light = ground + between(rng, 0, 0.09) * slope(rng, shape) - between(rng, 0, 0.08) * vignette(shape)
    if chance(rng, 0.6):
        light += between(rng, 0.005, 0.04) * fractal(rng, shape, max(shape) / between(rng, 2, 12))
    contrast = between(rng, 0.8, 4.5)
    soot = dirt(rng, shape) * (1 if chance(rng, 0.8) else -1)
    light = light * np.exp(-contrast * np.clip(density, 0, None)) - 0.5 * soot
    light += between(rng, 0.0, 0.035) * blur(grain(rng, shape), between(rng, 0.4, 1.0))
    if chance(rng, 0.25):
        # A blown-out exposure: everything pale becomes white.
        light = (light - 0.1) * between(rng, 1.1, 1.6)
    return np.asarray(np.clip(light, between(rng, 0, 0.12), 1), np.float32)


def _strip(rng: Rng, shape: Shape, number: int | None = None) -> Field:
    """One row of bands, as it is cut out for a figure."""
    density = np.zeros(shape, np.float32)
    places = lanes(
        rng, between(rng, -2, 0.05 * shape[1]), shape[1] * between(rng, 0.95, 1.02), number or count(rng, 2, 14)
    )
    for _ in range(pick(rng, (1, 1, 1, 2, 3))):
        height = min(shape[0] * between(rng, 0.04, 0.16), places.width * between(rng, 0.12, 0.4))
        amounts = strengths(rng, len(places))
        lay_row(rng, density, places, shape[0] * between(rng, 0.25, 0.75), max(height, 0.8), list(amounts))
    if chance(rng, 0.3):
        density += between(rng, 0.02, 0.2) * np.clip(noise(rng, shape, (shape[0], places.width)), 0, 2)
    return _film(rng, blur(distorted(rng, density, between(rng, 0, 0.06) * shape[0]), between(rng, 0.4, 1.4)))


def strip(rng: Rng) -> Image.Image:
    """One row of bands, longer than high."""
    shown = picture(_strip(rng, frame(rng, 2.2, 6.5)))
    if chance(rng, 0.4):
        width = count(rng, 1, 3)
        shown = ImageOps.expand(shown.crop((width, width, shown.width - width, shown.height - width)), width, "black")
    return shown


def _membrane(rng: Rng, shape: Shape) -> Field:
    """The density of a whole membrane: several bands per lane, smears, and often a ladder."""
    density = np.zeros(shape, np.float32)
    places = lanes(rng, shape[1] * between(rng, 0, 0.1), shape[1] * between(rng, 0.9, 1), count(rng, 3, 15))
    ladder = chance(rng, 0.45)
    if ladder:
        lay_ladder(rng, density, float(places.centres[0]), places.width, (0.08 * shape[0], 0.93 * shape[0]))
        places = Lanes(places.centres[1:], places.width)
    for _ in range(count(rng, 1, 7)):
        amounts = strengths(rng, len(places)) * between(rng, 0.08, 1.1)
        height = max(0.8, shape[0] * between(rng, 0.006, 0.03))
        lay_row(rng, density, places, shape[0] * between(rng, 0.08, 0.92), height, list(amounts))
    if chance(rng, 0.5):
        for x in places.centres:
            bounds = (0.0, float(shape[0]))
            lay_smear(rng, density, float(x), places.width, bounds, between(rng, 0.02, 0.3))
    if chance(rng, 0.3):
        for x in places.centres:
            lay_band(density, Band(float(x), 2, places.width * 0.4, 2), between(rng, 0.1, 0.6))
    return blur(distorted(rng, density, between(rng, 0, 0.03) * shape[0]), between(rng, 0.4, 1.2))


def membrane(rng: Rng) -> Image.Image:
    """A whole membrane, dark on light."""
    return _labelled(rng, picture(_film(rng, _membrane(rng, frame(rng, 0.6, 1.8)))), 0.45)


def chemiluminescence(rng: Rng) -> Image.Image:
    """A membrane or a strip as the camera sees its light: white on black."""
    if chance(rng, 0.4):
        light = 1 - _strip(rng, frame(rng, 1.8, 5))
        light = (light - light.min()) * between(rng, 0.9, 1.3)
    else:
        density = _membrane(rng, frame(rng, 0.6, 1.8))
        light = 1 - np.exp(-between(rng, 0.7, 4) * density) + between(rng, 0, 0.12)
        light += between(rng, 0.005, 0.05) * grain(rng, density.shape)
    colours = pick(rng, (((0, 0, 0), (1, 1, 1)),) * 4 + (((0, 0.02, 0), (0.1, 1, 0.2)), ((0.02, 0, 0), (1, 0.15, 0.1)),
                         ((0, 0, 0.05), (0.2, 0.5, 1), (1, 1, 1))))  # fmt: skip
    return _labelled(rng, picture(tint(light, colours)), 0.25)


def coloured(rng: Rng) -> Image.Image:
    """A photographed membrane: Ponceau's red, alkaline phosphatase's purple, DAB's brown."""
    shape = frame(rng, 0.6, 3)
    stain: tuple[Colour, Colour] = pick(
        rng,
        (
            ((0.97, 0.92, 0.9), (0.8, 0.12, 0.25)),
            ((0.93, 0.9, 0.88), (0.3, 0.15, 0.4)),
            ((0.95, 0.91, 0.83), (0.4, 0.2, 0.08)),
            ((0.9, 0.93, 0.95), (0.25, 0.3, 0.6)),
        ),
    )
    density = _membrane(rng, shape)
    light = np.clip(1 - np.exp(-between(rng, 0.7, 2.2) * density), 0, 1)
    light += between(rng, 0, 0.08) * fractal(rng, shape, max(shape) / 4) + between(rng, 0.01, 0.04) * grain(rng, shape)
    shown = tint(light, stain) + between(rng, 0, 0.1) * slope(rng, shape)[..., None]
    return picture(_lying(rng, shown) if chance(rng, 0.4) else shown)


def _lying(rng: Rng, shown: Pixels) -> Pixels:
    """A membrane on a table, turned a little, with the table around it."""
    table: Colour = pick(rng, ((0.1, 0.1, 0.12), (0.75, 0.76, 0.78), (0.35, 0.3, 0.28), (0.9, 0.9, 0.9)))
    ground = tuple(round(255 * part) for part in table)
    sheet = picture(shown)
    edge = round(between(rng, 0.03, 0.12) * min(sheet.size))
    wider = ImageOps.expand(sheet.resize((sheet.width - 2 * edge, sheet.height - 2 * edge)), edge, ground)
    turned = wider.rotate(between(rng, -5, 5), Image.Resampling.BICUBIC, fillcolor=ground)
    return np.asarray(turned, np.float32) / 255


def dots(rng: Rng) -> Image.Image:
    """A dot or slot blot: a grid of spots, more or less of it in each."""
    shape = frame(rng, 0.6, 3)
    density = np.zeros(shape, np.float32)
    rows, columns = count(rng, 1, 8), count(rng, 3, 12)
    step = min(shape[0] / rows, shape[1] / columns)
    long = between(rng, 2, 4) if chance(rng, 0.2) else 1.0
    radius = step * between(rng, 0.2, 0.42) / long**0.5
    for row in range(rows):
        amounts = strengths(rng, columns)
        for column, amount in enumerate(amounts):
            away = distance(rng, max(radius * between(rng, 0.85, 1.1), 1.5), rough=0.06, long=long, angle=0)
            ring = 1 + between(rng, 0, 0.5) * np.exp(-(((away - 0.85) / 0.12) ** 2))
            centre = (shape[1] * (column + 0.5) / columns, shape[0] * (row + 0.5) / rows)
            add(density, disc(away, between(rng, 0.1, 0.4)) * ring, centre, float(amount))
    light = _film(rng, blur(density, between(rng, 0.5, 1.5)))
    light = 1 - light if chance(rng, 0.25) else light
    return _labelled(rng, picture(light), 0.35)


def panels(rng: Rng) -> Image.Image:
    """Strips below each other with the names of proteins beside, as figures of papers show them."""
    number, many = count(rng, 2, 6), count(rng, 2, 10)
    width = count(rng, 230, 400)
    heights = [count(rng, 18, 60) for _ in range(number)]
    gap, top = between(rng, 2, 8), between(rng, 4, 30)
    height = min(round(top + sum(heights) + gap * (number + 1)), 415)
    sheet = Sheet((max(height, 60), width), "white", lettering(rng))
    left, right = between(rng, 4, 70), width - between(rng, 4, 70)
    negative, framed, size = chance(rng, 0.12), chance(rng, 0.6), between(rng, 7, 13)
    if top > size:
        for lane in range(many):
            x = left + (right - left) * (lane + 0.5) / many
            sheet.words((x, top - 8), pick(rng, _LANES), size * 0.8, anchor="mm", turned=pick(rng, (0, 0, 45, 60)))
    y = top
    for each in heights:
        light = _strip(rng, (each, max(30, round(right - left))), many)
        sheet.lay(picture(1 - light if negative else light), (left, y), (right - left, each))
        if framed:
            sheet.box((left, y), (right - left, each), edge="black", width=0.8)
        if width - right > 3 * size:
            sheet.words((right + 4, y + each / 2), pick(rng, _NAMES), size, anchor="lm")
        if left > 3 * size:
            text = pick(rng, _NAMES) if chance(rng, 0.4) else f"{pick(rng, _WEIGHTS)} kDa"
            sheet.words((left - 4, y + each / 2), text, size * 0.9, anchor="rm")
        y += each + gap
    return sheet.finished()


def spots(rng: Rng) -> Image.Image:
    """A gel run in two directions: spots of proteins, some drawn out into streaks."""
    shape = frame(rng, 0.7, 1.5)
    density = np.zeros(shape, np.float32)
    for x, y in scattered(rng, shape, count(rng, 60, 400)):
        radius = between(rng, 1.2, 5) * (2 if chance(rng, 0.06) else 1)
        away = distance(rng, radius, long=between(rng, 1, 2.2), rough=0.1, angle=pick(rng, (0, 0, np.pi / 2)))
        raise_to(density, np.exp(-(away**2)).astype(np.float32), (x, y), between(rng, 0.1, 1) ** 2)
    streaks = np.clip(noise(rng, shape, (2, shape[1] / 4)), 0, 3) * between(rng, 0, 0.08)
    light = _film(rng, blur(density + streaks, 0.7))
    stain = pick(
        rng,
        (
            ((0.1, 0.1, 0.1), (1, 1, 1)),
            ((0.12, 0.18, 0.5), (0.88, 0.92, 0.98)),
            ((0.25, 0.13, 0.05), (0.95, 0.88, 0.7)),
        ),
    )
    return picture(tint(light, stain))


def _labelled(rng: Rng, shown: Image.Image, share: float) -> Image.Image:
    """A share of pictures in a white margin with weights at the left and lanes above."""
    if not chance(rng, share):
        return shown
    left, top = between(rng, 24, 50), between(rng, 6, 40)
    scale = min(1.0, 412 / (shown.width + left + 6), 412 / (shown.height + top + 6))
    width, height = shown.width * scale, shown.height * scale
    sheet = Sheet((round(height + top + 6), round(width + left + 6)), "white", lettering(rng))
    sheet.lay(shown, (left, top), (width, height))
    size = between(rng, 7, 11)
    rungs = count(rng, 3, 8)
    start = count(rng, 0, len(_WEIGHTS) - rungs)
    for number, text in enumerate(_WEIGHTS[start : start + rungs]):
        y = top + height * ((number + 0.5) / rungs) ** 0.9
        sheet.words((left - 6, y), text, size, anchor="rm")
        sheet.line([(left - 5, y), (left - 1, y)])
    if chance(rng, 0.5):
        sheet.words((left - 6, top - 2), "kDa", size, anchor="rb")
    if top > 2 * size:
        many = count(rng, 2, 10)
        for lane in range(many):
            x = left + width * (lane + 0.5) / many
            sheet.words((x, top - 10), pick(rng, _LANES), size, anchor="mm", turned=pick(rng, (0, 45, 90)))
    if chance(rng, 0.4):
        sheet.box((left, top), (width, height), edge="black", width=0.8)
    return sheet.finished()

"""Gels: DNA in agarose under ultraviolet or blue light, proteins in polyacrylamide under Coomassie or silver."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

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
from training.simulation.dice import Rng, between, chance, count, pick, weighted
from training.simulation.sheet import Ink, frame, lettering, picture, sheet_of
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
    shaded,
    slope,
    smooth,
    tint,
    vignette,
)

_LIGHTS: tuple[tuple[Colour, ...], ...] = (
    ((0.03, 0.03, 0.03), (0.5, 0.5, 0.5), (1, 1, 1)),
    ((0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (1, 1, 1)),
    ((0.25, 0.25, 0.26), (0.6, 0.6, 0.6), (1, 1, 1)),
    ((0.35, 0.12, 0.0), (0.8, 0.4, 0.02), (1, 0.85, 0.2)),
    ((0.5, 0.22, 0.02), (0.8, 0.5, 0.05), (1, 0.95, 0.4)),
    ((0.2, 0.15, 0.5), (0.6, 0.3, 0.7), (1, 0.5, 0.75)),
    ((0.15, 0.1, 0.35), (0.7, 0.35, 0.5), (1, 0.75, 0.6)),
    ((0.05, 0.12, 0.35), (0.1, 0.5, 0.6), (0.5, 1, 0.85)),
    ((0.02, 0.06, 0.03), (0.1, 0.5, 0.15), (0.6, 1, 0.5)),
    ((0.02, 0.02, 0.25), (0.15, 0.25, 0.8), (0.5, 0.9, 1)),
    ((0.2, 0.02, 0.02), (0.7, 0.1, 0.08), (1, 0.6, 0.4)),
    ((0.96, 0.96, 0.96), (0.5, 0.5, 0.5), (0.03, 0.03, 0.03)),
)
"""From the dark of a gel to the brightest band, by camera, filter and lamp; the last one is printed inverted."""


@dataclass(frozen=True, slots=True)
class _Comb:
    """One row of wells and the run below it, in pixels."""

    lanes: Lanes
    top: float
    bottom: float


def _combs(rng: Rng, shape: Shape) -> list[_Comb]:
    rows = pick(rng, (1, 1, 1, 2, 2, 3)) if shape[0] > shape[1] * 0.45 else 1
    number, left, right = count(rng, 3, 24), between(rng, 0.02, 0.15), between(rng, 0.85, 0.98)
    run = shape[0] / rows
    return [
        _Comb(
            lanes(rng, left * shape[1], right * shape[1], number),
            run * (row + between(rng, 0.03, 0.14)),
            run * (row + 0.95),
        )
        for row in range(rows)
    ]


def _run(rng: Rng, density: Field, comb: _Comb) -> None:
    """Ladder, products, primers and smears of one row."""
    places, span = comb.lanes, comb.bottom - comb.top
    start = comb.top + span * between(rng, 0.05, 0.15)
    ladders = {0, len(places) - 1} if chance(rng, 0.3) else {pick(rng, (0, 0, 0, len(places) - 1, len(places) // 2))}
    ladders = set() if chance(rng, 0.12) else ladders
    for lane in ladders:
        lay_ladder(
            rng, density, float(places.centres[lane]), places.width, (start, comb.top + span * between(rng, 0.6, 0.98))
        )
    samples = Lanes(np.delete(places.centres, sorted(ladders)), places.width)
    height = max(0.7, span * between(rng, 0.006, 0.02))
    for _ in range(pick(rng, (1, 1, 1, 2, 2, 3, 5))):
        lay_row(
            rng,
            density,
            samples,
            start + (span - start + comb.top) * between(rng, 0, 0.9),
            height,
            list(strengths(rng, len(samples))),
        )
    extra = weighted(rng, {"smears": 0.3, "primers": 0.2, "others": 0.2, "nothing": 0.3})
    for x in samples.centres:
        if extra == "smears":
            lay_smear(rng, density, float(x), places.width, (start, comb.bottom), between(rng, 0, 0.5))
        elif extra == "primers":
            lay_band(
                density, Band(float(x), comb.bottom - 0.06 * span, places.width * 0.4, 3 * height), between(rng, 0, 0.3)
            )
        elif extra == "others":
            y = start + span * between(rng, 0, 0.8)
            lay_band(density, Band(float(x), y, places.width * 0.4, height), between(rng, 0.2, 1))


def _wells(rng: Rng, shape: Shape, combs: list[_Comb]) -> Field:
    marks = np.zeros(shape, np.float32)
    depth = between(rng, 1.5, 4)
    for comb in combs:
        for x in comb.lanes.centres:
            lay_band(marks, Band(float(x), comb.top, comb.lanes.width * 0.38, depth / 2, 0, 8), 1)
            lay_band(marks, Band(float(x), comb.top, comb.lanes.width * 0.28, depth / 4, 0, 8), -0.7)
    return marks


def agarose(rng: Rng) -> Image.Image:
    """A DNA gel that glows on a transilluminator."""
    shape = frame(rng, 0.65, 2.8)
    combs = _combs(rng, shape)
    density = np.zeros(shape, np.float32)
    for comb in combs:
        _run(rng, density, comb)
    density = blur(distorted(rng, density, between(rng, 0, 0.02) * shape[0]), between(rng, 0.3, 1.1))
    glow = 1 - np.exp(-between(rng, 0.8, 3.5) * density)
    halo = between(rng, 0, 0.25) * blur(glow, max(shape) / 40)
    ground = between(rng, 0, 0.35) + between(rng, 0, 0.12) * slope(rng, shape) - between(rng, 0, 0.12) * vignette(shape)
    ground += between(rng, 0, 0.04) * fractal(rng, shape, max(shape) / 5)
    ground += between(rng, -0.1, 0.25) * _wells(rng, shape, combs) * chance(rng, 0.75)
    light = ground + (1 - ground) * np.clip(glow + halo, 0, 1) + between(rng, 0.005, 0.03) * grain(rng, shape)
    light += 0.5 * dirt(rng, shape)
    shown = tint(np.clip(light, 0, 1), pick(rng, _LIGHTS))
    if chance(rng, 0.35):
        shown = _on_tray(rng, shown)
    image = picture(shown)
    return _annotated(rng, image, combs) if chance(rng, 0.45) else image


def _on_tray(rng: Rng, shown: Pixels) -> Pixels:
    """The gel as a slab with glowing edges, the dark lamp table around it."""
    shape: Shape = (shown.shape[0], shown.shape[1])
    rows, columns = np.linspace(0, 1, shape[0])[:, None], np.linspace(0, 1, shape[1])
    sides = [between(rng, -0.05, 0.1) for _ in range(4)]
    lean = between(rng, -0.04, 0.04)
    inside = np.minimum.reduce(
        [
            rows - sides[0] + lean * columns,
            1 - sides[1] - rows - lean * columns,
            columns - sides[2] - lean * rows,
            1 - sides[3] - columns + lean * rows,
        ]
    ).astype(np.float32)
    red, green, blue = shown.mean((0, 1)).tolist()
    table = shaded((red, green, blue), between(rng, 0.1, 0.7))
    lit = np.exp(-((inside / 0.012) ** 2)) * between(rng, 0, 0.5)
    slab = mix(plain(shape, table), shown, smooth(inside, -0.003, 0.003))
    return np.asarray(slab + lit[..., None] * shown.mean((0, 1)) * 1.5, np.float32)


def _annotated(rng: Rng, image: Image.Image, combs: list[_Comb]) -> Image.Image:
    """Numbers above the lanes, sizes beside the ladder, a line of text on top."""
    sheet = sheet_of(image, lettering(rng))
    dark = is_dark(np.asarray(image, np.float32) / 255)
    ink: Ink = pick(rng, ("white", "white", "#ffff66", "#ff4040")) if dark else pick(rng, ("black", "#b00000"))
    size = between(rng, 5, 10)
    for comb in combs:
        turned = pick(rng, (0, 0, 90))
        for number, x in enumerate(comb.lanes.centres):
            text = pick(rng, ("M", "NTC", "+", "-")) if chance(rng, 0.15) else str(number + 1)
            sheet.words((float(x), max(comb.top - size, 5)), text, size, ink, anchor="mm", turned=turned)
        if chance(rng, 0.6):
            for share in np.sort(rng.uniform(0.1, 0.9, count(rng, 2, 5))):
                y = comb.top + share * (comb.bottom - comb.top)
                text = pick(rng, ("100 bp", "200", "500 bp", "1 kb", "1000", "2000", "3 kb", "300", "10000bp"))
                sheet.words((2, float(y)), text, size * 0.9, ink, anchor="lm")
    if chance(rng, 0.3):
        text = pick(
            rng,
            (
                "PCR 16S 27F/1492R",
                "Gel 3  1.5% agarose",
                "RNA extraction 2021-07-12",
                "digest EcoRI / HindIII",
                "samples 1-12",
            ),
        )
        sheet.words((sheet.width / 2, 2), text, size * 1.1, ink, anchor="mt")
    return sheet.finished()


def protein(rng: Rng) -> Image.Image:
    """A polyacrylamide gel stained with Coomassie's blue or with silver, on a light table."""
    shape = frame(rng, 0.6, 1.9)
    density = np.zeros(shape, np.float32)
    places = lanes(rng, shape[1] * between(rng, 0.01, 0.08), shape[1] * between(rng, 0.92, 0.99), count(rng, 3, 15))
    top, bottom = shape[0] * between(rng, 0.02, 0.12), shape[0] * between(rng, 0.88, 0.99)
    samples = places
    if chance(rng, 0.8):
        lay_ladder(rng, density, float(places.centres[0]), places.width, (top + 4, bottom - 4))
        samples = Lanes(places.centres[1:], places.width)
    # Most samples of a gel are lysates of the same cells: the same many bands in every lane.
    shared = chance(rng, 0.7)
    for _ in range(count(rng, 8, 40) if shared else count(rng, 1, 6)):
        amounts = (
            rng.uniform(0.7, 1.2, len(samples)) * between(rng, 0.03, 0.5) if shared else strengths(rng, len(samples))
        )
        lay_row(
            rng,
            density,
            samples,
            between(rng, top, bottom),
            max(0.7, shape[0] * between(rng, 0.003, 0.012)),
            list(amounts),
        )
    if chance(rng, 0.5):
        target = strengths(rng, len(samples)) * between(rng, 0.8, 2)
        lay_row(rng, density, samples, between(rng, top, bottom), shape[0] * between(rng, 0.008, 0.02), list(target))
    for x in samples.centres:
        lay_smear(rng, density, float(x), places.width, (top, bottom), between(rng, 0, 0.25))
    if chance(rng, 0.3):
        density += between(rng, 0.1, 0.6) * np.exp(-(((np.arange(shape[0])[:, None] - bottom) / 4) ** 2)).astype(
            np.float32
        )
    density = blur(distorted(rng, density, between(rng, 0, 0.03) * shape[0]), between(rng, 0.4, 1))
    stain = np.clip(1 - np.exp(-between(rng, 0.8, 2.2) * density), 0, 1)
    stain += (
        between(rng, 0, 0.12)
        + between(rng, 0, 0.06) * slope(rng, shape)
        + between(rng, 0, 0.03) * noise(rng, shape, max(shape) / 5)
    )
    stain += between(rng, 0.005, 0.025) * grain(rng, shape) + 0.3 * dirt(rng, shape)
    colours: tuple[Colour, ...] = pick(
        rng,
        (
            ((0.93, 0.95, 0.98), (0.4, 0.5, 0.8), (0.08, 0.1, 0.4)),
            ((0.8, 0.87, 0.95), (0.25, 0.4, 0.75), (0.05, 0.1, 0.35)),
            ((0.95, 0.93, 0.98), (0.5, 0.35, 0.75), (0.2, 0.08, 0.4)),
            ((0.97, 0.92, 0.75), (0.7, 0.45, 0.2), (0.2, 0.08, 0.02)),
            ((0.93, 0.85, 0.6), (0.55, 0.35, 0.15), (0.12, 0.06, 0.02)),
            ((0.93, 0.93, 0.93), (0.5, 0.5, 0.5), (0.05, 0.05, 0.05)),
        ),
    )
    shown = tint(np.clip(stain, 0, 1), colours)
    image = picture(_on_tray(rng, shown) if chance(rng, 0.2) else shown)
    return _annotated(rng, image, [_Comb(places, top + 4, bottom)]) if chance(rng, 0.35) else image

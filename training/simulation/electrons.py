"""What electron microscopes show: sections of cells, surfaces, particles on a grainy film."""

import math

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick, weighted
from training.simulation.fluorescence import filaments
from training.simulation.outlines import add, crowd, disc, distance, raise_to, scattered, window
from training.simulation.sheet import frame, picture, scale_bar, sheet_of
from training.simulation.textures import Field, Shape, blur, cells, fractal, grain, noise, relief, slope, smooth, unit


def _exposed(rng: Rng, light: Field) -> Image.Image:
    """Grain, contrast and the bar, or the whole line of settings below that a scanning microscope writes."""
    shape: Shape = light.shape
    seen = (
        light
        + between(rng, 0.01, 0.08) * blur(grain(rng, shape), between(rng, 0.3, 0.8))
        + between(rng, 0, 0.06) * slope(rng, shape)
    )
    middle, contrast = between(rng, 0.4, 0.6), between(rng, 0.7, 1.4)
    image = picture(np.clip(middle + contrast * (seen - float(seen.mean())), 0, 1).astype(np.float32))
    caption = weighted(rng, {"bar": 0.45, "line": 0.15, "none": 0.4})
    if caption == "bar":
        return scale_bar(rng, image, ("nm", "nm", "µm", "µm"))
    if caption == "line":
        sheet = sheet_of(image)
        top = sheet.height - 16
        sheet.box((0, top), (sheet.width, 16), fill="black")
        sheet.words(
            (4, top + 8),
            pick(
                rng, ("15.0kV 8.2mm x5.00k SE", "EHT = 5.00 kV  WD = 6 mm", "HV 20 kV mag 2 500 x", "SEI 10kV X10,000")
            ),
            7,
            "white",
            anchor="lm",
        )
        sheet.line([(sheet.width - 50, top + 11), (sheet.width - 10, top + 11)], "white")
        sheet.words((sheet.width - 30, top + 9), pick(rng, ("1µm", "5µm", "10µm", "500nm")), 6, "white", anchor="mb")
        return sheet.finished()
    return image


def _stamp(light: Field, mask: Field, value: Field | float, place: tuple[float, float]) -> None:
    part, within = window(light, mask, place)
    shade = value if isinstance(value, float) else window(light, value, place)[1]
    part += within * (shade - part)


def _mitochondrion(rng: Rng, light: Field, place: tuple[float, float], radius: float) -> None:
    long, angle = between(rng, 1.2, 4), between(rng, 0, math.pi)
    away = distance(rng, radius, long=long, rough=0.12, angle=angle)
    half = away.shape[0] // 2
    rows, columns = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    along = columns * math.cos(angle + 0.2) + rows * math.sin(angle + 0.2)
    bent = along + 1.5 * noise(rng, away.shape, radius)
    cristae = (np.cos(bent * 2 * math.pi / max(3.5, radius / between(rng, 1.5, 3))) > between(rng, 0.2, 0.7)).astype(
        np.float32
    )
    matrix = between(rng, 0.3, 0.5)
    inner = matrix + 0.25 * blur(cristae, 0.5) * smooth(away, 0.95, 0.75)
    rim = np.exp(-(((away - 0.97) / (1.6 / radius)) ** 2))
    _stamp(light, disc(away, 0.06), (inner - 0.25 * rim).astype(np.float32), place)


def _vesicle(rng: Rng, light: Field, place: tuple[float, float], radius: float) -> None:
    away = distance(rng, radius, rough=0.08)
    filled = between(rng, 0.1, 0.3) if chance(rng, 0.25) else between(rng, 0.6, 0.95)
    rim = np.exp(-(((away - 0.95) / min(0.4, 1.5 / radius)) ** 2))
    _stamp(light, disc(away, 0.1), (filled - 0.4 * rim).astype(np.float32), place)


def _nucleus(rng: Rng, light: Field, place: tuple[float, float], radius: float) -> None:
    away = distance(rng, radius, rough=0.2, long=between(rng, 1, 1.6))
    clumps = smooth(fractal(rng, away.shape, radius / 3, 3) + 1.2 * smooth(away, 0.75, 1), 0.5, 1.2)
    inner = 0.62 - 0.3 * clumps - 0.35 * np.exp(-(((away - 1) / (1.8 / radius)) ** 2))
    _stamp(light, disc(away, 0.03), inner.astype(np.float32), place)
    if chance(rng, 0.6):
        spot = disc(distance(rng, radius * between(rng, 0.15, 0.3), rough=0.3), 0.2)
        _stamp(
            light, spot * 0.8, 0.2, (place[0] + radius * rng.normal(0, 0.25), place[1] + radius * rng.normal(0, 0.25))
        )


def thin_section(rng: Rng) -> Image.Image:
    """The inside of cells: mitochondria, vesicles, membranes, a nucleus."""
    shape = frame(rng, 0.7, 1.5)
    light = 0.58 + 0.06 * fractal(rng, shape, 8, 3) + 0.05 * fractal(rng, shape, 60, 2)
    if chance(rng, 0.6):
        _, gap, owner = cells(rng, shape, between(rng, 90, 240), 0.9)
        light += (rng.normal(0, 0.07, int(owner.max()) + 1)[owner] - 0.35 * np.exp(-((gap / 2) ** 2))).astype(
            np.float32
        )
    ribosomes = (rng.random(shape) < between(rng, 0, 0.06)).astype(np.float32)
    light -= between(rng, 0.3, 0.8) * blur(ribosomes, 0.7)
    if chance(rng, 0.6):
        lines = blur(filaments(rng, shape, count(rng, 5, 60), between(rng, 1, 6)), 0.7)
        light -= between(rng, 0.4, 1) * lines * smooth(noise(rng, shape, max(shape) / 3), 0, 0.5)
    size = between(rng, 8, 34)
    if chance(rng, 0.5):
        for place in scattered(rng, shape, count(rng, 1, 2), 100):
            _nucleus(rng, light, place, between(rng, 50, 120))
    for place in scattered(rng, shape, count(rng, 0, 22), size * 1.8, -size):
        _mitochondrion(rng, light, place, size * between(rng, 0.6, 1.1))
    for place in scattered(rng, shape, count(rng, 0, 60), size * 0.6):
        _vesicle(rng, light, place, size * between(rng, 0.15, 0.5) + 1)
    return _exposed(rng, blur(light, between(rng, 0.3, 0.9)))


def particles(rng: Rng) -> Image.Image:
    """Viruses, proteins or gold on a film: bright in negative stain, dark in ice."""
    shape = frame(rng, 0.8, 1.3)
    light = 0.5 + 0.05 * fractal(rng, shape, max(shape) / 3)
    radius, kind = between(rng, 2, 28), pick(rng, ("lump", "shell", "spiked", "rod"))
    for place in scattered(
        rng,
        shape,
        min(350, crowd(shape, radius, between(rng, 0.02, 0.35))),
        radius * 2.1,
        -radius,
    ):
        if kind == "rod":
            add(light, disc(distance(rng, radius * 0.6, long=between(rng, 4, 12), rough=0.02), 0.2), place, 0.25)
            continue
        away = distance(rng, radius * between(rng, 0.9, 1.1), rough=0.2 if kind == "lump" else 0.03)
        shell = np.exp(-(((away - 0.8) / 0.18) ** 2)) if kind == "shell" else disc(away, 0.2)
        if kind == "spiked":
            shell = shell + 0.7 * rng.random(away.shape) ** 2 * np.exp(-(((away - 1.15) / 0.12) ** 2))
        add(light, shell.astype(np.float32), place, between(rng, 0.12, 0.4))
    light = blur(light, between(rng, 0.5, 1.2)) + between(rng, 0.02, 0.13) * blur(grain(rng, shape), 0.8) * 1.5
    return _exposed(rng, 1 - light if chance(rng, 0.5) else light)


def surface(rng: Rng) -> Image.Image:
    """A scanning microscope's view: spheres, fibres, pollen or rough ground, edges bright."""
    shape = frame(rng, 0.7, 1.6)
    kind = pick(rng, ("rough", "spheres", "fibres", "tiles"))
    if kind == "rough":
        height = between(rng, 25, 60) * unit(fractal(rng, shape, max(shape) / between(rng, 2, 8), 7, 0.65))
    elif kind == "spheres":
        height = np.zeros(shape, np.float32)
        radius = between(rng, 6, 40)
        for place in scattered(rng, shape, min(250, crowd(shape, radius, 1.2)), radius * 0.8, -radius):
            away = distance(rng, radius * between(rng, 0.6, 1.1), rough=0.08, long=between(rng, 1, 1.8))
            dome = np.sqrt(np.clip(1 - away**2, 0, 1)) * radius + rng.uniform(0, radius / 2) * (away < 1)
            raise_to(height, dome.astype(np.float32), place)
        height += between(rng, 0, 1) * fractal(rng, shape, 5, 2)
    elif kind == "fibres":
        height = np.zeros(shape, np.float32)
        for _ in range(4):
            width = between(rng, 1.5, 4)
            lines = np.clip(
                blur(filaments(rng, shape, count(rng, 8, 30), between(rng, 0.3, 3)), width) * 3 * width, 0, 1
            )
            height = np.maximum(height * 0.7, np.sqrt(lines) * 4 * width)
    else:
        _, gap, owner = cells(rng, shape, between(rng, 15, 60), 0.9)
        height = (
            9 * smooth(gap, 0, 9)
            + 5 * rng.random(int(owner.max()) + 1)[owner].astype(np.float32)
            + fractal(rng, shape, 6, 2)
        )
    steep = np.hypot(*np.gradient(height))
    light = (
        0.25
        + 0.4 * unit(blur(height, 1.5))
        + 0.1 * np.clip(steep, 0, 3)
        + 0.12 * np.clip(relief(height, between(rng, 0, 6), 1), -2, 2)
    )
    return _exposed(rng, light.astype(np.float32))

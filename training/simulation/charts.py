"""Charts that are no cytometry: bars, lines, boxes, violins, survival, chromatograms, pies, heat maps."""

import itertools
import math
from collections.abc import Callable

import numpy as np
from PIL import Image

from training.simulation.chartparts import (
    GROUPS,
    block,
    curve,
    finish,
    inks,
    legend,
    marks,
    names_below,
    significance,
    whisker,
)  # fmt: skip
from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.plotting import Plot, manner, plots
from training.simulation.scattercharts import points
from training.simulation.sheet import Ink, Sheet, frame, lettering, picture
from training.simulation.textures import Colour, tint, unit

_RAMPS: tuple[tuple[Colour, ...], ...] = (
    ((0.1, 0.2, 0.6), (1, 1, 1), (0.7, 0.1, 0.1)),
    ((0, 0.6, 0), (0, 0, 0), (0.8, 0, 0)),
    ((1, 1, 0.9), (0.9, 0.4, 0.1), (0.4, 0, 0.1)),
    ((0.27, 0, 0.33), (0.13, 0.57, 0.55), (0.99, 0.91, 0.14)),
    ((1, 1, 1), (0.1, 0.2, 0.5)),
    ((1, 1, 1), (0, 0, 0)),
)


def _bars(rng: Rng, plot: Plot) -> None:
    """Bars, side by side or on top of each other, with error bars."""
    groups, series, colours = count(rng, 2, 9), pick(rng, (1, 1, 2, 3, 4)), inks(rng)
    wide, whiskers, edged = between(rng, 0.5, 0.9) / groups, chance(rng, 0.6), chance(rng, 0.5)
    stacked, motley = chance(rng, 0.25), chance(rng, 0.5)
    across = wide if stacked else wide / series
    for group in range(groups):
        floor, left = 0.0, (group + 0.5) / groups - wide / 2
        for number in range(series):
            tall = between(rng, 0.05, 0.8) / (series if stacked else 1)
            colour = colours[group % 6 if series == 1 and motley else number]
            block(plot, (left, floor), (across, tall), colour, edged=edged)
            if whiskers and not stacked:
                whisker(plot, left + across / 2, tall, tall + between(rng, 0.02, 0.1), across / 5)
            floor, left = (floor + tall, left) if stacked else (0.0, left + across)
    if series > 1 and chance(rng, 0.7):
        legend(rng, plot, colours[:series])
    elif chance(rng, 0.3):
        significance(rng, plot, groups)
    finish(rng, plot, names_below(rng, groups))


def _lines(rng: Rng, plot: Plot) -> None:
    """Courses in time, doses and responses, decays, waves."""
    steps, colours = pick(rng, (5, 7, 10, 40, 200)), inks(rng)
    form, marked = pick(rng, ("walk", "dose", "decay", "wave")), steps <= 10 and chance(rng, 0.8)  # noqa: PLR2004
    x, many = np.linspace(0.03, 0.97, steps), count(rng, 1, 6)
    for colour in colours[:many]:
        if form == "walk":
            y = 0.5 + np.cumsum(rng.normal(0, 0.6 / math.sqrt(steps), steps))
        elif form == "dose":
            y = between(rng, 0.4, 0.95) / (1 + np.exp(-between(rng, 4, 18) * (x - between(rng, 0.2, 0.8))))
        elif form == "decay":
            y = between(rng, 0.5, 0.95) * np.exp(-between(rng, 0.5, 6) * x)
        else:
            y = 0.5 + 0.4 * between(rng, 0.3, 1) * np.sin(between(rng, 3, 14) * x + between(rng, 0, 6))
        y = np.clip(y + rng.normal(0, between(rng, 0, 0.02), steps), 0.01, 0.99)
        curve(plot, x, y, colour, between(rng, 0.7, 2))
        if marked:
            marks(plot, np.stack([x, y], axis=-1), plot.manner.size * 0.3, colour)
            for place, height in zip(x, y, strict=True) if chance(rng, 0.6) else ():
                whisker(plot, float(place), float(height) - 0.05, float(height) + 0.05, 0.01)
    if chance(rng, 0.6):
        legend(rng, plot, colours[:many])
    finish(rng, plot)


def _boxes(rng: Rng, plot: Plot) -> None:
    """Box plots and violins."""
    groups, colours, violin, edged = count(rng, 2, 8), inks(rng), chance(rng, 0.4), True
    half = between(rng, 0.2, 0.4) / groups
    for group in range(groups):
        x = (group + 0.5) / groups
        values = np.sort(np.clip(rng.normal(between(rng, 0.3, 0.7), between(rng, 0.05, 0.15), 60), 0.02, 0.98))
        low, first, middle, third, high = (float(values[rank]) for rank in (2, 15, 30, 45, 57))
        if violin:
            heights = np.linspace(values[0], values[-1], 40)
            swell = np.exp(-((heights[:, None] - values) ** 2) / 0.003).sum(axis=1)
            sides = np.concatenate([swell, -swell[::-1]]) * 1.2 * half / swell.max()
            rim = zip(x + sides, np.concatenate([heights, heights[::-1]]), strict=True)
            plot.sheet.polygon([plot.at(float(a), float(b)) for a, b in rim], colours[group % 6], plot.manner.ink, 0.7)
        box = 0.3 * half if violin else half
        whisker(plot, x, low, high, box / 2)
        block(plot, (x - box, first), (2 * box, third - first), "white" if violin else colours[group % 6], edged=edged)
        plot.sheet.line([plot.at(x - box, middle), plot.at(x + box, middle)], plot.manner.ink, 1.5)
        marks(plot, np.stack([np.full(3, x), rng.uniform(0, 1, 3)], axis=-1), 1, "#444444", hollow=True)
    if chance(rng, 0.3):
        significance(rng, plot, groups)
    finish(rng, plot, names_below(rng, groups))


def _survival(rng: Rng, plot: Plot) -> None:
    """Kaplan and Meier's stairs."""
    for colour in inks(rng)[: count(rng, 1, 4)]:
        deaths = count(rng, 4, 18)
        times = np.minimum(np.cumsum(rng.exponential(0.8 / deaths, deaths)), 0.98)
        left = 0.97 * np.cumprod(1 - rng.uniform(0, 0.2, deaths))
        x = np.repeat(np.concatenate([[0], times, [1]]), 2)[1:-1]
        y = np.repeat(np.concatenate([[0.97], left]), 2)
        curve(plot, x, y, colour, between(rng, 0.8, 2))
        marks(plot, np.stack([x, y], axis=-1)[:: count(rng, 2, 5)], 1, colour)
    text = f"p = {between(rng, 0.0001, 0.2):.4f}"
    plot.sheet.words(plot.at(0.06, 0.1), text, plot.manner.size * 1.2, plot.manner.ink)
    finish(rng, plot)


def _chromatogram(rng: Rng, plot: Plot) -> None:
    """Peaks of a detector: a chromatogram, a spectrum, an electropherogram."""
    x = np.linspace(0, 1, 500)
    y = 0.04 + between(rng, 0, 0.2) * np.exp(-0.5 * ((x - between(rng, 0.2, 0.8)) / between(rng, 0.05, 0.2)) ** 2)
    for _ in range(count(rng, 2, 20)):
        width, tall = between(rng, 0.002, 0.02), between(rng, 0.05, 0.8)
        y += tall * np.exp(-0.5 * ((x - between(rng, 0.03, 0.97)) / width) ** 2)
    y = np.clip(y + rng.normal(0, 0.003, x.size), 0, 0.98)
    if chance(rng, 0.3):
        rim = [plot.at(float(a), float(b)) for a, b in zip(x, y, strict=True)]
        plot.sheet.polygon([*rim, plot.at(1, 0), plot.at(0, 0)], "#d8d8d8")
    curve(plot, x, y, pick(rng, ("black", "#1030a0", "#a01010", "#444444")), 0.8)
    finish(rng, plot)


_KINDS: tuple[Callable[[Rng, Plot], None], ...] = (
    _bars, _bars, _lines, _lines, points, points, points, _boxes, _survival, _chromatogram,
)  # fmt: skip


def chart(rng: Rng) -> Image.Image:
    """One chart, or a few beside each other."""
    rows, columns = pick(rng, ((1, 1), (1, 1), (1, 1), (1, 2), (2, 2), (1, 3), (2, 3), (3, 2)))
    aspect, alone = columns / rows, rows * columns == 1
    look = manner(rng) if alone else manner(rng, 3.5, 7)
    each = plots(rng, frame(rng, 0.8 * aspect, 1.5 * aspect), look, rows, columns)
    kind = pick(rng, _KINDS)
    for plot in each:
        plot.clear()
        (kind if chance(rng, 0.6) else pick(rng, _KINDS))(rng, plot)
    return each[0].sheet.finished()


def scatter(rng: Rng) -> Image.Image:
    """Points that are no cells."""
    plot = plots(rng, frame(rng, 0.8, 1.4), manner(rng))[0]
    plot.clear()
    points(rng, plot)
    return plot.sheet.finished()


def heat_map(rng: Rng) -> Image.Image:
    """A matrix of colours, in waves or as correlations, with names."""
    plot = plots(rng, frame(rng, 0.6, 1.6), manner(rng))[0]
    rows, columns = count(rng, 4, 40), count(rng, 3, 30)
    if chance(rng, 0.3):
        columns = rows
        values = np.corrcoef(rng.normal(0, 1, (rows, 6)) + rng.normal(0, 1, (rows, 1)))
    else:
        down, across = np.arange(rows) / between(rng, 1, 8), np.arange(columns) / between(rng, 1, 8)
        values = rng.normal(0, 1, (rows, columns)) + 1.5 * np.outer(np.sin(down), np.cos(across))
    shown = picture(tint(unit(np.asarray(values, np.float32)), pick(rng, _RAMPS)))
    plot.fill(shown.resize((plot.shape[1], plot.shape[0]), Image.Resampling.NEAREST))
    below = [((number + 0.5) / columns, f"S{number + 1}") for number in range(0, columns, max(1, columns // 6))]
    beside = [((number + 0.5) / rows, f"gene{number}") for number in range(0, rows, max(1, rows // 8))]
    plot.axes(below, beside)
    return plot.sheet.finished()


def pie(rng: Rng) -> Image.Image:
    """A pie or a ring, with a legend."""
    shape = frame(rng, 0.9, 1.7)
    sheet, colours = Sheet(shape, "white", lettering(rng)), inks(rng)
    radius, centre = min(shape) * between(rng, 0.3, 0.42), (min(shape) * 0.5, shape[0] / 2)
    ends = np.concatenate([[0], np.cumsum(rng.dirichlet(np.ones(count(rng, 2, 6)) * 2))]) * 360 - 90
    edge: Ink | None = pick(rng, ("white", "black", None))
    for number, (start, end) in enumerate(itertools.pairwise(ends.tolist())):
        sheet.wedge(centre, radius, (start, end), colours[number], edge)
        turn, out = math.radians((start + end) / 2), 0.7 * radius
        label = (centre[0] + out * math.cos(turn), centre[1] + out * math.sin(turn))
        sheet.words(label, f"{(end - start) / 3.6:.0f}%", 8, "white", anchor="mm")
        sheet.words((centre[0] + radius * 1.15, 12 + number * 13), pick(rng, GROUPS), 8)
    if chance(rng, 0.3):
        sheet.ellipse(centre, (radius * 0.5, radius * 0.5), "white")
    return sheet.finished()

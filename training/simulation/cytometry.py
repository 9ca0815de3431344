"""Plots of a flow cytometer: two quantities against each other, one as a histogram, alone or in grids."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.simulation.densities import COLOURS, PAINTERS
from training.simulation.dice import Rng, between, chance, count, pick, weighted
from training.simulation.events import Axis, Events, Specimen, scatter_axis, specimen, stain_axis
from training.simulation.gates import NAMES, draw_gates, gates, percent
from training.simulation.plotting import Plot, Ticks, manner, plots
from training.simulation.sheet import frame, picture
from training.simulation.textures import Colour, shaded

_TITLES = (
    "Control", "WT", "KO", "Day 3", "Sample 1", "unstained", "siRNA", "A01.fcs", "Treated", "Tube_001", "Ungated",
    "Lymphocytes", "CytoTrol_1.fcs", "s5a01", "root",
)  # fmt: skip
_COUNTS = ("Count", "Counts", "Events", "% of Max", "# Cells", "Normalized To Mode", "density", "Number", "Frequency")
_GRIDS = ((1, 2), (1, 3), (1, 4), (2, 2), (2, 3), (2, 4), (3, 3), (2, 1), (3, 2), (3, 4), (4, 4))
_CRAMPED = 70
"""Pixels of a plot that has no room for every number."""

_Peaks = Sequence[tuple[float, float, float]]
"""Centre, deviation and height of each, from 0 to 1."""


def _frame(rng: Rng, plot: Plot, horizontal: Axis, vertical: Axis) -> None:
    every = 2 if plot.width < _CRAMPED else 1
    plot.axes(horizontal.ticks[::every], vertical.ticks[::every], horizontal.minor, vertical.minor)
    plot.names(horizontal.name, vertical.name, pick(rng, _TITLES) if chance(rng, 0.4) else "")


def _show(rng: Rng, plot: Plot, shown: Specimen, events: Events, style: int) -> None:
    """One bivariate plot.

    Args:
        rng: the random numbers.
        plot: where it is drawn.
        shown: what is measured.
        events: those that this plot shows.
        style: plots with the same number use the same colours and the same gates.
    """
    like = np.random.default_rng(style)
    painter = pick(like, PAINTERS)
    horizontal, vertical = shown.axes
    plot.fill(picture(painter(like, events, plot.face(horizontal.ticks, vertical.ticks))))
    like = np.random.default_rng(style)
    draw_gates(like, plot, gates(like, shown.events), events)
    _frame(rng, plot, horizontal, vertical)


def bivariate(rng: Rng) -> Image.Image:
    """One plot of two quantities."""
    plot = plots(rng, frame(rng, 0.85, 1.25), manner(rng))[0]
    shown = specimen(rng, round(math.exp(between(rng, math.log(300), math.log(30_000)))))
    _show(rng, plot, shown, shown.events, count(rng, 0, 2**31))
    return plot.sheet.finished()


def grid_of_bivariates(rng: Rng) -> Image.Image:
    """Small plots in one manner: the same quantities in several samples, or one gate after another."""
    rows, columns = pick(rng, _GRIDS)
    aspect = columns / rows
    each = plots(rng, frame(rng, aspect * 0.8, aspect * 1.25), manner(rng, 3.5, 6.5), rows, columns)
    style, shown = count(rng, 0, 2**31), specimen(rng, 12_000)
    same_quantities, same_style = chance(rng, 0.5), chance(rng, 0.85)
    for number, plot in enumerate(each):
        if same_quantities:
            events = shown.sample(rng, count(rng, 300, 6000))
        else:
            shown = specimen(rng, count(rng, 300, 6000))
            events = shown.events
        _show(rng, plot, shown, events, style if same_style else style + number)
    return each[0].sheet.finished()


def _peaks(rng: Rng) -> _Peaks:
    kind = weighted(rng, {"divisions": 0.2, "cycle": 0.15, "stained": 0.65})
    if kind == "divisions":
        # A dye is halved each time that a cell divides.
        first, step = between(rng, 0.75, 0.9), between(rng, 0.07, 0.12)
        return [(first - turn * step, step * 0.28, between(rng, 0.2, 1)) for turn in range(count(rng, 3, 7))]
    if kind == "cycle":
        # DNA before and after it is doubled, and cells that are at it.
        single = between(rng, 0.25, 0.4)
        doubled, between_them = between(rng, 0.1, 0.5), between(rng, 0.05, 0.2)
        return [(single, 0.018, 1.0), (2 * single, 0.028, doubled), (1.5 * single, 0.3 * single, between_them)]
    number = pick(rng, (1, 1, 2, 2, 3))
    return [(between(rng, 0.12, 0.85), between(rng, 0.03, 0.1), between(rng, 0.3, 1)) for _ in range(number)]


def _curve(rng: Rng, places: NDArray[np.float64], peaks: _Peaks) -> NDArray[np.float64]:
    """Its heights at some places, at most 1."""
    heights = np.zeros(places.size)
    for centre, width, share in peaks:
        heights += share * np.exp(-0.5 * ((places - centre) / width) ** 2)
    heights *= 1 + between(rng, 0, 0.08) * rng.normal(size=places.size)
    return np.clip(heights / max(float(heights.max()), 1e-6), 0, None)


def _overlay(rng: Rng, plot: Plot) -> None:
    """One sample or several, laid over each other or staggered, as lines, filled, or as bars."""
    staggered = chance(rng, 0.17)
    many = count(rng, 3, 8) if staggered else pick(rng, (1, 1, 1, 2, 2, 3, 4))
    raised = 0.65 / many if staggered else 0.0
    places, shared = np.linspace(0, 1, count(rng, 25, 256)), _peaks(rng)
    look = weighted(rng, {"filled": 0.5, "lines": 0.35, "bars": 0.15})
    plain_ink: Colour = (0.9, 0.9, 0.9) if plot.manner.dark else (0.15, 0.15, 0.15)
    inks = [COLOURS[number] for number in rng.permutation(len(COLOURS))] * 2
    stroke, paler, black = between(rng, 0.7, 1.6), chance(rng, 0.7), chance(rng, 0.5)
    for number in reversed(range(many)):
        moved = [(centre + number * between(rng, 0, 0.12), width, share) for centre, width, share in shared]
        heights = _curve(rng, places, moved if chance(rng, 0.7) else _peaks(rng))
        heights = number * raised + heights * between(rng, 0.6, 0.92) * (1.8 * raised if staggered else 1)
        ink = inks[number] if many > 1 or chance(rng, 0.6) else plain_ink
        line = [plot.at(float(x), min(0.99, float(y))) for x, y in zip(places, heights, strict=True)]
        if look == "bars":
            line = [corner for (x, y), (end, _) in itertools.pairwise(line) for corner in ((x, y), (end, y))]
        if look != "lines":
            pale = shaded(ink, 0.45, 0.55)
            floor = [plot.at(1, number * raised), plot.at(0, number * raised)]
            plot.sheet.polygon([*line, *floor], fill=pale if paler else ink)
        plot.sheet.line(line, "black" if black and look != "lines" else ink, stroke)


def _marker(rng: Rng, plot: Plot) -> None:
    """A bar over a range, with the share of events in it."""
    start, end, y = between(rng, 0.3, 0.6), between(rng, 0.75, 0.98), between(rng, 0.5, 0.85)
    ink, size = plot.manner.ink, plot.manner.size * 1.2
    plot.sheet.line([plot.at(start, y), plot.at(end, y)], ink, 1)
    for x in (start, end):
        plot.sheet.line([plot.at(x, y - 0.02), plot.at(x, y + 0.02)], ink, 1)
    text = f"{pick(rng, NAMES)} {percent(rng, float(rng.random()))}"
    plot.sheet.words(plot.at((start + end) / 2, y + 0.05), text, size, ink, anchor="mb")


def _counts(rng: Rng) -> Ticks:
    most = pick(rng, (100, 100, 100, 60, 200, 800, 1500))
    return [(step / 5 * 0.92, f"{most * step // 5}") for step in range(6)]


def _histogram(rng: Rng, plot: Plot, horizontal: Axis) -> None:
    vertical = Axis(pick(rng, _COUNTS), _counts(rng), ())
    plot.sheet.box((plot.left, plot.top), (plot.width, plot.height), fill=plot.manner.face)
    plot.grid(horizontal.ticks, vertical.ticks)
    _overlay(rng, plot)
    if chance(rng, 0.45):
        _marker(rng, plot)
    _frame(rng, plot, horizontal, vertical)


def histogram(rng: Rng) -> Image.Image:
    """How often each value of one quantity was measured."""
    plot = plots(rng, frame(rng, 0.8, 1.5), manner(rng))[0]
    _histogram(rng, plot, stain_axis(rng) if chance(rng, 0.75) else scatter_axis(rng))
    return plot.sheet.finished()


def grid_of_histograms(rng: Rng) -> Image.Image:
    """Histograms beside each other, of one quantity in several samples or of several."""
    rows, columns = pick(rng, _GRIDS)
    aspect = columns / rows
    each = plots(rng, frame(rng, aspect * 0.8, aspect * 1.4), manner(rng, 3.5, 6.5), rows, columns)
    shared, same = stain_axis(rng), chance(rng, 0.5)
    for plot in each:
        _histogram(rng, plot, shared if same else stain_axis(rng))
    return each[0].sheet.finished()

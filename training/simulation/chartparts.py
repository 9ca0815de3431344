"""What charts share: palettes, legends, error bars, and words for their axes."""

import itertools

import numpy as np
from numpy.typing import NDArray

from training.simulation.dice import Rng, between, chance, pick
from training.simulation.plotting import Plot, Ticks, linear_ticks

_PALETTES: tuple[tuple[str, ...], ...] = (
    ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b"),
    ("#e41a1c", "#377eb8", "#4daf4a", "#984ea3", "#ff7f00", "#a65628"),
    ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860"),
    ("#f8766d", "#b79f00", "#00ba38", "#00bfc4", "#619cff", "#f564e3"),
    ("#5b9bd5", "#ed7d31", "#a5a5a5", "#ffc000", "#4472c4", "#70ad47"),
    ("#000000", "#777777", "#bbbbbb", "#444444", "#999999", "#dddddd"),
    ("#66c2a5", "#fc8d62", "#8da0cb", "#e78ac3", "#a6d854", "#ffd92f"),
)
GROUPS = (
    "Control", "Treated", "WT", "KO", "Day 1", "Day 7", "Low", "High", "A", "B", "C", "siRNA", "Vehicle", "2019",
    "2020", "Male", "Female", "Q1", "Q2", "pH 7",
)  # fmt: skip
"""Names of what is compared."""

_MEASURES = (
    "Relative expression", "Viability (%)", "Weight (g)", "Concentration (µM)", "Temperature (°C)", "Time (h)", "Days",
    "Absorbance", "Score", "Rate (1/s)", "Revenue", "Height (cm)", "log2 fold change", "-log10 p", "PC1 (43%)",
    "PC2 (12%)", "Residuals", "Fitted values", "Dose (mg/kg)", "Length (bp)", "",
)  # fmt: skip


def inks(rng: Rng) -> list[str]:
    """Six colours of one palette, in any order."""
    palette = pick(rng, _PALETTES)
    return [palette[number] for number in rng.permutation(len(palette))]


def finish(rng: Rng, plot: Plot, horizontal: Ticks | None = None) -> None:
    """Draw axes with numbers and names around a chart.

    Args:
        rng: the random numbers.
        plot: the chart.
        horizontal: what stands below it; numbers if nothing is given.
    """
    below = linear_ticks(rng, pick(rng, (1, 10, 100, 24, 5000))) if horizontal is None else horizontal
    plot.axes(below, linear_ticks(rng, pick(rng, (1, 5, 100, 40, 2000))))
    plot.names(
        pick(rng, _MEASURES), pick(rng, _MEASURES), pick(rng, ("", "", *GROUPS, "Figure 2", "Growth", "ROC curve"))
    )


def names_below(rng: Rng, groups: int) -> Ticks:
    """Names of groups side by side."""
    return [((group + 0.5) / groups, pick(rng, GROUPS)[:7]) for group in range(groups)]


def legend(rng: Rng, plot: Plot, colours: list[str]) -> None:
    """Say what colours stand for, somewhere within the axes."""
    x, y, size = between(rng, 0.04, 0.7), between(rng, 0.6, 0.97), plot.manner.size
    for number, colour in enumerate(colours):
        left, top = plot.at(x, y)
        top += number * size * 1.4
        plot.sheet.box((left, top), (size, size * 0.7), colour)
        plot.sheet.words((left + size * 1.4, top + size * 0.35), pick(rng, GROUPS), size, plot.manner.ink, anchor="lm")


def whisker(plot: Plot, x: float, low: float, high: float, half: float) -> None:
    """An error bar of some half width, in coordinates of the axes."""
    ink, stroke = plot.manner.ink, plot.manner.width
    plot.sheet.line([plot.at(x, low), plot.at(x, high)], ink, stroke)
    for y in (low, high):
        plot.sheet.line([plot.at(x - half, y), plot.at(x + half, y)], ink, stroke)


def block(plot: Plot, corner: tuple[float, float], size: tuple[float, float], fill: str, *, edged: bool) -> None:
    """A rectangle by its lower left corner and its size, in coordinates of the axes."""
    (left, bottom), (right, top) = plot.at(*corner), plot.at(corner[0] + size[0], corner[1] + size[1])
    edge = plot.manner.ink if edged else None
    plot.sheet.box((left, top), (right - left, bottom - top), fill, edge, 0.7)


def curve(plot: Plot, x: NDArray[np.float64], y: NDArray[np.float64], ink: str, width: float) -> None:
    """A line through points in coordinates of the axes."""
    plot.sheet.line([plot.at(float(a), float(b)) for a, b in zip(x, y, strict=True)], ink, width)


def marks(plot: Plot, places: NDArray[np.float64], radius: float, ink: str, *, hollow: bool = False) -> None:
    """Round marks at places of shape (marks, 2) within the axes; others are left out."""
    for x, y in places[((places > 0.01) & (places < 0.99)).all(axis=1)]:  # noqa: PLR2004
        spot = plot.at(float(x), float(y))
        plot.sheet.ellipse(spot, (radius, radius), None if hollow else ink, ink if hollow else None, 0.7)


def significance(rng: Rng, plot: Plot, groups: int) -> None:
    """Brackets with stars between groups."""
    middles = [(group + 0.5) / groups for group in range(groups)]
    for number, (start, end) in enumerate(itertools.pairwise(middles)):
        if chance(rng, 0.5):
            y = 0.9 + 0.03 * (number % 3)
            plot.sheet.line([plot.at(start, y), plot.at(end, y)], plot.manner.ink, 0.8)
            middle = plot.at((start + end) / 2, y)
            plot.sheet.words(
                middle, pick(rng, ("*", "**", "***", "ns", "p<0.01")), plot.manner.size, plot.manner.ink, anchor="mb"
            )

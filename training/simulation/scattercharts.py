"""Scatter charts of anything but cells: correlations, ordinations, volcanoes, genomes, groups."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.simulation.chartparts import curve, finish, inks, legend, marks, names_below, whisker
from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.plotting import Plot

_Places = NDArray[np.float64]
_MANY = 150


def _marked(rng: Rng, plot: Plot, parts: list[_Places], colours: list[str]) -> None:
    radius, hollow = between(rng, 0.7, 3.2), chance(rng, 0.3)
    for number, part in enumerate(parts):
        size = radius if len(part) < _MANY else min(radius, 1.2)
        marks(plot, part, size, colours[number % len(colours)], hollow=hollow)


def _correlation(rng: Rng, plot: Plot) -> None:
    x = rng.uniform(0.05, 0.95, count(rng, 10, 150))
    y = between(rng, 0.1, 0.3) + between(rng, -0.1, 0.6) * x + rng.normal(0, between(rng, 0.02, 0.15), x.size)
    _marked(rng, plot, [np.stack([x, y], axis=-1)], inks(rng))
    if chance(rng, 0.8):
        ends = np.asarray([0.03, 0.97])
        curve(plot, ends, np.polyval(np.polyfit(x, y, 1), ends), pick(rng, ("black", "red", "blue", "#888888")), 1.2)
    if chance(rng, 0.7):
        text = pick(rng, ("R² = {:.2f}", "r = {:.3f}", "rho={:.2f}")).format(between(rng, 0.1, 0.99))
        plot.sheet.words(plot.at(0.06, 0.93), text, plot.manner.size * 1.2, plot.manner.ink)
    finish(rng, plot)


def _ordination(rng: Rng, plot: Plot) -> None:
    parts, colours = [], inks(rng)
    for _ in range(count(rng, 2, 5)):
        centre, spread = rng.uniform(0.2, 0.8, 2), rng.uniform(0.02, 0.12, 2)
        parts.append(centre + rng.normal(size=(count(rng, 4, 120), 2)) * spread)
    _marked(rng, plot, parts, colours)
    if chance(rng, 0.4):
        for part, colour in zip(parts, colours, strict=False):
            turn = np.linspace(0, 2 * np.pi, 40)
            x, y = part.mean(axis=0)
            curve(plot, x + 2 * part[:, 0].std() * np.cos(turn), y + 2 * part[:, 1].std() * np.sin(turn), colour, 0.8)
    if chance(rng, 0.6):
        legend(rng, plot, colours[: len(parts)])
    finish(rng, plot)


def _volcano(rng: Rng, plot: Plot) -> None:
    change = rng.normal(0, 0.14, count(rng, 200, 1200))
    evidence = np.abs(change) * rng.gamma(2, 1.1, change.size) * 1.2 + rng.gamma(1, 0.03, change.size)
    least, most = between(rng, 0.1, 0.2), between(rng, 0.25, 0.45)
    hit, cloud = (np.abs(change) > least) & (evidence > most), np.stack([0.5 + change, evidence], axis=-1)
    colours = pick(
        rng, (["#999999", "#d62728", "#1f77b4"], ["black", "red", "green"], ["#cccccc", "#e08000", "#600080"])
    )
    _marked(rng, plot, [cloud[~hit], cloud[hit & (change > 0)], cloud[hit & (change < 0)]], colours)
    if chance(rng, 0.7):
        for x in (0.5 - least, 0.5 + least):
            plot.sheet.dashes(plot.at(x, 0), plot.at(x, 1), plot.manner.ink, 0.6)
        plot.sheet.dashes(plot.at(0, most), plot.at(1, most), plot.manner.ink, 0.6)
    finish(rng, plot)


def _genome(rng: Rng, plot: Plot) -> None:
    """P values along chromosomes, in two colours by turns."""
    chromosomes, each = count(rng, 8, 22), count(rng, 20, 80)
    parts = [
        np.stack([rng.uniform(number, number + 1, each) / chromosomes, rng.gamma(1.2, 0.09, each)], axis=-1)
        for number in range(chromosomes)
    ]
    _marked(rng, plot, parts, inks(rng)[:2])
    finish(rng, plot)


def _residuals(rng: Rng, plot: Plot) -> None:
    x = rng.gamma(2, 0.15, count(rng, 40, 400))
    _marked(
        rng,
        plot,
        [np.stack([x, 0.5 + rng.normal(0, 0.12, x.size) * (0.4 + x)], axis=-1)],
        [pick(rng, ("black", "#555555", "#1f77b4"))],
    )
    plot.sheet.dashes(plot.at(0, 0.5), plot.at(1, 0.5), pick(rng, ("red", "black", "#888888")), 0.8)
    finish(rng, plot)


def _groups(rng: Rng, plot: Plot) -> None:
    """A cloud of points for each group, with its mean."""
    number, colours = count(rng, 2, 6), inks(rng)
    parts = []
    for group in range(number):
        x, middle = (group + 0.5) / number, between(rng, 0.25, 0.75)
        part = np.stack([x + rng.normal(0, 0.12 / number, 20), rng.normal(middle, 0.09, 20)], axis=-1)
        whisker(plot, x, float(part[:, 1].mean() - 0.08), float(part[:, 1].mean() + 0.08), 0.1 / number)
        parts.append(part)
    _marked(rng, plot, parts, colours)
    finish(rng, plot, names_below(rng, number))


_KINDS: tuple[Callable[[Rng, Plot], None], ...] = (
    _correlation, _correlation, _ordination, _ordination, _volcano, _genome, _residuals, _groups,
)  # fmt: skip


def points(rng: Rng, plot: Plot) -> None:
    """Draw one of them into empty axes."""
    pick(rng, _KINDS)(rng, plot)

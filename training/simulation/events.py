"""Events of a flow cytometer: populations of cells on the scale that they are shown on, and its ticks."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.simulation.dice import Rng, between, chance, count, pick, weighted
from training.simulation.plotting import Ticks, linear_ticks

Events = NDArray[np.float64]
"""Two quantities of each, from 0 to 1 along the axes that show them; of shape (events, 2)."""

_SCATTER = (
    "FSC-A", "SSC-A", "FSC-H", "SSC-H", "FSC-W", "SSC-W", "FSC", "SSC", "Forward scatter", "Side scatter", "FS Lin",
    "SS Lin",
)  # fmt: skip
_MARKERS = (
    "CD4", "CD8", "CD3", "CD19", "CD45", "CD11b", "Ly6G", "Foxp3", "CD25", "IFN-g", "IL-17A", "TNF", "Ki67", "GFP",
    "Annexin V", "PI", "7-AAD", "CD44", "CD62L", "B220", "CD34", "CD56", "HLA-DR", "F4/80", "CD69", "PD-1",
    "Live/Dead", "CFSE",
)  # fmt: skip
_DYES = (
    "FITC-A", "PE-A", "APC-A", "PerCP-Cy5-5-A", "PE-Cy7-A", "BV421-A", "Pacific Blue-A", "FL1-H", "FL2-H", "FL3-H",
    "FL4-A", "AF647-A", "Comp-PE-A", "530/30 Blue-A", "V450-A", "APC-Cy7",
)  # fmt: skip
_NAMINGS = (
    "{dye}",
    "{marker}",
    "{marker} {dye}",
    "{dye} :: {marker}",
    "{dye}: {marker}",
    "<{dye}> {marker}",
    "Comp-{dye} :: {marker}",
)
_RANGES = (1000, 1000, 250_000, 250_000, 250_000, 65_000, 10_000_000)
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_WITHIN_DECADE = np.log10(np.arange(2, 10))
_BELOW_ZERO = 0.12
"""How far the first decade lies from zero where an axis is linear about it, as a share of the axis."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One measured quantity.

    Attributes:
        name: what stands beside it.
        ticks: its numbers.
        minor: places of the small ticks, from 0 to 1.
    """

    name: str
    ticks: Ticks
    minor: Sequence[float]


def scatter_axis(rng: Rng) -> Axis:
    """A linear one, to 1,000 or to 262,144, as the make of the machine is."""
    ticks = linear_ticks(rng, pick(rng, _RANGES))
    pairs = itertools.pairwise(place for place, _ in ticks)
    return Axis(
        pick(rng, _SCATTER), ticks, [float(m) for start, end in pairs for m in np.linspace(start, end, 6)[1:-1]]
    )


def stain_axis(rng: Rng) -> Axis:
    """A logarithmic one, or one with a linear middle about zero."""
    name = pick(rng, _NAMINGS).format(dye=pick(rng, _DYES), marker=pick(rng, _MARKERS))
    style = pick(rng, ("raised", "e", "plain"))
    if chance(rng, 0.4):
        return Axis(name, *_biexponential(rng, style))
    first, decades = pick(rng, (0, 0, 0, 1, 2)), pick(rng, (4, 4, 5))
    ticks = [(decade / decades, _power(decade + first, style)) for decade in range(decades + 1)]
    return Axis(name, ticks, [float((decade + m) / decades) for decade in range(decades) for m in _WITHIN_DECADE])


def _biexponential(rng: Rng, style: str) -> tuple[Ticks, list[float]]:
    zero, first = between(rng, 0.12, 0.3), 3
    step = (0.97 - zero - _BELOW_ZERO) / 2
    places = [zero + _BELOW_ZERO + decade * step for decade in range(3)]
    ticks = [(zero, "0"), *((place, _power(first + decade, style)) for decade, place in enumerate(places))]
    if zero > 1.25 * _BELOW_ZERO:
        ticks.insert(0, (zero - _BELOW_ZERO, "-" + _power(first, style)))
    minor = [float(place + m * step) for place in places[:2] for m in _WITHIN_DECADE]
    return ticks, minor + [float(zero + _BELOW_ZERO * m / 10) for m in range(-9, 10, 3)]


def _power(exponent: int, style: str) -> str:
    if style == "raised":
        return "10" + str(exponent).translate(_SUPERSCRIPT)
    return f"1e{exponent}" if style == "e" else f"{10**exponent}"


@dataclass(frozen=True, slots=True)
class Specimen:
    """Two quantities of many cells."""

    axes: tuple[Axis, Axis]
    events: Events

    def sample(self, rng: Rng, number: int) -> Events:
        """Some of the events: as another specimen of the same kind, with more of one population and less of another."""
        lean = np.exp(rng.normal(0, 2, 2) @ self.events.T)
        return self.events[rng.choice(len(self.events), number, p=lean / lean.sum())]


def specimen(rng: Rng, number: int) -> Specimen:
    """Cells by their scatter, by two stains, or by area and height.

    Args:
        rng: the random numbers.
        number: of events, about.
    """
    kind = weighted(rng, {"scatter": 0.33, "singlets": 0.12, "stains": 0.55})
    if kind == "scatter":
        return Specimen((scatter_axis(rng), scatter_axis(rng)), _by_scatter(rng, number))
    if kind == "singlets":
        return Specimen((scatter_axis(rng), scatter_axis(rng)), _singlets(rng, number))
    other = stain_axis(rng) if chance(rng, 0.8) else scatter_axis(rng)
    return Specimen((stain_axis(rng), other), _by_stain(rng, number))


def _by_scatter(rng: Rng, number: int) -> Events:
    """Debris in the corner, lymphocytes above it, and a cloud of granular cells."""
    share = rng.dirichlet(np.ones(3) * between(rng, 0.5, 3)) * number
    small, large = (between(rng, 0.25, 0.4), between(rng, 0.1, 0.25)), (between(rng, 0.4, 0.7), between(rng, 0.3, 0.75))
    tight, wide = (
        (between(rng, 0.03, 0.07), between(rng, 0.02, 0.06)),
        (between(rng, 0.06, 0.13), between(rng, 0.08, 0.18)),
    )
    parts = [
        _cloud(rng, share[0], (0.06, 0.06), (0.05, 0.05)),
        _cloud(rng, share[1], small, tight),
        _cloud(rng, share[2], large, wide),
    ]
    if chance(rng, 0.7):
        size = np.abs(rng.gamma(2, 0.14, (round(number * between(rng, 0.05, 0.6)), 1)))
        parts.append(
            np.hstack([size, size * between(rng, 0.5, 1.1) + rng.normal(0, 0.04, size.shape) * (1 + 3 * size)])
        )
    return np.clip(np.concatenate(parts), 0, 1)


def _by_stain(rng: Rng, number: int) -> Events:
    """Negative and positive populations, some of them smeared by poor compensation."""
    low, high = between(rng, 0.12, 0.3), between(rng, 0.6, 0.85)
    middle = (between(rng, 0.3, 0.6), between(rng, 0.3, 0.6))
    places = np.asarray([(low, low), (high, low), (low, high), (high, high), middle])
    places = rng.permutation(places + rng.normal(0, 0.04, places.shape))[: count(rng, 1, 5)]
    parts = []
    for (x, y), share in zip(places, rng.dirichlet(np.ones(len(places))), strict=True):
        width = (between(rng, 0.025, 0.1), between(rng, 0.025, 0.1))
        parts.append(_cloud(rng, number * share, (float(x), float(y)), width))
    if chance(rng, 0.4):
        along = rng.uniform(0, 1, (round(number * between(rng, 0.05, 0.4)), 1))
        start, end = places[0], rng.uniform(0.15, 0.85, 2)
        parts.append(start + (end - start) * along + rng.normal(0, 0.05, (len(along), 2)))
    if chance(rng, 0.5):
        parts.append(rng.uniform(0, 1, (round(number * between(rng, 0.005, 0.04)), 2)))
    return np.clip(np.concatenate(parts), 0, 1)


def _singlets(rng: Rng, number: int) -> Events:
    """Area against height: a diagonal, doublets beside it."""
    size = np.clip(rng.gamma(4, 0.09, (number, 1)), 0, 1)
    other = size * between(rng, 0.8, 1) + rng.normal(0, between(rng, 0.008, 0.03), size.shape)
    doublets = rng.random(size.shape) < between(rng, 0, 0.12)
    other = np.where(doublets, other * between(rng, 0.55, 0.75), other)
    return np.asarray(np.clip(np.hstack([size, other]), 0, 1), np.float64)


def _cloud(rng: Rng, number: float, centre: tuple[float, float], width: tuple[float, float]) -> Events:
    """One population: a skewed Gaussian with some correlation."""
    first, second = rng.normal(size=(2, max(round(number), 1)))
    lean, skew = between(rng, -0.4, 0.8), between(rng, 0, 0.6)
    first = first + skew * (first**2 - 1) / 3
    joint = lean * first + np.sqrt(1 - lean**2) * second
    return np.stack([centre[0] + width[0] * first, centre[1] + width[1] * joint], axis=-1)

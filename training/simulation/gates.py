"""Gates: regions around populations, with names and with the share of events within."""

from dataclasses import dataclass

import numpy as np

from training.simulation.dice import Rng, between, chance, count, pick, weighted
from training.simulation.events import Events
from training.simulation.outlines import SQUARE, Outline, blob, placed
from training.simulation.plotting import Plot
from training.simulation.sheet import Ink

NAMES = (
    "Lymphocytes", "Live", "Singlets", "CD4+", "CD8+", "P1", "P2", "R1", "R2", "B cells", "T cells", "NK", "Q2",
    "GFP+", "Treg", "M1", "Gate 1", "",
)  # fmt: skip
"""Of gates; some have none."""

_INKS = ("black", "black", "black", "#d00000", "#0000c0", "#c000c0", "#008000", "#ff8000")
_INKS_ON_DARK = ("white", "#ff4040", "#ffff40")
_NEAR = 0.15


def percent(rng: Rng, share: float) -> str:
    """A share as a program writes it."""
    return f"{100 * share:.{pick(rng, (0, 1, 1, 2))}f}" + pick(rng, ("", "%", " %"))


@dataclass(frozen=True, slots=True)
class Cross:
    """Two lines that part a plot into four quadrants, at x and y from 0 to 1."""

    x: float
    y: float
    numbered: bool

    def shares(self, events: Events) -> list[float]:
        """The share of events in each quadrant: upper left, upper right, lower right, lower left."""
        right, upper = events[:, 0] > self.x, events[:, 1] > self.y
        return [float(inside.mean()) for inside in (~right & upper, right & upper, right & ~upper, ~right & ~upper)]

    def draw(self, rng: Rng, plot: Plot, events: Events, ink: Ink, width: float) -> None:
        """Draw it with the share of events in each quadrant."""
        sheet, size = plot.sheet, plot.manner.size * 1.1
        sheet.line([plot.at(self.x, 0), plot.at(self.x, 1)], ink, width)
        sheet.line([plot.at(0, self.y), plot.at(1, self.y)], ink, width)
        corners = (("lt", 0.03, 0.97), ("rt", 0.97, 0.97), ("rb", 0.97, 0.03), ("lb", 0.03, 0.03))
        for number, ((anchor, x, y), share) in enumerate(zip(corners, self.shares(events), strict=True), start=1):
            text = (f"Q{number}: " if self.numbered else "") + percent(rng, share)
            sheet.words(plot.at(x, y), text, size, ink, anchor=anchor)


@dataclass(frozen=True, slots=True)
class Region:
    """A closed line around a population, in coordinates from 0 to 1, and what stands beside it."""

    corners: Outline
    name: str

    def share(self, events: Events) -> float:
        """The share of events within, by how often a ray from each crosses the line."""
        x, y = events.T
        inside = np.zeros(len(events), bool)
        for (x1, y1), (x2, y2) in zip(self.corners, np.roll(self.corners, 1, axis=0), strict=True):
            if y1 != y2:
                inside ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
        return float(inside.mean())

    def draw(self, rng: Rng, plot: Plot, events: Events, ink: Ink, width: float) -> None:
        """Draw it with the share of events within."""
        plot.sheet.polygon([plot.at(float(x), float(y)) for x, y in self.corners], edge=ink, width=width)
        middle, top = float(self.corners[:, 0].mean()), float(self.corners[:, 1].max())
        size, (x, y) = plot.manner.size * 1.1, plot.at(min(max(middle, 0.2), 0.8), min(0.93, top + 0.06))
        plot.sheet.words((x, y), percent(rng, self.share(events)), size, ink, anchor="mm")
        plot.sheet.words((x, y - size * 1.1), self.name, size, ink, anchor="mm")


def gates(rng: Rng, events: Events) -> list[Cross | Region]:
    """What somebody might draw on these events: nothing, a cross, or a region or two."""
    kind = weighted(rng, {"none": 0.35, "cross": 0.22, "regions": 0.43})
    if kind == "none":
        return []
    if kind == "cross":
        return [Cross(between(rng, 0.3, 0.6), between(rng, 0.3, 0.6), chance(rng, 0.4))]
    return [_region(rng, events) for _ in range(pick(rng, (1, 1, 1, 2, 3)))]


def _region(rng: Rng, events: Events) -> Region:
    near = np.hypot(*(events - events[rng.integers(len(events))]).T) < _NEAR
    x, y = np.median(events[near], axis=0)
    form = pick(rng, ("rectangle", "polygon", "ellipse"))
    corners, turn = SQUARE, 0.0
    if form == "polygon":
        corners, turn = blob(rng, 0.25, 3, count(rng, 4, 8)), between(rng, -0.8, 0.8)
    elif form == "ellipse":
        corners, turn = blob(rng, 0.0, 1, 40), between(rng, -0.8, 0.8)
    size = (between(rng, 0.06, 0.25), between(rng, 0.06, 0.25))
    outline = np.clip(placed(corners, (float(x), float(y)), size, turn), 0.005, 0.995)
    return Region(outline, pick(rng, NAMES) if chance(rng, 0.6) else "")


def draw_gates(rng: Rng, plot: Plot, drawn: list[Cross | Region], events: Events) -> None:
    """Draw gates onto a plot, all in one ink."""
    ink = pick(rng, _INKS_ON_DARK if plot.manner.dark else _INKS)
    width = between(rng, 0.6, 1.8)
    for gate in drawn:
        gate.draw(rng, plot, events, ink, width)

"""Axes in the manners of several programs, onto which data is drawn pixel by pixel."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick, weighted
from training.simulation.sheet import Ink, Point, Sheet, lettering
from training.simulation.textures import Colour, Pixels, Shape, plain

Ticks = Sequence[tuple[float, str]]
"""Places from 0 to 1 along an axis, and what is written there."""

_WHITE, _PALE = (1.0, 1.0, 1.0), (0.92, 0.92, 0.92)
_THOUSAND = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a program draws its axes.

    Attributes:
        size: of numbers, in pixels.
        ground: what lies around the axes.
        face: what lies within them.
        ink: of axes and words.
        grid: colour of the grid, if there is one.
        spines: "box", "corner" for left and bottom alone, or "none".
        inward: whether ticks point into the plot.
        minor: whether there are small ticks between the others.
        font: a name out of the sheet's fonts.
        width: of the axes' lines, in pixels.
        upright: whether the numbers at the left run upwards, as in base R.
        strip: colour of a strip that titles stand in, if they do.
    """

    size: float
    ground: Colour = _WHITE
    face: Colour = _WHITE
    ink: Ink = "black"
    grid: Ink | None = None
    spines: str = "box"
    inward: bool = False
    minor: bool = False
    font: str = "DejaVuSans"
    width: float = 0.7
    upright: bool = False
    strip: Ink | None = None

    @property
    def dark(self) -> bool:
        """Whether light inks are wanted."""
        return sum(self.face) < sum(_WHITE) / 2


def _grey_panel(rng: Rng, size: float) -> Manner:
    strip = "#d9d9d9" if chance(rng, 0.5) else None
    return Manner(size=size, face=_PALE, ink="#444444", grid="white", spines="none", strip=strip)


def _white_panel(rng: Rng, size: float) -> Manner:
    strip = "#d9d9d9" if chance(rng, 0.5) else None
    return Manner(size=size, ink="#333333", grid="#e4e4e4", width=0.6, strip=strip)


def _base_r(rng: Rng, size: float) -> Manner:
    return Manner(size=size, width=between(rng, 0.5, 0.9), upright=True)


def _bold_corner(rng: Rng, size: float) -> Manner:
    return Manner(size=size * 1.1, spines="corner", font=lettering(rng), width=between(rng, 1.1, 1.9))


def _dark(rng: Rng, size: float) -> Manner:
    ground: Colour = pick(rng, ((0.0, 0.0, 0.0), (0.1, 0.1, 0.15), (0.2, 0.2, 0.2)))
    ink = pick(rng, ("white", "#cccccc", "#90ee90"))
    return Manner(size=size, ground=ground, face=ground, ink=ink, inward=chance(rng, 0.5), minor=True)


def _old_window(rng: Rng, size: float) -> Manner:
    ground: Colour = pick(rng, ((0.83, 0.83, 0.8), (0.75, 0.78, 0.8), (0.93, 0.93, 0.88)))
    return Manner(size=size, ground=ground, minor=True, width=0.6, font=lettering(rng))


def _printed(rng: Rng, size: float) -> Manner:
    return Manner(
        size=size,
        grid=pick(rng, (None, None, None, "#dddddd")),
        spines=pick(rng, ("box", "box", "corner")),
        inward=chance(rng, 0.25),
        minor=chance(rng, 0.6),
        font=lettering(rng),
        width=between(rng, 0.5, 1.5),
        upright=chance(rng, 0.15),
    )


_MANNERS: Mapping[Callable[[Rng, float], Manner], float] = {
    _grey_panel: 0.18,
    _white_panel: 0.1,
    _base_r: 0.1,
    _bold_corner: 0.1,
    _dark: 0.08,
    _old_window: 0.06,
    _printed: 0.38,
}


def manner(rng: Rng, low: float = 5, high: float = 10) -> Manner:
    """A program's manner, with the freedom that people take.

    Args:
        rng: the random numbers.
        low: the least size of numbers, in pixels.
        high: the greatest.
    """
    return weighted(rng, _MANNERS)(rng, between(rng, low, high))


@dataclass(frozen=True, slots=True)
class Plot:
    """One pair of axes on a sheet: where they lie and how they look, in pixels."""

    sheet: Sheet
    left: float
    top: float
    width: float
    height: float
    manner: Manner

    def at(self, x: float, y: float) -> Point:
        """Where a place from 0 to 1, upwards and to the right, lies on the sheet."""
        return self.left + x * self.width, self.top + (1 - y) * self.height

    @property
    def shape(self) -> Shape:
        """Height and width of the picture that fills the axes, in pixels."""
        return max(8, round(self.height)), max(8, round(self.width))

    def face(self, horizontal: Ticks = (), vertical: Ticks = ()) -> Pixels:
        """An empty picture to draw data on, with the manner's grid at some ticks."""
        sheet = Sheet(self.shape, self.manner.face)
        Plot(sheet, 0, 0, sheet.width, sheet.height, self.manner).grid(horizontal, vertical)
        return sheet.pixels() if self.manner.grid is not None else plain(self.shape, self.manner.face)

    def clear(self) -> None:
        """Fill the axes with their ground, and draw a grid."""
        self.sheet.box((self.left, self.top), (self.width, self.height), fill=self.manner.face)
        fifths = [(step / 5, "") for step in range(1, 6)]
        self.grid(fifths, fifths)

    def fill(self, image: Image.Image) -> None:
        """Lay a picture of the data into the axes."""
        self.sheet.lay(image, (self.left, self.top), (self.width, self.height))

    def grid(self, horizontal: Ticks, vertical: Ticks) -> None:
        """Draw the manner's grid, if it has one."""
        if self.manner.grid is None:
            return
        for place, _ in horizontal:
            self.sheet.line([self.at(place, 0), self.at(place, 1)], self.manner.grid, 0.7)
        for place, _ in vertical:
            self.sheet.line([self.at(0, place), self.at(1, place)], self.manner.grid, 0.7)

    def axes(
        self, horizontal: Ticks, vertical: Ticks, below: Sequence[float] = (), beside: Sequence[float] = ()
    ) -> None:
        """Draw spines, ticks and numbers, over the data.

        Args:
            horizontal: ticks of the horizontal axis.
            vertical: ticks of the vertical axis.
            below: places of the small ticks of the horizontal axis, from 0 to 1.
            beside: places of the small ticks of the vertical axis.
        """
        look, sheet = self.manner, self.sheet
        if look.spines == "box":
            sheet.box((self.left, self.top), (self.width, self.height), edge=look.ink, width=look.width)
        elif look.spines == "corner":
            sheet.line([self.at(0, 1), self.at(0, 0), self.at(1, 0)], look.ink, look.width)
        long = (-1 if look.inward else 1) * (0.35 * look.size + 1)
        for place, text in horizontal:
            x, y = self.at(place, 0)
            sheet.line([(x, y), (x, y + long)], look.ink, look.width)
            sheet.words((x, y + max(long, 0) + 1.5), text, look.size, look.ink, anchor="mt")
        for place, text in vertical:
            x, y = self.at(0, place)
            sheet.line([(x, y), (x - long, y)], look.ink, look.width)
            if look.upright:
                sheet.words((x - max(long, 0) - 0.7 * look.size, y), text, look.size, look.ink, turned=90)
            else:
                sheet.words((x - max(long, 0) - 2, y), text, look.size, look.ink, anchor="rm")
        if look.minor:
            for x, y in (self.at(place, 0) for place in below):
                sheet.line([(x, y), (x, y + long / 2)], look.ink, look.width * 0.8)
            for x, y in (self.at(0, place) for place in beside):
                sheet.line([(x, y), (x - long / 2, y)], look.ink, look.width * 0.8)

    def names(self, horizontal: str, vertical: str, title: str = "") -> None:
        """Write what the axes show."""
        look, size, middle = self.manner, self.manner.size * 1.15, self.left + self.width / 2
        gap = 2.3 * look.size + 4
        self.sheet.words((middle, self.top + self.height + gap), horizontal, size, look.ink, anchor="mt")
        aside = max(size * 0.7, self.left - 3.6 * look.size - 3)
        self.sheet.words((aside, self.top + self.height / 2), vertical, size, look.ink, turned=90)
        if not title:
            return
        if look.strip is not None:
            high = 1.7 * look.size
            self.sheet.box((self.left, self.top - high), (self.width, high), fill=look.strip)
            self.sheet.words((middle, self.top - high / 2), title, look.size, look.ink, anchor="mm")
        else:
            self.sheet.words((middle, self.top - 3), title, size * 1.1, look.ink, anchor="mb")


def plots(rng: Rng, shape: Shape, look: Manner, rows: int = 1, columns: int = 1) -> list[Plot]:
    """Axes side by side on one sheet, with room for numbers and names around each.

    Args:
        rng: the random numbers.
        shape: of the sheet.
        look: how they are drawn.
        rows: of axes.
        columns: of axes.
    """
    sheet = Sheet(shape, look.ground, look.font)
    wide, high = shape[1] / columns, shape[0] / rows
    left = min(5.2 * look.size + 6, wide * 0.3)
    below = min(4.2 * look.size + 6, high * 0.32)
    above, right = min(between(rng, 6, 24), high * 0.2), between(rng, 4, 14)
    return [
        Plot(sheet, column * wide + left, row * high + above, wide - left - right, high - above - below, look)
        for row in range(rows)
        for column in range(columns)
    ]


def linear_ticks(rng: Rng, most: float) -> Ticks:
    """Round numbers from 0 to about `most`."""
    steps = count(rng, 3, 6)
    step = float(f"{most / (steps - 1):.1g}")
    short = step >= _THOUSAND and chance(rng, 0.6)
    return [
        (float(place), f"{step * number / _THOUSAND:g}K" if short else f"{step * number:g}")
        for number, place in enumerate(np.linspace(0, between(rng, 0.85, 1), steps))
    ]

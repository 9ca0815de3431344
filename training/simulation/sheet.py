"""A sheet to draw lines, shapes and words on, at twice the size it will have."""

import functools
import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.textures import Colour, Pixels, Shape

Ink = str | Colour
"""A name or code that Pillow knows, or red, green and blue from 0 to 1."""

Point = tuple[float, float]
"""x and y in pixels of the finished picture."""

FONTS = ("DejaVuSans", "DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono", "STIXGeneral", "cmss10")
"""Fonts that come with matplotlib, so that a picture looks the same on every machine."""

_FACTOR = 2
_LENGTHS = ("1", "2", "5", "10", "20", "50", "100", "200", "500")


@functools.cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), size)


def lettering(rng: Rng) -> str:
    """The name of a font."""
    return pick(rng, FONTS)


def _ink(ink: Ink) -> str | tuple[int, ...]:
    return ink if isinstance(ink, str) else tuple(round(255 * min(max(part, 0.0), 1.0)) for part in ink)


class Sheet:
    """Coordinates and widths are in pixels of the finished picture.

    Args:
        shape: height and width of the finished picture.
        ground: what it is filled with.
        font: a name out of `FONTS`.
    """

    def __init__(self, shape: Shape, ground: Ink = "white", font: str = "DejaVuSans") -> None:
        self.height, self.width = shape
        self.font = font
        self._image = Image.new("RGB", (_FACTOR * self.width, _FACTOR * self.height), _ink(ground))
        self._draw = ImageDraw.Draw(self._image)

    def line(self, points: Sequence[Point] | NDArray[np.float32], ink: Ink = "black", width: float = 1.0) -> None:
        """Draw straight from point to point."""
        scaled = [(_FACTOR * float(x), _FACTOR * float(y)) for x, y in points]
        self._draw.line(scaled, _ink(ink), max(1, round(_FACTOR * width)), joint="curve")

    def dashes(self, start: Point, end: Point, ink: Ink = "black", width: float = 1.0, length: float = 4.0) -> None:
        """Draw a dashed line."""
        reach = math.dist(start, end)
        for at in np.arange(0, reach, 2 * length):
            ends = [
                (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)
                for share in (at / reach, min(at + length, reach) / reach)
            ]
            self.line(ends, ink, width)

    def polygon(
        self,
        points: Sequence[Point] | NDArray[np.float32],
        fill: Ink | None = None,
        edge: Ink | None = None,
        width: float = 1.0,
    ) -> None:
        """Fill the inside of a closed line, or draw the line, or both."""
        scaled = [(_FACTOR * float(x), _FACTOR * float(y)) for x, y in points]
        if fill is not None:
            self._draw.polygon(scaled, _ink(fill))
        if edge is not None:
            self._draw.line([*scaled, scaled[0]], _ink(edge), max(1, round(_FACTOR * width)), joint="curve")

    def box(
        self, corner: Point, size: Point, fill: Ink | None = None, edge: Ink | None = None, width: float = 1.0
    ) -> None:
        """Draw a rectangle by its upper left corner, its width and its height."""
        left, right = sorted((corner[0], corner[0] + size[0]))
        top, bottom = sorted((corner[1], corner[1] + size[1]))
        bounds = [_FACTOR * value for value in (left, top, right, bottom)]
        stroke = max(1, round(_FACTOR * width)) if edge is not None else 0
        self._draw.rectangle(bounds, None if fill is None else _ink(fill), None if edge is None else _ink(edge), stroke)

    def ellipse(
        self, centre: Point, radii: Point, fill: Ink | None = None, edge: Ink | None = None, width: float = 1.0
    ) -> None:
        """Draw an ellipse with its axes along the sheet's."""
        (x, y), (across, down) = centre, (abs(radii[0]), abs(radii[1]))
        bounds = [_FACTOR * value for value in (x - across, y - down, x + across, y + down)]
        stroke = max(1, round(_FACTOR * width)) if edge is not None else 0
        self._draw.ellipse(bounds, None if fill is None else _ink(fill), None if edge is None else _ink(edge), stroke)

    def wedge(self, centre: Point, radius: float, angles: Point, fill: Ink, edge: Ink | None = None) -> None:
        """Draw a slice of a pie between two angles in degrees."""
        bounds = [_FACTOR * v for v in (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)]
        self._draw.pieslice(bounds, *angles, fill=_ink(fill), outline=None if edge is None else _ink(edge))

    def words(
        self, at: Point, text: str, size: float = 9.0, ink: Ink = "black", *, anchor: str = "la", turned: float = 0.0
    ) -> None:
        """Write one line.

        Args:
            at: where the anchor goes.
            text: what to write.
            size: of the font, in pixels.
            ink: its colour.
            anchor: two letters, as Pillow has them; a turned text is held by its centre whatever they say.
            turned: degrees against the clock.
        """
        font = _font(self.font, max(4, round(_FACTOR * size)))
        place = (_FACTOR * at[0], _FACTOR * at[1])
        if not turned:
            self._draw.text(place, text, _ink(ink), font, anchor=anchor)
            return
        left, top, right, bottom = (math.floor(value) for value in font.getbbox(text))
        mask = Image.new("L", (right - left + 4, bottom - top + 4))
        ImageDraw.Draw(mask).text((2 - left, 2 - top), text, 255, font)
        mask = mask.rotate(turned, expand=True, resample=Image.Resampling.BICUBIC)
        corner = (round(place[0] - mask.width / 2), round(place[1] - mask.height / 2))
        self._image.paste(Image.new("RGB", mask.size, _ink(ink)), corner, mask)

    def lay(self, image: Image.Image, corner: Point, size: Point) -> None:
        """Lay a picture onto the sheet, scaled to a width and a height."""
        bounds = (max(1, round(_FACTOR * size[0])), max(1, round(_FACTOR * size[1])))
        place = (round(_FACTOR * corner[0]), round(_FACTOR * corner[1]))
        self._image.paste(image.convert("RGB").resize(bounds, Image.Resampling.BICUBIC), place)

    def finished(self) -> Image.Image:
        """The picture at its own size."""
        return self._image.resize((self.width, self.height), Image.Resampling.BOX)

    def pixels(self) -> Pixels:
        """The picture as an array, from 0 to 1."""
        return np.asarray(self.finished(), np.float32) / 255


def picture(pixels: Pixels) -> Image.Image:
    """An array of shape (height, width, 3) or (height, width) from 0 to 1 as a picture; what is beyond is clipped."""
    whole = np.clip(pixels * 255 + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(whole).convert("RGB")


def sheet_of(image: Image.Image, font: str = "DejaVuSans") -> Sheet:
    """A sheet that already shows a picture."""
    sheet = Sheet((image.height, image.width), font=font)
    sheet.lay(image, (0, 0), (image.width, image.height))
    return sheet


def scale_bar(rng: Rng, image: Image.Image, units: Sequence[str], ink: Ink | None = None) -> Image.Image:
    """A picture with a bar in a corner that says how long something is, often with a number on it.

    Args:
        rng: the random numbers.
        image: the picture.
        units: one of them follows the number.
        ink: of the bar; white or black by chance if none is given.
    """
    sheet = sheet_of(image, lettering(rng))
    colour: Ink = ink if ink is not None else pick(rng, ("white", "black"))
    length, margin = sheet.width * between(rng, 0.1, 0.28), between(rng, 5, 14)
    left = margin if chance(rng, 0.3) else sheet.width - margin - length
    top = sheet.height - margin - between(rng, 2, 5)
    sheet.box((left, top), (length, between(rng, 1.5, 4.5)), fill=colour)
    if chance(rng, 0.6):
        text, size = f"{pick(rng, _LENGTHS)} {pick(rng, units)}", between(rng, 7, 12)
        sheet.words((left + length / 2, top - 2), text, size, colour, anchor="mb")
    return sheet.finished()


def frame(rng: Rng, least: float = 0.6, most: float = 1.6) -> Shape:
    """Height and width of a picture, whose longer side has 200 to 420 pixels.

    Args:
        rng: the random numbers.
        least: width over height at least.
        most: and at most.
    """
    longest = count(rng, 210, 410)
    aspect = math.exp(between(rng, math.log(least), math.log(most)))
    if aspect >= 1:
        return max(24, round(longest / aspect)), longest
    return longest, max(24, round(longest * aspect))

"""Several pictures of a kind in one: rows and columns of panels, as figures show them."""

from collections.abc import Callable, Sequence

from PIL import Image, ImageOps

from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.sheet import Ink, Sheet, lettering

Drawing = Callable[[Rng], Image.Image]
"""Draws one picture with what some random numbers say."""

_CHANNELS = (
    "DAPI",
    "GFP",
    "Merge",
    "Actin",
    "10x",
    "40x",
    "WT",
    "KO",
    "Control",
    "Day 3",
    "0 h",
    "24 h",
    "H&E",
    "siRNA",
    "a",
    "b",
    "c",
    "i",
    "ii",
)


def montage(drawings: Sequence[Drawing]) -> Drawing:
    """A drawing that lays pictures of one or two others beside each other."""

    def draw(rng: Rng) -> Image.Image:
        rows, columns = pick(rng, ((1, 2), (1, 3), (1, 4), (2, 2), (2, 2), (2, 3), (3, 3), (2, 1), (3, 2), (2, 4)))
        kinds = [pick(rng, drawings) for _ in range(pick(rng, (1, 1, 1, 2, rows)))]
        aspect = between(rng, 0.75, 1.4)
        wide = count(rng, 230, 410) / max(columns, rows / aspect)
        high, gap = wide / aspect, pick(rng, (0.0, 1.0, 2.0, 4.0))
        shrink = 410 / max(410.0, rows * high, columns * wide)
        high, wide = high * shrink, wide * shrink
        sheet = Sheet(
            (round(rows * high), round(columns * wide)), pick(rng, ("white", "white", "black")), lettering(rng)
        )
        named, ink, size = chance(rng, 0.4), pick(rng, ("white", "white", "black", "yellow")), between(rng, 7, 11)
        for row in range(rows):
            for column in range(columns):
                panel = kinds[row % len(kinds)](rng)
                fitted = ImageOps.fit(
                    panel, (max(20, round(wide - gap)), max(20, round(high - gap))), Image.Resampling.BICUBIC
                )
                sheet.lay(fitted, (column * wide, row * high), (wide - gap, high - gap))
                if named:
                    _name(rng, sheet, (column * wide, row * high), size, ink)
        return sheet.finished()

    return draw


def _name(rng: Rng, sheet: Sheet, corner: tuple[float, float], size: float, ink: Ink) -> None:
    sheet.words((corner[0] + 4, corner[1] + 3), pick(rng, _CHANNELS), size, ink)

"""Sequences and codes: alignments, bar codes, squares that a scanner reads."""

import numpy as np
from PIL import Image

from training.simulation.dice import Rng, between, count, pick
from training.simulation.documents import word
from training.simulation.sheet import Point, Sheet, frame, lettering

_ALPHABETS = (
    ("ACGT", ("#33a02c", "#1f78b4", "#f0c000", "#e31a1c")),
    ("ACDEFGHIKLMNPQRSTVWY", ("#80a0f0", "#f01505", "#00ff00", "#c048c0", "#f09048", "#15a4a4", "#c0c000")),
)


def alignment(rng: Rng) -> Image.Image:
    """Sequences one below the other, shaded where they agree, or coloured by letter."""
    shape, rows = frame(rng, 1.1, 3.5), count(rng, 3, 14)
    sheet, (letters, colours) = Sheet(shape, "white", "DejaVuSansMono"), pick(rng, _ALPHABETS)
    high, names = shape[0] / (rows + 1), between(rng, 20, 60)
    wide, style = max(4.0, high * between(rng, 0.5, 0.7)), pick(rng, ("shaded", "boxes", "letters", "plain"))
    ancestor = rng.integers(len(letters), size=int((shape[1] - names) / wide))
    for row in range(rows):
        y = high * (row + 0.5)
        sheet.words((2, y + high / 2), f"{word(rng)[:5]}_{row + 1}", min(high * 0.7, 9), anchor="lm")
        kept = rng.random(ancestor.size) < between(rng, 0.6, 0.98)
        own = np.where(kept, ancestor, rng.integers(len(letters), size=ancestor.size))
        for column, letter in enumerate(own.tolist()):
            x, ink, colour = names + column * wide, "black", colours[letter % len(colours)]
            if style == "boxes":
                sheet.box((x, y), (wide, high), colour)
            elif style == "letters":
                ink = colour
            elif style == "shaded" and kept[column]:
                sheet.box((x, y), (wide, high), "black" if column % 3 else "#888888")
                ink = "white"
            sheet.words((x + wide / 2, y + high / 2), letters[letter], high * 0.75, ink, anchor="mm")
    return sheet.finished()


def bar_code(rng: Rng) -> Image.Image:
    """Stripes with digits below."""
    shape = frame(rng, 0.9, 4)
    sheet = Sheet(shape, pick(rng, ("white", "white", "#f0ead8")), lettering(rng))
    ink, thin = pick(rng, ("black", "black", "#222255")), between(rng, 0.8, 2.4)
    x, margin = shape[1] * 0.06, shape[0] * between(rng, 0.03, 0.15)
    while x < shape[1] - 0.06 * shape[1]:
        wide = thin * count(rng, 1, 4)
        sheet.box((x, margin), (wide, shape[0] - 2 * margin - 14), ink)
        x += wide + thin * count(rng, 1, 4)
    digits = " ".join(str(count(rng, 0, 9)) for _ in range(13))
    sheet.words((shape[1] / 2, shape[0] - margin - 2), digits, 9, ink, anchor="mb")
    return sheet.finished()


def _finder(sheet: Sheet, corner: Point, step: float, ink: str) -> None:
    """One of the three marks by which a scanner finds a code."""
    for inset, fill in ((0, ink), (1, "white"), (2, ink)):
        side = (7 - 2 * inset) * step
        sheet.box((corner[0] + inset * step, corner[1] + inset * step), (side, side), fill)


def matrix_code(rng: Rng) -> Image.Image:
    """Black and white squares with three marks in the corners."""
    shape, number = frame(rng, 0.8, 1.4), count(rng, 21, 37)
    sheet, ink = Sheet(shape, pick(rng, ("white", "white", "#f0ead8"))), pick(rng, ("black", "black", "#222255"))
    side = min(shape) * between(rng, 0.7, 0.95)
    step, left, top = side / number, (shape[1] - side) / 2, (shape[0] - side) / 2
    for row, column in np.argwhere(rng.integers(2, size=(number, number))).tolist():
        sheet.box((left + column * step, top + row * step), (step, step), ink)
    for right, below in ((0, 0), (number - 7, 0), (0, number - 7)):
        _finder(sheet, (left + right * step, top + below * step), step, ink)
    return sheet.finished()

"""Pages, tables, windows and formulae: what is mostly words and boxes."""

import itertools

from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick, weighted
from training.simulation.sheet import Ink, Point, Sheet, frame, lettering

_SYLLABLES = (
    "ta", "ri", "lo", "en", "mu", "so", "per", "in", "com", "re", "ti", "on", "al", "ing", "ca", "de", "pro", "ex",
    "st", "le", "a", "the", "of", "cell", "gen", "ine", "is", "was", "um", "vi",
)  # fmt: skip
_SCREENS = (
    ("#ffffff", "#24292e", "#0366d6"),
    ("#1e1e1e", "#d4d4d4", "#569cd6"),
    ("#f5f5f5", "#333333", "#e95420"),
    ("#002b36", "#93a1a1", "#b58900"),
    ("#ececec", "#000000", "#2a6fdb"),
)
"""Ground, ink and accent."""

_HEADS = {"#4472c4": "white", "#2e7d32": "white", "#dddddd": "black", "white": "black", "#f4b183": "black"}
"""Grounds of a table's first row, and the ink upon each."""

_TERMS = ("x", "y", "\u03b1", "β", "∂f", "∫", "Σ", "λ", "μ", "σ²", "E[X]", "∇·F", "n!", "log p", "θ̂", "sin φ", "e⁻ᵏᵗ")
_SIGNS = (" + ", " = ", " \u2212 ", " · ", " ≤ ", "/", " ")
_FRACTION = "2π√(1\u2212λ²)"


def word(rng: Rng) -> str:
    """Something that could be a word."""
    return "".join(pick(rng, _SYLLABLES) for _ in range(pick(rng, (1, 1, 2, 2, 3, 4))))


def _sentence(rng: Rng, letters: int) -> str:
    text = word(rng).capitalize()
    while len(text) < letters:
        text += pick(rng, (" ", " ", " ", " ", " ", ", ", ". ")) + word(rng)
    return text[:letters]


def _column(rng: Rng, sheet: Sheet, corner: Point, size: Point, letter: float) -> None:
    """Fill a column with lines of text and headings between them."""
    (left, y), letters = corner, max(4, int(size[0] / (0.52 * letter)))
    while y + letter < corner[1] + size[1]:
        line = weighted(rng, {"full": 0.8, "short": 0.12, "heading": 0.08})
        if line == "heading":
            sheet.words((left, y + 0.7 * letter), _sentence(rng, letters // 3), letter * 1.25)
            y += letter * 2.6
            continue
        share = 1.0 if line == "full" else between(rng, 0.2, 0.7)
        sheet.words((left, y), _sentence(rng, round(letters * share)), letter)
        y += letter * (1.35 if line == "full" else 2.0)


def page(rng: Rng) -> Image.Image:
    """A page of text, in one column or several."""
    shape = frame(rng, 0.6, 1.5)
    sheet, letter = (
        Sheet(shape, pick(rng, ("white", "white", "#fbf6e8", "#efefef")), lettering(rng)),
        between(rng, 4, 13),
    )
    margin, columns = between(rng, 5, 30), pick(rng, (1, 1, 2, 2, 3))
    top, wide = margin, (shape[1] - 2 * margin) / columns
    if chance(rng, 0.5):
        sheet.words((shape[1] / 2, margin), _sentence(rng, int(shape[1] / letter / 1.4)), letter * 1.7, anchor="mt")
        top += letter * 3.5
    for column in range(columns):
        _column(rng, sheet, (margin + column * wide, top), (wide - 8, shape[0] - margin - top), letter)
    return sheet.finished()


def _cell(rng: Rng) -> str:
    kind = pick(rng, ("{:.1f}", "{:.0f}", "{:.2f} ± 0.1", "{:.3f}", "-", "yes"))
    return kind.format(between(rng, 0, 100))


def table(rng: Rng) -> Image.Image:
    """Rows and columns of numbers and names."""
    shape = frame(rng, 0.8, 2.5)
    sheet, rows, columns = Sheet(shape, "white", lettering(rng)), count(rng, 3, 18), count(rng, 2, 9)
    margin = between(rng, 2, 16)
    high, wide = (shape[0] - 2 * margin) / rows, (shape[1] - 2 * margin) / columns
    head, stripe = pick(rng, tuple(_HEADS)), pick(rng, ("white", "white", "#f2f2f2", "#dce6f1"))
    ruled, letter = pick(rng, ("cells", "rows", "head", "none")), min(high * 0.6, wide / 5.0)
    for row, column in itertools.product(range(rows), range(columns)):
        left, top = margin + column * wide, margin + row * high
        fill = head if row == 0 else stripe if row % 2 else "white"
        sheet.box((left, top), (wide, high), fill, "#666666" if ruled == "cells" else None, 0.6)
        text = word(rng)[:8].capitalize() if row == 0 or column == 0 else _cell(rng)
        ink = _HEADS[head] if row == 0 else "black"
        sheet.words((left + wide / 2, top + high / 2), text, letter, ink, anchor="mm")
    lines = {"rows": range(rows + 1), "head": (0, 1, rows)}.get(ruled, ())
    for row in lines:
        y = margin + row * high
        sheet.line([(margin, y), (shape[1] - margin, y)], "black", 0.8)
    return sheet.finished()


def _sidebar(rng: Rng, sheet: Sheet, top: float, wide: float, letter: float, accent: str) -> None:
    sheet.box((0, top), (wide, sheet.height), pick(rng, ("#e8e8e8", "#2d2d2d", "#f3f6fa")))
    y = top + 10
    while y < sheet.height:
        sheet.box((6, y), (letter * 0.8, letter * 0.8), accent)
        sheet.words((10 + letter, y), word(rng), letter * 0.9, "#888888")
        y += letter * 2.2


def _widget(rng: Rng, sheet: Sheet, at: Point, letter: float, inks: tuple[str, str]) -> float:
    """A button, a field, a heading or a line of text; gives how high it is."""
    (left, y), (ink, accent), wide = at, inks, sheet.width - at[0] - 8
    kind = weighted(rng, {"button": 0.15, "field": 0.15, "heading": 0.15, "text": 0.55})
    if kind == "button":
        across = between(rng, 30, 80)
        sheet.box(at, (across, letter * 2), accent)
        sheet.words((left + across / 2, y + letter), word(rng)[:8], letter, "white", anchor="mm")
        return letter * 3
    if kind == "field":
        sheet.box(at, (wide, letter * 2.4), None, "#aaaaaa", 0.7)
        return letter * 3.6
    if kind == "heading":
        sheet.words(at, _sentence(rng, 16), letter * 1.7, ink)
        return letter * 2.8
    letters = max(3, int(wide / letter / 0.62 * between(rng, 0.2, 1)))
    sheet.words((left + letter * count(rng, 0, 3), y), _sentence(rng, letters), letter, pick(rng, (ink, ink, accent)))
    return letter * 1.6


def window(rng: Rng) -> Image.Image:
    """A program or a web page: bars, buttons, menus, a list, a terminal."""
    shape = frame(rng, 0.6, 2)
    ground, ink, accent = pick(rng, _SCREENS)
    sheet = Sheet(shape, ground, pick(rng, ("DejaVuSans", "DejaVuSansMono", "DejaVuSans")))
    bar, letter = between(rng, 12, 24), between(rng, 5, 9)
    sheet.box((0, 0), (shape[1], bar), pick(rng, ("#dddddd", accent, "#3c3f41", "#24292e")))
    for number, light in enumerate(("#ff5f56", "#ffbd2e", "#27c93f") if chance(rng, 0.5) else ("#888888",)):
        sheet.ellipse((8 + 11 * number, bar / 2), (3.5, 3.5), light)
    sheet.words((shape[1] / 2, bar / 2), _sentence(rng, 14), letter, "#999999", anchor="mm")
    left, y = 8.0, bar + between(rng, 6, 20)
    if chance(rng, 0.6):
        left = shape[1] * between(rng, 0.15, 0.35)
        _sidebar(rng, sheet, bar, left - 6, letter, accent)
    while y < shape[0] - letter:
        y += _widget(rng, sheet, (left, y), letter, (ink, accent))
    return sheet.finished()


def _formula(rng: Rng) -> str:
    return "".join(pick(rng, _TERMS) + pick(rng, _SIGNS) for _ in range(count(rng, 3, 9)))


def equations(rng: Rng) -> Image.Image:
    """Formulae, as set in print or on a board."""
    shape, on_board = frame(rng, 0.9, 3), chance(rng, 0.15)
    ground, ink = ("#1a2a1f", "white") if on_board else ("white", "black")
    sheet = Sheet(shape, ground, pick(rng, ("STIXGeneral", "STIXGeneralItalic", "DejaVuSerif")))
    letter, y = between(rng, 9, 20), between(rng, 10, 24)
    colour: Ink = ink
    while y < shape[0] - 8:
        sheet.words((between(rng, 6, 60), y), _formula(rng), letter, colour, anchor="lm")
        sheet.words((shape[1] - 4, y), f"({count(rng, 1, 30)})", letter * 0.8, colour, anchor="rm")
        if chance(rng, 0.4):
            x = between(rng, 30, shape[1] / 2)
            sheet.line([(x, y + letter), (x + 60, y + letter)], colour, 0.8)
            sheet.words((x + 30, y + 1.6 * letter), _FRACTION, letter * 0.8, colour, anchor="mm")
            y += letter
        y += letter * between(rng, 1.8, 3)
    return sheet.finished()

"""Boxes or circles joined by lines: flow charts, pathways, trees."""

import itertools
import math

from PIL import Image

from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.outlines import scattered
from training.simulation.sheet import Ink, Point, Sheet, frame, lettering

_PALE = ("#dae8fc", "#d5e8d4", "#ffe6cc", "#fff2cc", "#f8cecc", "#e1d5e7", "white", "#f5f5f5")
_BOLD = ("#e41a1c", "#377eb8", "#4daf4a", "#984ea3", "#ff7f00", "#222222", "#00a0a0", "#c0a000")
_STEPS = (
    "Start", "Sample", "RNA-seq", "n = 124", "Excluded", "Randomised", "Filter", "Model", "Input", "Output", "PCR",
    "Align", "Mice", "Analyse", "Train", "EGFR", "RAS", "MEK", "p53", "ROS", "Follow-up",
)  # fmt: skip
_SPECIES = (
    "Homo sapiens", "Mus musculus", "D. rerio", "A. thaliana", "E. coli K12", "S. cerevisiae", "C. elegans",
    "strain 12", "Sample 7",
)  # fmt: skip


def arrow(sheet: Sheet, start: Point, end: Point, ink: Ink = "black", width: float = 1.0) -> None:
    """Draw a line with a head at its end."""
    turn, long = math.atan2(end[1] - start[1], end[0] - start[0]), 4 + 2 * width
    wings = [(end[0] - long * math.cos(turn + side), end[1] - long * math.sin(turn + side)) for side in (-0.45, 0.45)]
    sheet.line([start, end], ink, width)
    sheet.polygon([end, *wings], ink)


def _step(sheet: Sheet, at: Point, size: Point, form: str, fill: Ink) -> None:
    """A box of a flow chart about a place, of half a width and half a height."""
    (x, y), (wide, high) = at, size
    if form == "round":
        sheet.ellipse(at, size, fill, "black")
    elif form == "diamond":
        sheet.polygon([(x - wide, y), (x, y - high), (x + wide, y), (x, y + high)], fill, "black")
    else:
        sheet.box((x - wide, y - high), (2 * wide, 2 * high), fill, "black")


def flow_chart(rng: Rng) -> Image.Image:
    """Boxes and arrows."""
    shape = frame(rng, 0.6, 2)
    sheet = Sheet(shape, pick(rng, ("white", "white", "#fafafa", "#f0f4ff")), lettering(rng))
    rows, columns = count(rng, 2, 6), count(rng, 1, 4)
    high, wide = shape[0] / rows, shape[1] / columns
    size, form, grey = min(wide / 8, high / 4, 12), pick(rng, ("box", "box", "round", "diamond")), chance(rng, 0.3)
    for row, column in itertools.product(range(rows), range(columns)):
        if row and chance(rng, 0.15):
            continue
        x, y = wide * (column + 0.5), high * (row + 0.5)
        if row and chance(rng, 0.85):
            arrow(sheet, (x, y - high * 0.72), (x, y - high * 0.3))
        if column and chance(rng, 0.5):
            arrow(sheet, (x - wide * 0.62, y), (x - wide * 0.4, y))
        _step(sheet, (x, y), (wide * 0.38, high * 0.28), form, "white" if grey else pick(rng, _PALE))
        sheet.words((x, y), pick(rng, _STEPS), size, anchor="mm")
    return sheet.finished()


def pathway(rng: Rng) -> Image.Image:
    """A network of circles with names."""
    shape = frame(rng, 0.8, 1.6)
    sheet = Sheet(shape, pick(rng, ("white", "white", "#eef7ee", "#fdf6e3", "#101020")), lettering(rng))
    inks = [pick(rng, _BOLD) for _ in range(4)]
    places = list(scattered(rng, shape, count(rng, 5, 40), 22, 16))
    for start, end in itertools.combinations(places, 2):
        if math.dist(start, end) > between(rng, 20, 110):
            continue
        if chance(rng, 0.4):
            arrow(sheet, start, end, "#888888", 0.8)
        else:
            sheet.line([start, end], "#999999", between(rng, 0.5, 1.5))
    for place in places:
        radius = between(rng, 4, 14)
        sheet.ellipse(place, (radius * between(rng, 1, 1.8), radius), pick(rng, inks), pick(rng, ("black", "white")))
        sheet.words(place, pick(rng, _STEPS)[:6], radius * 0.75, "white", anchor="mm")
    return sheet.finished()


def tree(rng: Rng) -> Image.Image:
    """A phylogenetic tree or a dendrogram."""
    shape = frame(rng, 0.6, 1.6)
    sheet, leaves, width = Sheet(shape, "white", lettering(rng)), count(rng, 6, 28), between(rng, 0.6, 1.8)
    ink, named = pick(rng, ("black", "black", "#204080", "#803020")), chance(rng, 0.7)
    right = shape[1] * (0.68 if named else 0.95)
    nodes = [(right, shape[0] * (leaf + 0.5) / leaves) for leaf in range(leaves)]
    for x, y in nodes if named else ():
        sheet.words((x + 3, y), pick(rng, _SPECIES), min(9.0, shape[0] / leaves * 0.8), anchor="lm")
    while len(nodes) > 1:
        at = count(rng, 0, len(nodes) - 2)
        (x1, y1), (x2, y2) = nodes[at], nodes[at + 1]
        x, y = max(min(x1, x2) - between(rng, 0.3, 1.2) * right / leaves**0.75, 6.0), (y1 + y2) / 2
        sheet.line([(x1, y1), (x, y1), (x, y2), (x2, y2)], ink, width)
        if chance(rng, 0.3):
            sheet.words((x + 2, y), str(count(rng, 50, 100)), 6, "#a02020", anchor="lm")
        nodes[at : at + 2] = [(x, y)]
    return sheet.finished()

"""Plots of what a folder of images holds: its classes, their colours, the sizes of the images; no image is shown."""

from collections import Counter

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.inspection import Class, Inspection, Shades
from training.looks import LEVELS
from training.reporting import BLUE, GREY, INK, ORANGE, png, shortened

_GREEN, _RED = "#3a7d44", "#b3261e"
_CHANNELS = {"grey": INK, "red": _RED, "green": _GREEN, "blue": BLUE}
_SOURCES = (BLUE, ORANGE, _GREEN, "#7a5195", "#b08900", "#5b8c9e", _RED)
_OTHER = "other sources"
# More rows or panels would make a poster; report.json holds them all.
_MOST_ROWS, _MOST_PANELS, _COLUMNS = 60, 40, 4
# The curves are drawn to this percentile of their heights: a black ground may hold half of the pixels in one level.
_SHOWN = 98


def plots(found: Inspection) -> dict[str, bytes]:
    """Every plot of an inspection, PNG by file name.

    Args:
        found: in the folder.
    """
    return {"classes.png": classes(found), "colours.png": colours(found), "sizes.png": sizes(found)}


def classes(found: Inspection) -> bytes:
    """Images of each class, the largest first, and of which source they are.

    Args:
        found: in the folder.
    """
    shown = _largest(found, _MOST_ROWS)
    rows = range(len(shown))
    figure = Figure(figsize=(7.2, 1.3 + 0.26 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    left = np.zeros(len(shown))
    for name, colour in _colours_of_sources(found).items():
        images = np.array([_images_of(item, name, found) for item in shown])
        axes.barh(rows, images, left=left, color=colour, height=0.7, label=shortened(name))
        left += images
    axes.set_yticks(rows, [shortened(item.label) for item in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set(xlabel="images", title=_entitled("Images of each class", shown, found))
    if len(_colours_of_sources(found)) > 1:
        axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return png(figure)


def colours(found: Inspection) -> bytes:
    """For each class, how many pixels have which level of red, green and blue; one curve where it is grey.

    Args:
        found: in the folder.
    """
    shown = [item for item in _largest(found, _MOST_PANELS) if item.shades is not None]
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(0.6 + 2.3 * columns, 0.7 + 1.7 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for axes, item in zip(panels, shown, strict=False):
        _curves(axes, item.label, item.shades)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    # The lowest panel of each column has the scale, also where the last row is not full.
    for axes in panels[max(len(shown) - columns, 0) : len(shown)]:
        axes.tick_params(labelbottom=True)
    figure.supxlabel("level", fontsize=8)
    figure.supylabel("share of pixels, %", fontsize=8)
    return png(figure)


def sizes(found: Inspection) -> bytes:
    """Width and height of each image; the darker a point, the more images have this size.

    Args:
        found: in the folder.
    """
    counts = Counter((look.width, look.height) for look in found.looks)
    # The commonest are drawn last, over the others.
    points = sorted(counts, key=lambda size: (counts[size], size))
    weights = np.log1p([counts[point] for point in points])
    longest = max(max(point) for point in points)
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot((0, 1.1 * longest), (0, 1.1 * longest), color=GREY, linewidth=1)
    across, down = zip(*points, strict=True)
    axes.scatter(across, down, s=16, c=weights, cmap="Blues", vmin=-weights.max() / 3)
    axes.set(xlabel="width, pixels", ylabel="height, pixels", aspect="equal")
    axes.set(xlim=(0, 1.1 * longest), ylim=(0, 1.1 * longest), title="Sizes of the images")
    return png(figure)


def _largest(found: Inspection, most: int) -> list[Class]:
    return sorted(found.classes, key=lambda item: (-item.images, item.label))[:most]


def _entitled(title: str, shown: list[Class], found: Inspection) -> str:
    rest = len(found.classes) - len(shown)
    return f"{title}; {rest} smaller classes are not shown" if rest else title


def _colours_of_sources(found: Inspection) -> dict[str, str]:
    """The commonest sources, each with its colour, and one colour for the rest."""
    counts = Counter(sample.source for sample in found.folder.samples)
    order = sorted(counts, key=lambda name: (-counts[name], name))
    named = dict(zip(order, _SOURCES, strict=False))
    return named if len(order) == len(named) else named | {_OTHER: GREY}


def _images_of(item: Class, source: str, found: Inspection) -> int:
    if source in item.sources:
        return item.sources[source]
    named = _colours_of_sources(found)
    return sum(count for name, count in item.sources.items() if name not in named) if source == _OTHER else 0


def _curves(axes: Axes, label: str, shades: Shades | None) -> None:
    if shades is None:
        return
    percent = 100 * np.array(shades.histogram)
    for name, heights in zip(shades.channels, percent, strict=True):
        axes.plot(np.arange(LEVELS), heights, color=_CHANNELS[name], linewidth=1)
    axes.set_title(shortened(label), fontsize=8)
    axes.set(xlim=(0, LEVELS - 1), ylim=(0, 1.2 * np.percentile(percent, _SHOWN) or None), xticks=(0, 128, 255))

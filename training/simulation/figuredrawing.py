"""Charts as matplotlib itself draws them, in its own styles."""

from collections.abc import Callable

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from training.simulation.dice import Rng, between, count, pick
from training.simulation.sheet import frame

_STYLES = (
    "default", "ggplot", "bmh", "classic", "fivethirtyeight", "dark_background", "grayscale", "seaborn-v0_8-whitegrid",
    "seaborn-v0_8-darkgrid", "Solarize_Light2",
)  # fmt: skip
_DOTS_PER_INCH = 100


def _bars(rng: Rng, axes: Axes) -> None:
    number = count(rng, 3, 9)
    axes.bar(np.arange(number), rng.uniform(1, 9, number), yerr=rng.uniform(0, 1, number), capsize=2)


def _rows(rng: Rng, axes: Axes) -> None:
    number = count(rng, 3, 9)
    axes.barh([f"item {row}" for row in range(number)], np.sort(rng.uniform(1, 9, number)))


def _lines(rng: Rng, axes: Axes) -> None:
    x = np.linspace(0, between(rng, 1, 50), 60)
    for _ in range(count(rng, 1, 5)):
        axes.plot(x, np.cumsum(rng.normal(0, 1, 60)), pick(rng, ("-", "--", "-.", ".-")))


def _points(rng: Rng, axes: Axes) -> None:
    for _ in range(count(rng, 1, 3)):
        x, y = rng.normal(between(rng, 0, 3), 1, (2, count(rng, 15, 120)))
        mark, size = pick(rng, ("o", "x", "^", "s", "+")), between(rng, 3, 30)
        axes.scatter(x, y, s=size, marker=mark, alpha=between(rng, 0.4, 1))


def _histogram(rng: Rng, axes: Axes) -> None:
    axes.hist(
        rng.gamma(between(rng, 1, 9), 1, 300), bins=count(rng, 6, 30), edgecolor=pick(rng, ("black", "white", "none"))
    )


def _matrix(rng: Rng, axes: Axes) -> None:
    colours = pick(rng, ("viridis", "coolwarm", "Blues", "magma", "RdYlGn"))
    axes.imshow(rng.normal(0, 1, (count(rng, 3, 12), count(rng, 3, 12))), aspect="auto", cmap=colours)


def _boxes(rng: Rng, axes: Axes) -> None:
    axes.boxplot([rng.normal(middle, 1, 40) for middle in rng.uniform(0, 3, count(rng, 3, 9))])


def _layers(rng: Rng, axes: Axes) -> None:
    axes.stackplot(np.arange(60), *(np.abs(np.cumsum(rng.normal(0, 1, 60))) + 1 for _ in range(count(rng, 2, 5))))


_KINDS: tuple[Callable[[Rng, Axes], None], ...] = (
    _bars, _rows, _lines, _lines, _points, _points, _points, _histogram, _matrix, _boxes, _layers,
)  # fmt: skip


def figure(rng: Rng) -> Image.Image:
    """A chart in one of matplotlib's styles."""
    height, width = frame(rng, 0.8, 1.7)
    with matplotlib.style.context(pick(rng, _STYLES)):
        # A style also sets the sizes of the figure and of its words, which must fit this small picture.
        drawn = Figure(figsize=(width / _DOTS_PER_INCH, height / _DOTS_PER_INCH), dpi=_DOTS_PER_INCH)
        canvas = FigureCanvasAgg(drawn)
        axes = drawn.add_axes((0.16, 0.17, 0.8, 0.72))
        pick(rng, _KINDS)(rng, axes)
        axes.set_title(pick(rng, ("", "Results", "loss", "a", "Experiment 4", "Model comparison")), fontsize=8)
        axes.set_xlabel(pick(rng, ("", "epoch", "time (s)", "x", "sample")), fontsize=7)
        axes.set_ylabel(pick(rng, ("", "accuracy", "value", "count", "y")), fontsize=7)
        axes.tick_params(labelsize=6)
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")

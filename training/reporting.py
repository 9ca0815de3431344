"""The bundle's report: plots as PNG, drawn without a screen."""

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from services.bundle.manifest import Calibration, Manifest
from training.evaluation import BINS, Answers, reliability
from training.finetuning import History

_INK, _BLUE, _GREY, _ORANGE = "#1f2933", "#2f6f9f", "#9aa5b1", "#c05621"
_DOTS_PER_INCH = 90
_LEGIBLE = 20


def confusion(manifest: Manifest) -> bytes:
    """The confusion matrix of the test part: shade = share of the truth, number = images."""
    counts = np.array(manifest.evaluation.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.6 + 0.42 * min(len(counts), _LEGIBLE)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(counts)), manifest.labels, rotation=60, ha="right")
    axes.set_yticks(range(len(counts)), manifest.labels)
    axes.set(xlabel="predicted", ylabel="truth", title="Test images")
    if len(counts) <= _LEGIBLE:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.5 else _INK  # noqa: PLR2004 - half of the shade
                axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    return _png(figure)


def reliability_diagram(answers: Answers, calibration: Calibration) -> bytes:
    """How often an answer is right against how sure it was, before and after calibration.

    Args:
        answers: of the test part.
        calibration: of the bundle.
    """
    figure = Figure(figsize=(4.6, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot((0, 1), (0, 1), color=_GREY, linewidth=1)
    uncalibrated = Calibration(temperature=1.0)
    for name, chosen, colour in (("uncalibrated", uncalibrated, _ORANGE), ("calibrated", calibration, _BLUE)):
        points = reliability(answers, chosen)
        upper.plot(points.confidence, points.accuracy, "o-", color=colour, label=name, markersize=4)
    upper.set(ylabel="share of right answers", xlim=(0, 1), ylim=(0, 1.02), title="Test images")
    upper.legend(frameon=False)
    lower.bar((np.arange(BINS) + 0.5) / BINS, points.images, width=0.9 / BINS, color=_BLUE)
    lower.set(xlabel="probability of the answer", ylabel="images", yscale="symlog")
    return _png(figure)


def curves(history: History) -> bytes:
    """Loss and accuracy of each epoch, over both phases; a line stands where the second phase begins."""
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, key in ((left, "loss"), (right, "accuracy")):
        _curve(axes, history, key)
    left.legend(frameon=False)
    return _png(figure)


def _curve(axes: Axes, history: History, key: str) -> None:
    epochs = np.arange(1, len(history["epoch"]) + 1)
    for name, colour in ((key, _GREY), (f"val_{key}", _BLUE)):
        label = "validation" if name.startswith("val_") else "training"
        axes.plot(epochs, history[name], "o-", color=colour, label=label, markersize=3)
    # Each phase counts its epochs from one.
    for at in np.flatnonzero(np.diff(history["epoch"]) <= 0):
        axes.axvline(at + 1.5, color=_GREY, linewidth=1, linestyle=":")
    axes.set(xlabel="epoch", title=key)


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    for axes in figure.axes:
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    file = io.BytesIO()
    # Without matplotlib's own name and version, so that equal figures give equal files.
    figure.savefig(file, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()

"""The report of a bundle or of an evaluation: plots as PNG, drawn without a screen and with no image of anybody."""

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from services.bundle.calibration import probabilities
from services.bundle.evaluation import Estimate, Evaluation
from services.bundle.manifest import Calibration, Manifest
from training.answers import Answers
from training.curves import operating, reliability
from training.metrics import BINS

INK, BLUE, GREY, ORANGE = "#1f2933", "#2f6f9f", "#9aa5b1", "#c05621"
"""The colours of every plot of the factory."""

History = Mapping[str, Sequence[float]]

_DOTS_PER_INCH = 90
_LETTERS_PER_INCH = 12
_LEGIBLE = 20
_LONGEST = 24


def report(answers: Answers, manifest: Manifest, history: History | None) -> dict[str, bytes]:
    """Every plot that travels in a bundle, by file name.

    Args:
        answers: of the test part.
        manifest: of the bundle, with its evaluation.
        history: figures per epoch; None for weights that were fitted elsewhere.
    """
    plots = diagrams(answers, manifest.evaluation, manifest.calibration)
    return plots if history is None else plots | {"training.png": curves(history)}


def diagrams(
    answers: Answers, evaluation: Evaluation, calibration: Calibration, title: str = "Test images"
) -> dict[str, bytes]:
    """The plots of what was measured, by file name.

    Args:
        answers: that were evaluated.
        evaluation: of these answers.
        calibration: of the bundle.
        title: says of which images.
    """
    plots = {
        "roc.png": roc(answers, evaluation, calibration, title),
        "precision-recall.png": precision_recall(answers, evaluation, calibration, title),
        "reliability.png": reliability_diagram(answers, calibration, title),
    }
    if evaluation.confusion is not None:
        plots["confusion.png"] = confusion(evaluation, title)
    return plots


# ---------------------------------------------------------------- confusion


def confusion(evaluation: Evaluation, title: str = "Test images") -> bytes:
    """The confusion matrix: shade = share of the truth, number = images.

    Args:
        evaluation: with a confusion matrix.
        title: says of which images.
    """
    counts = np.array(evaluation.confusion)
    names = [shortened(entry.label) for entry in evaluation.per_label]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.6 + 0.42 * min(len(counts), _LEGIBLE)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(counts)), names, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(counts)), names)
    axes.set(xlabel="predicted", ylabel="truth")
    entitle(figure, title)
    if len(counts) <= _LEGIBLE:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.5 else INK  # noqa: PLR2004 - half of the shade
                axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    return png(figure)


# ---------------------------------------------------------------- ranking


def roc(answers: Answers, evaluation: Evaluation, calibration: Calibration, title: str = "Test images") -> bytes:
    """ROC curves, each label against the rest, with their areas.

    Args:
        answers: that were evaluated.
        evaluation: of these answers, for the areas.
        calibration: of the bundle.
        title: says of which images.
    """
    figure, axes = _square(len(evaluation.per_label))
    axes.plot((0, 1), (0, 1), color=GREY, linewidth=1)
    calibrated = probabilities(answers.logits, calibration)
    for number, entry in enumerate(evaluation.per_label):
        if entry.roc_auc is not None:
            points = operating(calibrated[:, number], answers.truths[:, number])
            recall, fallout = (np.concatenate(([0.0], axis)) for axis in (points.recall, points.fallout))
            axes.plot(fallout, recall, label=_entry(entry.label, entry.roc_auc), **line_style(number))
    axes.set(xlabel="1 - specificity", ylabel="sensitivity")
    entitle(figure, title)
    _legend(axes, "area under the ROC curve", evaluation, "macro_roc_auc")
    return png(figure)


def precision_recall(
    answers: Answers, evaluation: Evaluation, calibration: Calibration, title: str = "Test images"
) -> bytes:
    """Precision-recall curves, each label against the rest, with their average precision.

    Args:
        answers: that were evaluated.
        evaluation: of these answers, for the average precision.
        calibration: of the bundle.
        title: says of which images.
    """
    figure, axes = _square(len(evaluation.per_label))
    calibrated = probabilities(answers.logits, calibration)
    for number, entry in enumerate(evaluation.per_label):
        if entry.average_precision is not None:
            points = operating(calibrated[:, number], answers.truths[:, number])
            recall = np.concatenate(([0.0], points.recall))
            # The precision that is reached holds until the recall grows: steps, as average precision sums them.
            precision = np.concatenate((points.precision[:1], points.precision))
            style = line_style(number)
            axes.plot(
                recall, precision, drawstyle="steps-pre", label=_entry(entry.label, entry.average_precision), **style
            )
    axes.set(xlabel="recall (sensitivity)", ylabel="precision")
    entitle(figure, title)
    _legend(axes, "average precision", evaluation, "macro_average_precision")
    return png(figure)


def _square(labels: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.2, max(4.4, 1.2 + 0.24 * labels)), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    return figure, axes


def line_style(number: int) -> dict[str, Any]:
    """How the curve of a label looks; thirty can be told apart."""
    # Ten colours that can be told apart, then the same ones dashed.
    colours = mpl.color_sequences["tab10"]
    line = ("-", "--", ":")[number // len(colours) % 3]
    return {"color": colours[number % len(colours)], "linestyle": line, "linewidth": 1.4}


def _entry(label: str, estimate: Estimate) -> str:
    return f"{shortened(label)}  {estimate.value:.3f}"


def _legend(axes: Axes, what: str, evaluation: Evaluation, name: str) -> None:
    metric = evaluation.metric(name)
    if metric is None:
        return
    title = f"{what}\nmean {metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})"
    legend = axes.legend(
        frameon=False, fontsize=8, title=title, title_fontsize=8, loc="upper left", bbox_to_anchor=(1, 1)
    )
    legend.set_alignment("left")


# ---------------------------------------------------------------- calibration


def reliability_diagram(answers: Answers, calibration: Calibration, title: str = "Test images") -> bytes:
    """How often an answer is right against how probable it was said to be, before and after calibration.

    Args:
        answers: that were evaluated.
        calibration: of the bundle.
        title: says of which images.
    """
    figure = Figure(figsize=(4.6, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot((0, 1), (0, 1), color=GREY, linewidth=1)
    uncalibrated = calibration.model_copy(update={"temperature": 1.0})
    drawn = (("uncalibrated", uncalibrated, ORANGE, "s--"), ("calibrated", calibration, BLUE, "o-"))
    for name, chosen, colour, style in drawn:
        points = reliability(answers, chosen)
        upper.plot(points.stated, points.observed, style, color=colour, label=name, markersize=4)
    several = calibration.activation == "sigmoid"
    observed = "share of images with the label" if several else "share of right answers"
    upper.set(ylabel=observed, xlim=(0, 1), ylim=(0, 1.02))
    entitle(figure, title)
    upper.legend(frameon=False)
    lower.bar((np.arange(BINS) + 0.5) / BINS, points.count, width=0.9 / BINS, color=BLUE)
    what = "probability of each label" if several else "probability of the answer"
    lower.set(xlabel=what, ylabel="labels" if several else "images", yscale="symlog")
    return png(figure)


# ---------------------------------------------------------------- training


def curves(history: History) -> bytes:
    """Loss and accuracy of each epoch, over both phases; a line stands where the second phase begins."""
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, key in ((left, "loss"), (right, "accuracy")):
        _curve(axes, history, key)
    left.legend(frameon=False)
    return png(figure)


def _curve(axes: Axes, history: History, key: str) -> None:
    epochs = np.arange(1, len(history["epoch"]) + 1)
    for name, colour in ((key, GREY), (f"val_{key}", BLUE)):
        label = "validation" if name.startswith("val_") else "training"
        axes.plot(epochs, history[name], "o-", color=colour, label=label, markersize=3)
    # Each phase counts its epochs from one.
    for at in np.flatnonzero(np.diff(history["epoch"]) <= 0):
        axes.axvline(at + 1.5, color=GREY, linewidth=1, linestyle=":")
    axes.set(xlabel="epoch", title=key)


# ---------------------------------------------------------------- several bundles


def forest(evaluations: Mapping[str, Evaluation], names: Mapping[str, str], title: str) -> bytes:
    """Figures of several bundles side by side, each with its interval.

    Args:
        evaluations: of the same images, by what to call the bundle.
        names: of the figures to draw, and what to call each.
        title: says of which images.
    """
    figure = Figure(figsize=(2.2 + 2.4 * len(names), 1.3 + 0.32 * len(evaluations)), layout="constrained")
    entitle(figure, title)
    rows = np.arange(len(evaluations))
    panels: Sequence[Axes] = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, (name, called) in zip(panels, names.items(), strict=True):
        for row, evaluation in enumerate(evaluations.values()):
            metric = evaluation.metric(name)
            if metric is not None:
                _whisker(axes, row, metric)
        axes.set_title(textwrap.fill(called, _LONGEST), fontsize=9)
        axes.grid(axis="x", color=GREY, alpha=0.3)
        axes.locator_params(axis="x", nbins=4)
    panels[0].set_yticks(rows, [shortened(name) for name in evaluations])
    panels[0].set_ylim(len(evaluations) - 0.5, -0.5)
    return png(figure)


def _whisker(axes: Axes, row: int, estimate: Estimate) -> None:
    axes.plot((estimate.low, estimate.high), (row, row), color=BLUE, linewidth=1.6)
    axes.plot(estimate.value, row, "o", color=BLUE, markersize=5)


# ---------------------------------------------------------------- drawing


def shortened(name: str) -> str:
    """A name that fits beside a plot, without what matplotlib would take for mathematics."""
    short = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    return short.replace("$", r"\$")


def entitle(figure: Figure, title: str) -> None:
    """Put a title over a figure, on as many lines as it needs."""
    wide = int(figure.get_figwidth() * _LETTERS_PER_INCH)
    figure.suptitle(textwrap.fill(title, wide), fontsize=10)


def png(figure: Figure) -> bytes:
    """Draw a figure without a screen; equal figures give equal bytes."""
    FigureCanvasAgg(figure)
    for axes in figure.axes:
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    file = io.BytesIO()
    # Without matplotlib's own name and version.
    figure.savefig(file, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()

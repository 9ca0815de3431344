"""The worst mistakes of a classifier, for a person to look at: the image, the answer, and where its evidence lies.

The picture shows the images themselves, so it never goes into a bundle.
"""

import textwrap
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import Field

from services.bundle.calibration import probabilities
from services.bundle.fields import Frozen, Label, Share
from services.bundle.manifest import Calibration
from services.bundle.overlay import overlay
from services.bundle.saliency import explainable, explained
from training.answers import Answers
from training.images import Images
from training.metrics import decide, log_loss
from training.reporting import entitle, png, shortened

MOST = 12
"""How many mistakes are shown."""

_COLUMNS = 3
_TILE = (3.4, 2.3)
_LETTERS = 44
_CAVEAT = (
    "Right of each image: where in it the evidence for the answer lies (Grad-CAM). It shows what the network used, not "
    "that it was right to use it."
)


class Mistake(Frozen):
    """An image that was answered wrong.

    Attributes:
        index: of the image among those that were asked about.
        path: of its file, in the folder of images.
        truth: the labels that it has.
        answer: the labels that it was given.
        label: what the answer was most wrong about: the label given, or where an image may have several, the one whose
            probability is furthest from the truth.
        probability: of that label.
    """

    index: Annotated[int, Field(exclude=True)]
    path: str
    truth: tuple[Label, ...]
    answer: tuple[Label, ...]
    label: Label
    probability: Share


def worst_mistakes(answers: Answers, labels: Sequence[str], calibration: Calibration) -> tuple[Mistake, ...]:
    """Wrong answers, at most MOST, the least probable truths first.

    Args:
        answers: of the classifier.
        labels: in the order of the logits.
        calibration: of the bundle.
    """
    calibrated = probabilities(answers.logits, calibration)
    decided = decide(calibrated, calibration.activation)
    wrong = (decided != answers.truths).any(axis=1)
    losses = np.where(wrong, log_loss(answers, calibration), -np.inf)
    chosen = np.argsort(-losses, kind="stable")[: min(MOST, int(wrong.sum()))]
    several = calibration.activation == "sigmoid"
    blamed = np.abs(calibrated - answers.truths).argmax(axis=1) if several else decided.argmax(axis=1)
    return tuple(
        Mistake(
            index=index,
            path=answers.samples[index].path,
            truth=_named(labels, answers.truths[index]),
            answer=_named(labels, decided[index]),
            label=labels[blamed[index]],
            probability=float(calibrated[index, blamed[index]]),
        )
        for index in chosen.tolist()
    )


def _named(labels: Sequence[str], which: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(label for label, named in zip(labels, which, strict=True) if named)


def mistakes_grid(
    classifier: Any, images: Images, labels: Sequence[str], mistakes: Sequence[Mistake], title: str
) -> bytes:
    """The mistakes as one picture; beside each image its saliency, where the classifier has such a head.

    Args:
        classifier: keras.Model of the bundle.
        images: those that were asked about.
        labels: in the order of the logits.
        mistakes: at least one, of worst_mistakes.
        title: says of which bundle and images.

    Returns:
        A PNG.
    """
    pixels = images.pixels[np.array([mistake.index for mistake in mistakes])]
    tiles = _explained(classifier, pixels, [labels.index(mistake.label) for mistake in mistakes])
    rows = -(-len(mistakes) // _COLUMNS)
    figure = Figure(figsize=(_TILE[0] * _COLUMNS, _TILE[1] * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, mistake, tile in zip(panels, mistakes, tiles, strict=False):
        axes.imshow(tile)
        axes.set_title(_caption(mistake), fontsize=7, loc="left")
    entitle(figure, title)
    if explainable(classifier):
        figure.supxlabel(_CAVEAT, fontsize=7)
    return png(figure)


def _explained(classifier: Any, pixels: NDArray[np.uint8], numbers: Sequence[int]) -> list[NDArray[np.uint8]]:
    if not explainable(classifier):
        return list(pixels)
    maps = np.asarray(explained(classifier).predict_on_batch(pixels.astype(np.float32))["saliency"])
    return [
        np.hstack([image, overlay(image, several[number])])
        for image, several, number in zip(pixels, maps, numbers, strict=True)
    ]


def _caption(mistake: Mistake) -> str:
    truth, answer = (" and ".join(map(shortened, names)) or "none" for names in (mistake.truth, mistake.answer))
    if mistake.answer == (mistake.label,):
        lines = [f"truth: {truth}", f"answer: {answer}, {mistake.probability:.2f}"]
    else:
        lines = [f"truth: {truth}", f"answer: {answer}", f"{shortened(mistake.label)}: {mistake.probability:.2f}"]
    path = mistake.path if len(mistake.path) <= _LETTERS else f"…{mistake.path[1 - _LETTERS :]}"
    return "\n".join([*(textwrap.shorten(line, _LETTERS) for line in lines), path.replace("$", r"\$")])

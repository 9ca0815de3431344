"""The trivial floors that a figure should be set beside: how far a logistic regression gets on hardly any picture.

What a classifier scores above its floor is what it has learnt; what a border alone gives away is how the images were
framed, and not what they show.
"""

import numpy as np

from services.bundle.evaluation import Floor, Floors
from services.bundle.manifest import Calibration, Preprocessing
from training.answers import Answers
from training.bootstrap import estimate
from training.evaluation import measure
from training.images import Images
from training.logistic import fit_logistic
from training.metrics import Activation, Floats

EDGE = 24
"""Height and width of a thumbnail in pixels."""

BORDER = 3
"""Width of its border in pixels."""

PREPROCESSING = Preprocessing(
    height=2 * EDGE,
    width=2 * EDGE,
    borders="kept",
    colour="rgb",
    fit="stretch",
    interpolation="bilinear",
    pad=0,
    window=None,
    levels="kept",
    window_percentiles=(0.5, 99.5),
)
"""For the images of floors: the whole picture, so that its border is a border; any other multiple of EDGE does too."""


def floors(train: Images, test: Images, activation: Activation, seed: int = 0) -> Floors:
    """Fit the regressions on one part and measure them on another.

    Args:
        train: images that the regressions are fitted to, prepared by PREPROCESSING.
        test: others, prepared likewise.
        activation: "softmax" where an image has one label, "sigmoid" where it may have several.
        seed: of the intervals.
    """
    fitted_to, measured_on = thumbnails(train), thumbnails(test)
    if not any(np.ptp(small, axis=3).any() for small in (fitted_to, measured_on)):
        # Grey pictures say everything three times.
        fitted_to, measured_on = fitted_to[..., :1], measured_on[..., :1]
    edge = np.ones((EDGE, EDGE), bool)
    edge[BORDER:-BORDER, BORDER:-BORDER] = False
    return Floors(
        thumbnail=_floor(_flat(fitted_to), _flat(measured_on), train, test, activation, seed),
        border=_floor(_flat(fitted_to[:, edge]), _flat(measured_on[:, edge]), train, test, activation, seed),
    )


def thumbnails(images: Images) -> Floats:
    """Means over blocks of pixels, float64 [n, 24, 24, 3] in 0..1."""
    count, height, width, _ = images.pixels.shape
    small = np.empty((count, EDGE, EDGE, 3))
    # A few at a time: they may be decoded when they are asked for.
    for start in range(0, count, 256):
        some = images.pixels[start : start + 256].reshape(-1, EDGE, height // EDGE, EDGE, width // EDGE, 3)
        small[start : start + 256] = some.mean(axis=(2, 4)) / 255
    return small


def _flat(pictures: Floats) -> Floats:
    return pictures.reshape(len(pictures), -1)


def _floor(
    train: Floats, test: Floats, fitted_to: Images, measured_on: Images, activation: Activation, seed: int
) -> Floor:
    centre = train.mean(axis=0)
    fitted = fit_logistic(train - centre, fitted_to.truths, activation)
    answers = Answers(fitted.logits(test - centre), measured_on.truths, measured_on.samples)
    measured = measure(answers, Calibration(temperature=1.0, activation=activation), seed)
    found = {
        name: estimate(float(measured.figures.overall[name][0]), measured.drawn.overall[name])
        for name in ("balanced_accuracy", "macro_roc_auc")
    }
    balanced = found["balanced_accuracy"]
    if balanced is None:
        message = "there is no image to measure on"
        raise ValueError(message)
    return Floor(balanced_accuracy=balanced, macro_roc_auc=found["macro_roc_auc"])

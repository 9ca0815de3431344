"""What a user's hint is worth and what a wrong one costs, on images as they are and on images made worse."""

import io
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from services.bundle.calibration import probabilities
from services.bundle.evaluation import Estimate
from services.bundle.fields import Count, Frozen, Share
from services.bundle.hints import RULE, Rule, rerank
from services.bundle.manifest import Calibration
from training.answers import Answers
from training.bootstrap import estimate, resamples
from training.images import Images

Floats = NDArray[np.float64]
Picture = Image.Image

_BLUR = 2.0
_QUALITY = 15
_SIDE = 64


class HintOutcome(Frozen):
    """How often the answer was right with hints of one kind.

    Attributes:
        accuracy: share of images with the right answer.
        changed: share of images whose answer another one took the place of.
    """

    accuracy: Estimate
    changed: Share


class HintsMeasured(Frozen):
    """What hints did to the answers of labelled images.

    Attributes:
        alone: without hints.
        right: each image with a hint that names what it shows.
        wrong: each with a hint that names another label, the mean over all others.
        misleading: each with a hint that names the likeliest wrong label: no hint does more harm.
    """

    images: Count
    alone: HintOutcome
    right: HintOutcome
    wrong: HintOutcome
    misleading: HintOutcome


def measure_hints(answers: Answers, calibration: Calibration, rule: Rule = RULE, seed: int = 0) -> HintsMeasured:
    """Give every image every hint, and count.

    Args:
        answers: of images with one label each; the rule was chosen on validation images, so a test has others.
        calibration: fitted on validation images.
        rule: how much a hint counts.
        seed: of the intervals.

    Raises:
        ValueError: of labels that do not exclude each other, a hint has no odds to raise.
    """
    if calibration.activation != "softmax":
        message = "hints are measured where each image has one label"
        raise ValueError(message)
    chances = probabilities(answers.logits, calibration)
    given = np.array([[rerank(row, named, rule)[0].argmax() for named in range(row.size)] for row in chances])
    alone, true = chances.argmax(axis=1), answers.classes
    other, rows = ~answers.truths, np.arange(len(true))
    likeliest = np.where(other, chances, -1.0).argmax(axis=1)
    several = other.sum(axis=1)

    def outcome(correct: Floats, changed: Floats) -> HintOutcome:
        drawn = np.concatenate(
            [weights @ correct / weights.sum(axis=1) for weights in resamples(answers.samples, seed)]
        )
        groups = len({sample.group for sample in answers.samples})
        accuracy = estimate(float(correct.mean()), drawn, groups)
        if accuracy is None:
            message = "there are no images"
            raise ValueError(message)
        return HintOutcome(accuracy=accuracy, changed=float(changed.mean()))

    def of(answer: NDArray[np.int64]) -> HintOutcome:
        return outcome((answer == true).astype(np.float64), (answer != alone).astype(np.float64))

    return HintsMeasured(
        images=len(true),
        alone=of(alone),
        right=of(given[rows, true]),
        wrong=outcome(
            ((given == true[:, None]) & other).sum(axis=1) / several,
            ((given != alone[:, None]) & other).sum(axis=1) / several,
        ),
        misleading=of(given[rows, likeliest]),
    )


# ---------------------------------------------------------------- worse images


def _blurred(picture: Picture) -> Picture:
    return picture.filter(ImageFilter.GaussianBlur(_BLUR))


def _compressed(picture: Picture) -> Picture:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return Image.open(buffer).convert("RGB")


def _small(picture: Picture) -> Picture:
    small = picture.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    return small.resize(picture.size, Image.Resampling.BICUBIC)


WORSE: MappingProxyType[str, Callable[[Picture], Picture]] = MappingProxyType(
    {
        "blurred": _blurred,
        "compressed": _compressed,
        "small": _small,
    }
)
"""Ways to spoil an image as the network takes it: a Gaussian blur of 2 pixels, a JPEG of quality 15, 64 pixels and
back. On images that a classifier is always right about, a hint has nothing to mend."""


def worsen(images: Images, way: str) -> Images:
    """The same images, spoilt in one of the ways of WORSE and kept in memory.

    Raises:
        KeyError: there is no such way.
    """
    spoil = WORSE[way]
    # One at a time: they may be decoded when they are asked for.
    spoilt = [
        np.asarray(spoil(Image.fromarray(images.pixels[place : place + 1][0]))) for place in range(len(images.pixels))
    ]
    return replace(images, pixels=np.stack(spoilt))

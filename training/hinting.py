"""What a user's hint is worth and what a wrong one costs, on images as they are and on images made worse."""

import io
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from services.bundle.calibration import probabilities
from services.bundle.evaluation import Estimate, HintEffect
from services.bundle.hints import RULE, Rule, rerank
from services.bundle.manifest import Calibration
from training.answers import Answers
from training.bootstrap import estimate, resamples
from training.images import Images

Picture = Image.Image

AS_THEY_ARE = "as_they_are"

_BLUR = 2.0
_QUALITY = 15
_SIDE = 64


def measure_hints(way: str, answers: Answers, calibration: Calibration, rule: Rule = RULE, seed: int = 0) -> HintEffect:
    """Give every image every hint, and count.

    Args:
        way: of WORSE that the images were spoilt in, or AS_THEY_ARE.
        answers: of images with one label each.
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
    true, rows, other = answers.classes, np.arange(len(chances)), ~answers.truths
    likeliest = np.where(other, chances, -1.0).argmax(axis=1)

    def share(correct: NDArray[Any]) -> Estimate:
        drawn = np.concatenate(
            [weights @ correct / weights.sum(axis=1) for weights in resamples(answers.samples, seed)]
        )
        found = estimate(float(correct.mean()), drawn, len({sample.group for sample in answers.samples}))
        if found is None:
            message = "there are no images"
            raise ValueError(message)
        return found

    return HintEffect(
        name=way,
        title=TITLES[way],
        images=len(true),
        alone=share((chances.argmax(axis=1) == true).astype(np.float64)),
        right=share((given[rows, true] == true).astype(np.float64)),
        wrong=share(((given == true[:, None]) & other).sum(axis=1) / other.sum(axis=1)),
        misleading=share((given[rows, likeliest] == true).astype(np.float64)),
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


TITLES: MappingProxyType[str, str] = MappingProxyType(
    {
        AS_THEY_ARE: "As they are",
        "blurred": "Blurred by a Gaussian of 2 pixels",
        "compressed": "Saved as JPEG of quality 15",
        "small": "Shrunk to 64 pixels and back",
    }
)
"""What was done to the images, for people: the ways of WORSE, and none."""


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

"""The detector of foreign images: fitted to training images and to images of other kinds, and measured on others."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from services.bundle.evaluation import Foreign, Withheld
from services.bundle.manifest import Novelty
from services.bundle.novelty import REACH, Detector
from services.bundle.outputs import served
from training.augmentation import augmentation_layers
from training.foreign import Kind
from training.images import Pixels
from training.logistic import Logistic, fit_logistic
from training.metrics import areas
from training.recipe import Augmentation

PROMISED = 0.98
"""The share of the validation images that pass, as they are and in other shapes."""

AXES = 64
"""Directions of a variance of their own; what lies beside them shares one."""

_MOST_IMAGES = 1000
_BATCH = 32
_LEAST = 1e-6
_MIDDLE, _HIGH = 0.5, 0.99
_PENALTY = 0.01
"""Of the squared kernel, per feature: the more features, the less each may say."""

Features = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A detector and its threshold.

    Attributes:
        threshold: PROMISED of the validation images, as they are and in other shapes alike, score no higher.
    """

    detector: Detector
    threshold: float

    def refused(self, features: Features) -> NDArray[np.bool_]:
        """Which images are foreign, bool [n]."""
        return self.detector.scores(features) > self.threshold


def featured(classifier: Any) -> Any:
    """The part of a served graph that the detector reads: RGB float [batch, h, w, 3] -> [batch, features]."""
    return keras.Model(classifier.input, served(classifier).output["features"])


def arriving(augmentation: Augmentation, size: tuple[int, int], seed: int, *, grey: bool) -> Any:
    """Images as they may arrive: framed, turned, toned, blurred and compressed as in training, at the input's size.

    Args:
        augmentation: of the recipe.
        size: height and width of the model's input in pixels.
        seed: of the changes.
        grey: whether the three channels say the same.

    Returns:
        keras.Model: uint8 [batch, height, width, 3] -> float, likewise, random at every call with training=True.
    """
    chosen = augmentation.model_copy(update={"inversion": 0.0, "exchange": 0.0})
    chain = augmentation_layers(chosen, seed, grey=grey, whole=True)
    return keras.Sequential([keras.Input((*size, 3), dtype="uint8"), *chain])


def fit(own: Features, checked: Features, shown: Sequence[Features], inner: int, alike: Fitted | None = None) -> Fitted:
    """Fit a detector to training images and images of other kinds, and choose its threshold on validation images.

    Args:
        own: of training images, as they are and as they may arrive: a detector that saw clean files alone takes a
            blurred or framed picture, or one from another scanner, for foreign. Float64 [n, features].
        checked: of validation images, likewise.
        shown: of images of other kinds, likewise; may be empty.
        inner: how many of the features are inner ones; they come first.
        alike: a detector of the very same training images that was shown much the same others: the search for this one
            begins there, and ends as near to the minimum, much sooner.
    """
    detector = _told_apart(fit_gaussian(own, inner) if alike is None else alike.detector, own, shown)
    looks = detector.looks(checked)
    places = np.quantile(looks, _MIDDLE, axis=0)
    spreads = np.maximum(np.quantile(looks, _HIGH, axis=0) - places, _LEAST)
    detector = replace(detector, places=places.astype(np.float32), spreads=spreads.astype(np.float32))
    # The score of an image, not one between two: of few images, fewer than promised would lie below that.
    threshold = float(np.quantile(detector.scores(checked), PROMISED, method="inverted_cdf"))
    return Fitted(detector, max(threshold, _LEAST))


def both(model: Any, pixels: Pixels, change: Any, chosen: NDArray[np.int64] | None = None) -> Features:
    """Features float64 [2 n, features] of images as they are, and of the same as they may arrive.

    Args:
        model: of `featured`.
        pixels: uint8 [m, height, width, 3].
        change: of `arriving`.
        chosen: positions of n of them; None is all.
    """
    every = np.arange(len(pixels)) if chosen is None else chosen
    return np.concatenate([features(model, pixels, every), features(model, pixels, every, change)])


def some(count: int, seed: int) -> NDArray[np.int64]:
    """Positions of at most 1,000 of `count` training images, drawn by the seed."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:_MOST_IMAGES])


def features(model: Any, pixels: Pixels, chosen: NDArray[np.int64], change: Any = None) -> Features:
    """Features float64 [n, features] of chosen images.

    Args:
        model: of `featured`.
        pixels: uint8 [m, height, width, 3].
        chosen: positions of n of them.
        change: of `arriving`, or None to take the images as they are.
    """
    found = []
    for start in range(0, len(chosen), _BATCH):
        batch = pixels[chosen[start : start + _BATCH]]
        arrived = (
            batch.astype(np.float32) if change is None else keras.ops.convert_to_numpy(change(batch, training=True))
        )
        found.append(np.asarray(model.predict_on_batch(arrived), np.float64))
    return np.concatenate(found)


def fit_gaussian(seen: Features, inner: int) -> Detector:
    """The detector whose typical images are these, float64 [n, features], and which was shown nothing else.

    Args:
        seen: of typical images.
        inner: how many of the features are inner ones; they come first. See services.bundle.novelty for the model.
    """
    centre, deviation = seen.mean(axis=0), seen.std(axis=0)
    precision = 1 / np.maximum(deviation, 1e-3 * deviation.max() + _LEAST)
    scaled = ((seen - centre) * precision)[:, :inner]
    variances, vectors = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    # Of rising order; a direction that hardly varies in training would make a foreigner of everything.
    count = min(AXES, len(variances) - 1, len(scaled) - 1)
    along, beside = variances[::-1][:count], variances[::-1][count:]
    rest = max(float(beside.mean()), _LEAST)
    return Detector(
        centre=centre.astype(np.float32),
        precision=precision.astype(np.float32),
        axes=vectors[:, ::-1][:, :count].astype(np.float32),
        axis_precision=(1 / np.maximum(along, rest)).astype(np.float32),
        rest_precision=np.array([1 / rest], np.float32),
        kernel=np.zeros(len(centre), np.float32),
        bias=np.zeros(1, np.float32),
        places=np.zeros(2, np.float32),
        spreads=np.ones(2, np.float32),
    )


def _told_apart(typical: Detector, own: Features, shown: Sequence[Features]) -> Detector:
    """The same, with a regression between typical images and those of other kinds, sought from the one that it has."""
    if not shown:
        return replace(typical, kernel=np.zeros_like(typical.kernel), bias=np.zeros_like(typical.bias))
    others = np.concatenate(list(shown))
    count = len(typical.centre)
    # Of unit length rather than of unit size each, or the first steps of the search would be far too long.
    unit = np.sqrt(_PENALTY * count)
    scaled = np.clip((np.concatenate([own, others]) - typical.centre) * typical.precision, -REACH, REACH) / unit
    strange = (np.arange(len(scaled)) >= len(own))[:, np.newaxis]
    start = Logistic(typical.kernel[:, np.newaxis] * unit, typical.bias.astype(np.float64))
    fitted = fit_logistic(scaled, strange, "sigmoid", start=start)
    return replace(typical, kernel=(fitted.kernel[:, 0] / unit).astype(np.float32), bias=fitted.bias.astype(np.float32))


# ---------------------------------------------------------------- measured


def describe(
    fitted: Fitted, test: Features, foreign: Iterable[tuple[Kind, Features]], withheld: Mapping[str, Fitted]
) -> tuple[Novelty, bytes]:
    """The detector as the manifest describes it, and its file.

    Args:
        fitted: of training and validation images.
        test: features of test images, float64 [n, features].
        foreign: kinds, and features of the images that they are measured on.
        withheld: by family of kinds that were shown, a detector that was shown all others.
    """
    content = fitted.detector.pack()
    described = Novelty(
        file="novelty.npz",
        sha256=hashlib.sha256(content).hexdigest(),
        features=test.shape[1],
        threshold=fitted.threshold,
        promised=PROMISED,
        passed=float((~fitted.refused(test)).mean()),
        foreign=tuple(_foreign(fitted, withheld.get(kind.family), test, kind, other) for kind, other in foreign),
    )
    return described, content


def _foreign(fitted: Fitted, withheld: Fitted | None, test: Features, kind: Kind, other: Features) -> Foreign:
    auroc, refused = _told(fitted, test, other)
    unknown = None if withheld is None else _told(withheld, test, other)
    return Foreign(
        kind=kind.name,
        near=kind.near,
        images=len(other),
        auroc=auroc,
        refused=refused,
        withheld=None if unknown is None else Withheld(auroc=unknown[0], refused=unknown[1]),
    )


def _told(fitted: Fitted, own: Features, other: Features) -> tuple[float, float]:
    scores = fitted.detector.scores(np.concatenate([own, other]))
    strange = np.arange(len(scores)) >= len(own)
    area, _ = areas(scores, strange, np.ones((1, len(scores))))
    return float(area[0]), float((scores[len(own) :] > fitted.threshold).mean())

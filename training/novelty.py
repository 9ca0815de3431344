"""The detector of foreign images: fitted to training images as they are and as they may arrive, and measured."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from services.bundle.manifest import Foreign, Novelty
from services.bundle.novelty import Detector
from services.bundle.outputs import served
from training.augmentation import augmentation_layers
from training.images import Pixels
from training.metrics import areas
from training.recipe import Augmentation

PROMISED = 0.98
"""The share of the validation images that pass, as they are and in other shapes."""

AXES = 64
"""Directions of a variance of their own; what lies beside them shares one."""

_MOST_IMAGES = 2000
_BATCH = 32
_LEAST = 1e-6

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


def fit(model: Any, train: Pixels, validation: Pixels, change: Any, seed: int) -> Fitted:
    """Fit a detector to training images and choose its threshold on validation images.

    Both come once as they are and once as they may arrive: a detector that saw clean files alone takes a blurred or
    framed picture, or one from another scanner, for foreign.

    Args:
        model: of `featured`.
        train: of these at most 2,000 are looked at, drawn by the seed.
        validation: all are.
        change: of `arriving`.
        seed: of the draw.
    """
    count = len(train)
    chosen = np.sort(np.random.default_rng(seed).permutation(count)[:_MOST_IMAGES])
    detector = fit_gaussian(np.concatenate([features(model, train, chosen), features(model, train, chosen, change)]))
    every = np.arange(len(validation))
    seen = np.concatenate([features(model, validation, every), features(model, validation, every, change)])
    return Fitted(detector, _reached(detector.scores(seen)))


def _reached(scores: NDArray[np.float64]) -> float:
    # The score of an image, not one between two: of few images, fewer than promised would lie below that.
    return float(np.quantile(scores, PROMISED, method="inverted_cdf"))


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


def fit_gaussian(seen: Features) -> Detector:
    """The detector whose typical images are these, float64 [n, features]; see services.bundle.novelty for the model."""
    centre, deviation = seen.mean(axis=0), seen.std(axis=0)
    precision = 1 / np.maximum(deviation, 1e-3 * deviation.max() + _LEAST)
    scaled = (seen - centre) * precision
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
    )


def describe(fitted: Fitted, test: Features, foreign: Mapping[str, tuple[bool, Features]]) -> tuple[Novelty, bytes]:
    """The detector as the manifest describes it, and its file.

    Args:
        fitted: of training and validation images.
        test: features of test images, float64 [n, features].
        foreign: by kind, whether it is near, and features of such images.
    """
    content = fitted.detector.pack()
    own = fitted.detector.scores(test)
    described = Novelty(
        file="novelty.npz",
        sha256=hashlib.sha256(content).hexdigest(),
        features=test.shape[1],
        threshold=fitted.threshold,
        promised=PROMISED,
        passed=float((own <= fitted.threshold).mean()),
        foreign=tuple(_foreign(fitted, own, kind, near, other) for kind, (near, other) in foreign.items()),
    )
    return described, content


def _foreign(fitted: Fitted, own: NDArray[np.float64], kind: str, near: bool, other: Features) -> Foreign:  # noqa: FBT001 - as it stands in the manifest
    scores = np.concatenate([own, fitted.detector.scores(other)])
    strange = np.arange(len(scores)) >= len(own)
    area, _ = areas(scores, strange, np.ones((1, len(scores))))
    return Foreign(
        kind=kind, near=near, images=len(other), auroc=float(area[0]), refused=float(fitted.refused(other).mean())
    )

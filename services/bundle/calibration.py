"""Logits to calibrated probabilities."""

import numpy as np
from numpy.typing import NDArray

from services.bundle.manifest import Calibration

Floats = NDArray[np.floating]

PRESENT = 0.5
"""The probability from which on an image is said to have a label, where it may have several."""


def probabilities(logits: Floats, calibration: Calibration) -> NDArray[np.float64]:
    """Temperature-scaled softmax (Guo et al. 2017, arXiv:1706.04599), or sigmoid of each logit by itself.

    Args:
        logits: [..., labels], finite.
        calibration: from the manifest.

    Returns:
        float64 of the same shape; after a softmax each row sums to one.
    """
    scaled = np.asarray(logits, np.float64) / calibration.temperature
    if calibration.activation == "sigmoid":
        # Of the negative magnitude, so that no exponential overflows.
        small = np.exp(-np.abs(scaled))
        return np.where(scaled >= 0, 1 / (1 + small), small / (1 + small))
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result


def prediction_set(calibrated: Floats, threshold: float) -> NDArray[np.bool_]:
    """Which labels are in the set: those of at least the threshold, and always the likeliest.

    Args:
        calibrated: probabilities [..., labels].
        threshold: of the bundle's prediction sets.
    """
    chosen: NDArray[np.bool_] = (calibrated >= threshold) | (calibrated == calibrated.max(axis=-1, keepdims=True))
    return chosen


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> tuple[float | None, float | None]:
    """Positive and negative predictive value at a prevalence, by Bayes' theorem (Altman & Bland 1994, BMJ 309:102).

    Args:
        sensitivity: share of the positive that are called positive.
        specificity: share of the negative that are called negative.
        prevalence: share of the positive among those who are asked about.

    Returns:
        How likely a positive answer is right, and a negative one; None where there would be no such answer.
    """
    found, invented = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    missed, rejected = (1 - sensitivity) * prevalence, specificity * (1 - prevalence)
    positive = found / (found + invented) if found + invented else None
    negative = rejected / (missed + rejected) if missed + rejected else None
    return positive, negative

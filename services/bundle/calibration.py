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

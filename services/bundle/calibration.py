"""Logits to calibrated probabilities."""

import numpy as np
from numpy.typing import NDArray

from services.bundle.manifest import Calibration

Floats = NDArray[np.floating]


def probabilities(logits: Floats, calibration: Calibration) -> NDArray[np.float64]:
    """Temperature-scaled softmax (Guo et al. 2017, arXiv:1706.04599).

    Args:
        logits: [..., labels], finite.
        calibration: from the manifest.

    Returns:
        float64 of the same shape, each row summing to one.
    """
    scaled = np.asarray(logits, np.float64) / calibration.temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result

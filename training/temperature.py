"""The temperature of a classifier: one number, fitted on validation, that makes its probabilities honest."""

import numpy as np

from services.bundle.manifest import Calibration
from training.answers import Answers
from training.metrics import Activation, log_loss

TEMPERATURES = (1.0, 10.0)
"""Between these a fitted temperature lies."""

_GOLDEN = (5**0.5 - 1) / 2
_CLOSE = 1e-6


def fit_temperature(answers: Answers, activation: Activation) -> float:
    """The temperature that minimises the negative log likelihood (Guo et al. 2017, arXiv:1706.04599, section 4.2).

    The likelihood is convex in 1/T, hence has one valley in log T, which a golden-section search closes in on. T stays
    between 1 and 10: a bundle is never made surer than its network is, because the same images chose the checkpoint,
    so that few or none of their answers are wrong and the likelihood would rise for ever as T falls.

    Args:
        answers: of the validation part.
        activation: "softmax" or "sigmoid", which shares one temperature among all labels.

    Returns:
        T, by which logits are divided; above 1 the classifier was too sure of itself.
    """

    def loss(log_temperature: float) -> float:
        calibration = Calibration(temperature=float(np.exp(log_temperature)), activation=activation)
        return float(log_loss(answers, calibration).mean())

    low, high = np.log(TEMPERATURES)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    loss_left, loss_right = loss(left), loss(right)
    while high - low > _CLOSE:
        if loss_left <= loss_right:
            high, right, loss_right = right, left, loss_left
            left = high - _GOLDEN * (high - low)
            loss_left = loss(left)
        else:
            low, left, loss_left = left, right, loss_right
            right = low + _GOLDEN * (high - low)
            loss_right = loss(right)
    return float(np.exp((low + high) / 2))

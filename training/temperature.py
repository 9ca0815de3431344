"""The temperature of a classifier: one number, fitted on validation, that makes its probabilities honest."""

import numpy as np

from services.bundle.calibration import probabilities
from services.bundle.manifest import Calibration
from training.answers import Answers
from training.metrics import Activation, Floats

TEMPERATURES = (0.25, 10.0)
"""Between these a fitted temperature lies."""

_GOLDEN = (5**0.5 - 1) / 2
_CLOSE = 1e-6


def fit_temperature(answers: Answers, activation: Activation) -> float:
    """The temperature that minimises the cross-entropy with slightly softened truths.

    Temperature scaling is Guo et al. 2017 (arXiv:1706.04599, section 4.2). The truths are softened as Platt's are
    (1999, "Probabilistic outputs for support vector machines", section 2.2): the truth counts (n + 1)/(n + 2) for n
    images and the other labels share the rest. The same images chose the checkpoint, so few or none of their answers
    are wrong, and with hard truths the likelihood would rise for ever as T falls; so no answer is ever surer than n
    right answers allow.

    The cross-entropy is convex in 1/T, hence has one valley in log T, which a golden-section search closes in on.

    Args:
        answers: of the validation part.
        activation: "softmax" or "sigmoid", which shares one temperature among all labels.

    Returns:
        T, by which logits are divided; above 1 the classifier was too sure of itself, below it was not sure enough.
    """
    count, labels = answers.logits.shape
    doubt = 1 / (count + 2)
    others = 1 if activation == "sigmoid" else labels - 1
    targets = np.where(answers.truths, 1 - doubt, doubt / others)

    def loss(log_temperature: float) -> float:
        calibration = Calibration(temperature=float(np.exp(log_temperature)), activation=activation)
        crossed = targets * _log(probabilities(answers.logits, calibration))
        if activation == "sigmoid":
            crossed = crossed + (1 - targets) * _log(probabilities(-answers.logits, calibration))
        return -float(crossed.sum(axis=1).mean())

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


def _log(chances: Floats) -> Floats:
    logarithms: Floats = np.log(np.maximum(chances, np.finfo(np.float64).tiny))
    return logarithms

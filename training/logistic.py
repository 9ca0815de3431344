"""Logistic regression: the plainest classifier there is, fitted to the end on all samples at once."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.bundle.calibration import probabilities
from services.bundle.manifest import Calibration
from training.metrics import Activation, Floats

_MEMORY = 10
_MOST_STEPS = 500
_SMALL = 1e-4
_HALVINGS = 30
_ARMIJO = 1e-4


@dataclass(frozen=True, slots=True)
class Logistic:
    """A fitted regression.

    Attributes:
        kernel: float64 [features, labels].
        bias: float64 [labels].
    """

    kernel: Floats
    bias: Floats

    def logits(self, features: Floats) -> Floats:
        """Float64 [n, labels] of features [n, features]."""
        logits: Floats = features @ self.kernel + self.bias
        return logits


def fit_logistic(
    features: Floats,
    truths: NDArray[np.bool_],
    activation: Activation,
    penalty: float = 1.0,
    start: Logistic | None = None,
) -> Logistic:
    """Minimise the summed negative log likelihood plus half of `penalty` times the squared kernel; the bias is free.

    By L-BFGS (Nocedal & Wright 2006, algorithm 7.5) with halved steps until Armijo's condition holds; the function is
    convex, so there is one minimum.

    Args:
        features: [n, features], of about unit size.
        truths: bool [n, labels].
        activation: "softmax" where a sample has one label, "sigmoid" for a regression per label.
        penalty: of the squared weights.
        start: where the search begins, as the regression of much the same samples; None begins from zero.
    """
    shape = (features.shape[1] + 1, truths.shape[1])
    plain = Calibration(temperature=1.0, activation=activation)
    count = len(features)

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(shape)
        logits = features @ weights[:-1] + weights[-1]
        off = probabilities(logits, plain) - truths
        gradient = np.vstack([features.T @ off + penalty * weights[:-1], off.sum(axis=0)])
        total = _negative_log_likelihood(logits, truths, activation) + penalty / 2 * (weights[:-1] ** 2).sum()
        return total / count, gradient.ravel() / count

    begun = np.zeros(shape) if start is None else np.vstack([start.kernel, start.bias])
    weights = _minimise(loss, begun.ravel()).reshape(shape)
    return Logistic(weights[:-1], weights[-1])


def _negative_log_likelihood(logits: Floats, truths: NDArray[np.bool_], activation: Activation) -> float:
    if activation == "sigmoid":
        return float(np.logaddexp(0, np.where(truths, -logits, logits)).sum())
    return float((np.logaddexp.reduce(logits, axis=1) - logits[truths]).sum())


def _minimise(loss: Callable[[Floats], tuple[float, Floats]], at: Floats) -> Floats:
    """Walk downhill by L-BFGS until the slope is small or no step goes down."""
    steps: deque[tuple[Floats, Floats]] = deque(maxlen=_MEMORY)
    value, slope = loss(at)
    for _ in range(_MOST_STEPS):
        if np.abs(slope).max() < _SMALL:
            break
        direction = -_rescaled(slope, steps)
        length, downhill = 1.0, float(slope @ direction)
        for _ in range(_HALVINGS):
            there = at + length * direction
            lower, steeper = loss(there)
            if lower <= value + _ARMIJO * length * downhill:
                break
            length /= 2
        else:
            break
        # Of a convex function this product is positive, but for the rounding of a tiny step.
        if (steeper - slope) @ (there - at) > 0:
            steps.append((there - at, steeper - slope))
        at, value, slope = there, lower, steeper
    return at


def _rescaled(slope: Floats, steps: deque[tuple[Floats, Floats]]) -> Floats:
    """The slope times an approximation of the inverse Hessian from the last steps: the two-loop recursion."""
    result, shares = slope.copy(), []
    for step, change in reversed(steps):
        share = (step @ result) / (step @ change)
        shares.append(share)
        result -= share * change
    if steps:
        step, change = steps[-1]
        result *= (step @ change) / (change @ change)
    else:
        result /= max(1.0, float(np.abs(slope).sum()))
    for (step, change), share in zip(steps, reversed(shares), strict=True):
        result += (share - (change @ result) / (step @ change)) * step
    return result

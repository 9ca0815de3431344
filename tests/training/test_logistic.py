"""The regression finds the one minimum there is."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.answering import one_hot
from training.logistic import fit_logistic
from training.metrics import Activation


def drawn(count: int = 400, labels: int = 3) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    random = np.random.default_rng(0)
    features = random.normal(0, 1, (count, 4))
    chances = features @ random.normal(0, 1, (4, labels)) + random.gumbel(0, 1, (count, labels))
    return features, one_hot(chances.argmax(axis=1), labels)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_gradient_is_nothing_at_the_minimum(activation: Activation) -> None:
    features, truths = drawn()
    fitted = fit_logistic(features, truths, activation, penalty=2.0)
    logits = fitted.logits(features)
    if activation == "softmax":
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    else:
        chances = 1 / (1 + np.exp(-logits))
    off = chances - truths
    assert np.abs(features.T @ off + 2.0 * fitted.kernel).max() < 400 * 1e-4
    assert np.abs(off.sum(axis=0)).max() < 400 * 1e-4


def test_a_case_worked_out_by_hand() -> None:
    # Without features to speak of, the bias is the logarithm of the odds.
    truths = np.array([[True], [True], [True], [False]])
    fitted = fit_logistic(np.zeros((4, 1)), truths, "sigmoid")
    assert fitted.bias == pytest.approx([np.log(3)], abs=1e-3)
    assert fitted.kernel.tolist() == [[0]]


def test_a_penalty_keeps_separable_classes_finite() -> None:
    features, truths = np.array([[-1.0], [1.0]]), one_hot([0, 1], 2)
    strict, loose = (np.abs(fit_logistic(features, truths, "softmax", penalty=p).kernel).max() for p in (10.0, 0.01))
    assert 0 < strict < 0.1
    assert 1 < loose < 10


def test_it_learns() -> None:
    features, truths = drawn(1000)
    fitted = fit_logistic(features[:500], truths[:500], "softmax")
    right = fitted.logits(features[500:]).argmax(axis=1) == truths[500:].argmax(axis=1)
    assert right.mean() > 0.6

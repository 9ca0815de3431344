"""The temperature that made the truth is found, and never makes a classifier surer than its images allow."""

import numpy as np
import pytest

from services.bundle.calibration import probabilities
from services.bundle.manifest import Calibration
from tests.training.answering import one_hot
from training.answers import Answers
from training.metrics import Activation, log_loss
from training.temperature import fit_temperature


def drawn(temperature: float, activation: Activation) -> Answers:
    """Answers whose truth was drawn from their own probabilities at this temperature."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (20_000, 5))
    chances = probabilities(logits, Calibration(temperature=temperature, activation=activation))
    if activation == "sigmoid":
        return Answers(logits, random.random(chances.shape) < chances, ())
    return Answers(logits, one_hot((random.random((20_000, 1)) > chances.cumsum(axis=1)).sum(axis=1), 5), ())


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("temperature", [0.5, 1.2, 2.5, 6.0])
def test_the_temperature_that_made_the_truth_is_found(temperature: float, activation: Activation) -> None:
    given = drawn(temperature, activation)
    fitted = fit_temperature(given, activation)
    assert fitted == pytest.approx(temperature, rel=0.05)

    def loss(at: float) -> float:
        return float(log_loss(given, Calibration(temperature=at, activation=activation)).mean())

    assert loss(fitted) <= min(loss(fitted * 0.99), loss(fitted * 1.01))


def test_no_answer_is_surer_than_as_many_right_ones_allow() -> None:
    count = 48
    logits, right = np.tile(np.eye(3) * 10 - 5, (count // 3, 1)), one_hot([0, 1, 2] * (count // 3), 3)
    fitted = fit_temperature(Answers(logits, right, ()), "softmax")
    surest = probabilities(logits, Calibration(temperature=fitted, activation="softmax")).max()
    assert surest == pytest.approx((count + 1) / (count + 2), abs=1e-4)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_temperature_stays_within_bounds(activation: Activation) -> None:
    logits = np.eye(3) * 10 - 5
    wrong = one_hot([1, 2, 0], 3)
    assert fit_temperature(Answers(logits, wrong, ()), activation) == pytest.approx(10, rel=1e-4)
    barely = np.tile(np.eye(3) * 0.2 - 0.1, (100, 1))
    right = one_hot([0, 1, 2] * 100, 3)
    assert fit_temperature(Answers(barely, right, ()), activation) == pytest.approx(0.25, rel=1e-4)

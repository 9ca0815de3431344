import itertools

import numpy as np
import pytest

from services.bundle.calibration import probabilities
from services.bundle.manifest import Calibration

LOGITS = np.random.default_rng(5).normal(0, 4, (200, 7))
TEMPERATURES = [0.01, 0.5, 1.0, 1.7, 30.0, 100.0]


def softmax(temperature: float) -> Calibration:
    return Calibration(temperature=temperature, activation="softmax")


def sigmoid(temperature: float) -> Calibration:
    return Calibration(temperature=temperature, activation="sigmoid")


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_each_row_sums_to_one(temperature: float) -> None:
    result = probabilities(LOGITS, softmax(temperature))
    assert result.shape == LOGITS.shape
    assert result.dtype == np.float64
    assert (result >= 0).all()
    np.testing.assert_allclose(result.sum(axis=-1), 1, rtol=1e-12)


def test_a_temperature_of_one_is_the_softmax() -> None:
    naive = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(probabilities(LOGITS, softmax(1.0)), naive, rtol=1e-12)


def test_the_temperature_divides_the_logits() -> None:
    warm = probabilities(LOGITS, softmax(2.5))
    np.testing.assert_allclose(warm, probabilities(LOGITS / 2.5, softmax(1.0)), rtol=1e-12)


@pytest.mark.parametrize("temperature", TEMPERATURES[1:])
def test_no_temperature_changes_the_order(temperature: float) -> None:
    result = probabilities(LOGITS, softmax(temperature))
    assert np.array_equal(result.argsort(axis=-1), LOGITS.argsort(axis=-1))


def test_heat_makes_less_sure() -> None:
    surest = [probabilities(LOGITS, softmax(t)).max(axis=-1) for t in TEMPERATURES]
    for colder, warmer in itertools.pairwise(surest):
        assert (colder >= warmer).all()
        assert (colder > warmer).any()


@pytest.mark.parametrize("huge", [1e4, 1e30, np.finfo(np.float32).max])
@pytest.mark.parametrize("temperature", [0.01, 1.0])
def test_huge_logits_do_not_overflow(huge: float, temperature: float) -> None:
    logits = np.array([[huge, -huge, 0.0], [-huge, -huge, -huge]], np.float32)
    result = probabilities(logits, softmax(temperature))
    np.testing.assert_allclose(result, np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]))


def test_single_precision_loses_nothing() -> None:
    single = LOGITS.astype(np.float32)
    calibration = softmax(1.3)
    assert np.array_equal(probabilities(single, calibration), probabilities(single.astype(np.float64), calibration))


def test_one_row_is_as_good_as_many() -> None:
    calibration = softmax(1.3)
    assert np.array_equal(probabilities(LOGITS[0], calibration), probabilities(LOGITS, calibration)[0])


# ---------------------------------------------------------------- several labels


@pytest.mark.parametrize("temperature", TEMPERATURES[1:])
def test_a_sigmoid_looks_at_each_logit_by_itself(temperature: float) -> None:
    result = probabilities(LOGITS, sigmoid(temperature))
    np.testing.assert_allclose(result, 1 / (1 + np.exp(-LOGITS / temperature)), rtol=1e-12)
    for column in range(LOGITS.shape[1]):
        assert np.array_equal(probabilities(LOGITS[:, [column]], sigmoid(temperature)), result[:, [column]])


def test_a_sigmoid_is_one_half_at_zero_and_mirrors_its_other_half() -> None:
    assert probabilities(np.zeros(3), sigmoid(2.0)).tolist() == [0.5, 0.5, 0.5]
    mirrored = probabilities(LOGITS, sigmoid(1.3)) + probabilities(-LOGITS, sigmoid(1.3))
    np.testing.assert_allclose(mirrored, 1, rtol=1e-12)


@pytest.mark.parametrize("huge", [1e4, 1e30, np.finfo(np.float32).max])
def test_a_sigmoid_of_huge_logits_does_not_overflow(huge: float) -> None:
    result = probabilities(np.array([huge, -huge, 0.0], np.float32), sigmoid(0.01))
    np.testing.assert_allclose(result, [1, 0, 0.5], atol=1e-12)

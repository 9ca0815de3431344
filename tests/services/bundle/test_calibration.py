import itertools

import numpy as np
import pytest

from services.bundle.calibration import probabilities
from services.bundle.manifest import Calibration

LOGITS = np.random.default_rng(5).normal(0, 4, (200, 7))
TEMPERATURES = [0.01, 0.5, 1.0, 1.7, 30.0, 100.0]


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_each_row_sums_to_one(temperature: float) -> None:
    result = probabilities(LOGITS, Calibration(temperature=temperature))
    assert result.shape == LOGITS.shape
    assert result.dtype == np.float64
    assert (result >= 0).all()
    np.testing.assert_allclose(result.sum(axis=-1), 1, rtol=1e-12)


def test_a_temperature_of_one_is_the_softmax() -> None:
    naive = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(probabilities(LOGITS, Calibration(temperature=1.0)), naive, rtol=1e-12)


def test_the_temperature_divides_the_logits() -> None:
    warm = probabilities(LOGITS, Calibration(temperature=2.5))
    np.testing.assert_allclose(warm, probabilities(LOGITS / 2.5, Calibration(temperature=1.0)), rtol=1e-12)


@pytest.mark.parametrize("temperature", TEMPERATURES[1:])
def test_no_temperature_changes_the_order(temperature: float) -> None:
    result = probabilities(LOGITS, Calibration(temperature=temperature))
    assert np.array_equal(result.argsort(axis=-1), LOGITS.argsort(axis=-1))


def test_heat_makes_less_sure() -> None:
    surest = [probabilities(LOGITS, Calibration(temperature=t)).max(axis=-1) for t in TEMPERATURES]
    for colder, warmer in itertools.pairwise(surest):
        assert (colder >= warmer).all()
        assert (colder > warmer).any()


@pytest.mark.parametrize("huge", [1e4, 1e30, np.finfo(np.float32).max])
@pytest.mark.parametrize("temperature", [0.01, 1.0])
def test_huge_logits_do_not_overflow(huge: float, temperature: float) -> None:
    logits = np.array([[huge, -huge, 0.0], [-huge, -huge, -huge]], np.float32)
    result = probabilities(logits, Calibration(temperature=temperature))
    np.testing.assert_allclose(result, np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]))


def test_single_precision_loses_nothing() -> None:
    single = LOGITS.astype(np.float32)
    calibration = Calibration(temperature=1.3)
    assert np.array_equal(probabilities(single, calibration), probabilities(single.astype(np.float64), calibration))


def test_one_row_is_as_good_as_many() -> None:
    calibration = Calibration(temperature=1.3)
    assert np.array_equal(probabilities(LOGITS[0], calibration), probabilities(LOGITS, calibration)[0])

"""What half precision costs, of a case worked out by hand; the gate itself is tested where bundles are published."""

import numpy as np
import pytest

from services.bundle.manifest import Calibration
from training.halving import cost_of_halving


def calibration(temperature: float) -> Calibration:
    return Calibration(temperature=temperature, activation="softmax")


def test_the_cost_of_halving_of_a_case_worked_out_by_hand() -> None:
    single = np.log([[0.6, 0.4], [0.51, 0.49], [0.2, 0.8]])
    half = np.log([[0.6, 0.4], [0.49, 0.51], [0.25, 0.75]])
    halving = cost_of_halving(single, half, calibration(1.0))
    assert (halving.images, halving.changed_predictions) == (3, 1)
    assert halving.largest_probability_change == pytest.approx(0.05)
    assert cost_of_halving(single, half, calibration(100.0)).largest_probability_change < 0.001

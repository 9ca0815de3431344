"""What half precision costs, of a case worked out by hand; the gate itself is tested where bundles are published."""

import numpy as np
import pytest

from services.bundle.manifest import Calibration
from training.errors import NotPublishable
from training.halving import cost_of_halving


def test_an_answer_of_several_labels_changes_with_any_of_them() -> None:
    several = Calibration(temperature=1.0, activation="sigmoid")
    single, half = np.array([[2.0, 0.01, -3.0], [2.0, 1.0, -3.0]]), np.array([[2.0, -0.01, -3.0], [2.1, 1.1, -3.0]])
    assert cost_of_halving(single, half, several).changed_predictions == 1


def calibration(temperature: float) -> Calibration:
    return Calibration(temperature=temperature, activation="softmax")


def test_the_cost_of_halving_of_a_case_worked_out_by_hand() -> None:
    single = np.log([[0.6, 0.4], [0.51, 0.49], [0.2, 0.8]])
    half = np.log([[0.6, 0.4], [0.49, 0.51], [0.25, 0.75]])
    halving = cost_of_halving(single, half, calibration(1.0))
    assert (halving.images, halving.changed_predictions) == (3, 1)
    assert halving.largest_probability_change == pytest.approx(0.05)
    assert cost_of_halving(single, half, calibration(100.0)).largest_probability_change < 0.001


def test_an_answer_that_is_no_number_is_refused() -> None:
    good, bad = np.array([[1.0, 2.0]]), np.array([[1.0, np.nan]])
    for single, half in ((good, bad), (bad, good)):
        with pytest.raises(NotPublishable, match="NaN or infinite"):
            cost_of_halving(single, half, calibration(1.0))

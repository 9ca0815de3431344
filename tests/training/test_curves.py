"""The points of the diagrams are those that the figures sum up."""

import numpy as np
import pytest

from tests.training.answering import ONCE, SEVERAL, guesses
from training.curves import operating, reliability
from training.metrics import areas, calibration_error


def test_thresholds_of_a_case_worked_out_by_hand() -> None:
    points = operating(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
    assert points.recall.tolist() == [0.5, 1, 1]
    assert points.fallout.tolist() == [0, 0.5, 1]
    assert points.precision == pytest.approx([1, 2 / 3, 1 / 2])


def test_the_areas_under_the_points_are_the_figures() -> None:
    random = np.random.default_rng(2)
    scores, positive = random.integers(0, 30, 200) / 30, random.random(200) < 0.3
    points = operating(scores, positive)
    roc_auc, average_precision = areas(scores, positive, np.ones((1, 200)))
    recall, fallout = (np.concatenate(([0.0], axis)) for axis in (points.recall, points.fallout))
    assert np.trapezoid(recall, fallout) == pytest.approx(roc_auc[0])
    assert (np.diff(recall) * points.precision).sum() == pytest.approx(average_precision[0])


@pytest.mark.parametrize("several", [False, True])
def test_reliability_holds_what_the_calibration_error_sums(several: bool) -> None:  # noqa: FBT001
    given, calibration = guesses(300, 4, several=several), SEVERAL if several else ONCE
    points = reliability(given, calibration)
    count = 1200 if several else 300
    assert points.count.sum() == count
    held = points.count > 0
    gaps = np.abs(points.observed - points.stated)[held] * points.count[held] / count
    assert calibration_error(given, calibration, np.ones((1, 300))) == pytest.approx([gaps.sum()])
    assert np.isnan(points.observed[~held]).all()

"""Thresholds keep what they promise on the images that chose them, rise, and are measured on others."""

import numpy as np
import pytest

from services.bundle.calibration import prediction_set, probabilities
from tests.training.answering import ONCE, guesses, one_hot, samples
from training.answers import Answers
from training.decisions import COVERAGE, choose_thresholds, operating_points, prediction_sets

LABELS = ("normal", "ill")


def binary(seed: int, skill: float, count: int = 2000) -> Answers:
    return guesses(count, 2, seed=seed, skill=skill)


@pytest.mark.parametrize("skill", [0.0, 0.5, 1.5, 4.0, 20.0])
def test_thresholds_keep_their_promises_and_rise(skill: float) -> None:
    given = binary(1, skill)
    chances, ill = probabilities(given.logits, ONCE)[:, 1], given.truths[:, 1]
    found = choose_thresholds(chances, ill)
    assert found["rule_out"] <= found["balanced"] <= found["rule_in"]
    assert (chances[ill] >= found["rule_out"]).mean() >= 0.95
    assert (chances[~ill] < found["rule_in"]).mean() >= 0.95


def test_the_points_of_a_good_classifier_leave_something_open() -> None:
    tail = 0.52 * np.linspace(0, 1, 200) ** 2
    found = choose_thresholds(np.concatenate([tail, 1 - tail]), np.arange(400) >= 200)
    # Five in a hundred of the ill lie below 0.53, five of the others above 0.47.
    assert found["rule_out"] == pytest.approx(0.47, abs=0.01)
    assert found["rule_in"] == pytest.approx(0.53, abs=0.01)
    assert found["rule_out"] < found["balanced"] < found["rule_in"]


def test_the_balanced_point_has_the_highest_sum() -> None:
    given = binary(2, 1.0)
    chances, ill = probabilities(given.logits, ONCE)[:, 1], given.truths[:, 1]

    def total(threshold: float) -> float:
        called = chances >= threshold
        return float(called[ill].mean() + (~called)[~ill].mean())

    best = total(choose_thresholds(chances, ill)["balanced"])
    assert best == pytest.approx(max(total(cut) for cut in np.linspace(0, 1, 2001)), abs=5e-3)
    assert best >= max(total(cut) for cut in np.linspace(0, 1, 2001)) - 1e-12


def test_between_two_groups_far_apart_the_threshold_lies_in_the_middle() -> None:
    chances = np.array([0.1, 0.2, 0.8, 0.9])
    found = choose_thresholds(chances, np.array([False, False, True, True]))
    assert found == {"rule_out": 0.5, "balanced": 0.5, "rule_in": 0.5}


def test_points_are_measured_on_the_test_part() -> None:
    validation, test = binary(3, 2.0), binary(4, 2.0)
    points = operating_points(validation, test, LABELS, "ill", ONCE, seed=0)
    assert [point.name for point in points] == ["rule_out", "balanced", "rule_in"]
    chances, ill = probabilities(test.logits, ONCE)[:, 1], test.truths[:, 1]
    for point in points:
        assert point.label == "ill"
        assert point.sensitivity.value == pytest.approx((chances[ill] >= point.threshold).mean())
        assert point.specificity.value == pytest.approx((chances[~ill] < point.threshold).mean())
        assert point.sensitivity.low <= point.sensitivity.value <= point.sensitivity.high
    assert points[0].sensitivity.value > 0.9 > points[-1].sensitivity.value


def test_the_positive_label_may_come_first() -> None:
    validation = binary(3, 2.0)
    mirrored = Answers(validation.logits[:, ::-1], validation.truths[:, ::-1], validation.samples)
    forward = operating_points(validation, validation, LABELS, "ill", ONCE, seed=0)
    assert operating_points(mirrored, mirrored, LABELS[::-1], "ill", ONCE, seed=0) == forward


@pytest.mark.parametrize("skill", [0.0, 1.0, 3.0])
def test_sets_hold_the_truth_as_often_as_promised(skill: float) -> None:
    covered = [
        prediction_sets(guesses(800, 5, seed=seed, skill=skill), guesses(800, 5, seed=seed + 99, skill=skill), ONCE, 0)
        for seed in range(5)
    ]
    assert np.mean([sets.coverage.value for sets in covered]) >= COVERAGE - 0.01
    # A classifier that guesses needs nearly all labels for that, a good one few.
    assert (np.mean([sets.mean_size for sets in covered]) > 4) == (skill == 0)


def test_a_fair_chance_is_never_left_out() -> None:
    sets = prediction_sets(guesses(800, 3, seed=1, skill=30), guesses(800, 3, seed=2, skill=30), ONCE, 0)
    assert sets.threshold == pytest.approx(0.1)
    assert sets.single.value == 1
    assert prediction_set(np.array([[0.85, 0.12, 0.03]]), sets.threshold).tolist() == [[True, True, False]]


def test_of_very_few_images_every_label_stays_open() -> None:
    few = Answers(np.zeros((5, 3)), one_hot([0, 1, 2, 0, 1], 3), samples(range(5)))
    assert prediction_sets(few, few, ONCE, 0).threshold == 0

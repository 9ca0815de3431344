"""Figures against cases worked out by hand, and intervals that know what a group is."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.bundle.calibration import probabilities
from services.bundle.manifest import Calibration, Evaluation
from tests.training.conftest import Trained
from training.datasets import Images, Sample
from training.evaluation import (
    Answers,
    answer,
    calibration_error,
    confusions,
    evaluate,
    fit_temperature,
    log_loss,
    reliability,
    roc_auc,
)

ONCE = Calibration(temperature=1.0)


def ones(count: int) -> NDArray[np.float64]:
    return np.ones((1, count))


def answers(
    predicted: Sequence[int],
    truth: Sequence[int],
    labels: int,
    groups: Sequence[object] | None = None,
    sure: float = 0.8,
) -> Answers:
    """Answers that give `sure` to what was predicted and share the rest among the other labels."""
    chances = np.full((len(predicted), labels), (1 - sure) / (labels - 1))
    chances[np.arange(len(predicted)), predicted] = sure
    named = groups or range(len(predicted))
    samples = tuple(Sample(f"{index}.png", "x", f"g{group}", "drawn") for index, group in enumerate(named))
    return Answers(np.log(chances), np.array(truth), samples)


def figures(evaluation: Evaluation) -> dict[str, float]:
    return {metric.name: metric.value for metric in evaluation.metrics}


# ---------------------------------------------------------------- single figures


def test_roc_auc_of_a_known_case() -> None:
    # The example of scikit-learn's documentation of roc_auc_score.
    area = roc_auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]), ones(4))
    assert area.tolist() == [0.75]


def test_roc_auc_counts_ties_one_half_and_weights_as_copies() -> None:
    random = np.random.default_rng(1)
    scores = random.integers(0, 5, 40) / 5
    positive = random.random(40) < 0.4
    copies = random.integers(0, 4, (3, 40))
    areas = roc_auc(scores, positive, copies.astype(float))
    for area, counts in zip(areas, copies, strict=True):
        high = np.repeat(scores[positive], counts[positive])
        low = np.repeat(scores[~positive], counts[~positive])
        wins = (high[:, None] > low).mean() + (high[:, None] == low).mean() / 2
        assert area == pytest.approx(wins)


@pytest.mark.parametrize("truth", [True, False])
def test_roc_auc_needs_both_kinds(truth: bool) -> None:  # noqa: FBT001
    assert np.isnan(roc_auc(np.array([0.1, 0.9]), np.array([truth, truth]), ones(2))).all()


def test_calibration_error_of_a_case_worked_out_by_hand() -> None:
    chances = np.array([[0.9, 0.1], [0.9, 0.1], [0.45, 0.55], [0.45, 0.55]])
    # Of the two answers at 0.9 one is right: off by 0.4. Both at 0.55 are right: off by 0.45.
    error = calibration_error(chances, np.array([0, 1, 1, 1]), ones(4))
    assert error == pytest.approx([(0.4 + 0.45) / 2])
    # The second answer thrice: at 0.9 one of four is right.
    error = calibration_error(chances, np.array([0, 1, 1, 1]), np.array([[1.0, 3.0, 1.0, 1.0]]))
    assert error == pytest.approx([(4 * 0.65 + 2 * 0.45) / 6])


def test_calibration_bins_are_closed_above() -> None:
    # 0.6 is the upper end of the ninth of fifteen bins, 0.6001 lies in the tenth: their errors do not cancel.
    chances = np.array([[0.6, 0.4], [0.6001, 0.3999]])
    assert calibration_error(chances, np.array([0, 1]), ones(2)) == pytest.approx([(0.4 + 0.6001) / 2])
    assert calibration_error(np.array([[1.0, 0.0]]), np.array([0]), ones(1)) == pytest.approx([0.0])


def test_reliability_holds_what_the_calibration_error_sums() -> None:
    random = np.random.default_rng(0)
    given = Answers(random.normal(0, 2, (300, 4)), random.integers(0, 4, 300), ())
    points = reliability(given, ONCE)
    assert points.images.sum() == 300
    held = points.images > 0
    gaps = np.abs(points.accuracy - points.confidence)[held] * points.images[held] / 300
    assert calibration_error(probabilities(given.logits, ONCE), given.classes, ones(300)) == pytest.approx([gaps.sum()])
    assert np.isnan(points.accuracy[~held]).all()


def test_log_loss_is_the_logarithm_of_the_truth() -> None:
    chances = np.array([[0.25, 0.75], [1.0, 0.0]])
    assert log_loss(chances, np.array([1, 0])) == pytest.approx([math.log(4 / 3), 0])
    assert np.isfinite(log_loss(chances, np.array([1, 1]))).all()


def test_confusions_are_rows_of_truth_and_columns_of_predictions() -> None:
    counts = confusions(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 2]), 3, np.array([[1, 1, 1, 1], [0, 5, 0, 2]]))
    assert counts.tolist() == [[[1, 1, 0], [0, 1, 0], [0, 0, 1]], [[0, 5, 0], [0, 0, 0], [0, 0, 2]]]


# ---------------------------------------------------------------- temperature


@pytest.mark.parametrize("temperature", [1.2, 2.5, 6.0])
def test_the_temperature_that_made_the_truth_is_found(temperature: float) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (20_000, 5))
    chances = probabilities(logits, Calibration(temperature=temperature))
    truth = (random.random((20_000, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    fitted = fit_temperature(logits, truth)
    assert fitted == pytest.approx(temperature, rel=0.05)

    def loss(at: float) -> float:
        return float(log_loss(probabilities(logits, Calibration(temperature=at)), truth).mean())

    assert loss(fitted) <= min(loss(fitted * 0.99), loss(fitted * 1.01))


def test_the_temperature_stays_within_bounds() -> None:
    logits = np.eye(3) * 5
    assert fit_temperature(logits, np.arange(3)) == pytest.approx(1, rel=1e-4)
    assert fit_temperature(logits, np.array([1, 2, 0])) == pytest.approx(10, rel=1e-4)


# ---------------------------------------------------------------- the evaluation


def test_figures_of_a_case_worked_out_by_hand() -> None:
    # The example of scikit-learn's documentation of f1_score: macro F1 = 0.2666...
    # Halves and quarters come out of logarithm and softmax unrounded, so that ties stay ties.
    given = answers([0, 2, 1, 0, 0, 1], [0, 1, 2, 0, 1, 2], 3, sure=0.5)
    evaluation = evaluate(given, ("a", "b", "c"), ONCE, seed=1)
    found = figures(evaluation)
    assert found["accuracy"] == pytest.approx(2 / 6)
    assert found["balanced_accuracy"] == pytest.approx(1 / 3)
    assert found["macro_f1"] == pytest.approx(0.8 / 3)
    assert found["expected_calibration_error"] == pytest.approx(0.5 - 2 / 6)
    assert found["negative_log_likelihood"] == pytest.approx((2 * math.log(2) + 4 * math.log(4)) / 6)
    # One label against the rest, 2 x 4 pairs each: a wins 6 and ties 2, b ties 4, c ties 6.
    assert found["macro_roc_auc"] == pytest.approx((7 / 8 + 2 / 8 + 3 / 8) / 3)
    assert evaluation.confusion == ((2, 0, 0), (1, 0, 1), (0, 2, 0))
    first, second, _ = evaluation.per_label
    assert (first.label, first.support) == ("a", 2)
    assert first.precision == pytest.approx(2 / 3)
    assert first.recall == 1
    assert first.f1 == pytest.approx(4 / 5)
    assert (second.precision, second.recall, second.f1) == (0, 0, 0)


def test_undefined_figures_of_a_label_are_null_and_spare_the_means() -> None:
    evaluation = evaluate(answers([0, 1, 1], [0, 1, 0], 3), ("a", "b", "c"), ONCE, seed=1)
    absent = evaluation.per_label[2]
    assert (absent.support, absent.precision, absent.recall, absent.f1) == (0, None, None, None)
    assert figures(evaluation)["balanced_accuracy"] == pytest.approx((0.5 + 1) / 2)
    never_answered = evaluate(answers([0, 0], [0, 1], 2), ("a", "b"), ONCE, seed=1).per_label[1]
    assert (never_answered.precision, never_answered.recall, never_answered.f1) == (None, 0, 0)


def test_calibration_moves_probabilities_and_no_answer() -> None:
    given = answers([0, 1, 1, 0], [0, 1, 0, 0], 2)
    flat, sharp = (evaluate(given, ("a", "b"), Calibration(temperature=t), seed=1) for t in (5.0, 0.5))
    assert flat.confusion == sharp.confusion
    assert figures(flat)["ece_uncalibrated"] == figures(sharp)["ece_uncalibrated"] == pytest.approx(0.05)
    assert figures(flat)["expected_calibration_error"] != figures(sharp)["expected_calibration_error"]


def test_each_source_is_counted_for_itself() -> None:
    given = answers([0, 1, 1, 0], [0, 1, 0, 0], 2)
    samples = tuple(
        Sample(f"{index}.png", "x", f"g{index // 2}", source)
        for index, source in enumerate(("two", "two", "one", "two"))
    )
    one, two = evaluate(Answers(given.logits, given.classes, samples), ("a", "b"), ONCE, seed=1).per_source
    assert (one.source, one.images, one.groups, one.accuracy) == ("one", 1, 1, 0)
    assert (two.source, two.images, two.groups, two.accuracy) == ("two", 3, 2, 1)


# ---------------------------------------------------------------- intervals


def interval(given: Answers, name: str = "accuracy", seed: int = 1) -> tuple[float, float]:
    metric = evaluate(given, ("a", "b"), ONCE, seed).metric(name)
    assert metric is not None
    assert metric.low <= metric.value <= metric.high
    return metric.low, metric.high


def test_an_interval_of_single_images_is_the_binomial_one() -> None:
    truth = [0] * 100 + [1] * 100
    low, high = interval(answers([0] * 120 + [1] * 60 + [0] * 20, truth, 2))
    # 0.8 +- 1.96 sqrt(0.8 * 0.2 / 200)
    assert low == pytest.approx(0.8 - 0.0554, abs=0.012)
    assert high == pytest.approx(0.8 + 0.0554, abs=0.012)


def test_copies_within_a_group_do_not_narrow_an_interval() -> None:
    predicted, truth = [0] * 14 + [1] * 6, [0] * 10 + [1] * 10
    alone = interval(answers(predicted, truth, 2))
    copied = answers(
        np.repeat(predicted, 10).tolist(), np.repeat(truth, 10).tolist(), 2, np.repeat(range(20), 10).tolist()
    )
    assert interval(copied) == pytest.approx(alone)
    ungrouped = interval(answers(np.repeat(predicted, 10).tolist(), np.repeat(truth, 10).tolist(), 2))
    assert ungrouped[1] - ungrouped[0] < 0.5 * (alone[1] - alone[0])


def test_a_seed_repeats_the_intervals() -> None:
    given = answers([0] * 33 + [1] * 7, [0] * 20 + [1] * 20, 2)
    assert evaluate(given, ("a", "b"), ONCE, 1) == evaluate(given, ("a", "b"), ONCE, 1)
    assert interval(given, "macro_roc_auc", seed=1) != interval(given, "macro_roc_auc", seed=2)


def test_every_interval_holds_its_figure() -> None:
    random = np.random.default_rng(2)
    given = Answers(random.normal(0, 1, (60, 2)), random.integers(0, 2, 60), answers([0] * 60, [0] * 60, 2).samples)
    for metric in evaluate(given, ("a", "b"), ONCE, 1).metrics:
        assert metric.low <= metric.value <= metric.high, metric
        assert metric.low < metric.high, metric


def test_resampling_does_not_push_a_calibration_error_out_of_its_interval() -> None:
    # Sure by 0.8 and right in 80 of 100: no error at all, but one in nearly every resample.
    given = answers([0] * 40 + [1] * 40 + [1] * 10 + [0] * 10, [0] * 40 + [1] * 40 + [0] * 10 + [1] * 10, 2)
    low, high = interval(given, "expected_calibration_error")
    assert low == pytest.approx(0, abs=1e-12)
    assert high > 0.05


# ---------------------------------------------------------------- asking a classifier


@pytest.mark.parametrize("batch_size", [1, 5, 12, 100])
def test_batches_do_not_change_the_answers(batch_size: int, trained: Trained) -> None:
    images: Images = trained.test
    found = answer(trained.tuned.classifier, images, batch_size)
    model: Any = trained.tuned.classifier
    expected = np.asarray(model(images.pixels.astype(np.float32), training=False))
    np.testing.assert_allclose(found.logits, expected, atol=1e-4)
    assert found.logits.dtype == np.float64
    assert found.samples == images.samples

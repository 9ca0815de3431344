"""Figures against cases worked out by hand, and against their definitions counted out one by one."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from services.bundle.calibration import probabilities
from services.bundle.manifest import Calibration
from tests.training.answering import ONCE, SEVERAL, answers, guesses, one_hot, yes_no
from training.answers import Answers
from training.metrics import TITLES, Figures, areas, brier, calibration_error, confusion, decide, figures, log_loss

Floats = NDArray[np.float64]


def ones(count: int) -> Floats:
    return np.ones((1, count))


def stated(chances: list[list[float]], classes: list[int]) -> Answers:
    """Answers of these very probabilities."""
    given = np.array(chances)
    with np.errstate(divide="ignore"):
        logits = np.maximum(np.log(given), -1e9)
    return Answers(logits, one_hot(classes, given.shape[1]), ())


def overall(given: Answers, calibration: Calibration = ONCE) -> dict[str, float]:
    found = figures(given, calibration, ones(len(given.truths)))
    return {name: float(value[0]) for name, value in found.overall.items()}


# ---------------------------------------------------------------- ranking


def test_the_areas_of_a_known_case() -> None:
    # The example of scikit-learn's documentation of roc_auc_score and of average_precision_score.
    truth = np.array([False, False, True, True])
    roc_auc, average_precision = areas(np.array([0.1, 0.4, 0.35, 0.8]), truth, ones(4))
    assert roc_auc.tolist() == [0.75]
    assert average_precision == pytest.approx([5 / 6])


def test_the_areas_count_ties_one_half_and_weights_as_copies() -> None:
    random = np.random.default_rng(1)
    scores = random.integers(0, 5, 40) / 5
    positive = random.random(40) < 0.4
    copies = random.integers(0, 4, (3, 40))
    for roc_auc, precision, counts in zip(*areas(scores, positive, copies.astype(float)), copies, strict=True):
        high, low = (np.repeat(scores[kind], counts[kind]) for kind in (positive, ~positive))
        wins = (high[:, None] > low).mean() + (high[:, None] == low).mean() / 2
        assert roc_auc == pytest.approx(wins)
        taken = np.concatenate([high, low])
        averaged = np.mean([(high >= score).sum() / (taken >= score).sum() for score in high])
        assert precision == pytest.approx(averaged)


@pytest.mark.parametrize("truth", [True, False])
def test_the_areas_need_both_kinds(truth: bool) -> None:  # noqa: FBT001
    found = areas(np.array([0.1, 0.9]), np.array([truth, truth]), ones(2))
    assert np.isnan(found).all()


def test_a_resample_without_a_kind_has_no_areas() -> None:
    weights = np.array([[1.0, 1, 1], [0, 1, 1], [1, 0, 0]])
    roc_auc, precision = areas(np.array([0.9, 0.1, 0.5]), np.array([True, False, False]), weights)
    assert np.isnan(roc_auc).tolist() == np.isnan(precision).tolist() == [False, True, True]


# ---------------------------------------------------------------- calibration


def test_calibration_error_of_a_case_worked_out_by_hand() -> None:
    given = stated([[0.9, 0.1], [0.9, 0.1], [0.45, 0.55], [0.45, 0.55]], [0, 1, 1, 1])
    # Of the two answers at 0.9 one is right: off by 0.4. Both at 0.55 are right: off by 0.45.
    assert calibration_error(given, ONCE, ones(4)) == pytest.approx([(0.4 + 0.45) / 2])
    # The second answer thrice: at 0.9 one of four is right.
    error = calibration_error(given, ONCE, np.array([[1.0, 3.0, 1.0, 1.0]]))
    assert error == pytest.approx([(4 * 0.65 + 2 * 0.45) / 6])


def test_calibration_bins_are_closed_above() -> None:
    # 0.6 is the upper end of the ninth of fifteen bins, 0.6001 lies in the tenth: their errors do not cancel.
    apart = stated([[0.59999999, 0.40000001], [0.6001, 0.3999]], [0, 1])
    assert calibration_error(apart, ONCE, ones(2)) == pytest.approx([(0.4 + 0.6001) / 2], abs=1e-6)
    together = stated([[0.6002, 0.3998], [0.6001, 0.3999]], [0, 1])
    assert calibration_error(together, ONCE, ones(2)) == pytest.approx([0.2003 / 2])
    assert calibration_error(stated([[1.0, 0.0]], [0]), ONCE, ones(1)) == pytest.approx([0.0])


def test_calibration_error_of_several_labels_pools_every_label() -> None:
    # Eight statements at 0.8, six of them right; eight at 0.2, none of them right.
    given = yes_no([[1, 1, 0, 0]] * 4, [[1, 1, 0, 0]] * 2 + [[1, 0, 0, 0]] * 2)
    assert calibration_error(given, SEVERAL, ones(4)) == pytest.approx([(8 * 0.05 + 8 * 0.2) / 16])
    assert calibration_error(given, SEVERAL, np.array([[2.0, 0, 1, 0]])) == pytest.approx(
        [(6 * abs(5 / 6 - 0.8) + 6 * 0.2) / 12]
    )


def test_log_loss_is_the_logarithm_of_the_truth() -> None:
    given = stated([[0.25, 0.75], [1.0, 0.0]], [1, 0])
    assert log_loss(given, ONCE) == pytest.approx([math.log(4 / 3), 0])
    assert np.isfinite(log_loss(stated([[0.25, 0.75], [1.0, 0.0]], [1, 1]), ONCE)).all()


def test_log_loss_of_several_labels_is_their_mean_cross_entropy() -> None:
    given = yes_no([[1, 0], [1, 1]], [[1, 0], [0, 1]])
    affirmed, denied = -math.log(0.8), -math.log(0.2)
    assert log_loss(given, SEVERAL) == pytest.approx([affirmed, (denied + affirmed) / 2])
    # A label that is present and denied with the utmost certainty costs its logit, not the end of the numbers.
    certain = Answers(np.array([[40.0, -300.0]]), np.array([[False, True]]), ())
    assert log_loss(certain, SEVERAL) == pytest.approx([(40 + 300) / 2])


def test_brier_of_two_labels_is_the_binary_one() -> None:
    given = stated([[0.25, 0.75], [0.9, 0.1]], [1, 1])
    assert brier(given, ONCE) == pytest.approx([0.25**2, 0.9**2])
    assert brier(yes_no([[1, 0], [1, 1]], [[1, 0], [0, 1]]), SEVERAL) == pytest.approx([0.04, (0.64 + 0.04) / 2])


# ---------------------------------------------------------------- right and wrong


def test_figures_of_a_case_worked_out_by_hand() -> None:
    # The example of scikit-learn's documentation of f1_score: macro F1 = 0.2666...
    found = overall(answers([0, 2, 1, 0, 0, 1], [0, 1, 2, 0, 1, 2], 3))
    assert found["accuracy"] == pytest.approx(2 / 6)
    assert found["balanced_accuracy"] == found["macro_recall"] == pytest.approx(1 / 3)
    assert found["macro_f1"] == found["weighted_f1"] == pytest.approx(0.8 / 3)
    assert found["macro_precision"] == pytest.approx(2 / 9)
    # Of the four others: 3 of 4, 2 of 4, 3 of 4 were not taken for the label.
    assert found["macro_specificity"] == pytest.approx((3 / 4 + 2 / 4 + 3 / 4) / 3)
    assert set(found) == set(TITLES)


def test_a_label_that_is_never_predicted_has_a_precision_of_zero_in_the_mean() -> None:
    given = answers([0, 0, 0, 1], [0, 0, 2, 1], 4)
    found = figures(given, ONCE, ones(4))
    # Label 2 has an image and is never predicted; label 3 has neither, and is left out.
    assert found.overall["macro_precision"] == pytest.approx([(2 / 3 + 1 + 0) / 3])
    assert found.overall["macro_recall"] == pytest.approx([(1 + 1 + 0) / 3])
    assert found.overall["macro_f1"] == pytest.approx([(0.8 + 1 + 0) / 3])
    assert found.overall["weighted_f1"] == pytest.approx([(2 * 0.8 + 1 + 0) / 4])
    assert np.isnan(found.per_label["precision"][0]).tolist() == [False, False, True, True]
    assert np.isnan(found.per_label["recall"][0]).tolist() == [False, False, False, True]
    assert found.per_label["specificity"][0].tolist() == [0.5, 1, 1, 1]


def test_several_labels_are_right_only_together() -> None:
    given = yes_no([[1, 0], [0, 0], [0, 0], [0, 1], [1, 1]], [[1, 0], [1, 0], [0, 0], [0, 0], [0, 1]])
    found = overall(given, SEVERAL)
    assert found["accuracy"] == pytest.approx(2 / 5)
    # Label 0: recall 1/2, specificity 2/3. Label 1: recall 1, specificity 3/4.
    assert found["balanced_accuracy"] == pytest.approx((1 / 2 + 2 / 3 + 1 + 3 / 4) / 4)
    assert found["macro_recall"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["macro_precision"] == pytest.approx((1 / 2 + 1 / 2) / 2)


def test_an_answer_is_the_most_probable_label_or_each_of_at_least_one_half() -> None:
    chances = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.3]])
    assert decide(chances, "softmax").tolist() == [[True, False, False], [False, False, True]]
    assert decide(chances, "sigmoid").tolist() == [[True, False, False], [False, False, False]]


def test_confusion_has_rows_of_truth_and_columns_of_answers() -> None:
    counts = confusion(one_hot([0, 1, 1, 2], 3), one_hot([0, 0, 1, 2], 3))
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize("several", [False, True])
def test_weights_are_copies_in_every_figure(several: bool) -> None:  # noqa: FBT001
    given = guesses(60, 4, several=several, skill=1.0)
    calibration = SEVERAL if several else ONCE
    copies = np.random.default_rng(3).integers(0, 4, (3, 60))
    weighted = figures(given, calibration, copies.astype(float))
    for row, counts in enumerate(copies):
        copied = Answers(np.repeat(given.logits, counts, axis=0), np.repeat(given.truths, counts, axis=0), ())
        plain = figures(copied, calibration, ones(int(counts.sum())))
        for kind in (lambda some: some.overall, lambda some: some.per_label):
            _require_same(kind, weighted, plain, row)


def _require_same(kind: Callable[[Figures], dict[str, Floats]], weighted: Figures, plain: Figures, row: int) -> None:
    for name, values in kind(weighted).items():
        np.testing.assert_allclose(values[row], kind(plain)[name][0], err_msg=name)


def test_calibration_changes_probabilities_and_no_decision() -> None:
    given = guesses(200, 4)
    flat, sharp = (overall(given, Calibration(temperature=t, activation="softmax")) for t in (5.0, 0.5))
    for name in ("accuracy", "macro_f1", "macro_specificity", "ece_uncalibrated"):
        assert flat[name] == sharp[name], name
    for name in ("expected_calibration_error", "negative_log_likelihood", "brier_score"):
        assert flat[name] != sharp[name], name
    raw = calibration_error(given, ONCE, ones(200))
    assert flat["ece_uncalibrated"] == pytest.approx(raw[0])
    assert probabilities(given.logits, ONCE).shape == (200, 4)

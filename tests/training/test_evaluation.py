"""Every figure of labelled images, with intervals that know what a group is."""

import numpy as np
import pytest

from services.bundle.evaluation import Evaluation
from services.bundle.manifest import Calibration
from tests.training.answering import ONCE, SEVERAL, answers, guesses, one_hot, samples, yes_no
from training.answers import Answers
from training.evaluation import evaluate, measure, summarise
from training.metrics import TITLES

AB = ("a", "b")


def figures(evaluation: Evaluation) -> dict[str, float]:
    return {metric.name: metric.value for metric in evaluation.metrics}


def interval(given: Answers, name: str = "accuracy", seed: int = 1) -> tuple[float, float]:
    metric = evaluate(given, AB, ONCE, seed).metric(name)
    assert metric is not None
    assert metric.low <= metric.value <= metric.high
    return metric.low, metric.high


# ---------------------------------------------------------------- figures


def test_figures_of_a_case_worked_out_by_hand() -> None:
    evaluation = evaluate(answers([0, 2, 1, 0, 0, 1], [0, 1, 2, 0, 1, 2], 3), ("a", "b", "c"), ONCE, seed=1)
    assert figures(evaluation)["macro_f1"] == pytest.approx(0.8 / 3)
    assert evaluation.confusion == ((2, 0, 0), (1, 0, 1), (0, 2, 0))
    first, second, _ = evaluation.per_label
    assert (first.label, first.support) == ("a", 2)
    assert first.recall is not None
    assert first.recall.value == 1
    assert first.precision is not None
    assert first.precision.value == pytest.approx(2 / 3)
    assert second.specificity is not None
    assert second.specificity.value == 0.5


def test_every_figure_has_a_name_that_people_know() -> None:
    assert list(figures(evaluate(guesses(80, 3), ("a", "b", "c"), ONCE, 1))) == list(TITLES)
    assert list(figures(evaluate(guesses(80, 3, several=True), ("a", "b", "c"), SEVERAL, 1))) == list(TITLES)


def test_what_is_undefined_is_null() -> None:
    # Label "c" has no image and is never predicted.
    evaluation = evaluate(answers([0, 1, 1, 0], [0, 1, 0, 0], 3), ("a", "b", "c"), ONCE, seed=1)
    absent = evaluation.per_label[2]
    assert (absent.support, absent.precision, absent.recall, absent.f1) == (0, None, None, None)
    assert (absent.roc_auc, absent.average_precision) == (None, None)
    assert absent.specificity is not None
    assert absent.specificity.value == 1


def test_images_of_one_label_alone_have_no_areas() -> None:
    evaluation = evaluate(answers([0, 1, 0], [0, 0, 0], 2), AB, ONCE, seed=1)
    assert evaluation.metric("macro_roc_auc") is None
    assert evaluation.metric("macro_average_precision") is None
    accuracy = evaluation.metric("accuracy")
    assert accuracy is not None
    assert accuracy.value == pytest.approx(2 / 3)


def test_several_labels_have_no_confusion() -> None:
    evaluation = evaluate(yes_no([[1, 0], [1, 1], [0, 0]], [[1, 0], [0, 1], [0, 0]]), AB, SEVERAL, seed=1)
    assert evaluation.confusion is None
    assert [entry.support for entry in evaluation.per_label] == [1, 1]
    assert figures(evaluation)["accuracy"] == pytest.approx(2 / 3)


def test_calibration_changes_probabilities_and_no_decision() -> None:
    given = answers([0, 1, 1, 0], [0, 1, 0, 0], 2)
    flat, sharp = (evaluate(given, AB, Calibration(temperature=t, activation="softmax"), seed=1) for t in (5.0, 0.5))
    assert flat.confusion == sharp.confusion
    assert figures(flat)["ece_uncalibrated"] == figures(sharp)["ece_uncalibrated"] == pytest.approx(0.05)
    assert figures(flat)["expected_calibration_error"] != figures(sharp)["expected_calibration_error"]


# ---------------------------------------------------------------- sources


def test_each_source_is_counted_for_itself() -> None:
    given = answers([0, 1, 1, 0, 0], [0, 1, 0, 0, 1], 2)
    placed = samples([0, 0, 1, 2, 2], ["two", "two", "one", "two", "two"])
    one, two = evaluate(Answers(given.logits, given.truths, placed), AB, ONCE, seed=1).per_source
    assert (one.source, one.images, one.groups, one.accuracy.value) == ("one", 1, 1, 0)
    # One group says nothing of others.
    assert (one.accuracy.low, one.accuracy.high) == (0, 1)
    # A source with one label cannot show that the labels are told apart.
    assert one.balanced_accuracy is None
    assert (two.source, two.images, two.groups, two.accuracy.value) == ("two", 4, 2, 0.75)
    # Two of two of the first label, one of two of the second.
    assert two.balanced_accuracy is not None
    assert two.balanced_accuracy.value == 0.75
    # Of the groups (right, right) and (right, wrong) either may be drawn twice.
    assert (two.accuracy.low, two.accuracy.high) == (0.5, 1)


def test_the_interval_of_a_source_is_that_of_its_images_alone() -> None:
    given = guesses(120, 3)
    sourced = evaluate(given, ("a", "b", "c"), ONCE, 1).per_source[0]
    chosen = [number for number, sample in enumerate(given.samples) if sample.source == sourced.source]
    alone = Answers(given.logits[chosen], given.truths[chosen], tuple(given.samples[number] for number in chosen))
    accuracy = evaluate(alone, ("a", "b", "c"), ONCE, 1).metric("accuracy")
    assert accuracy is not None
    assert (sourced.accuracy.low, sourced.accuracy.high) == (accuracy.low, accuracy.high)


def test_a_source_of_several_labels_is_balanced_over_yes_and_no() -> None:
    given = yes_no([[1, 0], [0, 0], [0, 0], [0, 1], [1, 1]], [[1, 0], [1, 0], [0, 0], [0, 0], [0, 1]])
    (source,) = evaluate(given, AB, SEVERAL, seed=1).per_source
    assert source.balanced_accuracy is not None
    assert source.balanced_accuracy.value == pytest.approx((1 / 2 + 2 / 3 + 1 + 3 / 4) / 4)


# ---------------------------------------------------------------- intervals


def test_an_interval_of_single_images_is_the_binomial_one() -> None:
    truth = [0] * 100 + [1] * 100
    low, high = interval(answers([0] * 120 + [1] * 60 + [0] * 20, truth, 2))
    # 0.8 +- 1.96 sqrt(0.8 * 0.2 / 200)
    assert low == pytest.approx(0.8 - 0.0554, abs=0.012)
    assert high == pytest.approx(0.8 + 0.0554, abs=0.012)


def test_the_interval_of_a_label_is_the_binomial_one_of_its_images() -> None:
    # 200 images of the label, of which 160 are found, among 1,000 others.
    given = answers([0] * 160 + [1] * 1040, [0] * 200 + [1] * 1000, 2)
    recall = evaluate(given, AB, ONCE, 1).per_label[0].recall
    assert recall is not None
    assert recall.value == 0.8
    assert (recall.low, recall.high) == pytest.approx((0.8 - 0.0554, 0.8 + 0.0554), abs=0.012)


def test_the_interval_of_an_area_is_that_of_hanley_and_mcneil() -> None:
    # Hanley & McNeil 1982, from normal scores: their standard error of an area, with 300 of each kind.
    random = np.random.default_rng(4)
    truth = np.repeat([0, 1], 300)
    logits = np.stack([-random.normal(truth * 1.2, 1), np.zeros(600)], axis=1)
    entry = evaluate(Answers(logits, one_hot(truth, 2), samples([*range(600)])), AB, ONCE, 1).per_label[0].roc_auc
    assert entry is not None
    area = entry.value
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    error = np.sqrt((area * (1 - area) + 299 * (first - area**2) + 299 * (second - area**2)) / 300**2)
    assert (entry.high - entry.low) / (2 * 1.96) == pytest.approx(error, rel=0.1)


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
    assert evaluate(given, AB, ONCE, 1) == evaluate(given, AB, ONCE, 1)
    assert interval(given, "macro_roc_auc", seed=1) != interval(given, "macro_roc_auc", seed=2)


@pytest.mark.parametrize("several", [False, True])
def test_every_interval_holds_its_figure(several: bool) -> None:  # noqa: FBT001
    given = guesses(60, 3, several=several, skill=1.0)
    evaluation = evaluate(given, ("a", "b", "c"), SEVERAL if several else ONCE, 1)
    per_label = [
        getattr(entry, name)
        for entry in evaluation.per_label
        for name in ("precision", "recall", "specificity", "f1", "roc_auc", "average_precision")
    ]
    sources = [figure for entry in evaluation.per_source for figure in (entry.accuracy, entry.balanced_accuracy)]
    for found in (*evaluation.metrics, *per_label, *sources):
        assert found is not None
        assert found.low <= found.value <= found.high, found
        assert found.low < found.high, found


def test_resampling_does_not_push_a_calibration_error_out_of_its_interval() -> None:
    # Sure by 0.8 and right in 80 of 100: no error at all, but one in nearly every resample.
    given = answers([0] * 40 + [1] * 40 + [1] * 10 + [0] * 10, [0] * 40 + [1] * 40 + [0] * 10 + [1] * 10, 2)
    low, high = interval(given, "expected_calibration_error")
    assert low == pytest.approx(0, abs=1e-12)
    assert high > 0.05


def test_a_resample_that_lacks_a_label_is_left_out_of_its_interval() -> None:
    # The two images of "b" are both missing in an eighth of the resamples; one of them is found.
    given = answers([0] * 19 + [1], [0] * 18 + [1] * 2, 2)
    recall = evaluate(given, AB, ONCE, 1).per_label[1].recall
    assert recall is not None
    assert (recall.low, recall.value, recall.high) == (0, 0.5, 1)


def test_what_was_never_wrong_has_room_by_the_groups_that_could_tell() -> None:
    # Sixty groups of "a" and thirty of "b", all right.
    evaluation = evaluate(answers([0] * 60 + [1] * 30, [0] * 60 + [1] * 30, 2), AB, ONCE, 1)
    accuracy, first = evaluation.metric("accuracy"), evaluation.per_label[0]
    found = (accuracy, first.recall, first.precision, first.specificity, evaluation.per_source[0].accuracy)
    assert [estimate.low for estimate in found if estimate is not None] == pytest.approx(
        [1 - 3 / 90, 1 - 3 / 60, 1 - 3 / 60, 1 - 3 / 30, 1 - 3 / 90]
    )


def test_other_answers_to_the_same_images_are_measured_on_the_same_draws() -> None:
    given = guesses(80, 3)
    first, again = measure(given, ONCE, 7), measure(given, ONCE, 7)
    np.testing.assert_array_equal(first.drawn.overall["accuracy"], again.drawn.overall["accuracy"])
    worse = measure(Answers(np.roll(given.logits, 1, axis=1), given.truths, given.samples), ONCE, 7)
    assert (worse.drawn.overall["accuracy"] < first.drawn.overall["accuracy"]).all()
    assert summarise(first, given, ("a", "b", "c"), ONCE, 7) == evaluate(given, ("a", "b", "c"), ONCE, 7)

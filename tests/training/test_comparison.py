"""Bundles on the same images: differences, and p-values that know what a group is."""

import math

import numpy as np
import pytest

from services.bundle.manifest import Calibration
from tests.training.answering import ONCE, SEVERAL, answers, guesses
from training.answers import Answers
from training.bootstrap import RESAMPLES
from training.comparison import COMPARED, Contender, compare, holm, mcnemar_p_value, permutation_p_values
from training.evaluation import measure


def contender(given: Answers, calibration: Calibration = ONCE) -> Contender:
    return Contender(given, calibration, measure(given, calibration, 0))


def labelled(right: list[bool], groups: list[int] | None = None) -> Contender:
    """Two labels in turn, answered right where told."""
    truth = [number % 2 for number in range(len(right))]
    predicted = [label if good else 1 - label for label, good in zip(truth, right, strict=True)]
    return contender(answers(predicted, truth, 2, groups))


# ---------------------------------------------------------------- differences


def test_a_difference_is_of_the_figures_and_its_interval_is_paired() -> None:
    # Fifty images are hard for both; the second knows five more of the easy ones.
    first = labelled([False] * 50 + [True] * 45 + [False] * 5)
    second = labelled([False] * 50 + [True] * 50)
    (versus,) = compare({"one": first, "two": second}, 0).others
    difference = versus.differences[0]
    assert (versus.name, difference.figure) == ("two", "accuracy")
    assert difference.value == pytest.approx(0.05)
    # Of five in a hundred: sqrt(0.05 * 0.95 / 100) is 0.022. Unpaired it would be 0.07.
    assert (difference.high - difference.low) / (2 * 1.96) == pytest.approx(0.022, abs=0.005)


def test_the_same_answers_do_not_differ() -> None:
    (versus,) = compare({"one": contender(guesses(60, 3)), "two": contender(guesses(60, 3))}, 0).others
    for difference in versus.differences:
        assert (difference.value, difference.low, difference.high, difference.p_value) == (0, 0, 0, 1)
    assert versus.mcnemar.p_value == 1


def test_every_figure_is_compared_with_the_first() -> None:
    given = {str(seed): contender(guesses(80, 3, skill=seed)) for seed in (1, 2, 3)}
    found = compare(given, 0)
    assert found.reference == "1"
    assert [versus.name for versus in found.others] == ["2", "3"]
    for versus in found.others:
        assert [difference.figure for difference in versus.differences] == list(COMPARED)
        for difference in versus.differences:
            figures = [given[name].measured.figures.overall[difference.figure][0] for name in (versus.name, "1")]
            assert difference.value == pytest.approx(figures[0] - figures[1])
            assert difference.low < difference.value < difference.high


def test_an_area_that_the_images_do_not_give_is_not_compared() -> None:
    one_label = contender(answers([0, 1, 0, 0], [0, 0, 0, 0], 2))
    (versus,) = compare({"one": one_label, "two": one_label}, 0).others
    assert [difference.figure for difference in versus.differences] == [
        "accuracy",
        "balanced_accuracy",
        "negative_log_likelihood",
    ]


def test_several_labels_are_compared_too() -> None:
    first, second = (contender(guesses(200, 3, several=True, skill=skill), SEVERAL) for skill in (1.0, 3.0))
    (versus,) = compare({"one": first, "two": second}, 0).others
    assert {difference.figure for difference in versus.differences} == set(COMPARED)
    assert all(difference.p_value < 0.05 for difference in versus.differences)


# ---------------------------------------------------------------- permutation


def test_a_permutation_test_of_single_images_is_the_binomial_one() -> None:
    # Nine images that only the second gets right, two that only the first does.
    first = labelled([True] * 30 + [False] * 9 + [True] * 2)
    second = labelled([True] * 30 + [True] * 9 + [False] * 2)
    p_value = permutation_p_values(first, second, 1)["accuracy"]
    error = math.sqrt(0.065 * 0.935 / RESAMPLES)
    assert p_value == pytest.approx(mcnemar_p_value(2, 9), abs=4 * error)


def test_copies_within_a_group_are_no_evidence() -> None:
    # Three groups of twenty images each that only the second gets right.
    groups = [number // 20 for number in range(200)]
    first, second = labelled([False] * 60 + [True] * 140, groups), labelled([True] * 200, groups)
    (versus,) = compare({"one": first, "two": second}, 0).others
    assert versus.mcnemar.p_value < 1e-15
    # Of the eight ways to swap three groups, two are as extreme.
    assert versus.differences[0].p_value == pytest.approx(0.25, abs=0.05)


def test_a_p_value_is_never_zero() -> None:
    first, second = labelled([False] * 80), labelled([True] * 80)
    assert permutation_p_values(first, second, 0)["accuracy"] == 1 / (RESAMPLES + 1)


def test_a_p_value_does_not_depend_on_which_comes_first() -> None:
    first, second = (contender(guesses(80, 3, seed=0, skill=skill)) for skill in (1.0, 1.4))
    forth, back = permutation_p_values(first, second, 5), permutation_p_values(second, first, 5)
    assert forth == pytest.approx(back)
    assert 0.001 < forth["accuracy"] < 1


def test_calibration_counts_where_probabilities_do() -> None:
    given = guesses(200, 3)
    blunt = contender(given, Calibration(temperature=8.0, activation="softmax"))
    p_values = permutation_p_values(contender(given), blunt, 0)
    assert p_values["accuracy"] == p_values["balanced_accuracy"] == 1
    assert p_values["negative_log_likelihood"] < 0.01


# ---------------------------------------------------------------- McNemar and Holm


def test_mcnemar_of_cases_worked_out_by_hand() -> None:
    assert mcnemar_p_value(0, 0) == 1
    assert mcnemar_p_value(0, 5) == mcnemar_p_value(5, 0) == 2 / 32
    assert mcnemar_p_value(1, 5) == pytest.approx(2 * (1 + 6) / 64)
    assert mcnemar_p_value(4, 4) == 1
    assert mcnemar_p_value(900, 1100) == pytest.approx(math.erfc(199 / math.sqrt(2000) / math.sqrt(2)), rel=0.05)


def test_discordant_images_are_counted() -> None:
    first, second = labelled([True, True, False, False, False]), labelled([True, False, True, True, False])
    (versus,) = compare({"one": first, "two": second}, 0).others
    assert (versus.mcnemar.only_reference, versus.mcnemar.only_other) == (1, 2)


def test_holm_of_a_case_worked_out_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1, 1]
    assert holm([0.02]) == [0.02]


def test_several_comparisons_are_corrected_for_their_number() -> None:
    right = np.array([[True] * 40, [True] * 33 + [False] * 7, [False] * 40])
    given = {str(number): labelled(row.tolist()) for number, row in enumerate(right)}
    one, two = compare(given, 0).others
    assert one.mcnemar.corrected == one.mcnemar.p_value
    assert two.mcnemar.corrected == pytest.approx(2 * two.mcnemar.p_value)
    for column in zip(one.differences, two.differences, strict=True):
        assert [difference.corrected for difference in column] == holm([difference.p_value for difference in column])

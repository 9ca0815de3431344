from datetime import UTC, date, datetime, timedelta, timezone
from typing import get_args

import pytest

from routers import wording
from services.bundle.decision import PointName
from services.bundle.evaluation import Estimate
from services.prediction import OutcomeName


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "<0.1 %"),
        (0.00099, "<0.1 %"),
        (0.001, "0.1 %"),
        (0.979, "97.9 %"),
        (0.999, "99.9 %"),
        (0.99901, ">99.9 %"),
        (1.0, ">99.9 %"),
    ],
)
def test_no_probability_looks_certain(value: float, text: str) -> None:
    assert wording.probability(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0 %"), (1.0, "100 %"), (0.9999, ">99.9 %"), (0.9923, "99.2 %"), (None, "\N{EN DASH}")]
)
def test_a_measured_share_says_all_only_of_all(value: float | None, text: str) -> None:
    assert wording.share(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9999, "Of 100 such answers, more than 99 are right."),
        (0.979, "Of 100 such answers, about 98 are right."),
        (0.5, "Of 100 such answers, about 50 are right."),
        (
            0.31,
            "More likely wrong than right: of 100 such answers, about 31 are right.",
        ),
        (
            0.01,
            "More likely wrong than right: of 100 such answers, about 1 is right.",
        ),
        (0.001, "Of 100 such answers, fewer than 1 is right."),
    ],
)
def test_a_probability_is_counted_in_answers(value: float, text: str) -> None:
    assert wording.in_words(value) == text.replace("answers", "answers on images like those it was tested on")


def test_answers_for_one_of_several_labels_are_counted_as_such() -> None:
    counted = "Of 100 such answers for this label on images like those it was tested on, about 98 are right."
    assert wording.in_words(0.979, "such answers for this label") == counted


@pytest.mark.parametrize(
    ("name", "value", "span"),
    [
        ("accuracy", "99.2 %", "98.7 % to 99.7 %"),
        ("balanced_accuracy", "99.2 %", "98.7 % to 99.7 %"),
        ("precision", "99.2 %", "98.7 % to 99.7 %"),
        ("macro_recall", "99.2 %", "98.7 % to 99.7 %"),
        ("macro_specificity", "99.2 %", "98.7 % to 99.7 %"),
        ("f1", "0.9923", "0.9866 to 0.9971"),
        ("macro_roc_auc", "0.9923", "0.9866 to 0.9971"),
        ("average_precision", "0.9923", "0.9866 to 0.9971"),
        ("macro_average_precision", "0.9923", "0.9866 to 0.9971"),
        ("expected_calibration_error", "0.9923", "0.9866 to 0.9971"),
    ],
)
def test_a_figure_is_written_in_its_own_kind_of_number(name: str, value: str, span: str) -> None:
    estimate = Estimate(value=0.9923, low=0.9866, high=0.9971)
    assert (wording.figure(estimate, name), wording.interval(estimate, name)) == (value, span)


def test_a_figure_that_could_not_be_measured_is_a_dash() -> None:
    assert wording.figure(None, "precision") == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("ece_uncalibrated", "Calibration error before calibration"),
        ("macro_average_precision", "Average precision, mean over labels"),
        ("balanced_accuracy", "Balanced accuracy"),
        ("brier_score", "Brier score"),
    ],
)
def test_a_figure_has_a_title_also_when_nobody_wrote_one(name: str, title: str) -> None:
    assert wording.figure_title(name) == title


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("the model store holds no version of it", "The model store holds no version of it."),
        ("model.weights.h5 is missing", "model.weights.h5 is missing."),
        ("Loading it failed.", "Loading it failed."),
    ],
)
def test_a_reason_becomes_a_sentence_and_file_names_keep_their_case(text: str, sentence: str) -> None:
    assert wording.sentence(text) == sentence


def test_a_moment_is_told_in_utc() -> None:
    manila = timezone(timedelta(hours=8))
    assert wording.moment(datetime(2026, 3, 2, 7, 5, tzinfo=manila)) == "1 March 2026, 23:05 UTC"
    assert wording.moment(datetime(2026, 3, 12, 7, 5, tzinfo=UTC)) == "12 March 2026, 07:05 UTC"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 seconds"), (119, "119 seconds"), (3100, "51.7 minutes"), (7200, "2.0 hours")]
)
def test_a_duration_has_its_natural_unit(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


def test_limits_are_told_in_units_that_people_use() -> None:
    assert wording.size(20 * 2**20) == "20 MiB"
    assert wording.size(1536) == "1.5 KiB"
    assert wording.megapixels(50_000_000) == "50 million pixels"
    assert wording.count(8691) == "8,691"
    assert wording.listed(["JPEG", "PNG", "BMP"]) == "JPEG, PNG or BMP"
    assert wording.listed(["PNG"]) == "PNG"
    assert wording.listed(["Disc", "Square", "Stripes"], "and") == "Disc, Square and Stripes"


def test_a_digest_is_cut_and_a_bar_is_measured() -> None:
    assert wording.short(f"sha256:{'ab' * 32}") == "sha256:abababababab"
    assert wording.short("abababababababab") == "abababababab"
    assert wording.width(0.12345) == "12.35%"
    assert wording.decimals(None) == "\N{EN DASH}"


def test_outcomes_and_points_have_the_words_of_every_page() -> None:
    assert [wording.outcome(name) for name in get_args(OutcomeName)] == [
        "Finding",
        "Uncertain",
        "Not this kind of image",
    ]
    assert [wording.point_title(name) for name in get_args(PointName)] == ["Rule-out", "Balanced", "Rule-in"]
    assert len({wording.point_purpose(name) for name in get_args(PointName)}) == 3


@pytest.mark.parametrize(
    ("value", "still", "text"),
    [
        (0.374, "", "about 37 have \N{LEFT DOUBLE QUOTATION MARK}Flu\N{RIGHT DOUBLE QUOTATION MARK}."),
        (0.0149, "", "about 1 has \N{LEFT DOUBLE QUOTATION MARK}Flu\N{RIGHT DOUBLE QUOTATION MARK}."),
        (0.9951, "", "more than 99 have \N{LEFT DOUBLE QUOTATION MARK}Flu\N{RIGHT DOUBLE QUOTATION MARK}."),
        (0.004, " yet", "fewer than 1 has \N{LEFT DOUBLE QUOTATION MARK}Flu\N{RIGHT DOUBLE QUOTATION MARK} yet."),
    ],
)
def test_a_predictive_value_is_counted_in_people(value: float, still: str, text: str) -> None:
    assert wording.in_people(value, "Flu", still) == f"Of 100 people with this answer, {text}"


@pytest.mark.parametrize(("value", "text"), [(-0.0321, "\N{MINUS SIGN}3.2"), (0.01, "+1.0"), (-0.0001, "0.0")])
def test_a_change_is_told_in_points_with_its_sign(value: float, text: str) -> None:
    assert wording.change(value) == text


def test_a_skill_may_be_less_than_none() -> None:
    assert [wording.skill(value) for value in (0.8312, -0.25, None)] == [
        "83.1 %",
        "\N{MINUS SIGN}25.0 %",
        "\N{EN DASH}",
    ]


def test_a_day_is_told_without_a_leading_zero() -> None:
    assert wording.day(date(2026, 2, 3)) == "3 February 2026"

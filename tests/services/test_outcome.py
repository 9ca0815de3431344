import json
from typing import Any

import numpy as np
import pytest

from services.bundle.decision import PointName
from services.bundle.manifest import Manifest, parse_manifest
from services.errors import MalformedRequest
from services.outcome import Outcome, conclude
from tests.manifests import valid_manifest

TITLES = {"benign": "Benign mole", "suspicious": "Suspicious mole"}


def manifest(**changes: Any) -> Manifest:
    """Two labels; rule-out, balanced and rule-in of "suspicious" from 0.125, 0.5 and 0.875 on."""
    return parse_manifest(json.dumps(valid_manifest()).encode()).model_copy(update=changes)


def concluded(suspicious: float, point: PointName | None = None) -> Outcome:
    return conclude(np.array([1 - suspicious, suspicious]), manifest(), TITLES, point)


# ---------------------------------------------------------------- operating points


@pytest.mark.parametrize(
    ("suspicious", "label"),
    [(0.0, "benign"), (0.1249, "benign"), (0.875, "suspicious"), (1.0, "suspicious")],
)
def test_beyond_the_outer_points_there_is_a_finding(suspicious: float, label: str) -> None:
    outcome = concluded(suspicious)
    assert (outcome.label, outcome.labels, outcome.reason) == (label, (label,), None)
    assert [point.name for point in outcome.points] == ["rule_out", "rule_in"]


@pytest.mark.parametrize(
    ("suspicious", "ranked"),
    [(0.125, ("benign", "suspicious")), (0.5, ("benign", "suspicious")), (0.8749, ("suspicious", "benign"))],
)
def test_between_the_outer_points_both_labels_stay_open(suspicious: float, ranked: tuple[str, ...]) -> None:
    outcome = concluded(suspicious)
    assert (outcome.label, outcome.labels) == (None, ranked)
    assert outcome.reason == (
        "The probability of Suspicious mole lies between the rule-out threshold of 0.12 and the rule-in threshold of "
        "0.88."
    )


@pytest.mark.parametrize(
    ("point", "suspicious", "label"),
    [
        ("rule_out", 0.125, "suspicious"),
        ("rule_out", 0.12, "benign"),
        ("balanced", 0.5, "suspicious"),
        ("balanced", 0.49, "benign"),
        ("rule_in", 0.87, "benign"),
        ("rule_in", 0.88, "suspicious"),
    ],
)
def test_one_point_alone_always_decides(point: PointName, suspicious: float, label: str) -> None:
    outcome = concluded(suspicious, point)
    assert (outcome.label, outcome.labels, outcome.reason) == (label, (label,), None)
    assert [used.name for used in outcome.points] == [point]


def test_a_point_is_refused_where_there_is_none() -> None:
    with pytest.raises(MalformedRequest, match="no operating points"):
        conclude(np.array([0.9, 0.1]), manifest(operating_points=()), TITLES, "balanced")


# ---------------------------------------------------------------- prediction sets


@pytest.mark.parametrize(
    ("chances", "labels"),
    [((0.95, 0.05), ("benign",)), ((0.0625, 0.9375), ("suspicious", "benign")), ((0.02, 0.98), ("suspicious",))],
)
def test_a_set_of_one_is_a_finding_and_a_larger_one_is_not(chances: tuple[float, ...], labels: tuple[str, ...]) -> None:
    outcome = conclude(np.array(chances), manifest(operating_points=()), TITLES)
    assert outcome.labels == labels
    assert outcome.label == (labels[0] if len(labels) == 1 else None)
    assert (outcome.reason is None) == (len(labels) == 1)
    assert outcome.points == ()


def test_the_reason_names_what_a_set_leaves_open_by_its_titles() -> None:
    outcome = conclude(np.array([0.4, 0.6]), manifest(operating_points=()), TITLES)
    assert outcome.reason == "The image leaves more than one label open: Suspicious mole, Benign mole."


def test_without_any_means_the_likeliest_label_is_the_finding() -> None:
    outcome = conclude(np.array([0.51, 0.49]), manifest(operating_points=(), prediction_sets=None), TITLES)
    assert outcome == Outcome("benign", None)


# ---------------------------------------------------------------- several labels


@pytest.mark.parametrize(
    ("chances", "labels"),
    [((0.9, 0.95), ("suspicious", "benign")), ((0.5, 0.4999), ("benign",)), ((0.49, 0.2), ())],
)
def test_of_several_labels_all_from_one_half_on_are_named(chances: tuple[float, ...], labels: tuple[str, ...]) -> None:
    plain = manifest(operating_points=(), prediction_sets=None)
    several = plain.model_copy(update={"calibration": plain.calibration.model_copy(update={"activation": "sigmoid"})})
    outcome = conclude(np.array(chances), several, TITLES)
    assert outcome.labels == labels
    assert outcome.label == (labels[0] if labels else None)
    assert outcome.reason == (None if labels else "No label reached a probability of one half.")

"""Beside each main figure stand what it was on sources never seen, the floors, and the skill above them."""

from typing import Any

import pytest

from tests.manifests import valid_manifest
from tests.training.sections.filled import estimate, evaluation, manifest, task
from training.sections.figures import overall
from training.sections.yardsticks import across, beside, floors, skill


def held(name: str, **metrics: float) -> dict[str, Any]:
    return {
        "sources": name.split(" + "),
        "images": 30,
        "groups": 20,
        "metrics": [{"name": metric, **estimate(value)} for metric, value in metrics.items()],
        "per_label": [],
    }


def floor(balanced: float, area: float | None) -> dict[str, Any]:
    return {"balanced_accuracy": estimate(balanced), "macro_roc_auc": None if area is None else estimate(area)}


FIGURES = evaluation(("balanced_accuracy", 0.9), ("macro_roc_auc", 0.96))
FLOORS = {"thumbnail": floor(0.6, 0.8), "border": floor(0.5, None)}
ACROSS = [
    held("one", accuracy=0.7, balanced_accuracy=0.72, macro_roc_auc=0.81),
    held("two + three", accuracy=0.66, balanced_accuracy=0.75),
]


def test_skill_is_the_share_of_the_way_to_perfection() -> None:
    assert skill(0.9, 0.6) == pytest.approx(0.75)
    assert skill(0.5, 0.6) == pytest.approx(-0.25)
    assert skill(1.0, 0.0) == 1
    assert skill(1.0, 1.0) is None


def test_the_head_sets_each_figure_beside_what_bounds_it() -> None:
    text = beside(manifest(evaluation=FIGURES, floors=FLOORS, across=ACROSS))
    assert "| accuracy | 0.750 (0.625 to 0.875) | 0.660 (0.000 to 1.000), two and three | - | - | - | - |" in text
    assert (
        "| balanced accuracy | 0.900 (0.775 to 0.931) | 0.720 (0.000 to 1.000), one "
        "| 0.600 (0.000 to 1.000) | 0.750 | 0.500 (0.000 to 1.000) | 0.800 |"
    ) in text
    assert "| 0.810 (0.000 to 1.000), one | 0.800 (0.000 to 1.000) | 0.800 | - | - |" in text
    assert "Nothing was measured" not in text


def test_the_head_says_what_was_not_measured() -> None:
    text = beside(manifest(evaluation=FIGURES, floors=None, across=[]))
    assert "Nothing was measured on sources that it never saw." in text
    assert "Nothing was measured of the floors" in text
    assert "| balanced accuracy | 0.900 (0.775 to 0.931) |\n" in text


def test_every_held_out_source_is_listed_with_the_sentence_that_goes_before() -> None:
    text = across(manifest(across=ACROSS), task())
    assert "No figure of the test part should be read without this table." in text
    assert "another network of the same recipe" in text
    assert "| two and three | 30 | 20 | 0.660 (0.000 to 1.000) | 0.750 (0.000 to 1.000) | - |" in text
    assert "Each label" not in text


def test_labels_on_held_out_sources() -> None:
    rows = valid_manifest()["evaluation"]["per_label"]
    text = across(manifest(across=[ACROSS[0] | {"per_label": rows}]), task())
    assert "| one | Benign | 60 | 0.750 (0.500 to 0.875) | 0.500 (0.250 to 0.750) | 0.812 (0.750 to 0.938) |" in text
    # Neither there nor asked for among others.
    gone = [rows[0], rows[1] | {"support": 0, "recall": None}]
    assert "| one | Suspicious |" not in across(manifest(across=[ACROSS[0] | {"per_label": gone}]), task())


def test_why_no_source_was_held_out() -> None:
    assert "every image is of one source" in across(manifest(across=[]), task())
    source = valid_manifest()["evaluation"]["per_source"][0]
    two = evaluation(per_source=[source, source | {"source": "other"}])
    assert "no source was held out" in across(manifest(across=[], evaluation=two), task())


def test_floors_are_listed_with_the_skill_above_them() -> None:
    text = floors(manifest(evaluation=FIGURES, floors=FLOORS))
    assert "| balanced accuracy | 0.900 (0.775 to 0.931) | 0.600 (0.000 to 1.000) | 0.750 | 0.500 (0.000 " in text
    # There is no such area of the border.
    assert "| ROC AUC | 0.960 (0.835 to 0.991) | 0.800 (0.000 to 1.000) | 0.800 | - | - |" in text
    assert "24 x 24 pixels" in text
    assert floors(manifest(floors=None)).startswith("Not measured")


def test_floors_stand_beside_the_overall_figures() -> None:
    text = overall(manifest(evaluation=FIGURES, floors=FLOORS))
    assert "| Accuracy | 0.7500 | 0.6250 to 0.8750 | - | - |" in text
    assert "| Balanced accuracy | 0.9000 | 0.7750 to 0.9313 | 0.600 (skill 0.750) | 0.500 (skill 0.800) |" in text
    assert "floor" not in overall(manifest(evaluation=FIGURES, floors=None))

import json
from typing import Any

import pytest

from routers.headline import Headline
from services.bundle.evaluation import HeldOut, Metric
from services.bundle.manifest import Manifest, parse_manifest
from tests.evidence import metric
from tests.manifests import valid_manifest


def manifest(*metrics: Metric, labels: int = 2, activation: str = "softmax", **changes: Any) -> Manifest:
    """One of so many labels with these figures besides an accuracy of 0.75."""
    whole = parse_manifest(json.dumps(valid_manifest()).encode())
    return whole.model_copy(
        update={
            "labels": tuple(f"label {number}" for number in range(labels)),
            "evaluation": whole.evaluation.model_copy(update={"metrics": (*whole.evaluation.metrics, *metrics)}),
            "calibration": whole.calibration.model_copy(update={"activation": activation}),
            **changes,
        }
    )


def held_out(source: str, *metrics: Metric) -> HeldOut:
    return HeldOut(sources=(source,), images=9, groups=9, metrics=metrics, per_label=())


BALANCED, AREA = metric("balanced_accuracy", 0.8), metric("macro_roc_auc", 0.9)


@pytest.mark.parametrize(
    ("measured", "labels", "activation", "name", "phrase"),
    [
        ((BALANCED, AREA), 2, "softmax", "macro_roc_auc", "area under the ROC curve"),
        ((BALANCED, AREA), 3, "softmax", "balanced_accuracy", "balanced accuracy"),
        ((BALANCED,), 2, "softmax", "balanced_accuracy", "balanced accuracy"),
        ((AREA,), 3, "softmax", "accuracy", "correct"),
        ((), 2, "softmax", "accuracy", "correct"),
        ((BALANCED, AREA), 2, "sigmoid", "accuracy", "with every label right"),
        ((BALANCED, AREA), 3, "sigmoid", "accuracy", "with every label right"),
    ],
)
def test_the_main_figure_is_that_which_says_most(
    measured: tuple[Metric, ...], labels: int, activation: str, name: str, phrase: str
) -> None:
    headline = Headline.of(manifest(*measured, labels=labels, activation=activation))
    assert (headline.figure.name, headline.phrase) == (name, phrase)


def test_beside_it_stands_the_worst_that_unseen_sources_gave() -> None:
    across = (
        held_out("north", metric("accuracy", 0.5), metric("macro_roc_auc", 0.92)),
        held_out("south", metric("macro_roc_auc", 0.81)),
        held_out("one label alone", metric("accuracy", 0.4)),
    )
    found = Headline.of(manifest(AREA, across=across)).across
    assert found is not None
    assert (found.lowest.value, found.sources, found.count, found.highest) == (0.81, ("south",), 2, 0.92)


@pytest.mark.parametrize("across", [(), (held_out("one label alone", metric("accuracy", 0.4)),)])
def test_what_no_unseen_source_gave_is_none(across: tuple[HeldOut, ...]) -> None:
    assert Headline.of(manifest(AREA, across=across)).across is None


def test_beside_it_stands_what_a_thumbnail_reaches_of_the_same_figure() -> None:
    floor = Headline.of(manifest(BALANCED, labels=3)).floor
    assert floor is not None
    assert floor.value == 0.625
    # Of the area, and of the accuracy, no floor was measured.
    assert Headline.of(manifest(AREA)).floor is None
    assert Headline.of(manifest()).floor is None
    assert Headline.of(manifest(BALANCED, labels=3, floors=None)).floor is None

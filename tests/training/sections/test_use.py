"""The card says when an answer is a finding, uncertain, or neither, and what was never tried."""

import json

import numpy as np
import pytest

from services.bundle.manifest import Manifest
from services.outcome import conclude
from tests.manifests import valid_manifest
from tests.training.sections.filled import evaluation, manifest, task
from training.sections.use import outcome, purpose, untested

SOFTMAX, SIGMOID = ({"temperature": 1.0, "activation": activation} for activation in ("softmax", "sigmoid"))
NO_POINTS: dict[str, object] = {"operating_points": []}
NO_SETS: dict[str, object] = {"operating_points": [], "prediction_sets": None}
SEVERAL = {**NO_SETS, "calibration": SIGMOID, "evaluation": evaluation(confusion=None)}


def sentences(found: Manifest) -> dict[str, str]:
    """What stands behind each of the three words."""
    lines = [line for line in outcome(found, task()).splitlines() if line.startswith("- **")]
    return {line.partition("(`")[2].partition("`)")[0]: line.partition("`): ")[2] for line in lines}


def test_every_outcome_is_explained() -> None:
    assert set(sentences(manifest())) == {"finding", "uncertain", "not_applicable"}
    for word in ("**Finding**", "**Uncertain**", "**Not this kind of image**"):
        assert word in outcome(manifest(), task())


def test_operating_points_decide() -> None:
    told = sentences(manifest())
    assert "Suspicious, where its probability is at least the rule-in threshold of 0.875" in told["finding"]
    assert "Benign, where it is below the rule-out threshold of 0.125" in told["finding"]
    assert "between these two thresholds" in told["uncertain"]


def test_prediction_sets_decide_without_them() -> None:
    told = sentences(manifest(**NO_POINTS))
    assert told["finding"] == "the only label of the prediction set."
    assert "several labels" in told["uncertain"]


def test_several_labels_are_present_or_not() -> None:
    told = sentences(manifest(**SEVERAL))
    assert "at least one half" in told["finding"]
    assert "no label" in told["uncertain"]
    assert "every label of at least one half is a finding" in purpose(manifest(**SEVERAL), task())
    assert "They sum to one." in purpose(manifest(), task())


def test_without_any_means_nothing_is_uncertain() -> None:
    told = sentences(manifest(**NO_SETS))
    assert told["finding"].startswith("the most probable label")
    assert told["uncertain"].startswith("never given")


@pytest.mark.parametrize("changes", [{}, NO_POINTS, NO_SETS, SEVERAL])
def test_uncertain_is_promised_where_it_can_happen(changes: dict[str, object]) -> None:
    # What serving concludes, all through the range of probabilities.
    found = manifest(**changes)
    titles = {entry.label: entry.title for entry in task().labels}
    chances = (
        [0.3 * p, 0.9 * p] if found.calibration.activation == "sigmoid" else [1 - p, p] for p in np.arange(0, 1, 0.01)
    )
    uncertain = any(conclude(np.array(pair), found, titles).label is None for pair in chances)
    assert uncertain is not sentences(found)["uncertain"].startswith("never given")


def test_without_a_detector_every_image_gets_an_answer() -> None:
    assert "refuses the image" in sentences(manifest())["not_applicable"]
    told = sentences(manifest(novelty=None))["not_applicable"]
    assert told.startswith("never given: this bundle has no detector")


def test_what_was_measured_is_not_called_untested() -> None:
    everything, nothing = (
        " ".join(untested(m)) for m in (manifest(), manifest(novelty=None, across=[], steadiness=[]))
    )
    assert "Images that show none of the labels, or something else altogether." in nothing
    assert "something else altogether" not in everything
    assert "Foreign images of other kinds than" in everything
    assert "Images of any other source than drawn." in nothing
    assert "Images of any other source than drawn; " in everything
    assert "or changed otherwise than the section Steadiness lists." in everything
    assert "the section Steadiness" not in nothing


def test_a_detector_that_nobody_measured_is_told() -> None:
    novelty = json.loads(json.dumps(valid_manifest()["novelty"])) | {"foreign": []}
    assert "whether the detector refuses them was not measured" in " ".join(untested(manifest(novelty=novelty)))

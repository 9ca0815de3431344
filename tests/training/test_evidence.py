"""What decides an outcome depends on the labels; what bounds the figures is measured on the right images."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.bundle.classifier import load_classifier
from services.bundle.manifest import Calibration
from services.bundle.novelty import read_detector
from services.bundle.store import Store
from services.bundle.task import Task, parse_task
from tests.bundles import SHAPES, publish_tiny, write_task
from tests.training.answering import ONCE, SEVERAL, guesses
from tests.training.conftest import draw_images, unwatched
from tests.training.test_tuning import QUICK
from training import evidence
from training.answers import answer
from training.decisions import operating_points, prediction_sets
from training.evidence import Elsewhere, Evidence, decisions, gather
from training.foreign import DRAWN
from training.hinting import TITLES
from training.images import Images, load_images
from training.plan import Plan, draw_up

pytestmark = pytest.mark.usefixtures("few_foreign")


def task(root: Path, labels: tuple[str, ...], positive: str = "") -> Task:
    return parse_task(write_task(root, "shapes", labels, positive=positive).read_bytes(), "shapes")


# ---------------------------------------------------------------- what decides an outcome


@pytest.mark.parametrize(
    ("labels", "positive", "calibration", "points", "sets"),
    [
        (("disc", "square"), "square", ONCE, 3, False),
        (("disc", "square"), "", ONCE, 0, False),
        (SHAPES, "", ONCE, 0, True),
        (("disc", "square"), "square", SEVERAL, 0, False),
        (SHAPES, "", SEVERAL, 0, False),
    ],
    ids=["positive", "two labels", "three labels", "two at once", "three at once"],
)
def test_as_much_is_decided_as_the_labels_allow(
    labels: tuple[str, ...], positive: str, calibration: Calibration, points: int, *, sets: bool, tmp_path: Path
) -> None:
    several = calibration is SEVERAL
    validation, test = (guesses(200, len(labels), seed=seed, several=several) for seed in (1, 2))
    found = decisions(task(tmp_path, labels, positive), labels, calibration, validation, test, 3)
    assert (len(found.operating_points), found.prediction_sets is not None) == (points, sets)
    if points:
        assert found.operating_points == operating_points(validation, test, labels, positive, calibration, 3)
    if sets:
        assert found.prediction_sets == prediction_sets(validation, test, calibration, 3)
    # Nothing else is claimed of weights that were fitted elsewhere.
    assert (found.novelty, found.detector, found.floors) == (None, None, None)
    assert (found.across, found.steadiness, found.hints) == ((), (), ())


# ---------------------------------------------------------------- what bounds the figures


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Of drawn shapes, for which there is a tiny network that tells them apart."""
    root = tmp_path_factory.mktemp("evidence")
    publish_tiny(root / "models", "shapes", seed=1)
    (root / "shapes.toml").write_text(QUICK)
    return draw_up("shapes", draw_images(root / "images"), root / "shapes.toml", Store(root / "models"))


@pytest.fixture(scope="module")
def parts(plan: Plan) -> tuple[Images, Images, Images]:
    train, validation, test = (
        load_images(plan.folder, part, plan.recipe.preprocessing) for _, part in plan.split.parts()
    )
    return train, validation, test


@pytest.fixture(scope="module")
def classifier(plan: Plan) -> Any:
    bundle = Store(plan.folder.root.parent / "models").read("shapes", 1)
    return load_classifier(bundle.weights.read_bytes(), bundle.manifest)


def gathered(plan: Plan, classifier: Any, parts: tuple[Images, Images, Images]) -> Evidence:
    answers = answer(classifier, parts[1]), answer(classifier, parts[2])
    return gather(plan, classifier, ONCE, parts, answers, Elsewhere(), unwatched)


def test_all_of_it_is_measured(plan: Plan, classifier: Any, parts: tuple[Images, Images, Images]) -> None:
    found = gathered(plan, classifier, parts)
    assert found.prediction_sets is not None
    assert found.floors is not None
    assert found.novelty is not None
    assert found.detector is not None
    assert read_detector(found.detector, found.novelty.features).centre.shape == (found.novelty.features,)
    assert {variant.images for variant in found.steadiness} == {len(parts[2].samples)}
    # Every drawn kind was shown to it, and each was withheld from another in turn.
    told = {kind.kind: kind.withheld is not None for kind in found.novelty.foreign}
    assert told == {name: True for name, _ in DRAWN.values()} | {
        "own test images, inverted": False,
        "own test images, turned by 90 degrees": False,
        "own test images, upside down": False,
    }
    # The detector that refuses variants is the one of the bundle.
    assert all(variant.refused is not None for variant in found.steadiness)
    assert gathered(plan, classifier, parts).detector == found.detector


def test_of_a_large_test_part_some_images_show_how_steady_it_is(
    plan: Plan, classifier: Any, parts: tuple[Images, Images, Images], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "STEADY", 4)
    found = gathered(plan, classifier, parts)
    assert {variant.images for variant in found.steadiness} == {4}
    lossless = found.steadiness[0]
    # The answers are still those of the images that were chosen.
    assert (lossless.change, lossless.unchanged, lossless.largest_shift) == (0, 1, 0)
    assert np.isin(lossless.accuracy.value, [0, 0.25, 0.5, 0.75, 1])


def test_a_folder_of_another_task_is_shown_in_half(
    plan: Plan, classifier: Any, parts: tuple[Images, Images, Images], tmp_path: Path
) -> None:
    strange, alike = (draw_images(tmp_path / name, each=4) for name in ("strange", "alike"))
    answers = answer(classifier, parts[1]), answer(classifier, parts[2])
    elsewhere = Elsewhere(foreign=(strange,), near=(alike,))
    found = gather(plan, classifier, ONCE, parts, answers, elsewhere, unwatched).novelty
    assert found is not None
    rows = {kind.kind: (kind.near, kind.withheld is not None) for kind in found.foreign}
    assert {name: rows[name] for name in rows if name.startswith(("strange", "alike"))} == {
        "strange": (False, True),
        "strange: source 0": (False, True),
        "strange: source 1": (False, True),
        "alike": (True, False),
        "alike: source 0": (True, False),
        "alike: source 1": (True, False),
    }
    # And what belongs to the task is neither shown nor measured.
    material = plan.recipe.material.model_copy(update={"familiar": ("charts", "pages", "figures", "scenes", "heads")})
    known = replace(plan, recipe=plan.recipe.model_copy(update={"material": material}))
    found = gather(known, classifier, ONCE, parts, answers, Elsewhere(), unwatched).novelty
    assert found is not None
    assert {kind.kind for kind in found.foreign if not kind.near} == {"noise", "blank pictures"}


def test_hints_are_measured_where_the_task_takes_any(
    plan: Plan, classifier: Any, parts: tuple[Images, Images, Images]
) -> None:
    assert gathered(plan, classifier, parts).hints == ()
    labels = tuple(entry.model_copy(update={"hints": (entry.label,)}) for entry in plan.task.labels)
    known = replace(plan, task=plan.task.model_copy(update={"labels": labels}))
    found = gathered(known, classifier, parts).hints
    assert [effect.name for effect in found] == list(TITLES)
    assert {effect.images for effect in found} == {len(parts[1].samples)}
    validation = answer(classifier, parts[1])
    assert found[0].alone.value == pytest.approx((validation.logits.argmax(axis=1) == validation.classes).mean())
    assert all(effect.right.value >= effect.alone.value >= effect.misleading.value for effect in found)

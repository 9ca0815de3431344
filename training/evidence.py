"""What a bundle carries beside weights and test figures: what decides an outcome, and what bounds the figures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from services.bundle.decision import OperatingPoint, PredictionSets
from services.bundle.evaluation import Floors, HeldOut, HintEffect, Variant
from services.bundle.hints import hintable
from services.bundle.manifest import Calibration, Novelty, Preprocessing
from services.bundle.outputs import inner_features
from services.bundle.task import Task
from training import foreign as others
from training import novelty
from training.answers import Answers, answer
from training.decisions import operating_points, prediction_sets
from training.floors import PREPROCESSING, floors
from training.hinting import AS_THEY_ARE, WORSE, measure_hints, worsen
from training.images import Bar, Images, load_images
from training.plan import Plan
from training.steadiness import measure_steadiness

STEADY = 500
"""The most test images that steadiness is measured on, drawn by the seed."""

_TWO = 2


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is known beyond the folder that a bundle was trained on.

    Attributes:
        across: figures of held-out sources, of training.across.
        foreign: folders of other tasks' images.
        near: those of them that are much like the task's own.
    """

    across: tuple[HeldOut, ...] = ()
    foreign: tuple[Path, ...] = ()
    near: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Fields of the manifest, as it names them.

    Attributes:
        detector: content of novelty.npz; None where there is no detector.
    """

    operating_points: tuple[OperatingPoint, ...]
    prediction_sets: PredictionSets | None
    novelty: Novelty | None
    detector: bytes | None
    floors: Floors | None
    across: tuple[HeldOut, ...]
    steadiness: tuple[Variant, ...]
    hints: tuple[HintEffect, ...]


def decisions(
    task: Task, labels: Sequence[str], calibration: Calibration, validation: Answers, test: Answers, seed: int
) -> Evidence:
    """What decides an outcome, and nothing else: as much as there is of weights that were fitted elsewhere.

    Args:
        task: may name a positive label.
        labels: in the order of the logits.
        calibration: of the bundle.
        validation: choose thresholds.
        test: measure them.
        seed: of the intervals.
    """
    single = calibration.activation == "softmax"
    points: tuple[OperatingPoint, ...] = ()
    if single and task.positive:
        points = operating_points(validation, test, labels, task.positive, calibration, seed)
    sets = prediction_sets(validation, test, calibration, seed) if single and len(labels) > _TWO else None
    return Evidence(points, sets, None, None, None, (), (), ())


def gather(
    plan: Plan,
    classifier: Any,
    calibration: Calibration,
    parts: tuple[Images, Images, Images],
    answers: tuple[Answers, Answers],
    elsewhere: Elsewhere,
    bar: Bar,
) -> Evidence:
    """Measure all of it for a classifier that was trained here.

    Args:
        plan: what was trained on what.
        classifier: keras.Model of the input's size, with the weights as they will be served.
        calibration: of the bundle.
        parts: for training, validation and test.
        answers: of the validation and the test part.
        elsewhere: what is known beyond this folder.
        bar: makes a progress bar of a text and a number.

    Raises:
        ImagesInvalid: an image of another folder cannot be decoded.
    """
    seed = plan.recipe.seed
    decided = decisions(plan.task, plan.folder.labels, calibration, *answers, seed)
    fitted, described, detector = _detector(plan, classifier, parts, elsewhere)
    return replace(
        decided,
        novelty=described,
        detector=detector,
        floors=_floors(plan, calibration, bar),
        across=elsewhere.across,
        steadiness=measure_steadiness(
            classifier,
            plan.folder,
            plan.recipe.preprocessing,
            calibration,
            _some(answers[1], seed),
            seed,
            bar,
            fitted,
        ),
        hints=_hints(plan, classifier, calibration, parts[1], answers[0]),
    )


def _hints(
    plan: Plan, classifier: Any, calibration: Calibration, validation: Images, answers: Answers
) -> tuple[HintEffect, ...]:
    if calibration.activation != "softmax" or not hintable(plan.task.labels):
        return ()
    # On validation images, as those were that the rule was chosen on: test images are for what is served.
    spoilt = {way: answer(classifier, worsen(validation, way)) for way in WORSE}
    return tuple(
        measure_hints(way, given, calibration, seed=plan.recipe.seed)
        for way, given in ({AS_THEY_ARE: answers} | spoilt).items()
    )


def _some(answers: Answers, seed: int) -> Answers:
    """At most STEADY of the test images: each is asked about a dozen times over."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(answers.samples))[:STEADY])
    samples = tuple(answers.samples[number] for number in chosen)
    return Answers(answers.logits[chosen], answers.truths[chosen], samples)


def _detector(
    plan: Plan, classifier: Any, parts: tuple[Images, Images, Images], elsewhere: Elsewhere
) -> tuple[novelty.Fitted, Novelty, bytes]:
    recipe, (train, validation, test) = plan.recipe, parts
    model, seed = novelty.featured(classifier), recipe.seed
    size = (recipe.preprocessing.height, recipe.preprocessing.width)
    change = novelty.arriving(recipe.augmentation, size, seed, grey=recipe.preprocessing.colour == "grey")
    own = novelty.both(model, train.pixels, change, novelty.some(len(train.pixels), seed))
    checked = novelty.both(model, validation.pixels, change)
    shown, measured = {}, []
    for kind in _kinds(recipe.preprocessing, recipe.material.familiar, test, elsewhere, seed):
        if kind.shown is not None:
            shown[kind.family] = novelty.both(model, kind.shown, change)
        measured.append((kind, novelty.features(model, kind.pixels, np.arange(len(kind.pixels)))))

    inner = inner_features(classifier)
    whole = novelty.fit(own, checked, list(shown.values()), inner)
    withheld = {
        family: novelty.fit(own, checked, [some for other, some in shown.items() if other != family], inner, whole)
        for family in shown
    }
    tested = novelty.features(model, test.pixels, np.arange(len(test.pixels)))
    return whole, *novelty.describe(whole, tested, measured, withheld)


def _kinds(
    preprocessing: Preprocessing, familiar: tuple[str, ...], test: Images, elsewhere: Elsewhere, seed: int
) -> Iterator[others.Kind]:
    for root, near in [(root, False) for root in elsewhere.foreign] + [(root, True) for root in elsewhere.near]:
        yield from others.of_folder(root, preprocessing, seed, near=near)
    yield from others.made(preprocessing, seed, familiar)
    yield from others.altered(test.pixels, preprocessing, seed)


def _floors(plan: Plan, calibration: Calibration, bar: Bar) -> Floors:
    shown = PREPROCESSING.model_copy(update={"window": plan.recipe.preprocessing.window})
    fitted_to, measured_on = (
        load_images(plan.folder, part, shown, bar(f"Decoding {len(part)} images for the floors", len(part)))
        for part in (plan.split.train, plan.split.test)
    )
    return floors(fitted_to, measured_on, calibration.activation, plan.recipe.seed)

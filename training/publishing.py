"""From a trained classifier to a bundle: weights in half precision, figures measured with them, a proof, a card."""

import hashlib
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import keras

from services.bundle.fingerprints import Fingerprints
from services.bundle.graph import Description
from services.bundle.manifest import FORMAT, Import, Manifest, Preprocessing, Seen, Training, Weights
from services.bundle.store import Store
from services.bundle.task import Task
from training import reporting, seen
from training.answers import Answers, answer
from training.card import write_card
from training.checkpoints import History
from training.devices import device, software
from training.evaluation import evaluate
from training.evidence import Elsewhere, Evidence, gather
from training.finetuning import FineTuned
from training.halving import Half, halve
from training.images import Bar, Images
from training.plan import Plan
from training.probe import prove
from training.split import Split, part_of


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is about to become a bundle.

    Attributes:
        half: the classifier as it will be served.
        seen: packed fingerprints of what decided the weights, or None where nobody knows.
        history: figures per epoch, or None where the weights were fitted elsewhere.
        split: for the card's counts, or None likewise.
    """

    task: Task
    labels: tuple[str, ...]
    description: Description
    preprocessing: Preprocessing
    half: Half
    origin: Training | Import
    seen: bytes | None
    history: History | None
    split: Split | None


def publish(
    store: Store,
    plan: Plan,
    trained: FineTuned,
    parts: tuple[Images, Images, Images],
    before: Fingerprints,
    elsewhere: Elsewhere,
    bar: Bar,
) -> Manifest:
    """Measure a trained classifier as it will be served, and write its bundle.

    All of it runs on the CPU in single precision: a GPU may round to TF32 by itself, and the proof must hold anywhere.

    Args:
        store: where the bundle goes.
        plan: what was trained on what.
        trained: the classifier; its weights are copied.
        parts: images for training, which the detector of foreign images is fitted to; for validation, which fit the
            temperature, choose every threshold and show what halving the weights costs; and for test, which nothing was
            chosen by.
        before: what the weights that training began from have seen.
        elsewhere: what is known beyond this folder.
        bar: makes a progress bar of a text and a number.

    Returns:
        The manifest, with the version that the bundle was given.

    Raises:
        NotPublishable: the test part is not unseen, or halving the weights changed the answers.
        WeightsInvalid: the weights are not finite, or do not fit half precision.
        ImagesInvalid: an image of another folder cannot be decoded.
    """
    own = seen.fingerprints(plan.folder, (*plan.split.train, *plan.split.validation))
    everything = seen.joined(before, own)
    seen.require_unseen(everything, plan.folder, plan.split.test)
    recipe, (_, validation, test) = plan.recipe, parts
    with keras.device("cpu:0"):
        half = halve(recipe.architecture, recipe.preprocessing, recipe.activation, trained.classifier, validation)
        answers = answer(half.model, validation), answer(half.model, test)
        evidence = gather(plan, half.model, half.calibration, parts, answers, elsewhere, bar)
    candidate = Candidate(
        task=plan.task,
        labels=plan.folder.labels,
        description=recipe.architecture,
        preprocessing=Preprocessing(**recipe.preprocessing.model_dump()),
        half=half,
        origin=_training(plan, trained),
        seen=seen.pack(everything),
        history=trained.history,
        split=plan.split,
    )
    return write_bundle(store, candidate, answers[1], evidence)


def write_bundle(store: Store, candidate: Candidate, answers: Answers, evidence: Evidence) -> Manifest:
    """Publish a candidate that was measured.

    Args:
        store: where the bundle goes.
        candidate: what it holds.
        answers: of its classifier to test images, which nothing was chosen by.
        evidence: what else was measured of it.

    Returns:
        The manifest, with the version that the bundle was given.
    """
    half = candidate.half
    with keras.device("cpu:0"):
        proof, probe = prove(half.model, candidate.preprocessing)
    packed = candidate.seen
    manifest = Manifest(
        format=FORMAT,
        task=candidate.task.name,
        version=1,
        created=datetime.now(UTC).replace(microsecond=0),
        labels=candidate.labels,
        architecture=candidate.description,
        preprocessing=candidate.preprocessing,
        calibration=half.calibration,
        weights=Weights(
            file="model.weights.h5",
            sha256=hashlib.sha256(half.content).hexdigest(),
            size=len(half.content),
            dtype="float16",
            halving=half.halving,
        ),
        probe=probe,
        seen=None if packed is None else Seen(file="seen.npz", sha256=hashlib.sha256(packed).hexdigest()),
        origin=candidate.origin,
        evaluation=evaluate(answers, candidate.labels, half.calibration, candidate.origin.seed),
        operating_points=evidence.operating_points,
        prediction_sets=evidence.prediction_sets,
        novelty=evidence.novelty,
        floors=evidence.floors,
        across=evidence.across,
        steadiness=evidence.steadiness,
        hints=evidence.hints,
    )
    report = reporting.report(answers, manifest, candidate.history)
    card = write_card(manifest, candidate.task, candidate.split)
    files = {"probe.npz": proof, "seen.npz": packed, "novelty.npz": evidence.detector}
    arrays = {name: content for name, content in files.items() if content is not None}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / manifest.weights.file
        file.write_bytes(half.content)
        return store.publish(manifest, file, arrays, card, report)


def _training(plan: Plan, trained: FineTuned) -> Training:
    train, validation, test = (part_of(part) for _, part in plan.split.parts())
    return Training(
        kind="training",
        data=plan.recipe.material.name,
        data_licence=plan.recipe.material.licence,
        index_sha256=plan.folder.sha256,
        split_by="group" if plan.folder.grouped else "image",
        train=train,
        validation=validation,
        test=test,
        seed=plan.recipe.seed,
        initial_weights=trained.initial_weights,
        recipe=plan.text,
        epochs=trained.epochs,
        seconds=round(trained.seconds, 1),
        device=device(),
        software=software(),
    )

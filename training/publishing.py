"""From a trained classifier to a bundle: half-precision weights, figures measured with them, a proof, a card."""

import hashlib
import importlib
import io
import os
import platform
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from services.bundle import weights
from services.bundle.architectures import build
from services.bundle.calibration import probabilities
from services.bundle.manifest import Calibration, Halving, Manifest, Preprocessing, Probe, Training, Weights
from services.bundle.preprocessing import prepare
from services.bundle.store import Store
from training import reporting
from training.card import write_card
from training.datasets import Images, part_of
from training.devices import gpu_count
from training.disk import reserve
from training.errors import NotPublishable
from training.evaluation import answer, evaluate, fit_temperature
from training.finetuning import FineTuned
from training.plan import Plan

LARGEST_CHANGE = 0.01
"""The most that halving the weights may change any probability of a validation image."""

# Runtimes sum in other orders and fuse other operations: through fifty layers of float32 that moves a logit by some
# 1e-5 to 1e-4. Ten times that is still far below what another weight, label order or scaling would do.
_TENSOR_TOLERANCE = 2e-3
# A resampling that rounds the other way moves pixels by one grey level, and logits by some tenths at most.
_IMAGE_TOLERANCE = 0.3


@dataclass(frozen=True, slots=True)
class _Half:
    """The classifier as it will be served.

    Attributes:
        model: float32 graph with the halved weights.
        content: the weights file.
    """

    model: Any
    content: bytes
    calibration: Calibration
    halving: Halving


def publish(store: Store, plan: Plan, trained: FineTuned, validation: Images, test: Images) -> Manifest:
    """Measure a trained classifier as it will be served, and write its bundle.

    All of it runs on the CPU in single precision: a GPU may round to TF32 by itself, and the proof must hold anywhere.

    Args:
        store: where the bundle goes.
        plan: what was trained on what.
        trained: the classifier; its weights are copied.
        validation: images that fit the temperature and show what halving the weights costs.
        test: images that nothing was chosen by.

    Returns:
        The manifest, with the version that the bundle was given.

    Raises:
        NotPublishable: halving the weights changed a predicted class, or a probability by more than LARGEST_CHANGE.
        WeightsInvalid: the weights are not finite, or do not fit half precision.
    """
    with keras.device("cpu:0"):
        half = _halve(plan, trained.classifier, validation)
        answers = answer(half.model, test)
        proof, probe = _probe(half.model, plan.recipe.preprocessing)
    manifest = Manifest(
        format=1,
        task=plan.task.name,
        version=1,
        created=datetime.now(UTC).replace(microsecond=0),
        labels=plan.folder.labels,
        architecture=plan.recipe.architecture,
        preprocessing=plan.recipe.preprocessing,
        calibration=half.calibration,
        weights=Weights(
            file="model.weights.h5",
            sha256=hashlib.sha256(half.content).hexdigest(),
            size=len(half.content),
            dtype="float16",
            halving=half.halving,
        ),
        probe=probe,
        training=_training(plan, trained),
        evaluation=evaluate(answers, plan.folder.labels, half.calibration, plan.recipe.seed),
    )
    report = {
        "confusion.png": reporting.confusion(manifest),
        "reliability.png": reporting.reliability_diagram(answers, manifest.calibration),
        "training.png": reporting.curves(trained.history),
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / manifest.weights.file
        file.write_bytes(half.content)
        return store.publish(manifest, file, proof, write_card(manifest, plan.task, plan.split), report)


# ---------------------------------------------------------------- half precision


def _halve(plan: Plan, classifier: Any, validation: Images) -> _Half:
    preprocessing, outputs = plan.recipe.preprocessing, len(plan.folder.labels)
    model = build(plan.recipe.architecture, (preprocessing.height, preprocessing.width), outputs)
    _copy_by_name(classifier, model)
    single = answer(model, validation)
    with tempfile.TemporaryDirectory() as folder:
        full, halved = Path(folder) / "full.weights.h5", Path(folder) / "half.weights.h5"
        reserve(full, model, copies=2)
        model.save_weights(full)
        weights.halve(full, halved)
        content = halved.read_bytes()
        # What a reader will refuse is refused here, before anyone reads it.
        weights.require(weights.inspect(content), weights.layout(full))
        model.load_weights(halved)
    half = answer(model, validation)
    calibration = Calibration(temperature=fit_temperature(half.logits, half.classes))
    halving = cost_of_halving(single.logits, half.logits, calibration)
    _require_cheap(halving)
    return _Half(model, content, calibration, halving)


def _copy_by_name(source: Any, target: Any) -> None:
    # The trained graph has open sides and dropout; its layers with weights are the same, by name.
    for layer in target.layers:
        if layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def cost_of_halving(single: NDArray[np.float64], half: NDArray[np.float64], calibration: Calibration) -> Halving:
    """Compare calibrated answers before and after the weights lost half of their bits.

    Args:
        single: logits [n, labels] by the single-precision weights.
        half: logits [n, labels] of the same images by the halved ones.
        calibration: of the bundle; both are calibrated by it.
    """
    change = np.abs(probabilities(single, calibration) - probabilities(half, calibration))
    return Halving(
        images=len(single),
        changed_predictions=int((single.argmax(axis=1) != half.argmax(axis=1)).sum()),
        largest_probability_change=float(change.max()),
    )


def _require_cheap(halving: Halving) -> None:
    if halving.changed_predictions or halving.largest_probability_change > LARGEST_CHANGE:
        message = (
            f"Halving the weights changed {halving.changed_predictions} of {halving.images} validation predictions and "
            f"a probability by up to {halving.largest_probability_change:.4f}; none and {LARGEST_CHANGE} are allowed."
        )
        raise NotPublishable(message)


# ---------------------------------------------------------------- the proof


def draw_probe(width: int = 320, height: int = 240) -> NDArray[np.uint8]:
    """A picture with ramps, edges and fine lines in every colour, by whole-number arithmetic: the same everywhere.

    Args:
        width: pixels across.
        height: pixels down.

    Returns:
        uint8 [height, width, 3], RGB. Not square, so that the fit to the input matters too.
    """
    down, across = np.mgrid[:height, :width]
    picture = np.empty((height, width, 3), np.int64)
    picture[..., 0] = across * 255 // (width - 1)
    picture[..., 1] = down * 255 // (height - 1)
    picture[..., 2] = (across // 16 + down // 16) % 2 * 160 + 40
    discs = ((70, 80, 48, (230, 60, 50)), (200, 150, 64, (250, 250, 240)), (268, 56, 32, (20, 40, 160)))
    for x, y, radius, colour in discs:
        picture[(across - x) ** 2 + (down - y) ** 2 < radius**2] = colour
    stripes = (down > height - 60) & (across < width // 2) & (across // 3 % 2 == 0)
    picture[stripes] = (15, 120, 60)
    return picture.astype(np.uint8)


def _probe(model: Any, preprocessing: Preprocessing) -> tuple[bytes, Probe]:
    pixels = draw_probe()
    tensor = prepare(pixels, preprocessing)
    logits = np.asarray(model.predict_on_batch(tensor[None].astype(np.float32)), np.float64)[0]
    file = io.BytesIO()
    np.savez(file, pixels=pixels, tensor=tensor)
    return file.getvalue(), Probe(
        file="probe.npz",
        sha256=hashlib.sha256(file.getvalue()).hexdigest(),
        logits=tuple(float(logit) for logit in logits),
        tensor_tolerance=_TENSOR_TOLERANCE,
        image_tolerance=_IMAGE_TOLERANCE,
    )


# ---------------------------------------------------------------- where it comes from


def _training(plan: Plan, trained: FineTuned) -> Training:
    train, validation, test = (part_of(part) for part in (plan.split.train, plan.split.validation, plan.split.test))
    return Training(
        data=plan.recipe.material.name,
        data_licence=plan.recipe.material.licence,
        index_sha256=plan.folder.sha256,
        split_by="group" if plan.folder.grouped else "image",
        train=train,
        validation=validation,
        test=test,
        initial_weights=trained.initial_weights,
        recipe=plan.text,
        seed=plan.recipe.seed,
        epochs=trained.epochs,
        seconds=round(trained.seconds, 1),
        device=_device(),
        software=_software(),
    )


def _device() -> str:
    gpus = gpu_count()
    if gpus:
        return f"{gpus} GPU{'s' if gpus > 1 else ''}"
    return f"CPU, {os.cpu_count()} cores, {platform.machine()}"


def _software() -> str:
    backend = keras.backend.backend()
    version = importlib.import_module(backend).__version__
    return (
        f"Keras {keras.__version__} on {backend} {version}, NumPy {np.__version__}, "
        f"Python {platform.python_version()}, {platform.system()}"
    )

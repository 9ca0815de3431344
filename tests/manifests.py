"""Manifests for tests: one and a task as JSON and TOML would hold them, to break one field of, and one of a bundle."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.bundle.evaluation import Estimate, Evaluation, LabelMetrics, Metric, SourceMetrics
from services.bundle.graph import Description
from services.bundle.manifest import (
    FORMAT,
    Calibration,
    Halving,
    Import,
    Manifest,
    Part,
    Preprocessing,
    Probe,
    Seen,
    Training,
    Weights,
)

DIGEST = "0123456789abcdef" * 4


def valid_manifest() -> dict[str, Any]:
    """A new dict of every field of manifest.json, for two labels; parse_manifest accepts its JSON."""
    return {
        "format": FORMAT,
        "task": "moles",
        "version": 3,
        "created": "2026-02-03T04:05:06Z",
        "labels": ["benign", "suspicious"],
        "architecture": {"backbone": "efficientnet_b0", "filters": [], "hidden": [128]},
        "preprocessing": {
            "height": 96,
            "width": 128,
            "borders": "kept",
            "colour": "rgb",
            "fit": "letterbox",
            "interpolation": "bilinear",
            "pad": 127,
            "window": [40.0, 80.0],
            "levels": "kept",
            "window_percentiles": [0.5, 99.5],
        },
        "calibration": {"temperature": 1.25, "activation": "softmax"},
        "weights": {
            "file": "model.weights.h5",
            "sha256": DIGEST,
            "size": 8_123_456,
            "dtype": "float16",
            "halving": {"images": 200, "changed_predictions": 1, "largest_probability_change": 0.0125},
        },
        "probe": {
            "file": "probe.npz",
            "sha256": DIGEST,
            "logits": [1.5, -0.75],
            "tensor_tolerance": 0.001,
            "image_tolerance": 0.125,
        },
        "seen": {"file": "seen.npz", "sha256": DIGEST},
        "origin": {
            "kind": "training",
            "data": "Drawn discs and squares.",
            "data_licence": "CC0-1.0",
            "index_sha256": DIGEST,
            "split_by": "group",
            "train": {"images": 700, "groups": 70},
            "validation": {"images": 200, "groups": 20},
            "test": {"images": 100, "groups": 10},
            "initial_weights": "random",
            "recipe": "epochs = 3\n",
            "seed": 7,
            "epochs": 3,
            "seconds": 61.5,
            "device": "2 CPU cores",
            "software": "keras 3.15.1",
        },
        "evaluation": {
            "metrics": [{"name": "accuracy", "value": 0.75, "low": 0.625, "high": 0.875}],
            "per_label": [
                {
                    "label": "benign",
                    "support": 60,
                    "precision": {"value": 0.75, "low": 0.625, "high": 0.875},
                    "recall": {"value": 0.75, "low": 0.5, "high": 0.875},
                    "specificity": {"value": 0.5, "low": 0.25, "high": 0.75},
                    "f1": {"value": 0.75, "low": 0.625, "high": 0.875},
                    "roc_auc": {"value": 0.8125, "low": 0.75, "high": 0.9375},
                    "average_precision": {"value": 0.875, "low": 0.75, "high": 0.9375},
                },
                {
                    "label": "suspicious",
                    "support": 40,
                    "precision": None,
                    "recall": {"value": 0.5, "low": 0.25, "high": 0.75},
                    "specificity": None,
                    "f1": None,
                    "roc_auc": None,
                    "average_precision": None,
                },
            ],
            "per_source": [
                {
                    "source": "drawn",
                    "images": 100,
                    "groups": 10,
                    "accuracy": {"value": 0.75, "low": 0.625, "high": 0.875},
                    "balanced_accuracy": None,
                    "roc_auc": None,
                }
            ],
            "confusion": [[45, 15], [20, 20]],
        },
        "operating_points": [_point("rule_out", 0.125), _point("balanced", 0.5), _point("rule_in", 0.875)],
        "prediction_sets": {
            "promised": 0.9,
            "threshold": 0.0625,
            "coverage": {"value": 0.9375, "low": 0.875, "high": 0.96875},
            "mean_size": 1.25,
            "single": {"value": 0.75, "low": 0.625, "high": 0.875},
        },
        "novelty": {
            "file": "novelty.npz",
            "sha256": DIGEST,
            "features": 16,
            "threshold": 1.75,
            "promised": 0.98,
            "passed": 0.96875,
            "foreign": [
                {
                    "kind": "photographs",
                    "near": False,
                    "images": 50,
                    "auroc": 0.9375,
                    "refused": 0.875,
                    "withheld": {"auroc": 0.875, "refused": 0.5},
                }
            ],
        },
        "floors": {"thumbnail": _floor(0.625), "border": _floor(0.5)},
        "across": [
            {
                "sources": ["elsewhere"],
                "images": 30,
                "groups": 20,
                "metrics": [{"name": "accuracy", "value": 0.625, "low": 0.5, "high": 0.75}],
                "per_label": [],
            }
        ],
        "hints": [
            {
                "name": "as_they_are",
                "title": "As they are",
                "images": 90,
                "alone": {"value": 0.75, "low": 0.625, "high": 0.875},
                "right": {"value": 0.875, "low": 0.75, "high": 0.9375},
                "wrong": {"value": 0.6875, "low": 0.5625, "high": 0.8125},
                "misleading": {"value": 0.5, "low": 0.375, "high": 0.625},
            }
        ],
        "steadiness": [
            {
                "name": "blurred",
                "title": "Blurred",
                "images": 100,
                "accuracy": {"value": 0.75, "low": 0.625, "high": 0.875},
                "change": 0.0,
                "unchanged": 0.9375,
                "largest_shift": 0.25,
                "refused": 0.0625,
            }
        ],
    }


def _point(name: str, threshold: float) -> dict[str, Any]:
    return {
        "name": name,
        "label": "suspicious",
        "threshold": threshold,
        "policy": "Chosen for tests.",
        "sensitivity": {"value": 0.75, "low": 0.625, "high": 0.875},
        "specificity": {"value": 0.625, "low": 0.5, "high": 0.75},
    }


def _floor(value: float) -> dict[str, Any]:
    return {"balanced_accuracy": {"value": value, "low": 0.375, "high": 0.75}, "macro_roc_auc": None}


def valid_task() -> dict[str, Any]:
    """A new dict of every field of task.toml, for the folder "moles" and the labels of `valid_manifest`."""
    return {
        "name": "moles",
        "title": "Moles",
        "summary": "Tells suspicious moles from benign ones.",
        "modality": "dermatoscopy",
        "picture": "a photograph of a mole",
        "dicom": {"modalities": [], "body_parts": []},
        "upload": "One photograph of one mole.",
        "warning": "Not for diagnosis.",
        "intended_use": "Research.",
        "out_of_scope": ["Animals."],
        "limits": ["Drawn pictures only."],
        "serve": "latest",
        "positive": "suspicious",
        "labels": [
            {"label": "benign", "title": "Benign", "explanation": "Nothing to worry about."},
            {"label": "suspicious", "title": "Suspicious", "explanation": "Let a dermatologist look."},
        ],
    }


@dataclass(frozen=True, slots=True)
class Files:
    """The contents of a bundle's files; `seen` is None where the weights were fitted elsewhere."""

    weights: bytes
    probe: bytes
    seen: bytes | None


def describe(
    task: str,
    labels: tuple[str, ...],
    files: Files,
    logits: tuple[float, ...],
    architecture: Description,
    preprocessing: Preprocessing,
    calibration: Calibration,
) -> Manifest:
    """The manifest of a bundle that was measured on drawings, 24 of each label.

    Args:
        task: its name.
        labels: in the order of the logits.
        files: what the digests are of.
        logits: what the network makes of the probe.
        architecture: of the network.
        preprocessing: of the network.
        calibration: decides, too, whether an image has one label.
    """
    images = 24 * len(labels)
    return Manifest(
        format=FORMAT,
        task=task,
        version=1,
        created=datetime.now(UTC),
        labels=labels,
        architecture=architecture,
        preprocessing=preprocessing,
        calibration=calibration,
        weights=Weights(
            file="model.weights.h5",
            sha256=hashlib.sha256(files.weights).hexdigest(),
            size=len(files.weights),
            dtype="float16",
            halving=Halving(images=images, changed_predictions=0, largest_probability_change=0.0),
        ),
        probe=Probe(
            file="probe.npz",
            sha256=hashlib.sha256(files.probe).hexdigest(),
            logits=logits,
            tensor_tolerance=2e-3,
            image_tolerance=0.2,
        ),
        **_origin(images, files.seen),
        evaluation=_evaluation(labels, single=calibration.activation == "softmax"),
        operating_points=(),
        prediction_sets=None,
        novelty=None,
        floors=None,
        across=(),
        steadiness=(),
        hints=(),
    )


def _origin(images: int, seen: bytes | None) -> dict[str, Any]:
    """The fields of the manifest that tell where the weights come from."""
    part = Part(images=images, groups=images)
    measured: dict[str, Any] = {
        "data": "drawn by code",
        "data_licence": "none needed",
        "index_sha256": hashlib.sha256(b"drawn").hexdigest(),
        "split_by": "image",
        "validation": part,
        "test": part,
        "seed": 0,
        "software": "tests",
    }
    if seen is None:
        digest = hashlib.sha256(b"legacy").hexdigest()
        return {"seen": None, "origin": Import(kind="import", file="legacy.h5", file_sha256=digest, **measured)}
    training = Training(
        kind="training",
        train=part,
        initial_weights="random weights",
        recipe='task = "shapes"\n',
        epochs=1,
        seconds=0.1,
        device="cpu",
        **measured,
    )
    return {"seen": Seen(file="seen.npz", sha256=hashlib.sha256(seen).hexdigest()), "origin": training}


def _evaluation(labels: tuple[str, ...], *, single: bool) -> Evaluation:
    """Nothing was wrong; every figure has another interval, so that none is taken for another."""
    count = len(labels)
    images = 24 * count
    rows = tuple(
        LabelMetrics(
            label=label,
            support=24,
            precision=_whole(0.91),
            recall=_whole(0.92),
            specificity=_whole(0.93),
            f1=_whole(0.94),
            roc_auc=_whole(0.96),
            average_precision=_whole(0.97),
        )
        for label in labels
    )
    source = SourceMetrics(
        source="drawn",
        images=images,
        groups=images,
        accuracy=_whole(0.95),
        balanced_accuracy=_whole(0.94),
        roc_auc=_whole(0.93),
    )
    confusion = tuple(tuple(24 * (row == column) for column in range(count)) for row in range(count))
    return Evaluation(
        metrics=(Metric(name="accuracy", value=1.0, low=0.95, high=1.0),),
        per_label=rows,
        per_source=(source,),
        confusion=confusion if single else None,
    )


def _whole(low: float) -> Estimate:
    return Estimate(value=1.0, low=low, high=1.0)

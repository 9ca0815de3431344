"""A manifest and a task as JSON and TOML would hold them, for tests to break one field of."""

from typing import Any

DIGEST = "0123456789abcdef" * 4


def valid_manifest() -> dict[str, Any]:
    """A new dict of every field of manifest.json, for two labels; parse_manifest accepts its JSON."""
    return {
        "format": 1,
        "task": "moles",
        "version": 3,
        "created": "2026-02-03T04:05:06Z",
        "labels": ["benign", "suspicious"],
        "architecture": {"backbone": "efficientnet_b0", "hidden": [128]},
        "preprocessing": {
            "height": 96,
            "width": 128,
            "colour": "rgb",
            "fit": "letterbox",
            "interpolation": "bilinear",
            "pad": 127,
            "window_percentiles": [0.5, 99.5],
        },
        "calibration": {"temperature": 1.25},
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
        "training": {
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
                {"label": "benign", "support": 60, "precision": 0.75, "recall": 0.75, "f1": 0.75},
                {"label": "suspicious", "support": 40, "precision": None, "recall": 0.5, "f1": None},
            ],
            "per_source": [{"source": "drawn", "images": 100, "groups": 10, "accuracy": 0.75}],
            "confusion": [[45, 15], [20, 20]],
        },
    }


def valid_task() -> dict[str, Any]:
    """A new dict of every field of task.toml, for the folder "moles" and the labels of `valid_manifest`."""
    return {
        "name": "moles",
        "title": "Moles",
        "summary": "Tells suspicious moles from benign ones.",
        "modality": "dermatoscopy",
        "upload": "One photograph of one mole.",
        "warning": "Not for diagnosis.",
        "intended_use": "Research.",
        "out_of_scope": ["Animals."],
        "limits": ["Drawn pictures only."],
        "serve": "latest",
        "labels": [
            {"label": "benign", "title": "Benign", "explanation": "Nothing to worry about."},
            {"label": "suspicious", "title": "Suspicious", "explanation": "Let a dermatologist look."},
        ],
    }

"""A manifest that has every field, and a task for it, with some of them changed."""

import json
from typing import Any

from services.bundle.manifest import Manifest, parse_manifest
from services.bundle.task import Task
from tests.manifests import valid_manifest, valid_task


def manifest(**changes: Any) -> Manifest:
    """`tests.manifests.valid_manifest` with some fields replaced."""
    return parse_manifest(json.dumps(valid_manifest() | changes).encode())


def task(**changes: Any) -> Task:
    """`tests.manifests.valid_task` with some fields replaced."""
    return Task.model_validate_json(json.dumps(valid_task() | changes))


def estimate(value: float, low: float = 0.0, high: float = 1.0) -> dict[str, float]:
    """A figure with its interval."""
    return {"value": value, "low": low, "high": high}


def evaluation(*metrics: tuple[str, float], **changes: Any) -> dict[str, Any]:
    """The manifest's evaluation with these overall figures beside the accuracy, and some fields replaced."""
    whole: dict[str, Any] = valid_manifest()["evaluation"]
    added = [{"name": name, **estimate(value, value - 0.125, value + 0.03125)} for name, value in metrics]
    return {**whole, "metrics": [*whole["metrics"], *added], **changes}

"""Weights to ONNX graph. Imports TensorFlow: only the child process may import this module."""

import json
from pathlib import Path
from typing import Any

from services.bundle.classifier import load_classifier
from services.bundle.manifest import Manifest
from services.bundle.outputs import served
from services.compiler.onnxgraph import to_onnx


def convert(weights_path: str, manifest: dict[str, Any], target: str) -> None:
    """Write the ONNX graph of a bundle: uint8 `image` [1, height, width, 3] -> the outputs of services.bundle.outputs.

    Args:
        weights_path: the weights file.
        manifest: parsed JSON of the manifest.
        target: where the graph goes.

    Raises:
        ManifestInvalid: an architecture that cannot be built, or not for images of this size.
        WeightsInvalid: changed bytes, a file that is not plain, or other shapes.
    """
    described = Manifest.model_validate_json(json.dumps(manifest))
    model = load_classifier(Path(weights_path).read_bytes(), described)
    graph = to_onnx(served(model), described.preprocessing.height, described.preprocessing.width)
    Path(target).write_bytes(graph)

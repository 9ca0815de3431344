"""Weights to ONNX graph. Imports TensorFlow: only the child process may import this module."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import keras

from services.bundle import weights
from services.bundle.architectures import build
from services.bundle.manifest import Manifest
from services.compiler.onnxgraph import to_onnx
from services.errors import WeightsInvalid


def convert(weights_path: str, manifest: dict[str, Any], target: str) -> None:
    """Write the ONNX graph of a bundle: uint8 `image` [1, height, width, 3] -> float32 `logits` [1, labels].

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
    outputs = keras.Model(model.input, {"logits": model.output})
    graph = to_onnx(outputs, described.preprocessing.height, described.preprocessing.width)
    Path(target).write_bytes(graph)


def load_classifier(content: bytes, manifest: Manifest) -> Any:
    """Build the manifest's architecture and load verified weights into it, as float32.

    Raises:
        ManifestInvalid, WeightsInvalid: as `convert`.
    """
    if hashlib.sha256(content).hexdigest() != manifest.weights.sha256:
        message = "weights: the file changed while it was being read"
        raise WeightsInvalid(message)
    found = weights.inspect(content)
    size = (manifest.preprocessing.height, manifest.preprocessing.width)
    model = build(manifest.architecture, size, len(manifest.labels))
    with tempfile.TemporaryDirectory() as folder:
        # What Keras itself would write for this architecture is the whole list of what may be in the file.
        blank = Path(folder) / "blank.weights.h5"
        model.save_weights(blank)
        weights.require(found, weights.layout(blank))
        # The bytes that were checked are the bytes that are loaded.
        checked = Path(folder) / "checked.weights.h5"
        checked.write_bytes(content)
        model.load_weights(checked)
    return model

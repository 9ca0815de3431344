"""A published bundle as a Keras classifier again, its weights checked before they are loaded."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from services.bundle import weights
from services.bundle.architectures import build
from services.bundle.store import Bundle
from services.errors import WeightsInvalid
from training.disk import reserve


def load_classifier(bundle: Bundle) -> Any:
    """Build a bundle's graph and load its half-precision weights into it, as float32.

    Args:
        bundle: of services.bundle.store.Store.read.

    Returns:
        keras.Model: RGB float32 [batch, height, width, 3] in 0..255 -> float32 logits [batch, labels].

    Raises:
        ManifestInvalid: an architecture that cannot be built.
        WeightsInvalid: changed bytes, a file that is not plain, or other shapes.
        OSError: there is no room for temporary files.
    """
    manifest = bundle.manifest
    content = bundle.weights.read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest.weights.sha256:
        message = "weights: the file changed while it was being read"
        raise WeightsInvalid(message)
    found = weights.inspect(content)
    size = (manifest.preprocessing.height, manifest.preprocessing.width)
    model = build(manifest.architecture, size, len(manifest.labels))
    with tempfile.TemporaryDirectory() as folder:
        # What Keras itself would write for this architecture is the whole list of what may be in the file.
        blank = Path(folder) / "blank.weights.h5"
        reserve(blank, model)
        model.save_weights(blank)
        weights.require(found, weights.layout(blank))
        # The bytes that were checked are the bytes that are loaded.
        checked = Path(folder) / "checked.weights.h5"
        checked.write_bytes(content)
        model.load_weights(checked)
    return model

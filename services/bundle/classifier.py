"""A bundle's weights in their graph: a Keras classifier, of a file that was checked before it is loaded."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from services.bundle import weights
from services.bundle.architectures import build
from services.bundle.manifest import Manifest
from services.errors import WeightsInvalid


def load_classifier(content: bytes, manifest: Manifest) -> Any:
    """Build the manifest's graph and load its half-precision weights into it, as float32.

    Args:
        content: of the weights file.
        manifest: of the bundle.

    Returns:
        keras.Model: RGB float32 [batch, height, width, 3] in 0..255 -> float32 logits [batch, labels].

    Raises:
        ManifestInvalid: an architecture that cannot be built, or not for images of this size.
        WeightsInvalid: changed bytes, a file that is not plain, or other shapes.
        OSError: there is no room for temporary files.
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
        weights.reserve(blank, model)
        model.save_weights(blank)
        weights.require(found, weights.layout(blank))
        # The bytes that were checked are the bytes that are loaded.
        checked = Path(folder) / "checked.weights.h5"
        checked.write_bytes(content)
        model.load_weights(checked)
    return model

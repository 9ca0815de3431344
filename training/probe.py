"""The proof that travels in a bundle: a picture drawn by code, and the logits that it must give."""

import hashlib
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.bundle.manifest import Preprocessing, Probe
from services.bundle.preprocessing import prepare

# Runtimes sum in other orders and fuse other operations: through fifty layers of float32 that moves a logit by some
# 1e-5 to 1e-4. Ten times that is still far below what another weight, label order or scaling would do.
_TENSOR_TOLERANCE = 2e-3
# A resampling that rounds the other way moves pixels by one grey level, and logits by some tenths at most.
_IMAGE_TOLERANCE = 0.3


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


def prove(model: Any, preprocessing: Preprocessing) -> tuple[bytes, Probe]:
    """Ask a classifier about the drawn picture.

    Args:
        model: RGB float32 [batch, height, width, 3] in 0..255 -> logits.
        preprocessing: of the bundle.

    Returns:
        The bytes of probe.npz, and its entry in the manifest.
    """
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

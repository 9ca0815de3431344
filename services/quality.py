"""What about an image makes its answer less sure, as sentences for the reader."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from services.bundle.manifest import Preprocessing
from services.imaging import Raster

_SAMPLES = 128
_BLANK = 1.5
_TINT = 20.0


def notes(raster: Raster, preprocessing: Preprocessing) -> Iterator[str]:
    """Say what is wrong with an image.

    Args:
        raster: as it was decoded.
        preprocessing: of the model; a model of grey pictures looks for a tint.
    """
    if raster.deep:
        low, high = preprocessing.window_percentiles
        yield f"The image has more than 8 bits; its {low:g}th to {high:g}th percentile was shown to the model."
    smallest = min(preprocessing.height, preprocessing.width) // 2
    if min(raster.width, raster.height) < smallest:
        yield (
            f"The image is small: {raster.width} x {raster.height} pixels. The model was made for pictures of at least "
            f"{smallest} pixels on each side."
        )
    if preprocessing.colour == "grey" and _tint(raster) > _TINT:
        yield "The image is strongly tinted, and the model looks at grey levels alone; send it without colour."


def blank(tensor: NDArray[np.uint8], preprocessing: Preprocessing) -> bool:
    """Whether next to nothing is on the picture that the model sees, uint8 [height, width, 3]."""
    return _contrast(tensor, preprocessing.pad) < _BLANK


def _contrast(tensor: NDArray[np.uint8], pad: int) -> float:
    """Standard deviation in grey levels of what is not padding; the bands of a letterbox say nothing of the image."""
    drawn = (tensor != pad).any(axis=2)
    image = tensor[drawn.any(axis=1)][:, drawn.any(axis=0)]
    return float(image.std()) if image.size else 0.0


def _tint(raster: Raster) -> float:
    """Mean distance between the strongest and the weakest channel, in grey levels, of a sample of the pixels."""
    if raster.pixels.ndim == len(("height", "width")):
        return 0.0
    down, across = (max(1, side // _SAMPLES) for side in raster.pixels.shape[:2])
    some = raster.pixels[::down, ::across].astype(np.int16)
    return float((some.max(axis=2) - some.min(axis=2)).mean())

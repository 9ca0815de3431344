"""Fingerprints of the images and groups that decided a bundle's weights, so that nobody measures on them by mistake."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.bundle.arrays import read_arrays
from services.errors import ManifestInvalid


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """What seen.npz holds; see services.bundle.manifest.Seen for what a fingerprint is of.

    Attributes:
        images: uint64 [images], ascending.
        groups: uint64 [groups], ascending.
    """

    images: NDArray[np.uint64]
    groups: NDArray[np.uint64]


def read_fingerprints(content: bytes, limit: int) -> Fingerprints:
    """Read seen.npz, whose bytes the manifest has vouched for.

    Args:
        content: of the file.
        limit: the most bytes that it may unpack to.

    Raises:
        ManifestInvalid: it does not hold the two arrays as Fingerprints describes them.
    """
    images, groups = read_arrays(content, "seen.npz", ("images", "groups"), limit)
    for array in (images, groups):
        # "<u8" alone: numbers in another byte order would compare as they should, but nobody here writes them.
        plain = array.dtype == np.dtype("<u8") and array.ndim == 1
        if not plain or not (array[:-1] <= array[1:]).all():
            message = "seen.npz does not hold ascending whole numbers of 64 bits"
            raise ManifestInvalid(message)
    return Fingerprints(images, groups)

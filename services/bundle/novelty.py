"""Whether an image is like those of training: how far its features lie from theirs."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.bundle.arrays import read_arrays
from services.errors import ManifestInvalid

FILE = "novelty.npz"

_ARRAYS = ("centre", "precision", "axes", "axis_precision", "rest_precision")
_MOST_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Detector:
    """A Mahalanobis distance (Lee et al. 2018, arXiv:1807.03888) whose covariance is that of a probabilistic PCA.

    With z = (features - centre) * precision and p = z @ axes, the score is the root of the mean over the features of
    sum(p**2 * axis_precision) + (|z|**2 - |p|**2) * rest_precision: along the axes each has a variance of its own,
    whatever lies beside them shares one (Tipping & Bishop 1999). Images like those of training score about one.

    Attributes:
        centre: float32 [features].
        precision: float32 [features], one over the standard deviation of each.
        axes: float32 [features, axes], orthonormal columns.
        axis_precision: float32 [axes], one over the variance along each.
        rest_precision: float32 [1].
    """

    centre: NDArray[np.float32]
    precision: NDArray[np.float32]
    axes: NDArray[np.float32]
    axis_precision: NDArray[np.float32]
    rest_precision: NDArray[np.float32]

    def scores(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Score images.

        Args:
            features: [images, features].

        Returns:
            float64 [images], not negative.
        """
        scaled = (np.asarray(features, np.float64) - self.centre) * self.precision
        along = scaled @ self.axes
        beside = np.maximum((scaled**2).sum(axis=1) - (along**2).sum(axis=1), 0)
        squares = (along**2) @ self.axis_precision.astype(np.float64) + beside * float(self.rest_precision[0])
        scores: NDArray[np.float64] = np.sqrt(squares / len(self.centre))
        return scores

    def pack(self) -> bytes:
        """The content of novelty.npz."""
        file = io.BytesIO()
        np.savez_compressed(file, **{name: getattr(self, name) for name in _ARRAYS})
        return file.getvalue()


def read_detector(content: bytes, features: int) -> Detector:
    """Read novelty.npz.

    Args:
        content: of the file.
        features: how many the manifest says there are.

    Raises:
        ManifestInvalid: no such file, pickled objects, arrays of other shapes or types, or numbers that are none.
    """
    arrays = dict(zip(_ARRAYS, read_arrays(content, FILE, _ARRAYS, _MOST_BYTES), strict=True))
    shape = arrays["axes"].shape
    axes = shape[1] if len(shape) == len(("features", "axes")) else 0
    wanted = {
        "centre": (features,),
        "precision": (features,),
        "axes": (features, axes),
        "axis_precision": (axes,),
        "rest_precision": (1,),
    }
    if any(arrays[name].shape != wanted[name] or arrays[name].dtype != np.float32 for name in _ARRAYS):
        message = f"{FILE} does not hold the arrays that the manifest describes"
        raise ManifestInvalid(message)
    if not all(np.isfinite(array).all() for array in arrays.values()):
        message = f"{FILE} holds numbers that are none"
        raise ManifestInvalid(message)
    return Detector(**arrays)

"""Whether an image is like those of training: how far its features lie from theirs, and how near to what is not."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.bundle.arrays import read_arrays
from services.errors import ManifestInvalid

FILE = "novelty.npz"

REACH = 5.0
"""Standard deviations beyond which a feature counts no more for the regression: nothing far out outvotes all others."""

_ARRAYS = (
    "centre",
    "precision",
    "axes",
    "axis_precision",
    "rest_precision",
    "kernel",
    "bias",
    "places",
    "spreads",
)
_MOST_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Detector:
    """Two looks at an image, and the score of the one that finds it stranger.

    The features, as standard deviations z = (features - centre) * precision, are looked at in two ways:

    - the first of them, the inner ones, by a Mahalanobis distance (Lee et al. 2018, arXiv:1807.03888) whose covariance
      is that of a probabilistic PCA (Tipping & Bishop 1999). With p = z @ axes it is the root of the mean over them of
      sum(p**2 * axis_precision) + (|z|**2 - |p|**2) * rest_precision: along the axes each has a variance of its own,
      whatever lies beside them shares one. It knows nothing but the training images;
    - all of them by a logistic regression between training images and images of other kinds that it was shown (outlier
      exposure, Hendrycks et al. 2019, arXiv:1812.04606): clip(z, -REACH, REACH) @ kernel + bias.

    Each is shifted and scaled so that of the validation images the middle one is at zero and one in a hundred is above
    one. The score is the higher of the two, or zero.

    Attributes:
        centre: float32 [features].
        precision: float32 [features], one over the standard deviation of each.
        axes: float32 [inner, axes], orthonormal columns.
        axis_precision: float32 [axes], one over the variance along each.
        rest_precision: float32 [1].
        kernel: float32 [features]; zeros where no other kind was shown.
        bias: float32 [1].
        places: float32 [2], the middle of the distance and of the regression.
        spreads: float32 [2], from there to where one in a hundred is above, more than zero.
    """

    centre: NDArray[np.float32]
    precision: NDArray[np.float32]
    axes: NDArray[np.float32]
    axis_precision: NDArray[np.float32]
    rest_precision: NDArray[np.float32]
    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    places: NDArray[np.float32]
    spreads: NDArray[np.float32]

    def scores(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Score images.

        Args:
            features: [images, features].

        Returns:
            float64 [images], not negative.
        """
        looks = (self.looks(features) - self.places) / self.spreads
        scores: NDArray[np.float64] = np.maximum(looks.max(axis=1), 0)
        return scores

    def looks(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """The distance and the regression, float64 [images, 2], as they are before they are compared."""
        scaled = (np.asarray(features, np.float64) - self.centre) * self.precision
        inner = scaled[:, : len(self.axes)]
        along = inner @ self.axes
        beside = np.maximum((inner**2).sum(axis=1) - (along**2).sum(axis=1), 0)
        squares = (along**2) @ self.axis_precision.astype(np.float64) + beside * float(self.rest_precision[0])
        regression = np.clip(scaled, -REACH, REACH) @ self.kernel + float(self.bias[0])
        return np.stack([np.sqrt(squares / len(self.axes)), regression], axis=1)

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
    inner, axes = shape if len(shape) == len(("inner", "axes")) else (0, 0)
    wanted = {
        "centre": (features,),
        "precision": (features,),
        "axes": (inner, axes),
        "axis_precision": (axes,),
        "rest_precision": (1,),
        "kernel": (features,),
        "bias": (1,),
        "places": (2,),
        "spreads": (2,),
    }
    wrong = any(arrays[name].shape != wanted[name] or arrays[name].dtype != np.float32 for name in _ARRAYS)
    if wrong or not 0 < inner <= features:
        message = f"{FILE} does not hold the arrays that the manifest describes"
        raise ManifestInvalid(message)
    if not all(np.isfinite(array).all() for array in arrays.values()) or not (arrays["spreads"] > 0).all():
        message = f"{FILE} holds numbers that are none"
        raise ManifestInvalid(message)
    return Detector(**arrays)

import io

import numpy as np
import pytest

from services.bundle.novelty import Detector, read_detector
from services.errors import ManifestInvalid
from training.novelty import fit_gaussian


@pytest.fixture(scope="module")
def seen() -> np.ndarray:
    random = np.random.default_rng(1)
    return random.normal(0, [3.0, 1.0, 0.2, 0.2], (4000, 4)) + 7


def test_the_score_is_the_mahalanobis_distance_where_axes_are_whole(seen: np.ndarray) -> None:
    detector = fit_gaussian(seen)
    covariance = np.cov(seen.T, bias=True)
    asked = np.random.default_rng(2).normal(7, 2, (50, 4))
    away = asked - seen.mean(axis=0)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away) / 4)
    # The last axis shares its variance with nobody, so nothing is approximated.
    np.testing.assert_allclose(detector.scores(asked), expected, rtol=1e-3)


def test_images_like_those_of_training_score_about_one(seen: np.ndarray) -> None:
    assert np.sqrt((fit_gaussian(seen).scores(seen) ** 2).mean()) == pytest.approx(1, rel=1e-3)


def test_a_foreigner_scores_higher(seen: np.ndarray) -> None:
    detector = fit_gaussian(seen)
    assert detector.scores(np.array([[7, 7, 9, 7.0]]))[0] > 3 * detector.scores(seen).mean()


def test_it_comes_back_as_it_was_packed(seen: np.ndarray) -> None:
    detector = fit_gaussian(seen)
    np.testing.assert_array_equal(read_detector(detector.pack(), 4).scores(seen), detector.scores(seen))


@pytest.mark.parametrize(
    "changes",
    [
        {"centre": np.zeros(5, np.float32)},
        {"centre": np.zeros(4, np.float64)},
        {"axes": np.zeros((4, 2), np.float32)},
        {"axes": np.zeros(4, np.float32)},
        {"rest_precision": np.zeros((), np.float32)},
        {"precision": np.full(4, np.nan, np.float32)},
        {"axis_precision": np.full(3, np.inf, np.float32)},
        {"centre": np.array([{}] * 4, dtype=object)},
    ],
    ids=["length", "type", "fewer axes", "flat axes", "scalar", "not a number", "infinite", "pickled"],
)
def test_other_arrays_are_refused(seen: np.ndarray, changes: dict[str, np.ndarray]) -> None:
    detector = fit_gaussian(seen)
    arrays = {name: getattr(detector, name) for name in Detector.__slots__}
    file = io.BytesIO()
    np.savez(file, **{**arrays, **changes})
    with pytest.raises(ManifestInvalid, match=r"novelty\.npz"):
        read_detector(file.getvalue(), 4)

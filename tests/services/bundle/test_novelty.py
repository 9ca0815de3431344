"""Scores are what they are said to be, and only files that give such are read."""

import io
from dataclasses import replace

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
    detector = fit_gaussian(seen, 4)
    covariance = np.cov(seen.T, bias=True)
    asked = np.random.default_rng(2).normal(7, 2, (50, 4))
    away = asked - seen.mean(axis=0)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away) / 4)
    # The last axis shares its variance with nobody, so nothing is approximated.
    np.testing.assert_allclose(detector.scores(asked), expected, rtol=1e-3)
    np.testing.assert_allclose(detector.looks(asked)[:, 0], expected, rtol=1e-3)


def test_the_distance_is_that_of_the_inner_features(seen: np.ndarray) -> None:
    whole, first = fit_gaussian(seen, 2), fit_gaussian(seen[:, :2], 2)
    asked = np.random.default_rng(3).normal(7, 2, (50, 4))
    assert whole.axes.shape == (2, 1)
    np.testing.assert_allclose(whole.scores(asked), first.scores(asked[:, :2]), rtol=1e-5)


def test_the_stranger_of_two_looks_counts(seen: np.ndarray) -> None:
    """Shown what lies above in the last feature, the detector refuses that at a distance of no note."""
    kernel = np.array([0, 0, 0, 2], np.float32)
    told = {"kernel": kernel, "bias": np.array([-1], np.float32)}
    compared = {"places": np.array([0.9, -1], np.float32), "spreads": np.array([0.5, 3], np.float32)}
    detector = replace(fit_gaussian(seen, 4), **told, **compared)
    asked = seen[:200].copy()
    asked[:, 3] += np.linspace(-2, 2, 200)
    scaled = (asked[:, 3] - detector.centre[3]) * detector.precision[3]
    # However far out a feature is, it says no more than it would at five deviations.
    regression = 2 * np.clip(scaled, -5, 5) - 1
    distance = fit_gaussian(seen, 4).scores(asked)
    assert (np.abs(scaled) > 6).any()
    expected = np.maximum(np.maximum((distance - 0.9) / 0.5, (regression + 1) / 3), 0)
    np.testing.assert_allclose(detector.scores(asked), expected, rtol=1e-3, atol=1e-3)
    assert (detector.scores(asked) == 0).any()


def test_images_like_those_of_training_score_about_one(seen: np.ndarray) -> None:
    assert np.sqrt((fit_gaussian(seen, 4).scores(seen) ** 2).mean()) == pytest.approx(1, rel=1e-3)


def test_a_foreigner_scores_higher(seen: np.ndarray) -> None:
    detector = fit_gaussian(seen, 4)
    assert detector.scores(np.array([[7, 7, 9, 7.0]]))[0] > 3 * detector.scores(seen).mean()


def test_it_comes_back_as_it_was_packed(seen: np.ndarray) -> None:
    detector = fit_gaussian(seen, 4)
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
        {"kernel": np.zeros(3, np.float32)},
        {"spreads": np.array([1, 0], np.float32)},
        {"axes": np.zeros((0, 3), np.float32)},
        {"axes": np.zeros((5, 3), np.float32)},
    ],
    ids=[
        "length",
        "type",
        "fewer axes",
        "flat axes",
        "scalar",
        "not a number",
        "infinite",
        "pickled",
        "short kernel",
        "no spread",
        "no inner features",
        "more inner features than there are",
    ],
)
def test_other_arrays_are_refused(seen: np.ndarray, changes: dict[str, np.ndarray]) -> None:
    detector = fit_gaussian(seen, 4)
    arrays = {name: getattr(detector, name) for name in Detector.__slots__}
    file = io.BytesIO()
    np.savez(file, **{**arrays, **changes})
    with pytest.raises(ManifestInvalid, match=r"novelty\.npz"):
        read_detector(file.getvalue(), 4)

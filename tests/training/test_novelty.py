"""The detector passes what was promised, refuses what is foreign, and is described as it is."""

import hashlib
from typing import Any

import keras
import numpy as np
import pytest

from services.bundle.architectures import build
from services.bundle.classifier import load_classifier
from services.bundle.graph import Architecture
from services.bundle.manifest import Preprocessing
from services.bundle.novelty import read_detector
from services.bundle.outputs import features as means
from services.bundle.preprocessing import prepare
from services.bundle.store import Store
from tests.bundles import EDGE, PREPROCESSING, SHAPES, draw, publish_tiny
from training.novelty import PROMISED, Fitted, arriving, describe, featured, features, fit, fit_gaussian
from training.recipe import Augmentation

MILD = Augmentation(
    view=EDGE, rotation=10, scale=(0.9, 1.1), aspect=1.05, flips="horizontal", contrast=0.1, brightness=0.1
)
SIZE = (EDGE, EDGE)


def drawn(count: int, start: int = 0, preprocessing: Preprocessing = PREPROCESSING) -> np.ndarray:
    """Pictures such as the tiny network tells apart, uint8 [count, height, width, 3]."""
    numbers = range(start, start + count)
    return np.stack([prepare(draw(number % len(SHAPES), number), preprocessing) for number in numbers])


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny network."""
    root = tmp_path_factory.mktemp("novelty")
    manifest = publish_tiny(root, seed=1)
    return load_classifier(Store(root).read("shapes", 1).weights.read_bytes(), manifest)


@pytest.fixture(scope="module")
def model(classifier: Any) -> Any:
    """The part of it that the detector reads."""
    return featured(classifier)


@pytest.fixture(scope="module")
def fitted(model: Any) -> Fitted:
    """A detector of what is not drawn as `drawn` draws."""
    return fit(model, drawn(240), drawn(60, 1000), arriving(MILD, SIZE, 1, grey=False), seed=1)


# ---------------------------------------------------------------- features


def test_the_detector_reads_what_is_served(classifier: Any, model: Any) -> None:
    pixels = drawn(5)
    expected = keras.Model(classifier.input, means(classifier))(pixels.astype(np.float32), training=False)
    np.testing.assert_allclose(features(model, pixels, np.arange(5)), expected, rtol=1e-5, atol=1e-5)


def test_features_come_in_the_order_that_was_asked_for(model: Any) -> None:
    pixels = drawn(70)
    every = features(model, pixels, np.arange(70))
    assert every.dtype == np.float64
    # More than one batch, and none that is whole.
    chosen = np.array([69, 3, *range(10, 50)])
    np.testing.assert_allclose(features(model, pixels, chosen), every[chosen], rtol=1e-5, atol=1e-5)


# ---------------------------------------------------------------- images as they may arrive


def test_images_arrive_at_the_inputs_size_and_otherwise_every_time() -> None:
    pixels = drawn(6)
    change = arriving(MILD.model_copy(update={"view": 32}), SIZE, 1, grey=False)
    first, second = (np.asarray(change(pixels, training=True)) for _ in range(2))
    assert first.shape == second.shape == pixels.shape
    assert not np.allclose(first, second)
    again = np.asarray(arriving(MILD, SIZE, 1, grey=False)(pixels, training=True))
    np.testing.assert_array_equal(again, first)


def test_no_image_arrives_as_a_negative_or_in_anothers_tones() -> None:
    still = {"rotation": 0.0, "scale": (1.0, 1.0), "aspect": 1.0, "flips": "none", "contrast": 0.0, "brightness": 0.0}
    wild = MILD.model_copy(update=still | {"inversion": 1.0, "exchange": 1.0})
    pixels = drawn(6)
    np.testing.assert_allclose(np.asarray(arriving(wild, SIZE, 1, grey=False)(pixels, training=True)), pixels, atol=0.1)


@pytest.mark.parametrize("grey", [False, True])
def test_an_input_need_not_be_square(grey: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    wide = PREPROCESSING.model_copy(update={"height": 32, "width": 48, "colour": "grey" if grey else "rgb"})
    network = build(Architecture(backbone="convnet", filters=(4, 8, 8), hidden=()), (32, 48), 3)
    pixels, change = drawn(12, preprocessing=wide), arriving(MILD, (32, 48), 1, grey=grey)
    assert np.asarray(change(pixels, training=True)).shape == pixels.shape
    found = fit(featured(network), pixels, pixels, change, seed=1)
    assert found.threshold > 0


# ---------------------------------------------------------------- the threshold


@pytest.mark.parametrize("count", [1, 12, 49, 60])
def test_as_many_validation_images_pass_as_was_promised(count: int, model: Any) -> None:
    pixels = drawn(count, 1000)
    found = fit(model, drawn(60), pixels, arriving(MILD, SIZE, 1, grey=False), seed=1)
    # The same random changes, in the same order: those of training came first.
    change = arriving(MILD, SIZE, 1, grey=False)
    features(model, drawn(60), np.arange(60), change)
    every = np.arange(count)
    seen = np.concatenate([features(model, pixels, every), features(model, pixels, every, change)])
    refused = found.refused(seen)
    assert (~refused).mean() >= PROMISED
    # And hardly more: the threshold is the score of an image.
    assert (~refused).mean() <= PROMISED + 1 / len(seen)
    assert np.abs(found.detector.scores(seen) - found.threshold).min() < 1e-6


def test_a_seed_fits_the_same_detector(fitted: Fitted, model: Any) -> None:
    again = fit(model, drawn(240), drawn(60, 1000), arriving(MILD, SIZE, 1, grey=False), seed=1)
    assert again.threshold == pytest.approx(fitted.threshold, rel=1e-5)
    asked = features(model, drawn(20, 5000), np.arange(20))
    np.testing.assert_allclose(again.detector.scores(asked), fitted.detector.scores(asked), rtol=1e-4)


def test_own_images_pass_and_foreign_ones_do_not(fitted: Fitted, model: Any) -> None:
    def refused(pixels: np.ndarray) -> float:
        return float(fitted.refused(features(model, pixels, np.arange(len(pixels)))).mean())

    random = np.random.default_rng(1)
    assert refused(drawn(90, 2000)) < 0.1
    noise = random.integers(0, 256, (40, EDGE, EDGE, 3), np.uint8)
    assert refused(noise) == 1
    assert refused(np.repeat(noise[..., :1], 3, axis=-1)) == 1
    blank = np.stack([np.full((EDGE, EDGE, 3), level, np.uint8) for level in (0, 20, 235, 255)])
    assert refused(blank) == 1


def test_an_image_that_arrives_otherwise_is_none_of_the_foreign_ones(fitted: Fitted, model: Any) -> None:
    """Which a detector that saw clean files alone would say more often."""
    change = arriving(MILD, SIZE, 7, grey=False)
    pixels, every = drawn(120, 3000), np.arange(120)
    strict = fit_gaussian(features(model, drawn(240), np.arange(240)))
    limit = float(np.quantile(strict.scores(features(model, drawn(60, 1000), np.arange(60))), PROMISED))
    arrived = features(model, pixels, every, change)
    assert fitted.refused(arrived).mean() < 0.1
    assert fitted.refused(arrived).mean() < (strict.scores(arrived) > limit).mean()


# ---------------------------------------------------------------- the model of what is typical


def test_of_hardly_any_images_there_is_a_detector_too() -> None:
    """More features than images, and some that never vary."""
    random = np.random.default_rng(3)
    seen = np.concatenate([random.normal(5, 2, (10, 30)), np.ones((10, 4))], axis=1)
    detector = fit_gaussian(seen)
    assert detector.axes.shape == (34, 9)
    scores = detector.scores(np.concatenate([seen, random.normal(50, 2, (10, 34))]))
    assert np.isfinite(scores).all()
    assert scores[:10].max() < scores[10:].min()


def test_axes_are_orthonormal_and_at_most_64() -> None:
    detector = fit_gaussian(np.random.default_rng(4).normal(size=(500, 100)))
    assert detector.axes.shape == (100, 64)
    np.testing.assert_allclose(detector.axes.T @ detector.axes, np.eye(64), atol=1e-5)
    assert (np.diff(detector.axis_precision) >= 0).all()


# ---------------------------------------------------------------- how it is described


def auroc(own: np.ndarray, other: np.ndarray) -> float:
    """By its meaning: how often a foreign image scores higher than an own one."""
    pairs = other[:, None] - own[None, :]
    return float(((pairs > 0) + (pairs == 0) / 2).mean())


def test_the_description_is_what_was_measured() -> None:
    random = np.random.default_rng(2)
    train = random.normal(0, [1.0, 2.0, 0.5], (400, 3))
    detector = fit_gaussian(train)
    found = Fitted(detector, float(np.quantile(detector.scores(train), PROMISED)))
    test = random.normal(0, [1.0, 2.0, 0.5], (50, 3))
    near, far = random.normal(1, 1, (30, 3)), random.normal(40, 1, (20, 3))
    # Some of the near ones are own images: ties.
    near[:5] = test[:5]
    described, content = describe(found, test, {"like ours": (True, near), "not at all": (False, far)})
    scores = {name: detector.scores(given) for name, given in (("own", test), ("near", near), ("far", far))}
    assert (described.file, described.features, described.promised) == ("novelty.npz", 3, PROMISED)
    assert described.sha256 == hashlib.sha256(content).hexdigest()
    assert described.threshold == found.threshold
    assert described.passed == pytest.approx((scores["own"] <= found.threshold).mean())
    first, second = described.foreign
    assert (first.kind, first.near, first.images) == ("like ours", True, 30)
    assert (second.kind, second.near, second.images) == ("not at all", False, 20)
    assert first.auroc == pytest.approx(auroc(scores["own"], scores["near"]))
    assert 0.5 < first.auroc < 1
    assert first.refused == pytest.approx((scores["near"] > found.threshold).mean())
    assert (second.auroc, second.refused) == (1, 1)
    np.testing.assert_allclose(read_detector(content, 3).scores(test), scores["own"])

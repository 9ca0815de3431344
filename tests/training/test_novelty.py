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
from services.bundle.outputs import inner_features
from services.bundle.preprocessing import prepare
from services.bundle.store import Store
from tests.bundles import EDGE, PREPROCESSING, SHAPES, draw, publish_tiny
from training.foreign import Kind
from training.novelty import PROMISED, Fitted, arriving, both, describe, featured, features, fit, fit_gaussian, some
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
def inner(classifier: Any) -> int:
    """How many of the features are inner ones."""
    return inner_features(classifier)


def striped(count: int, seed: int) -> np.ndarray:
    """Stripes, uint8 [count, height, width, 3]: as bright as what `drawn` draws, but of another kind."""
    random = np.random.default_rng(seed)
    across = np.arange(EDGE) // random.integers(2, 6, (count, 1)) % 2
    levels = random.integers(40, 220, (count, 2, 1))
    rows = np.where(across[..., None], levels[:, :1], levels[:, 1:]).astype(np.uint8)
    return np.broadcast_to(rows[:, None], (count, EDGE, EDGE, 1)).repeat(3, axis=3)


@pytest.fixture(scope="module")
def own(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Features of images for training and for validation, as they are and as they may arrive."""
    change = arriving(MILD, SIZE, 1, grey=False)
    return both(model, drawn(240), change), both(model, drawn(60, 1000), change)


@pytest.fixture(scope="module")
def fitted(own: tuple[np.ndarray, np.ndarray], inner: int) -> Fitted:
    """A detector of what is not drawn as `drawn` draws, which was shown nothing else."""
    return fit(*own, [], inner)


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


# ---------------------------------------------------------------- fitted


def test_wherever_the_search_begins_it_ends_about_alike(
    model: Any, own: tuple[np.ndarray, np.ndarray], inner: int
) -> None:
    change = arriving(MILD, SIZE, 2, grey=False)
    stripes, noise = (both(model, pixels, change) for pixels in (striped(40, 1), 255 - drawn(40, 500)))
    whole = fit(*own, [stripes, noise], inner)
    expected, found = fit(*own, [stripes], inner), fit(*own, [stripes], inner, whole)
    tested = features(model, np.concatenate([drawn(30, 3000), striped(30, 7)]), np.arange(60))
    np.testing.assert_allclose(found.detector.scores(tested), expected.detector.scores(tested), rtol=0.1, atol=0.15)
    assert (found.refused(tested) == expected.refused(tested)).mean() > 0.95
    assert not np.allclose(whole.detector.kernel, found.detector.kernel, atol=1e-3)


def test_a_detector_that_is_shown_nothing_forgets_what_another_was_shown(
    model: Any, own: tuple[np.ndarray, np.ndarray], inner: int, fitted: Fitted
) -> None:
    whole = fit(*own, [features(model, striped(40, 1), np.arange(40))], inner)
    again = fit(*own, [], inner, whole)
    assert again.threshold == fitted.threshold
    assert not again.detector.kernel.any()


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
    seen = both(featured(network), pixels, change)
    assert fit(seen, seen, [], inner_features(network)).threshold > 0


# ---------------------------------------------------------------- the threshold


def test_images_are_looked_at_as_they_are_and_as_they_may_arrive(model: Any) -> None:
    pixels, chosen = drawn(20), np.array([3, 11])
    seen = both(model, pixels, arriving(MILD, SIZE, 1, grey=False), chosen)
    again = features(model, pixels, chosen, arriving(MILD, SIZE, 1, grey=False))
    np.testing.assert_allclose(seen, np.concatenate([features(model, pixels, chosen), again]), rtol=1e-4, atol=1e-5)
    assert len(both(model, pixels, arriving(MILD, SIZE, 1, grey=False))) == 40


def test_of_many_training_images_some_are_looked_at() -> None:
    np.testing.assert_array_equal(some(30, 1), np.arange(30))
    chosen = some(5000, 1)
    assert len(set(chosen)) == 1000
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(some(5000, 1), chosen)


@pytest.mark.parametrize("shown", [False, True])
@pytest.mark.parametrize("count", [1, 12, 49, 60])
def test_as_many_validation_images_pass_as_was_promised(count: int, shown: bool, model: Any, inner: int) -> None:  # noqa: FBT001 - pytest passes it by name
    change = arriving(MILD, SIZE, 1, grey=False)
    others = [both(model, striped(40, 1), change)] if shown else []
    seen = both(model, drawn(count, 1000), change)
    found = fit(both(model, drawn(60), change), seen, others, inner)
    refused = found.refused(seen)
    assert (~refused).mean() >= PROMISED
    # And hardly more: the threshold is the score of an image, but where all of them have none.
    assert (~refused).mean() <= PROMISED + 1 / len(seen)
    assert np.abs(found.detector.scores(seen) - found.threshold).min() < 1e-5


def test_what_it_is_shown_it_refuses(model: Any, own: tuple[np.ndarray, np.ndarray], inner: int) -> None:
    """More of it than without, and its own images as often as before."""
    change = arriving(MILD, SIZE, 3, grey=False)
    kinder = fit(*own, [], inner)
    shown = fit(*own, [both(model, striped(60, 1), change)], inner)
    asked = features(model, striped(80, 2), np.arange(80))
    assert shown.refused(asked).mean() == 1
    assert shown.refused(asked).mean() >= kinder.refused(asked).mean()
    mine = features(model, drawn(90, 2000), np.arange(90))
    assert shown.refused(mine).mean() < 0.1
    # What it was not shown is still strange by its distance.
    noise = np.random.default_rng(1).integers(0, 256, (40, EDGE, EDGE, 3), np.uint8)
    assert shown.refused(features(model, noise, np.arange(40))).mean() == 1


def test_both_looks_are_on_one_scale(own: tuple[np.ndarray, np.ndarray], model: Any, inner: int) -> None:
    found = fit(*own, [both(model, striped(60, 1), arriving(MILD, SIZE, 3, grey=False))], inner)
    looks = (found.detector.looks(own[1]) - found.detector.places) / found.detector.spreads
    np.testing.assert_allclose(np.median(looks, axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.quantile(looks, 0.99, axis=0), 1, atol=1e-4)


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


def test_an_image_that_arrives_otherwise_is_none_of_the_foreign_ones(fitted: Fitted, model: Any, inner: int) -> None:
    """Which a detector that saw clean files alone would say more often."""
    change = arriving(MILD, SIZE, 7, grey=False)
    pixels, every = drawn(120, 3000), np.arange(120)
    clean = features(model, drawn(240), np.arange(240)), features(model, drawn(60, 1000), np.arange(60))
    strict = fit(*clean, [], inner)
    arrived = features(model, pixels, every, change)
    assert fitted.refused(arrived).mean() < 0.1
    assert fitted.refused(arrived).mean() < strict.refused(arrived).mean()


# ---------------------------------------------------------------- the model of what is typical


def test_of_hardly_any_images_there_is_a_detector_too() -> None:
    """More features than images, and some that never vary."""
    random = np.random.default_rng(3)
    seen = np.concatenate([random.normal(5, 2, (10, 30)), np.ones((10, 4))], axis=1)
    detector = fit_gaussian(seen, 34)
    assert detector.axes.shape == (34, 9)
    scores = detector.scores(np.concatenate([seen, random.normal(50, 2, (10, 34))]))
    assert np.isfinite(scores).all()
    assert scores[:10].max() < scores[10:].min()


def test_axes_are_orthonormal_and_at_most_64() -> None:
    detector = fit_gaussian(np.random.default_rng(4).normal(size=(500, 100)), 100)
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
    detector = fit_gaussian(train, 3)
    found = Fitted(detector, float(np.quantile(detector.scores(train), PROMISED)))
    test = random.normal(0, [1.0, 2.0, 0.5], (50, 3))
    near, far = random.normal(1, 1, (30, 3)), random.normal(40, 1, (20, 3))
    # Some of the near ones are own images: ties.
    near[:5] = test[:5]
    nothing = np.zeros((0, 1, 1, 3), np.uint8)
    kinds = (
        (Kind("like ours", near=True, pixels=nothing, family="like ours"), near),
        (Kind("not at all: one", near=False, pixels=nothing, family="not at all"), far),
    )
    # A detector that would let anything pass stands in for one that was shown all kinds but those far away.
    described, content = describe(found, test, kinds, {"not at all": Fitted(detector, 1e6)})
    scores = {name: detector.scores(given) for name, given in (("own", test), ("near", near), ("far", far))}
    assert (described.file, described.features, described.promised) == ("novelty.npz", 3, PROMISED)
    assert described.sha256 == hashlib.sha256(content).hexdigest()
    assert described.threshold == found.threshold
    assert described.passed == pytest.approx((scores["own"] <= found.threshold).mean())
    first, second = described.foreign
    assert (first.kind, first.near, first.images) == ("like ours", True, 30)
    assert (second.kind, second.near, second.images) == ("not at all: one", False, 20)
    assert first.auroc == pytest.approx(auroc(scores["own"], scores["near"]))
    assert 0.5 < first.auroc < 1
    assert first.refused == pytest.approx((scores["near"] > found.threshold).mean())
    assert (second.auroc, second.refused) == (1, 1)
    assert first.withheld is None
    assert second.withheld is not None
    assert (second.withheld.auroc, second.withheld.refused) == (1, 0)
    np.testing.assert_allclose(read_detector(content, 3).scores(test), scores["own"])

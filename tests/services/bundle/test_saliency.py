"""The closed form is Grad-CAM, tells one head from another, and is coloured over its image."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from services.bundle.architectures import build
from services.bundle.graph import Architecture
from services.bundle.overlay import overlay
from services.bundle.saliency import explainable, explained
from services.errors import ManifestInvalid
from tests.bundles import draw
from tests.gradcam import grad_cam, rank_correlation
from tests.services.bundle.test_architectures import architecture, pictures, stir

LABELS = 5
HEADS = [(), (24,)]


def classifier(described: Architecture, seed: int = 0, shape: tuple[int | None, int | None] = (None, None)) -> Any:
    model = build(described, shape, LABELS, dropout=0.5)
    stir(model, seed)
    return model


def saliency(model: Any, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(keras.ops.convert_to_numpy(explained(model)(pixels, training=False)["saliency"]))


@pytest.mark.parametrize("hidden", HEADS)
@pytest.mark.parametrize("backbone", ["convnet", "vgg16", "efficientnet_lite0", "mobilenet_v3_small"])
def test_is_what_autodiff_gives(backbone: str, hidden: tuple[int, ...]) -> None:
    model, pixels = classifier(architecture(backbone, hidden)), pictures(3, 80, 64)
    expected = grad_cam(model, pixels)
    found = saliency(model, pixels)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert found.min() == 0
    # Something speaks for most labels, and something does not.
    assert np.mean(expected.max(axis=(0, 2, 3)) > 0) > 0.5
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.max())


def test_the_mask_of_the_hidden_layer_is_each_images_own() -> None:
    model, pixels = classifier(architecture("convnet", (24,))), pictures(6, 64, 64)
    pixels[3:] = 255 - pixels[3:] * np.array([1.0, 0.2, 0.1], np.float32)
    active = keras.Model(model.input, model.get_layer("hidden").output)(pixels, training=False).numpy() > 0
    assert len(np.unique(active, axis=0)) > 1
    together = saliency(model, pixels)
    for index in range(len(pixels)):
        np.testing.assert_allclose(together[index : index + 1], saliency(model, pixels[index : index + 1]), atol=1e-5)


@pytest.mark.parametrize("hidden", HEADS)
def test_leaves_the_logits_and_the_weights_as_they_are(hidden: tuple[int, ...]) -> None:
    model, pixels = classifier(architecture("convnet", hidden), shape=(64, 64)), pictures(2, 64, 64)
    both = explained(model)
    np.testing.assert_array_equal(both(pixels, training=False)["logits"], model(pixels, training=False))
    assert {id(weight) for weight in both.weights} == {id(weight) for weight in model.weights}
    # Shared: what the classifier learns later is what the maps are made of.
    before = both(pixels, training=False)["saliency"].numpy()
    model.get_layer("logits").set_weights([-model.get_layer("logits").get_weights()[0], np.zeros(LABELS)])
    assert not np.allclose(both(pixels, training=False)["saliency"].numpy(), before)


def test_the_bias_of_the_logits_says_nothing_about_places() -> None:
    model, pixels = classifier(architecture("convnet")), pictures(2, 64, 64)
    before = saliency(model, pixels)
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([kernel, bias + 100])
    np.testing.assert_array_equal(saliency(model, pixels), before)


@pytest.mark.parametrize("hidden", HEADS)
def test_another_head_gives_an_unrelated_map(hidden: tuple[int, ...]) -> None:
    """The sanity check of Adebayo et al. 2018 (arXiv:1810.03292): a map that ignores the weights explains nothing."""
    model = classifier(architecture("convnet", hidden, filters=(8, 16, 32, 64)))
    drawn = [draw(number % 3, number, width=160, height=160) for number in range(8)]
    both, pixels = explained(model), np.stack(drawn).astype(np.float32)
    first = both(pixels, training=False)["saliency"].numpy()
    assert rank_correlation(first, both(pixels, training=False)["saliency"].numpy()) == pytest.approx(1)
    correlations = []
    for seed in range(30):
        random = np.random.default_rng(seed)
        for name in ("hidden", "logits") if hidden else ("logits",):
            layer = model.get_layer(name)
            layer.set_weights([random.normal(0, weight.std() + 1e-3, weight.shape) for weight in layer.get_weights()])
        correlations.append(rank_correlation(first, both(pixels, training=False)["saliency"].numpy()))
    assert abs(np.mean(correlations)) < 0.2


def test_a_head_without_names_is_recognised_by_what_it_is() -> None:
    image = keras.Input((32, 32, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3)(image))
    x = layers.Dense(6, activation="relu")(x)
    model = keras.Model(image, layers.Dense(LABELS)(layers.Dropout(0.5)(x)))
    assert explainable(model)
    assert explained(model)(pictures(1, 32, 32))["saliency"].shape == (1, LABELS, 30, 30)


def flattened(x: Any) -> Any:
    return layers.Dense(LABELS)(layers.Flatten()(x))


def deep(x: Any) -> Any:
    return layers.Dense(LABELS)(layers.Dense(6, activation="relu")(layers.Dense(6, activation="relu")(pooled(x))))


def bent(x: Any) -> Any:
    return layers.Dense(LABELS)(layers.Dense(6, activation="tanh")(pooled(x)))


def squashed(x: Any) -> Any:
    return layers.Dense(LABELS, activation="softmax")(pooled(x))


def brightest(x: Any) -> Any:
    return layers.Dense(LABELS)(layers.GlobalMaxPooling2D()(x))


def pooled(x: Any) -> Any:
    return layers.GlobalAveragePooling2D()(x)


@pytest.mark.parametrize("head", [flattened, deep, bent, squashed, brightest, pooled])
def test_another_head_has_no_saliency(head: Any) -> None:
    image = keras.Input((32, 32, 3))
    model = keras.Model(image, head(layers.Conv2D(8, 3)(image)))
    assert not explainable(model)
    with pytest.raises(ManifestInvalid, match="the architecture has no saliency: it does not end in global average"):
        explained(model)


# ---------------------------------------------------------------- over the image

GREY = np.full((40, 60, 3), 120, np.uint8)


def test_nothing_leaves_the_image_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    shown = overlay(pixels, np.zeros((5, 7), np.float32))
    np.testing.assert_array_equal(shown, pixels)
    assert not np.shares_memory(shown, pixels)


def test_the_strongest_place_is_lightest_and_the_rest_stays() -> None:
    heat = np.zeros((4, 6), np.float32)
    heat[1, 4] = 3.0
    shown = overlay(GREY, heat)
    assert shown.shape == GREY.shape
    assert shown.dtype == np.uint8
    # The middle of the second row and fifth column of tiles of 10 x 10 pixels.
    assert shown[15, 45].astype(int).sum() > GREY[15, 45].astype(int).sum() + 100
    np.testing.assert_array_equal(shown[25:, :30], GREY[25:, :30])


def test_a_map_is_shown_in_its_own_terms() -> None:
    heat = np.random.default_rng(0).uniform(0, 1, (5, 7)).astype(np.float32)
    np.testing.assert_array_equal(overlay(GREY, heat), overlay(GREY, heat * np.float32(1024)))
    np.testing.assert_array_equal(overlay(GREY, heat), overlay(GREY, heat * np.float32(2**-20)))


def test_more_is_lighter() -> None:
    heat = np.linspace(0, 1, 600, dtype=np.float32)[None]
    black = np.zeros((1, 600, 3), np.uint8)
    light = overlay(black, heat)[0] @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(light) > -1).all()
    assert (np.diff(light[::20]) > 0)[1:].all()
    assert light[-1] > 150


def test_the_image_is_taken_as_it_lies() -> None:
    """A wide picture and a map of other proportions: left stays left, top stays top."""
    heat = np.zeros((2, 3), np.float32)
    heat[0, 0] = 1.0
    changed = (overlay(GREY, heat) != GREY).any(axis=-1)
    assert changed[5, 5]
    assert not changed[35, 5]
    assert not changed[5, 55]

"""What a served graph gives beside the logits: the right features, and saliency where the head has it."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from services.bundle.architectures import build
from services.bundle.graph import Architecture
from services.bundle.layers import build_layers
from services.bundle.outputs import features, inner_features, served
from services.bundle.saliency import explainable, explained
from tests.layers import layer_graph
from tests.services.bundle.test_architectures import architecture, pictures, stir

LABELS = 3

# What the layers that halve the resolution for the last but one and the last time read; some at sides that become odd.
READ = {
    "convnet": ((64, 64), "block3_relu", "block4_relu"),
    "efficientnet_lite0": ((70, 90), "block4a_expand_relu", "block6a_expand_relu"),
    "mobilenet_v2": ((70, 90), "block_6_expand_relu", "block_13_expand_relu"),
    # Between these two and the head lie squeezed maps of one place, which are no coarser resolution.
    "mobilenet_v3_small": ((64, 64), "expanded_conv_3_depthwise_pad", "expanded_conv_8_depthwise_pad"),
}


def classifier(backbone: str, size: tuple[int, int] = (64, 64)) -> Any:
    model = build(architecture(backbone), size, LABELS)
    stir(model)
    return model


def given(model: Any, pixels: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    answered = served(model)(pixels, training=False)
    return {name: np.asarray(keras.ops.convert_to_numpy(tensor)) for name, tensor in answered.items()}


def means(model: Any, names: tuple[str, ...], pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of the maps of these layers over their places, side by side."""
    maps = [keras.Model(model.input, model.get_layer(name).output)(pixels, training=False) for name in names]
    return np.concatenate([np.asarray(keras.ops.convert_to_numpy(each)).mean(axis=(1, 2)) for each in maps], axis=1)


def split(model: Any, pixels: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The inner features, and those that the head reads."""
    found = given(model, pixels)["features"]
    return found[:, : inner_features(model)], found[:, inner_features(model) :]


def read(model: Any, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the last layer reads."""
    found = keras.Model(model.input, model.layers[-1].input)(pixels, training=False)
    return np.asarray(keras.ops.convert_to_numpy(found))


@pytest.mark.parametrize("backbone", READ)
def test_features_are_means_of_two_resolutions_and_what_the_head_reads(backbone: str) -> None:
    size, *names = READ[backbone]
    model, pixels = classifier(backbone, size), pictures(2, *size)
    found = given(model, pixels)
    expected = np.concatenate([means(model, tuple(names), pixels), read(model, pixels)], axis=1)
    assert inner_features(model) == sum(model.get_layer(name).output.shape[-1] for name in names)
    assert found["features"].shape == expected.shape
    assert found["features"].dtype == np.float32
    np.testing.assert_allclose(found["features"], expected, rtol=1e-4, atol=1e-4)
    assert np.ptp(found["features"], axis=1).min() > 0
    np.testing.assert_array_equal(found["logits"], model(pixels, training=False))


def test_a_list_of_layers_has_features_too() -> None:
    model = build_layers(layer_graph((4, 8, 16), LABELS), (32, 40), LABELS)
    stir(model)
    pixels = pictures(2, 32, 40)
    inner, last = split(model, pixels)
    np.testing.assert_allclose(inner, means(model, ("conv8", "conv16"), pixels), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(last, read(model, pixels), rtol=1e-4, atol=1e-4)
    assert inner.shape == (2, 24)


def test_of_two_resolutions_there_is_one_before_the_coarsest() -> None:
    model = build_layers(layer_graph((4,), LABELS), (32, 32), LABELS)
    stir(model)
    pixels = pictures(2, 32, 32)
    np.testing.assert_allclose(split(model, pixels)[0], means(model, ("conv4",), pixels), rtol=1e-4, atol=1e-4)


def test_a_network_of_one_resolution_gives_what_its_head_reads() -> None:
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(5, 3, padding="same", activation="relu", name="only")(image)
    model = keras.Model(image, layers.Dense(LABELS)(layers.GlobalAveragePooling2D()(x)))
    pixels = pictures(2, 16, 16)
    for part in split(model, pixels):
        np.testing.assert_allclose(part, means(model, ("only",), pixels), rtol=1e-4, atol=1e-4)


def test_a_network_without_maps_gives_the_mean_colour() -> None:
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.Dense(LABELS)(layers.Flatten()(image)))
    pixels = pictures(2, 16, 16)
    np.testing.assert_allclose(split(model, pixels)[0], pixels.mean(axis=(1, 2)), rtol=1e-4)


def test_the_head_may_drop_features_only_in_training() -> None:
    model = build(Architecture(backbone="convnet", filters=(4, 8), hidden=(5,)), (32, 32), LABELS, dropout=0.5)
    stir(model)
    pixels = pictures(2, 32, 32)
    hidden = keras.Model(model.input, model.get_layer("hidden").output)(pixels, training=False)
    np.testing.assert_allclose(split(model, pixels)[1], hidden, rtol=1e-4, atol=1e-5)


def test_what_is_too_wide_is_left_out() -> None:
    image = keras.Input((64, 64, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="first")(image)
    model = keras.Model(image, layers.Dense(LABELS)(layers.Flatten()(x)))
    inner, last = split(model, pictures(2, 64, 64))
    assert (inner.shape, last.shape) == ((2, 8), (2, 0))


def test_what_the_head_pools_is_no_resolution_of_its_own() -> None:
    image = keras.Input((32, 32, 3))
    x = image
    for number in range(3):
        x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name=f"halved{number}")(x)
    x = layers.Dropout(0.5)(layers.GlobalMaxPooling2D(keepdims=True)(x))
    model = keras.Model(image, layers.Dense(LABELS)(layers.Flatten()(layers.Conv2D(6, 1)(x))))
    pixels = pictures(2, 32, 32)
    expected = means(model, ("halved0", "halved1"), pixels)
    np.testing.assert_allclose(split(model, pixels)[0], expected, rtol=1e-4, atol=1e-4)


def test_features_follow_the_image_and_share_the_weights() -> None:
    model, pixels = classifier("convnet"), pictures(2, 64, 64)
    both = served(model)
    assert {id(weight) for weight in both.weights} == {id(weight) for weight in model.weights}
    first = both(pixels, training=False)["features"].numpy()
    assert not np.allclose(first, both(255 - pixels, training=False)["features"].numpy(), atol=1e-2)
    np.testing.assert_allclose(first, keras.Model(model.input, features(model))(pixels, training=False), atol=1e-6)


def flat_head(x: Any) -> Any:
    return layers.Dense(LABELS)(layers.Flatten()(x))


def pooled_head(x: Any) -> Any:
    return layers.Dense(LABELS)(layers.Dense(4, activation="relu")(layers.GlobalAveragePooling2D()(x)))


@pytest.mark.parametrize(("head", "has"), [(flat_head, False), (pooled_head, True)])
def test_saliency_is_there_exactly_where_the_head_allows_it(head: Any, *, has: bool) -> None:
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, head(layers.Conv2D(5, 3, strides=2)(image)))
    pixels = pictures(2, 16, 16)
    found = given(model, pixels)
    assert explainable(model) == has
    assert set(found) == {"logits", "features"} | ({"saliency"} if has else set())
    if has:
        np.testing.assert_array_equal(found["saliency"], explained(model)(pixels, training=False)["saliency"])

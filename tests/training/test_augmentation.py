"""Random changes of training images: nothing outside training, the promised view inside it."""

from typing import Any

import keras
import numpy as np
import pytest

from training.augmentation import RandomView, augmentation_layers
from training.recipe import Augmentation

STILL = Augmentation(view=32, rotation=0, scale=(1.0, 1.0), aspect=1.0, flips="none", contrast=0.0, brightness=0.0)


def pictures(count: int = 4, height: int = 40, width: int = 40) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def chain(seed: int = 1, **changes: Any) -> Any:
    return keras.Sequential(augmentation_layers(STILL.model_copy(update=changes), seed))


def run(model: Any, images: np.ndarray[Any, Any], *, training: bool) -> np.ndarray[Any, Any]:
    return np.asarray(keras.ops.convert_to_numpy(model(images, training=training)))


WILD: dict[str, Any] = {
    "rotation": 180.0,
    "scale": (0.7, 1.3),
    "aspect": 1.2,
    "flips": "both",
    "contrast": 0.3,
    "brightness": 0.2,
}


def test_nothing_changes_outside_training() -> None:
    images = pictures()
    answer = run(chain(**WILD), images, training=False)
    np.testing.assert_array_equal(answer, images)
    assert answer.dtype == np.float32


def test_training_sees_a_view_in_the_range_of_pixels() -> None:
    answer = run(chain(**WILD), pictures(), training=True)
    assert answer.shape == (4, 32, 32, 3)
    assert answer.min() >= 0
    assert answer.max() <= 255
    assert answer.std() > 10


def test_with_no_change_and_no_room_the_view_is_the_image() -> None:
    images = pictures(height=32, width=32)
    np.testing.assert_allclose(run(chain(), images, training=True), images, atol=1e-3)


def test_with_no_change_the_view_is_a_crop() -> None:
    ramp = np.broadcast_to(np.arange(40, dtype=np.uint8)[None, None, :, None], (64, 40, 40, 3))
    views = run(chain(), np.ascontiguousarray(ramp), training=True)
    # Neighbours on a ramp differ by one, also where the crop begins between two pixels.
    np.testing.assert_allclose(np.diff(views, axis=2), 1, atol=1e-3)
    starts = views[:, 0, 0, 0]
    assert 0 <= starts.min() < 2
    assert 6 < starts.max() <= 8


@pytest.mark.parametrize(("flips", "mirrored", "upside_down"), [("none", 0, 0), ("horizontal", 1, 0), ("both", 1, 1)])
def test_flips_are_those_that_were_asked_for(flips: str, mirrored: int, upside_down: int) -> None:
    ramp = np.zeros((64, 32, 32, 3), np.uint8)
    ramp[..., 0] = np.arange(32)[None, None, :]
    ramp[..., 1] = np.arange(32)[None, :, None]
    views = run(chain(flips=flips), ramp, training=True)
    falls_across = views[:, 16, 0, 0] > views[:, 16, -1, 0]
    falls_down = views[:, 0, 16, 1] > views[:, -1, 16, 1]
    assert set(falls_across.tolist()) == ({True, False} if mirrored else {False})
    assert set(falls_down.tolist()) == ({True, False} if upside_down else {False})


def test_scale_above_one_makes_things_smaller() -> None:
    image = np.zeros((1, 64, 64, 3), np.uint8)
    image[:, 24:40, 24:40] = 255

    def area(scale: float) -> float:
        # A view as large as the input has no room to wander.
        return float(run(chain(view=64, scale=(scale, scale)), image, training=True)[..., 0].mean() / 255 * 64**2)

    assert area(1.0) == pytest.approx(256, rel=0.01)
    assert area(0.5) == pytest.approx(1024, rel=0.1)
    assert area(2.0) == pytest.approx(4 * 64, rel=0.1)  # the picture and its mirror images, each a quarter as large


def test_a_turn_keeps_the_area_and_changes_the_direction() -> None:
    # So far from the borders that none of its mirror images comes into view.
    image = np.zeros((1, 65, 65, 3), np.uint8)
    image[:, 30:35, 20:45] = 255
    views = [run(chain(seed, view=65, rotation=180.0), image, training=True)[0, ..., 0] for seed in range(12)]
    spreads = [view.sum(axis=0).std() / view.sum(axis=1).std() for view in views]
    assert min(spreads) < 0.7
    assert max(spreads) > 1.4
    for view in views:
        assert view.sum() == pytest.approx(image[..., 0].sum(), rel=0.05)


def test_a_seed_repeats_the_changes() -> None:
    images = pictures()
    first = run(chain(seed=1, **WILD), images, training=True)
    np.testing.assert_array_equal(run(chain(seed=1, **WILD), images, training=True), first)
    assert not np.array_equal(run(chain(seed=2, **WILD), images, training=True), first)
    twice = chain(seed=1, **WILD)
    run(twice, images, training=True)
    assert not np.array_equal(run(twice, images, training=True), first)


def test_images_of_a_batch_are_changed_each_in_its_own_way() -> None:
    same = np.repeat(pictures(1), 8, axis=0)
    views = run(chain(**WILD), same, training=True)
    assert len({view.tobytes() for view in views}) == 8


def test_pixels_are_computed_in_single_precision_whatever_the_network_does() -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layers = augmentation_layers(STILL.model_copy(update=WILD), 1)
    finally:
        keras.config.set_dtype_policy(before)
    assert {layer.compute_dtype for layer in layers} == {"float32"}
    assert isinstance(layers[0], RandomView)

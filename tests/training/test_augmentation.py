"""Random changes of training images: nothing outside training, the promised view inside it."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.training.pictures import paint
from training.augmentation import OneChannel, RandomView, ThreeChannels, augmentation_layers
from training.checkpoints import DurableSequential
from training.recipe import Augmentation

STILL = Augmentation(view=32, rotation=0, scale=(1.0, 1.0), aspect=1.0, flips="none", contrast=0.0, brightness=0.0)


def pictures(count: int = 4, height: int = 40, width: int = 40) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def chain(seed: int = 1, *, grey: bool = False, whole: bool = False, **changes: Any) -> Any:
    return keras.Sequential(augmentation_layers(STILL.model_copy(update=changes), seed, grey=grey, whole=whole))


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
DEGRADED: dict[str, Any] = {
    "frame": 0.5,
    "exchange": 0.5,
    "tone": 0.8,
    "grey": 0.3,
    "inversion": 0.3,
    "margin": 0.2,
    "blur": 1.5,
    "noise": 12.0,
    "compression": 0.5,
}
"""All that may be done to a picture besides."""


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


# ---------------------------------------------------------------- what lies outside the picture


def test_a_frame_paints_exactly_what_lies_outside() -> None:
    images = pictures(40, 64, 64)
    mirrored, framed = (run(chain(view=64, scale=(2.0, 2.0), frame=frame), images, training=True) for frame in (0, 1))
    # Half as large, the picture fills the middle.
    inside = slice(16, 48)
    np.testing.assert_array_equal(framed[:, inside, inside], mirrored[:, inside, inside])
    outside = np.ones((64, 64), bool)
    outside[inside, inside] = False
    levels = framed[:, outside]
    assert (levels == levels[:, :1, :1]).all()
    black, white = ((levels[:, 0, 0] == level).mean() for level in (0, 255))
    assert 0.05 < black < 0.5
    assert 0.05 < white < 0.5


def test_a_turned_picture_is_framed_by_its_own_edges() -> None:
    images = pictures(12, 64, 64)
    turned: dict[str, Any] = {"view": 48, "scale": (1.6, 1.6), "rotation": 180.0}
    mirrored, framed = (run(chain(**turned, frame=frame), images, training=True) for frame in (0, 1))
    for one, other in zip(framed, mirrored, strict=True):
        painted = (one != other).any(axis=-1)
        assert len(np.unique(one[painted])) == 1
        # A square of 64 / 1.6 = 40 pixels in a view of 48, its corners cut off or not, but for a line along its sides.
        kept = int((~painted).sum())
        assert 39.0**2 - 4 * 40 < kept < 41.0**2
        assert not painted[8:40, 8:40][4:-4, 4:-4].any()


def test_a_share_of_the_images_is_framed() -> None:
    images = np.repeat(pictures(1, 64, 64), 200, axis=0)
    mirrored, some = (run(chain(view=64, scale=(2.0, 2.0), frame=frame), images, training=True) for frame in (0, 0.25))
    framed = (some != mirrored).any(axis=(1, 2, 3))
    assert framed.mean() == pytest.approx(0.25, abs=0.1)


def test_the_whole_picture_keeps_its_sides() -> None:
    images = pictures(3, 40, 56)
    np.testing.assert_allclose(run(chain(whole=True), images, training=True), images, atol=1e-2)
    wild = run(chain(whole=True, **WILD, **DEGRADED), images, training=True)
    assert wild.shape == images.shape
    # Where it is square, it is what a view of that size is.
    square = pictures(3, 48, 48)
    views = [run(chain(whole=whole, view=48, **WILD), square, training=True) for whole in (True, False)]
    np.testing.assert_array_equal(views[0], views[1])


# ---------------------------------------------------------------- the whole chain


def test_grey_pictures_are_changed_as_in_colour_at_a_third_of_the_cost() -> None:
    images = np.stack([np.repeat(paint(seed, grey=True)[:64, :64, None], 3, axis=2) for seed in range(6)])
    # Noise is drawn anew for each channel, and where JPEG rounds a thousandth of a level decides.
    changes = {name: strength for name, strength in DEGRADED.items() if name not in {"noise", "compression", "grey"}}
    colour, grey = (run(chain(grey=grey, view=48, **WILD, **changes), images, training=True) for grey in (False, True))
    assert grey.shape == (6, 48, 48, 3)
    assert np.abs(grey - images[:, 8:56, 8:56]).mean() > 20
    np.testing.assert_allclose(grey, colour, atol=0.05)
    assert (np.ptp(grey, axis=-1) == 0).all()


def test_a_grey_chain_works_on_one_channel_and_leaves_what_makes_grey_out() -> None:
    layers = augmentation_layers(STILL.model_copy(update=WILD | DEGRADED), 1, grey=True)
    assert isinstance(layers[0], OneChannel)
    assert isinstance(layers[-1], ThreeChannels)
    names = [type(layer).__name__ for layer in layers]
    assert names[1:-1] == [
        "RandomExchange",
        "RandomView",
        "RandomContrast",
        "RandomBrightness",
        "RandomTone",
        "RandomInversion",
        "RandomMargin",
        "RandomBlur",
        "RandomNoise",
        "RandomCompression",
    ]
    assert [type(layer).__name__ for layer in augmentation_layers(STILL, 1)] == ["RandomView"]


@pytest.mark.parametrize("grey", [False, True])
def test_every_layer_runs_in_a_graph_and_the_chain_survives_its_weights_file(grey: bool, tmp_path: Path) -> None:  # noqa: FBT001 - pytest passes it by name
    def model() -> Any:
        """Compiled by XLA, as Keras does by itself, in colour; it takes longer than all the rest."""
        layers = augmentation_layers(STILL.model_copy(update=WILD | DEGRADED), 1, grey=grey)
        head = [keras.layers.Conv2D(2, 3), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
        built = DurableSequential([keras.Input((40, 40, 3), dtype="uint8"), *layers, *head])
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        built.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=False if grey else "auto")
        return built

    images = np.repeat(pictures(6)[..., :1], 3, axis=-1)
    truths = np.eye(2)[np.arange(6) % 2].astype(np.float32)
    first = model()
    history = first.fit(images, truths, batch_size=6, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    first.save_weights(tmp_path / "chain.weights.h5")
    second = model()
    second.optimizer.build(second.trainable_variables)
    second.load_weights(tmp_path / "chain.weights.h5")
    np.testing.assert_array_equal(second.predict(images, verbose=0), first.predict(images, verbose=0))
    # Nothing random is left when it answers: the same as without any augmentation.
    (convolution, pooling, dense) = first.layers[-3:]
    plain = dense(pooling(convolution(images.astype(np.float32))))
    np.testing.assert_allclose(first.predict(images, verbose=0), plain, atol=1e-3)

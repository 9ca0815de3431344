"""What happens to pictures on their way: nothing outside training, what was promised inside it."""

import io
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.training.pictures import paint
from training.degradation import (
    RandomBlur,
    RandomCompression,
    RandomExchange,
    RandomGrey,
    RandomInversion,
    RandomMargin,
    RandomNoise,
    RandomTone,
    plain_level,
)

Floats = NDArray[np.float32]

LAYERS: dict[str, tuple[Any, float]] = {
    "tone": (RandomTone, 1.0),
    "exchange": (RandomExchange, 1.0),
    "grey": (RandomGrey, 1.0),
    "inversion": (RandomInversion, 1.0),
    "margin": (RandomMargin, 0.4),
    "blur": (RandomBlur, 2.0),
    "noise": (RandomNoise, 40.0),
    "compression": (RandomCompression, 1.0),
}
EVERY = pytest.mark.parametrize("name", LAYERS)


def layer(name: str, seed: int = 1) -> Any:
    kind, strength = LAYERS[name]
    return kind(strength, seed=seed, dtype="float32")


def pictures(count: int = 6, height: int = 40, width: int = 48, *, grey: bool = False) -> Floats:
    """Clouds, uint8 as they are decoded, [count, height, width, 3]."""
    painted = [paint(seed, width=width, height=height, grey=grey) for seed in range(count)]
    return np.stack([np.repeat(each[..., None], 3, axis=2) if grey else each for each in painted]).astype(np.float32)


def run(changing: Any, images: Any, *, training: bool = True) -> Floats:
    return np.asarray(keras.ops.convert_to_numpy(changing(images, training=training)))


def force(changing: Any, monkeypatch: pytest.MonkeyPatch, *, at: float = 1.0) -> Any:
    """Let it happen to every image, every number drawn lying at this place between its bounds."""

    def uniform(images: Any, low: float, high: float, sides: int = 1) -> Any:
        return np.full((len(images), 1, 1, sides), low + at * (high - low), np.float32)

    monkeypatch.setattr(changing, "uniform", uniform)
    monkeypatch.setattr(changing, "happens", lambda images, _: np.ones((len(images), 1, 1, 1), bool))
    return changing


# ---------------------------------------------------------------- every layer


@EVERY
def test_nothing_changes_outside_training(name: str) -> None:
    images = pictures().astype(np.uint8)
    answer = run(layer(name), images, training=False)
    np.testing.assert_array_equal(answer, images)
    assert answer.dtype == np.float32


@EVERY
@pytest.mark.parametrize("channels", [1, 3])
def test_training_changes_images_within_the_range_of_pixels(name: str, channels: int) -> None:
    # Black and white beside the clouds: what leaves the range would leave it there.
    images = np.concatenate([pictures(), np.zeros((3, 40, 48, 3)), np.full((3, 40, 48, 3), 255)])[..., :channels]
    answer = run(layer(name), images.astype(np.float32))
    assert answer.shape == images.shape
    assert answer.dtype == np.float32
    assert answer.min() >= 0
    assert answer.max() <= 255 + 1e-3
    changed = [not np.allclose(one, other, atol=0.5) for one, other in zip(answer, images, strict=True)]
    assert any(changed) == ((name, channels) != ("grey", 1))


@pytest.mark.parametrize("name", ["tone", "exchange", "inversion", "margin", "blur", "compression"])
def test_one_channel_is_changed_as_three_equal_ones_are(name: str) -> None:
    images = pictures(grey=True)
    three, one = run(layer(name), images), run(layer(name), images[..., :1])
    # A thousandth of a level may be what decides how JPEG rounds; nothing else rounds.
    differs = np.abs(three - one) > 0.02
    assert differs.mean() <= (0.01 if name == "compression" else 0)


@EVERY
def test_a_seed_repeats_the_changes(name: str) -> None:
    images = pictures(8)
    first = run(layer(name, seed=1), images)
    np.testing.assert_array_equal(run(layer(name, seed=1), images), first)
    if name not in {"grey", "inversion"}:
        # Of these two there is but one change, and at this strength it comes to all.
        assert not np.array_equal(run(layer(name, seed=2), images), first)


@EVERY
def test_sides_may_be_odd(name: str) -> None:
    images = pictures(4, 37, 45)
    answer = run(layer(name), images)
    assert answer.shape == images.shape
    assert np.isfinite(answer).all()


# ---------------------------------------------------------------- tones


def test_curves_rise_and_differ() -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 64, dtype=np.float32)[None, None, :, None], (50, 2, 64, 1))
    curves = run(layer("tone"), np.ascontiguousarray(ramp))[:, 0, :, 0]
    assert (np.diff(curves, axis=1) >= -1e-3).all()
    np.testing.assert_allclose(curves[:, 0], 0, atol=1e-3)
    np.testing.assert_allclose(curves[:, -1], 255, atol=1e-3)
    assert np.std(curves[:, 32]) > 10
    # Half as strong, the slope stays away from zero.
    gentle = run(RandomTone(0.5, seed=1), np.ascontiguousarray(ramp))[:, 0, :, 0]
    assert np.diff(gentle, axis=1).min() > 0.4 * 255 / 63


def test_an_inverted_picture_is_its_negative(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures()
    np.testing.assert_array_equal(run(force(layer("inversion"), monkeypatch), images), 255 - images)


def test_a_grey_picture_has_the_luma_of_its_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures()
    answer = run(force(layer("grey"), monkeypatch), images)
    assert (np.ptp(answer, axis=-1) == 0).all()
    for one, other in zip(answer, images.astype(np.uint8), strict=True):
        np.testing.assert_allclose(one[..., 0], np.asarray(Image.fromarray(other).convert("L")), atol=1)


@pytest.mark.parametrize("kind", [RandomGrey, RandomInversion, RandomExchange, RandomCompression])
def test_a_share_of_the_images_is_changed(kind: Any) -> None:
    images = pictures(2, 16, 16)[np.arange(400) % 2]
    changed = (np.abs(run(kind(0.3, seed=1), images) - images) > 1e-2).any(axis=(1, 2, 3))
    assert changed.mean() == pytest.approx(0.3, abs=0.07)


def quantiles(image: Floats) -> Floats:
    """Of the pixels that the layer looks at."""
    luma = image @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.quantile(luma[::4, ::4], np.linspace(0, 1, 17), method="nearest").astype(np.float32)


def test_an_exchanged_picture_has_the_tones_of_its_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures()
    images *= np.linspace(0.3, 0.9, len(images))[:, None, None, None]
    answer = run(force(layer("exchange"), monkeypatch), images)
    for number in range(len(images)):
        np.testing.assert_allclose(quantiles(answer[number]), quantiles(images[number - 1]), atol=1)
        before, after = images[number].mean(axis=-1).ravel(), answer[number].mean(axis=-1).ravel()
        # What was darker stays darker, and no colour changes its difference from the others.
        assert np.corrcoef(np.argsort(np.argsort(before)), np.argsort(np.argsort(after)))[0, 1] > 0.99
        inside = (answer[number] > 0).all(axis=-1) & (answer[number] < 255).all(axis=-1)
        hue = np.diff(answer[number], axis=-1)[inside] - np.diff(images[number], axis=-1)[inside]
        np.testing.assert_allclose(hue, 0, atol=1e-2)


def test_no_exchange_leaves_even_a_single_bright_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures() / 2
    images[:, 5, 5], images[:, 6, 6] = 255, 0
    np.testing.assert_allclose(run(force(layer("exchange"), monkeypatch, at=0.0), images), images, atol=1e-2)


# ---------------------------------------------------------------- frames


def test_half_of_the_images_lie_under_a_frame_of_one_level() -> None:
    images = np.tile(np.array([10.0, 20.0, 30.0], np.float32), (200, 40, 48, 1))
    framed, widths = 0, []
    for image in run(layer("margin"), images):
        painted = (image != images[0]).any(axis=-1)
        if not painted.any():
            continue
        framed += 1
        assert len(np.unique(image[painted])) == 1
        kept = ~painted
        rows, columns = kept.any(axis=1), kept.any(axis=0)
        # What is kept is a rectangle, and no side of the frame is wider than four tenths of its edge.
        np.testing.assert_array_equal(kept, rows[:, None] & columns[None, :])
        assert rows[16:24].all()
        assert columns[20:28].all()
        widths.append([rows.argmax(), rows[::-1].argmax(), columns.argmax(), columns[::-1].argmax()])
    assert framed == pytest.approx(100, abs=25)
    # Each side has a width of its own.
    assert np.abs(np.corrcoef(np.array(widths).T) - np.eye(4)).max() < 0.4


def test_plain_levels_are_black_and_white_a_quarter_of_the_time_each() -> None:
    levels = np.asarray(plain_level(np.linspace(-0.5, 1.5, 4001)))
    assert (levels.min(), levels.max()) == (0, 255)
    assert np.mean(levels == 0) == pytest.approx(0.25, abs=1e-3)
    assert np.mean(levels == 255) == pytest.approx(0.25, abs=1e-3)


# ---------------------------------------------------------------- blur and noise


def gaussian(image: Floats, sigma: float) -> Floats:
    """By the definition, with mirrored borders."""
    reach = 20
    steps = np.arange(-reach, reach + 1)
    taps = np.exp(-((steps / sigma) ** 2) / 2)
    taps /= taps.sum()
    for axis in (0, 1):
        padded = np.pad(image, [(reach, reach) if side == axis else (0, 0) for side in range(3)], "reflect")
        length = image.shape[axis]
        image = sum(
            tap * np.take(padded, np.arange(length) + reach + step, axis) for tap, step in zip(taps, steps, strict=True)
        ).astype(np.float32)
    return image


@pytest.mark.parametrize("sigma", [0.3, 0.8, 1.5])
def test_a_blur_is_a_gaussian(sigma: float, monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(2)
    widest = 3.0
    answer = run(force(RandomBlur(widest, seed=1), monkeypatch, at=sigma / widest), images)
    for one, image in zip(answer, images, strict=True):
        np.testing.assert_allclose(one, gaussian(image, sigma), atol=0.5)
        assert np.abs(one - image).max() > 1


def test_the_widest_blur_blurs_most_of_what_a_whole_gaussian_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut off at twice its sigma."""
    (image,) = pictures(1)
    (answer,) = run(force(RandomBlur(2.0, seed=1), monkeypatch), image[None])
    assert gaussian(image, 2.0).std() < answer.std() < gaussian(image, 1.6).std()


def test_noise_has_its_deviation_and_no_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.full((4, 64, 64, 3), 128, np.float32)
    noise = run(force(layer("noise"), monkeypatch, at=0.5), images) - images
    assert noise.std() == pytest.approx(20, rel=0.05)
    assert noise.mean() == pytest.approx(0, abs=1)
    # Forced, it is the same in all channels.
    assert (np.ptp(noise, axis=-1) == 0).all()
    coloured = run(layer("noise"), np.full((64, 16, 16, 3), 128, np.float32)) - 128
    alike = (np.ptp(coloured, axis=-1) == 0).all(axis=(1, 2))
    still = (coloured == 0).all(axis=(1, 2, 3))
    assert still.mean() == pytest.approx(0.5, abs=0.2)
    assert 0.2 < (alike & ~still).sum() / (~still).sum() < 0.8


# ---------------------------------------------------------------- compression


def jpeg(image: Floats, quality: int) -> Floats:
    file = io.BytesIO()
    Image.fromarray(image.astype(np.uint8)).save(file, "JPEG", quality=quality, subsampling=0)
    return np.asarray(Image.open(file), np.float32)


def at_quality(quality: int) -> float:
    return (quality - 15) / (90 - 15)


@pytest.mark.parametrize("quality", [30, 50, 85])
def test_compression_loses_what_jpeg_loses(quality: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for grey in (True, False):
        images = pictures(3, grey=grey)
        squeezing = force(layer("compression"), monkeypatch, at=at_quality(quality))
        for one, image in zip(run(squeezing, images), images, strict=True):
            theirs = jpeg(image[..., 0], quality)[..., None] if grey else jpeg(image, quality)
            loss = np.abs(theirs - image).mean()
            assert loss > 0.5
            # Far nearer to what Pillow makes of the picture than the picture is.
            assert np.abs(one - theirs).mean() < loss / 3 + 0.3


@pytest.mark.parametrize("quality", [30, 50, 85])
def test_frequencies_are_quantised_in_the_steps_of_other_encoders(
    quality: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.BytesIO()
    Image.fromarray(paint(1)).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        tables = image.quantization  # type: ignore[attr-defined]
    squeezing = force(layer("compression"), monkeypatch, at=at_quality(quality))
    steps = np.asarray(squeezing._steps(pictures(1), 3)).reshape(3, 64)
    for plane, table in zip(steps, (0, 1, 1), strict=True):
        # Others scale by whole percents; at a quality of 50, by a hundred.
        np.testing.assert_allclose(plane, tables[table], atol=float(quality != 50))


def test_what_was_compressed_once_loses_little_more(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(3)
    squeezing = force(layer("compression"), monkeypatch, at=at_quality(30))
    once = run(squeezing, images)
    twice = run(squeezing, once)
    assert np.abs(twice - once).mean() < 0.02 * np.abs(once - images).mean()


def test_lower_quality_loses_more(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(2)
    losses = [
        np.abs(run(force(layer("compression"), monkeypatch, at=at_quality(quality)), images) - images).mean()
        for quality in (15, 40, 65, 90)
    ]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > 2 * losses[-1]


def test_the_last_pixels_of_odd_sides_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(2, 37, 45)
    answer = run(force(layer("compression"), monkeypatch, at=0.0), images)
    np.testing.assert_array_equal(answer[:, 32:], images[:, 32:])
    np.testing.assert_array_equal(answer[:, :, 40:], images[:, :, 40:])
    np.testing.assert_array_equal(
        answer[:, :32, :40], run(force(layer("compression"), monkeypatch, at=0.0), images[:, :32, :40])
    )
    assert np.abs(answer[:, :32, :40] - images[:, :32, :40]).mean() > 1

"""Random changes of training images, as Keras layers that do nothing outside training."""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

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
from training.recipe import Augmentation


def augmentation_layers(augmentation: Augmentation, seed: int, *, grey: bool = False, whole: bool = False) -> list[Any]:
    """The layers in order, from pixels in 0..255 to pixels in 0..255.

    Args:
        augmentation: of the recipe.
        seed: of the changes.
        grey: whether the three channels say the same; then only one is worked on, at a third of the cost.
        whole: give pictures of the input's size, not views of them.
    """
    # Whatever the network computes in: eight bits of mantissa cannot hold the coordinates of a picture.
    options = {"dtype": "float32"}
    chosen = augmentation
    chain: list[Any] = [OneChannel(**options)] if grey else []
    if chosen.exchange:
        # Of whole pictures, before any frame is drawn around them.
        chain.append(RandomExchange(chosen.exchange, seed=seed + 20, **options))
    chain.append(RandomView(chosen, seed=seed, whole=whole, **options))
    if chosen.contrast:
        chain.append(layers.RandomContrast(chosen.contrast, value_range=(0, 255), seed=seed + 1, **options))
    if chosen.brightness:
        chain.append(layers.RandomBrightness(chosen.brightness, value_range=(0, 255), seed=seed + 2, **options))
    # In the order of a picture's life: its film, its editing, its framing, its copying.
    degradations: tuple[tuple[Callable[..., Any], float], ...] = (
        (RandomTone, chosen.tone),
        (RandomGrey, 0.0 if grey else chosen.grey),
        (RandomInversion, chosen.inversion),
        (RandomMargin, chosen.margin),
        (RandomBlur, chosen.blur),
        (RandomNoise, chosen.noise),
        (RandomCompression, chosen.compression),
    )
    for number, (layer, strength) in enumerate(degradations, start=3):
        if strength:
            chain.append(layer(strength, seed=seed + number, **options))
    return [*chain, ThreeChannels(**options)] if grey else chain


@keras.saving.register_keras_serializable("sightline")
class OneChannel(layers.Layer):  # type: ignore[misc]
    """The first of several channels, float [batch, height, width, 1]."""

    def call(self, images: Any) -> Any:
        """The channel."""
        return ops.cast(images[..., :1], self.compute_dtype)


@keras.saving.register_keras_serializable("sightline")
class ThreeChannels(layers.Layer):  # type: ignore[misc]
    """One channel, three times over."""

    def call(self, images: Any) -> Any:
        """The channels."""
        return ops.repeat(images, 3, axis=-1)


@keras.saving.register_keras_serializable("sightline")
class RandomView(layers.Layer):  # type: ignore[misc]
    """A random turn, flip, scale, aspect and crop in one resampling, so that the picture is blurred once.

    Takes [batch, height, width, channels] of any number type and gives float [batch, view, view, channels] in training,
    the image as float otherwise. What lies outside the picture is its mirror image or, in a share of the images, plain.

    Args:
        augmentation: of the recipe.
        seed: of the changes.
        whole: give [batch, height, width, channels] in training, too.
    """

    def __init__(self, augmentation: Augmentation, *, seed: int, whole: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._augmentation, self._whole = augmentation, whole
        self._seed = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 - Keras's own signature
        """The random views in training, the images as they are otherwise."""
        images = ops.cast(images, self.compute_dtype)
        if not training:
            return images
        height, width = images.shape[1] or ops.shape(images)[1], images.shape[2] or ops.shape(images)[2]
        transforms = self._transforms(ops.shape(images)[0], height, width)
        moved = ops.image.affine_transform(images, transforms, fill_mode="reflect")
        tall, wide = self._shown(height), self._shown(width)
        top, left = (height - tall) // 2, (width - wide) // 2
        seen = moved[:, top : top + tall, left : left + wide, :]
        return self._framed(seen, transforms, top, left, height, width) if self._augmentation.frame else seen

    def _framed(self, seen: Any, transforms: Any, top: Any, left: Any, height: Any, width: Any) -> Any:
        count, tall, wide = ops.shape(seen)[0], self._shown(height), self._shown(width)
        down = ops.reshape(ops.arange(tall, dtype="float32") + ops.cast(top, "float32"), (1, -1, 1))
        across = ops.reshape(ops.arange(wide, dtype="float32") + ops.cast(left, "float32"), (1, 1, -1))
        a, b, x, c, d, y = (ops.reshape(transforms[:, column], (-1, 1, 1)) for column in range(6))
        column, row = a * across + b * down + x, c * across + d * down + y
        inside = (column >= 0) & (column <= ops.cast(width - 1, "float32"))
        inside = inside & (row >= 0) & (row <= ops.cast(height - 1, "float32"))
        mirrored = self._uniform(count, 0.0, 1.0) >= self._augmentation.frame
        level = plain_level(self._uniform(count, -0.5, 1.5))
        kept = inside | ops.reshape(mirrored, (-1, 1, 1))
        return ops.where(kept[..., None], seen, ops.reshape(level, (-1, 1, 1, 1)))

    def _transforms(self, count: Any, height: Any, width: Any) -> Any:
        """Rows of ops.image.affine_transform, each mapping an output point to an input point about the centre."""
        chosen = self._augmentation
        low, high = (math.log(factor) for factor in chosen.scale)
        scale = ops.exp(self._uniform(count, low, high))
        stretch = ops.exp(self._uniform(count, -math.log(chosen.aspect), math.log(chosen.aspect)) / 2)
        angle = self._uniform(count, -math.radians(chosen.rotation), math.radians(chosen.rotation))
        across = scale * stretch * self._sign(count, flip=chosen.flips != "none")
        down = scale / stretch * self._sign(count, flip=chosen.flips == "both")
        a, b = across * ops.cos(angle), -down * ops.sin(angle)
        c, d = across * ops.sin(angle), down * ops.cos(angle)
        middle_x, middle_y = ops.cast(width - 1, "float32") / 2, ops.cast(height - 1, "float32") / 2
        x = middle_x + self._shift(count, width, scale) - a * middle_x - b * middle_y
        y = middle_y + self._shift(count, height, scale) - c * middle_x - d * middle_y
        zero = ops.zeros_like(x)
        return ops.stack([a, b, x, c, d, y, zero, zero], axis=1)

    def _shift(self, count: Any, edge: Any, scale: Any) -> Any:
        # As far as the view may wander without leaving the picture.
        room = ops.maximum(0.0, (ops.cast(edge, "float32") - ops.cast(self._shown(edge), "float32") * scale) / 2)
        return room * self._uniform(count, -1.0, 1.0)

    def _shown(self, edge: Any) -> Any:
        return edge if self._whole else self._augmentation.view

    def _sign(self, count: Any, *, flip: bool) -> Any:
        coin = ops.sign(self._uniform(count, -1.0, 1.0))
        return coin if flip else ops.ones_like(coin)

    def _uniform(self, count: Any, low: float, high: float) -> Any:
        return keras.random.uniform((count,), low, high, dtype="float32", seed=self._seed)

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """The view in training, the image otherwise: the sides are left open."""
        return (shape[0], None, None, shape[3])

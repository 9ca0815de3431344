"""Random changes of training images, as Keras layers that do nothing outside training."""

import math
from typing import Any

import keras
from keras import layers, ops

from training.recipe import Augmentation


def augmentation_layers(augmentation: Augmentation, seed: int) -> list[Any]:
    """The layers in order, from pixels in 0..255 to pixels in 0..255."""
    # Whatever the network computes in: eight bits of mantissa cannot hold the coordinates of a picture.
    options = {"dtype": "float32"}
    chain: list[Any] = [RandomView(augmentation, seed=seed, **options)]
    if augmentation.contrast:
        chain.append(layers.RandomContrast(augmentation.contrast, value_range=(0, 255), seed=seed + 1, **options))
    if augmentation.brightness:
        chain.append(layers.RandomBrightness(augmentation.brightness, value_range=(0, 255), seed=seed + 2, **options))
    return chain


@keras.saving.register_keras_serializable("sightline")
class RandomView(layers.Layer):  # type: ignore[misc]
    """A random turn, flip, scale, aspect and crop in one resampling, so that the picture is blurred once.

    Takes [batch, height, width, 3] of any number type and gives float [batch, view, view, 3] in training, the whole
    image as float otherwise. What lies outside the picture is its mirror image.
    """

    def __init__(self, augmentation: Augmentation, *, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self._augmentation = augmentation
        self._seed = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 - Keras's own signature
        """The random views in training, the images as they are otherwise."""
        images = ops.cast(images, self.compute_dtype)
        if not training:
            return images
        view = self._augmentation.view
        height, width = images.shape[1] or ops.shape(images)[1], images.shape[2] or ops.shape(images)[2]
        moved = ops.image.affine_transform(
            images, self._transforms(ops.shape(images)[0], height, width), fill_mode="reflect"
        )
        top, left = (height - view) // 2, (width - view) // 2
        return moved[:, top : top + view, left : left + view, :]

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
        room = ops.maximum(0.0, (ops.cast(edge, "float32") - self._augmentation.view * scale) / 2)
        return room * self._uniform(count, -1.0, 1.0)

    def _sign(self, count: Any, *, flip: bool) -> Any:
        coin = ops.sign(self._uniform(count, -1.0, 1.0))
        return coin if flip else ops.ones_like(coin)

    def _uniform(self, count: Any, low: float, high: float) -> Any:
        return keras.random.uniform((count,), low, high, dtype="float32", seed=self._seed)

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """The view in training, the image otherwise: the sides are left open."""
        return (shape[0], None, None, shape[3])

"""What happens to a picture between the camera and the upload, as Keras layers that do nothing outside training.

Each layer takes pixels [batch, height, width, channels] in 0..255, of three channels or one, and gives as many floats;
it draws for each image by itself.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops

_FULL = 255.0
_QUANTILES = 17

# ITU-T T.81 (JPEG), annex K: the tables that most encoders scale by their quality.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *(((99,) * 8,) * 4),
)
# ITU-T T.871 (JFIF): red, green and blue to luma and two differences, without the offsets.
_TO_LUMA = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)


class _Chance(layers.Layer):  # type: ignore[misc]
    """A layer that changes images in training alone, each with a luck of its own."""

    def __init__(self, *, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self._seed = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 - Keras's own signature
        """The changed images in training, the images as they are otherwise."""
        images = ops.cast(images, self.compute_dtype)
        return self.changed(images) if training else images

    def changed(self, images: Any) -> Any:
        """What training sees."""
        raise NotImplementedError

    def uniform(self, images: Any, low: float, high: float, sides: int = 1) -> Any:
        """One number per image, [batch, 1, 1, 1]; with more sides [batch, 1, 1, sides]."""
        return keras.random.uniform((ops.shape(images)[0], 1, 1, sides), low, high, dtype="float32", seed=self._seed)

    def happens(self, images: Any, chance: float) -> Any:
        """Whether it happens to each image, bool [batch, 1, 1, 1]."""
        return self.uniform(images, 0.0, 1.0) < chance


@keras.saving.register_keras_serializable("sightline")
class RandomTone(_Chance):
    """A random monotone curve from grey levels to grey levels, as of another film, scanner or screen.

    The curve is y = x + s (u sin(pi x) / pi + v sin(2 pi x) / (2 pi)) on 0..1, with u and v from -1 to 1; its slope
    stays positive for every s below one half.
    """

    def __init__(self, strength: float, **options: Any) -> None:
        super().__init__(**options)
        self._strength = strength / 2

    def changed(self, images: Any) -> Any:
        """The images on their curves."""
        level = images / _FULL
        slow, fast = self.uniform(images, -1.0, 1.0), self.uniform(images, -1.0, 1.0)
        bend = slow * ops.sin(math.pi * level) / math.pi + fast * ops.sin(2 * math.pi * level) / (2 * math.pi)
        return ops.clip((level + self._strength * bend) * _FULL, 0, _FULL)


@keras.saving.register_keras_serializable("sightline")
class RandomExchange(_Chance):
    """Some images take on the grey levels of another image of the batch, wholly or in part.

    Quantiles of the one are mapped on those of the other, linearly in between (histogram matching, Gonzalez & Woods),
    so that how light, flat or hard a picture is says nothing of its source. Colour differences stay.
    """

    def __init__(self, chance: float, **options: Any) -> None:
        super().__init__(**options)
        self._chance = chance

    def changed(self, images: Any) -> Any:
        """The images, some of them in the tones of their neighbour in the batch."""
        luma = ops.sum(images * np.array(_TO_LUMA[0], np.float32), axis=-1, keepdims=True)
        own = self._quantiles(luma)
        share = ops.where(self.happens(images, self._chance), self.uniform(images, 0.0, 1.0), 0.0)
        wanted = own + ops.reshape(share, (-1, 1)) * (ops.roll(own, 1, axis=0) - own)
        # The quantiles are those of some pixels; what lies beyond these keeps its distance.
        first, final = (ops.reshape(own[:, place], (-1, 1, 1, 1)) for place in (0, -1))
        beyond = ops.minimum(luma - first, 0.0) + ops.maximum(luma - final, 0.0)
        toned = ops.reshape(wanted[:, 0], (-1, 1, 1, 1)) + beyond
        for low in range(_QUANTILES - 1):
            start, width, height = (
                ops.reshape(column, (-1, 1, 1, 1))
                for column in (own[:, low], own[:, low + 1] - own[:, low], wanted[:, low + 1] - wanted[:, low])
            )
            toned = toned + height * ops.clip((luma - start) / ops.maximum(width, 1e-3), 0.0, 1.0)
        return ops.clip(images + (toned - luma), 0, _FULL)

    def _quantiles(self, luma: Any) -> Any:
        """Float [batch, quantiles], rising; every fourth pixel is enough."""
        some = luma[:, ::4, ::4, 0]
        ordered = ops.sort(ops.reshape(some, (ops.shape(some)[0], -1)), axis=1)
        count = ops.cast(ops.shape(ordered)[1] - 1, "float32")
        places = ops.cast(ops.round(ops.arange(_QUANTILES, dtype="float32") * count / (_QUANTILES - 1)), "int32")
        return ops.take(ordered, places, axis=1)


@keras.saving.register_keras_serializable("sightline")
class RandomGrey(_Chance):
    """Some images lose their colour."""

    def __init__(self, chance: float, **options: Any) -> None:
        super().__init__(**options)
        self._chance = chance

    def changed(self, images: Any) -> Any:
        """The images, some of them grey."""
        luma = ops.sum(images * np.array(_TO_LUMA[0], np.float32), axis=-1, keepdims=True)
        return ops.where(self.happens(images, self._chance), luma, images)


@keras.saving.register_keras_serializable("sightline")
class RandomInversion(_Chance):
    """Some images come as their negatives."""

    def __init__(self, chance: float, **options: Any) -> None:
        super().__init__(**options)
        self._chance = chance

    def changed(self, images: Any) -> Any:
        """The images, some of them inverted."""
        return ops.where(self.happens(images, self._chance), _FULL - images, images)


@keras.saving.register_keras_serializable("sightline")
class RandomMargin(_Chance):
    """Half of the images lie under a frame of one level, each side of it of its own width.

    What is special about the borders of one source is hidden so.

    Args:
        width: the widest side, as a share of the edge.
    """

    def __init__(self, width: float, **options: Any) -> None:
        super().__init__(**options)
        self._width = width

    def changed(self, images: Any) -> Any:
        """The images, half of them framed."""
        height, width = ops.shape(images)[1], ops.shape(images)[2]
        down = ops.reshape((ops.arange(height, dtype="float32") + 0.5) / ops.cast(height, "float32"), (1, -1, 1, 1))
        across = ops.reshape((ops.arange(width, dtype="float32") + 0.5) / ops.cast(width, "float32"), (1, 1, -1, 1))
        top, bottom, left, right = ops.split(self.uniform(images, 0.0, self._width, 4), 4, axis=-1)
        within = (down > top) & (down < 1 - bottom) & (across > left) & (across < 1 - right)
        return ops.where(within | ~self.happens(images, 0.5), images, plain_level(self.uniform(images, -0.5, 1.5)))


@keras.saving.register_keras_serializable("sightline")
class RandomBlur(_Chance):
    """Half of the images are blurred by a Gaussian.

    Args:
        sigma: the widest, in pixels.
    """

    def __init__(self, sigma: float, **options: Any) -> None:
        super().__init__(**options)
        self._sigma, self._reach = sigma, math.ceil(2 * sigma)

    def changed(self, images: Any) -> Any:
        """The images, half of them blurred."""
        sigma = ops.where(self.happens(images, 0.5), self.uniform(images, 0.0, self._sigma), 0.0) + 1e-3
        taps = [ops.exp(-((step / sigma) ** 2) / 2) for step in range(self._reach + 1)]
        whole = taps[0] + 2 * sum(taps[1:])
        for axis in (1, 2):
            images = self._along(images, axis, [tap / whole for tap in taps])
        return images

    def _along(self, images: Any, axis: int, taps: list[Any]) -> Any:
        reach, size = self._reach, ops.shape(images)[axis]
        padded = ops.pad(images, [(reach, reach) if side == axis else (0, 0) for side in range(4)], "reflect")

        def shifted(step: int) -> Any:
            if axis == 1:
                return padded[:, reach + step : reach + step + size]
            return padded[:, :, reach + step : reach + step + size]

        pairs = (tap * (shifted(step) + shifted(-step)) for step, tap in enumerate(taps) if step)
        return taps[0] * images + sum(pairs)


@keras.saving.register_keras_serializable("sightline")
class RandomNoise(_Chance):
    """Half of the images carry Gaussian noise, the same in all three channels in half of those.

    Args:
        deviation: the largest standard deviation, in grey levels.
    """

    def __init__(self, deviation: float, **options: Any) -> None:
        super().__init__(**options)
        self._deviation = deviation

    def changed(self, images: Any) -> Any:
        """The images, half of them noisy."""
        drawn = keras.random.normal(ops.shape(images), dtype="float32", seed=self._seed)
        drawn = ops.where(self.happens(images, 0.5), drawn[..., :1], drawn)
        deviation = ops.where(self.happens(images, 0.5), self.uniform(images, 0.0, self._deviation), 0.0)
        return ops.clip(images + deviation * drawn, 0, _FULL)


@keras.saving.register_keras_serializable("sightline")
class RandomCompression(_Chance):
    """Some images lose what a JPEG of quality 15 to 90 would lose: blocks of 8 x 8 are quantised in frequency.

    See ITU-T T.81. The colour differences keep their full resolution. Sides that are no multiple of 8 keep their last
    pixels as they are.
    """

    def __init__(self, chance: float, **options: Any) -> None:
        super().__init__(**options)
        self._chance = chance
        place, frequency = np.arange(8), np.arange(8)[:, None]
        cosine = np.cos((2 * place + 1) * frequency * np.pi / 16) / 2
        cosine[0] /= math.sqrt(2)
        self._cosine = cosine.astype(np.float32)
        self._tables = np.array([_LUMINANCE, _CHROMINANCE, _CHROMINANCE], np.float32)
        self._luma = np.array(_TO_LUMA, np.float32)

    def changed(self, images: Any) -> Any:
        """The images, some of them as JPEG would have left them."""
        height, width = images.shape[1] // 8 * 8, images.shape[2] // 8 * 8
        whole = images[:, :height, :width]
        squeezed = self._squeezed(whole, height, width)
        chosen = ops.where(self.happens(images, self._chance), squeezed, whole)
        if (height, width) == tuple(images.shape[1:3]):
            return chosen
        below = ops.concatenate([chosen, images[:, :height, width:]], axis=2)
        return ops.concatenate([below, images[:, height:]], axis=1)

    def _squeezed(self, images: Any, height: int, width: int) -> Any:
        coloured = images.shape[-1] != 1
        count = 3 if coloured else 1
        planes = ops.matmul(images - 128.0, self._luma.T) if coloured else images - 128.0
        blocks = ops.reshape(ops.transpose(planes, (0, 3, 1, 2)), (-1, count, height // 8, 8, width // 8, 8))
        blocks = ops.transpose(blocks, (0, 2, 4, 1, 3, 5))
        steps = self._steps(images, count)
        kept = ops.round(_transformed(blocks, self._cosine) / steps) * steps
        blocks = _transformed(kept, self._cosine.T)
        planes = ops.reshape(ops.transpose(blocks, (0, 3, 1, 4, 2, 5)), (-1, count, height, width))
        planes = ops.transpose(planes, (0, 2, 3, 1))
        back = ops.matmul(planes, np.linalg.inv(self._luma).T.astype(np.float32)) if coloured else planes
        return ops.clip(back + 128.0, 0, _FULL)

    def _steps(self, images: Any, count: int) -> Any:
        # The scale of the tables by quality is the one of the Independent JPEG Group's encoder.
        quality = ops.reshape(self.uniform(images, 15.0, 90.0), (-1, 1, 1, 1, 1, 1))
        scale = ops.where(quality < 50, 50 / quality, 2 - quality / 50)  # noqa: PLR2004 - where the scale is one
        return ops.maximum(ops.round(ops.convert_to_tensor(self._tables[:count]) * scale), 1.0)


def _transformed(blocks: Any, matrix: Any) -> Any:
    """Matrix times each block times the matrix transposed, of [..., 8, 8]; many small products as two large ones."""
    shape = ops.shape(blocks)
    for _ in range(2):
        flat = ops.matmul(ops.reshape(blocks, (-1, 8)), matrix.T)
        blocks = ops.swapaxes(ops.reshape(flat, shape), -1, -2)
    return blocks


def plain_level(drawn: Any) -> Any:
    """Grey levels of what is not picture, from numbers in -0.5..1.5: black and white a quarter of the time each."""
    return ops.clip(drawn, 0.0, 1.0) * _FULL

"""Pictures that differ as photographs do: each seed gives clouds of its own, coarse and fine."""

import numpy as np
from numpy.typing import NDArray


def paint(seed: int, *, width: int = 120, height: int = 90, grey: bool = False) -> NDArray[np.uint8]:
    """Paint one picture.

    Args:
        seed: decides everything but the size.
        width: in pixels.
        height: in pixels.
        grey: without colours.

    Returns:
        uint8 [height, width, 3], RGB, or [height, width].
    """
    random = np.random.default_rng(seed)
    frequencies = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    # Natural images have about as much of each frequency as its inverse (Field 1987).
    share = 1 / np.maximum(frequencies, 1 / max(width, height))

    def cloud() -> NDArray[np.float64]:
        waves = share * (random.normal(size=share.shape) + 1j * random.normal(size=share.shape))
        field: NDArray[np.float64] = np.fft.irfft2(waves, s=(height, width))
        return np.asarray((field - field.mean()) / field.std(), np.float64)

    light = 128 + 40 * cloud()
    levels = light if grey else light[..., None] + 12 * np.stack([cloud() for _ in range(3)], axis=-1)
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)

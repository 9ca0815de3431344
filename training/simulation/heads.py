"""Slices of a head as computed tomography shows them: a bright ring of bone around grey brain."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.simulation.dice import Rng, between, chance

_EDGE = 256
_FALX = 0.008


def slice_of_head(rng: Rng) -> Image.Image:
    """Draw one in a brain window or a wider one, framed, lit and cropped as such pictures are passed on.

    Args:
        rng: all that the picture depends on.

    Returns:
        A picture in RGB of 256 by 256 pixels, all grey.
    """
    down, across = np.mgrid[-1 : 1 : _EDGE * 1j, -1 : 1 : _EDGE * 1j] * between(rng, 0.85, 1.1)
    angle = rng.normal(0, 0.12)
    x = across * np.cos(angle) + down * np.sin(angle) - rng.normal(0, 0.04)
    y = down * np.cos(angle) - across * np.sin(angle) - rng.normal(0, 0.04)
    wide, high, bone = between(rng, 0.48, 0.64), between(rng, 0.62, 0.82), between(rng, 0.04, 0.1)
    skull = _within(x, y, wide + bone, high + bone)
    shown = np.where(_within(x, y, wide + bone + 0.04, high + bone + 0.04), between(rng, 20, 80), 0.0)
    # In a wider window the inner layer of the bone is seen to be less dense.
    shown = np.where(skull, 255.0, shown)
    if chance(rng, 0.3):
        outer, inner = (_within(x, y, wide + share * bone, high + share * bone) for share in (0.7, 0.3))
        shown = np.where(outer & ~inner, between(rng, 170, 240), shown)
    inside = _within(x, y, wide, high)
    shown = np.where(inside, _brain(rng, x, y), shown)
    if chance(rng, 0.6):
        table = (np.abs(down - 0.93 + 0.15 * across**2) < 0.012) & (np.abs(across) < between(rng, 0.5, 0.9))  # noqa: PLR2004
        shown = np.where(table, between(rng, 60, 160), shown)
    shown = shown + rng.normal(0, between(rng, 1, 7), shown.shape)
    return Image.fromarray(np.clip(np.rint(shown), 0, 255).astype(np.uint8)).convert("RGB")


def _brain(rng: Rng, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    level = between(rng, 70, 150)
    folds = between(rng, 2, 9) * np.sin(9 * np.hypot(x, y) + 3 * np.sin(5 * np.arctan2(y, x) + between(rng, 0, 6)))
    shown = level + folds
    opening = between(rng, 0.03, 0.13)
    for side in (-1, 1):
        shown = np.where(_within(x - side * opening * 1.2, y + 0.1, opening, 3 * opening), level * 0.5, shown)
    shown = np.where(np.abs(x) < _FALX, level + 25, shown)
    if chance(rng, 0.25):
        # Fresh blood is bright, an old stroke dark.
        lesion = _within(x - between(rng, -0.4, 0.4), y - between(rng, -0.4, 0.4), *rng.uniform(0.06, 0.22, 2))
        shown = np.where(lesion, level * (1.6 if chance(rng, 0.6) else 0.7), shown)
    return shown


def _within(x: NDArray[np.float64], y: NDArray[np.float64], a: float, b: float) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (x / a) ** 2 + (y / b) ** 2 < 1
    return inside

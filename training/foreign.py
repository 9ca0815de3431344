"""Images of other kinds than a task's own, to measure how many of them its detector refuses."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.bundle.manifest import Preprocessing
from services.bundle.preprocessing import prepare
from training.folders import Folder, Sample, read_folder
from training.images import Pixels, load_images
from training.simulation.charts import chart, heat_map, pie, scatter
from training.simulation.documents import page, table

COUNT = 60
"""Images of each kind that are drawn."""

MOST = 240
"""Images of each folder that are looked at, of each source in it as many; of the model's own likewise."""

Tensors = NDArray[np.uint8]
_SCREEN = 256


@dataclass(frozen=True, slots=True)
class Kind:
    """Images of one kind, as a model takes them.

    Attributes:
        near: so like the model's own that many are expected to get through.
    """

    name: str
    near: bool
    pixels: Pixels


def made(preprocessing: Preprocessing, seed: int) -> Iterator[Kind]:
    """Pictures that are drawn by code: noise, nothing, charts, pages, and heads as a CT shows them.

    Args:
        preprocessing: of the model.
        seed: of the drawing.
    """
    draws: dict[str, Callable[[np.random.Generator], NDArray[np.uint8]]] = {
        "noise": _noise,
        "blank pictures": _blank,
        "charts, drawn": lambda rng: np.asarray(_CHARTS[rng.integers(len(_CHARTS))](rng).convert("RGB")),
        "pages of text and tables, drawn": lambda rng: np.asarray((page, table)[rng.integers(2)](rng).convert("RGB")),
        "CT slices of the head, drawn": _head,
    }
    for number, (name, draw) in enumerate(draws.items()):
        random = [np.random.default_rng((seed, number, image)) for image in range(COUNT)]
        yield Kind(name, near=False, pixels=np.stack([prepare(draw(rng), preprocessing) for rng in random]))


def altered(own: Pixels, preprocessing: Preprocessing, seed: int) -> Iterator[Kind]:
    """The model's own test images, as nobody should send them; some are still what they were.

    Args:
        own: uint8 [n, height, width, 3].
        preprocessing: of the model.
        seed: of the choice.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(own))[:MOST])
    some = own[chosen]
    yield Kind("own test images, inverted", near=True, pixels=255 - some)
    # Unless it is square, a turned picture has to be fitted into the input again.
    turned = np.stack([prepare(np.ascontiguousarray(np.rot90(image)), preprocessing) for image in some])
    yield Kind("own test images, turned by 90 degrees", near=True, pixels=turned)
    yield Kind("own test images, upside down", near=True, pixels=np.ascontiguousarray(some[:, ::-1, ::-1]))


def of_folder(root: Path, preprocessing: Preprocessing, seed: int, *, near: bool) -> Iterator[Kind]:
    """Images of another task's folder, as a whole and by source.

    Args:
        root: the folder.
        preprocessing: of the model.
        seed: of the choice.
        near: whether many are expected to get through.

    Raises:
        ImagesInvalid: no such folder, or an image that cannot be decoded.
    """
    folder = read_folder(root)
    by_source: dict[str, list[Sample]] = {}
    for sample in folder.samples:
        by_source.setdefault(sample.source, []).append(sample)
    most = max(1, MOST // len(by_source))
    loaded = {source: _some(folder, by_source[source], most, preprocessing, seed) for source in sorted(by_source)}
    yield Kind(root.name, near, np.concatenate(list(loaded.values())))
    if len(loaded) > 1:
        for source, pixels in loaded.items():
            yield Kind(f"{root.name}: {source}", near, pixels)


def _some(folder: Folder, samples: list[Sample], most: int, preprocessing: Preprocessing, seed: int) -> Tensors:
    chosen = np.sort(np.random.default_rng(seed).permutation(len(samples))[:most])
    pixels = load_images(folder, [samples[number] for number in chosen], preprocessing).pixels
    return pixels[np.arange(len(pixels))]


# ---------------------------------------------------------------- drawn

_CHARTS: tuple[Callable[[np.random.Generator], Image.Image], ...] = (chart, scatter, heat_map, pie)


def _noise(rng: np.random.Generator) -> Tensors:
    shape = (_SCREEN, _SCREEN, 3 if rng.random() < 1 / 2 else 1)
    return np.broadcast_to(rng.integers(0, 256, shape, np.uint8), (_SCREEN, _SCREEN, 3)).copy()


def _blank(rng: np.random.Generator) -> Tensors:
    level = rng.choice([0, 255, int(rng.integers(256))])
    return np.full((_SCREEN, _SCREEN, 3), level, np.uint8)


def _head(rng: np.random.Generator) -> Tensors:
    """A slice of a head in a brain window: a white ring of bone, grey brain, dark ventricles, a table below."""
    down, across = np.mgrid[-1 : 1 : _SCREEN * 1j, -1 : 1 : _SCREEN * 1j]
    angle = rng.normal(0, 0.1)
    x = across * np.cos(angle) + down * np.sin(angle) - rng.normal(0, 0.03)
    y = down * np.cos(angle) - across * np.sin(angle) - rng.normal(0, 0.03)
    wide, high, bone = rng.uniform(0.5, 0.62), rng.uniform(0.66, 0.8), rng.uniform(0.05, 0.09)

    def within(x0: float, y0: float, a: float, b: float) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = ((x - x0) / a) ** 2 + ((y - y0) / b) ** 2 < 1
        return inside

    brain = rng.uniform(95, 140)
    shown = np.where(within(0, 0, wide + bone + 0.04, high + bone + 0.04), rng.uniform(40, 80), 0.0)
    shown = np.where(within(0, 0, wide + bone, high + bone), 255.0, shown)
    folds = 6 * np.sin(9 * np.hypot(x, y) + 3 * np.sin(5 * np.arctan2(y, x) + rng.uniform(0, 6)))
    shown = np.where(within(0, 0, wide, high), brain + folds, shown)
    opening = rng.uniform(0.05, 0.12)
    for side in (-1, 1):
        shown = np.where(within(side * opening * 1.2, -0.1, opening, 3 * opening), brain * 0.5, shown)
    shown = np.where(within(0, 0, wide, high) & (np.abs(x) < 0.008), brain + 25, shown)  # noqa: PLR2004 - the falx, a line
    table = (np.abs(down - 0.93 + 0.15 * across**2) < 0.012) & (np.abs(across) < 0.8)  # noqa: PLR2004 - an arc
    shown = np.where(table, 120.0, shown) + rng.normal(0, rng.uniform(2, 6), shown.shape)
    grey = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)

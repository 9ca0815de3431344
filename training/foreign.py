"""Images of other kinds than a task's own: some to show to its detector, others to measure how many it refuses."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.bundle.manifest import Preprocessing
from services.bundle.preprocessing import prepare
from training.folders import Folder, Sample, read_folder
from training.images import Pixels, load_images
from training.simulation.charts import chart, heat_map, pie, scatter
from training.simulation.documents import page, table
from training.simulation.figures import draw as figure
from training.simulation.heads import slice_of_head
from training.simulation.scenery import landscape, still_life, street

COUNT = 60
"""Images of each kind that are drawn to be measured, and as many others to be shown."""

MOST = 240
"""Images of each folder that are looked at, of each source in it as many; as many others are shown. Of the model's own
likewise."""

Tensors = NDArray[np.uint8]
_SCREEN = 256
_FIGURES = ("Blot_Gel", "FACS", "Macroscopy", "Microscopy")


@dataclass(frozen=True, slots=True)
class Kind:
    """Images of one kind, as a model takes them.

    Attributes:
        near: so like the model's own that many are expected to get through.
        pixels: to measure the detector on.
        family: the name of the kind that they are part of, or their own.
        shown: others of them to show to the detector; None where it is to know nothing of the kind.
    """

    name: str
    near: bool
    pixels: Pixels
    family: str
    shown: Pixels | None = None


def made(preprocessing: Preprocessing, seed: int, familiar: tuple[str, ...] = ()) -> Iterator[Kind]:
    """Pictures that are drawn by code.

    Args:
        preprocessing: of the model.
        seed: of the drawing.
        familiar: keys of `DRAWN` that are among the model's own kinds, and left out.
    """
    for number, (key, (name, draw)) in enumerate(DRAWN.items()):
        if key not in familiar:
            measured, shown = (
                np.stack([prepare(draw(np.random.default_rng((seed, number, image))), preprocessing) for image in part])
                for part in (range(COUNT), range(COUNT, 2 * COUNT))
            )
            yield Kind(name, near=False, pixels=measured, family=name, shown=shown)


def altered(own: Pixels, preprocessing: Preprocessing, seed: int) -> Iterator[Kind]:
    """The model's own test images, as nobody should send them; some are still what they were, and none is shown.

    Args:
        own: uint8 [n, height, width, 3].
        preprocessing: of the model.
        seed: of the choice.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(own))[:MOST])
    some = own[chosen]
    # Unless it is square, a turned picture has to be fitted into the input again.
    turned = np.stack([prepare(np.ascontiguousarray(np.rot90(image)), preprocessing) for image in some])
    for name, pixels in (
        ("own test images, inverted", 255 - some),
        ("own test images, turned by 90 degrees", turned),
        ("own test images, upside down", np.ascontiguousarray(some[:, ::-1, ::-1])),
    ):
        yield Kind(name, near=True, pixels=pixels, family=name)


def of_folder(root: Path, preprocessing: Preprocessing, seed: int, *, near: bool) -> Iterator[Kind]:
    """Images of another task's folder, as a whole and by source.

    Of a folder that is not near, half of each source's groups are for the detector to be shown, the others to measure.

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
    measured, shown = {}, []
    for source in sorted(by_source):
        for_measure, for_show = (by_source[source], []) if near else _halves(by_source[source], seed)
        measured[source] = _some(folder, for_measure, most, preprocessing, seed)
        if for_show:
            shown.append(_some(folder, for_show, most, preprocessing, seed))
    whole = np.concatenate(list(measured.values()))
    yield Kind(root.name, near, whole, root.name, np.concatenate(shown) if shown else None)
    if len(measured) > 1:
        for source, pixels in measured.items():
            yield Kind(f"{root.name}: {source}", near, pixels, root.name)


def _halves(samples: list[Sample], seed: int) -> tuple[list[Sample], list[Sample]]:
    """Samples of half of the groups, and of the other half, which is empty where there is one group."""
    groups = sorted({sample.group for sample in samples})
    mixed = np.random.default_rng(seed).permutation(len(groups))
    first = {groups[number] for number in mixed[: (len(groups) + 1) // 2]}
    return [sample for sample in samples if sample.group in first], [
        sample for sample in samples if sample.group not in first
    ]


def _some(folder: Folder, samples: list[Sample], most: int, preprocessing: Preprocessing, seed: int) -> Tensors:
    chosen = np.sort(np.random.default_rng(seed).permutation(len(samples))[:most])
    pixels = load_images(folder, [samples[number] for number in chosen], preprocessing).pixels
    return pixels[np.arange(len(pixels))]


# ---------------------------------------------------------------- drawn


def _noise(rng: np.random.Generator) -> Tensors:
    shape = (_SCREEN, _SCREEN, 3 if rng.random() < 1 / 2 else 1)
    return np.broadcast_to(rng.integers(0, 256, shape, np.uint8), (_SCREEN, _SCREEN, 3)).copy()


def _blank(rng: np.random.Generator) -> Tensors:
    level = rng.choice([0, 255, int(rng.integers(256))])
    return np.full((_SCREEN, _SCREEN, 3), level, np.uint8)


def _one_of(*drawings: Callable[[np.random.Generator], Image.Image]) -> Callable[[np.random.Generator], Tensors]:
    return lambda rng: np.asarray(drawings[rng.integers(len(drawings))](rng).convert("RGB"))


def _figure(label: str) -> Callable[[np.random.Generator], Image.Image]:
    return lambda rng: figure(label, rng)


DRAWN: dict[str, tuple[str, Callable[[np.random.Generator], Any]]] = {
    "noise": ("noise", _noise),
    "blank": ("blank pictures", _blank),
    "charts": ("charts, drawn", _one_of(chart, scatter, heat_map, pie)),
    "pages": ("pages of text and tables, drawn", _one_of(page, table)),
    "heads": ("CT slices of the head, drawn", _one_of(slice_of_head)),
    "figures": ("blots, cytometry, organisms and micrographs, drawn", _one_of(*map(_figure, _FIGURES))),
    "scenes": ("landscapes, streets and still lifes, drawn", _one_of(landscape, street, still_life)),
}
"""By the word that a recipe has for it: what it is called, and how one is drawn."""

"""Folders of images to batches: read the index, split by group, decode once through the serving code, shuffle."""

import csv
import hashlib
import math
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from services.bundle.manifest import Part, Preprocessing
from services.bundle.preprocessing import prepare
from services.errors import SightlineError
from services.imaging import decode
from training.errors import ImagesInvalid

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
_COLUMNS = {"path", "label", "group", "source"}
_MAX_PIXELS = 100_000_000

Watch = Callable[[Iterable[NDArray[np.uint8]]], Iterable[NDArray[np.uint8]]]


@dataclass(frozen=True, slots=True)
class Sample:
    """One image file: `group` holds what must not be split (a patient, a background), `source` where it comes from."""

    path: str
    label: str
    group: str
    source: str


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of labelled images.

    Attributes:
        labels: sorted; their positions are the class numbers.
        grouped: whether an index.csv said which images belong together.
        sha256: of the index, or of the list of files where there is none.
    """

    root: Path
    samples: tuple[Sample, ...]
    labels: tuple[str, ...]
    grouped: bool
    sha256: str


@dataclass(frozen=True, slots=True)
class Split:
    """Disjoint parts of a folder; no group lies in two of them."""

    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    test: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Images:
    """Decoded images: uint8 [n, height, width, 3] and class numbers int64 [n]."""

    pixels: NDArray[np.uint8]
    classes: NDArray[np.int64]
    samples: tuple[Sample, ...]


def read_folder(root: Path) -> Folder:
    """Read a folder that holds one sub-folder per class and, if it has one, its index.csv.

    Raises:
        ImagesInvalid: not a folder, an index of another shape, a missing file, or fewer than two classes.
    """
    if not root.is_dir():
        message = f"{root} is not a folder."
        raise ImagesInvalid(message)
    index = root / "index.csv"
    grouped = index.is_file()
    samples = tuple(_indexed(index) if grouped else _walked(root))
    labels = tuple(sorted({sample.label for sample in samples}))
    if len(labels) < 2:  # noqa: PLR2004
        message = f"{root} holds {len(labels)} classes with images; at least two are needed."
        raise ImagesInvalid(message)
    listing = index.read_bytes() if grouped else "\n".join(sample.path for sample in samples).encode()
    return Folder(root, samples, labels, grouped, hashlib.sha256(listing).hexdigest())


def _indexed(index: Path) -> Iterator[Sample]:
    try:
        with index.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = _COLUMNS - set(reader.fieldnames or ())
            if missing:
                message = f"{index} lacks the columns {', '.join(sorted(missing))}."
                raise ImagesInvalid(message)
            for row in reader:
                yield _sample(row, f"{index}, line {reader.line_num},", index.parent)
    except (UnicodeDecodeError, csv.Error) as broken:
        message = f"{index} is not a CSV file in UTF-8: {broken}."
        raise ImagesInvalid(message) from broken


def _sample(row: dict[str, str], line: str, root: Path) -> Sample:
    for column in sorted(_COLUMNS):
        if not row[column]:
            message = f"{line} has no {column}."
            raise ImagesInvalid(message)
    if not (root / row["path"]).is_file():
        message = f"{line} lists {row['path']}, which is not there."
        raise ImagesInvalid(message)
    return Sample(row["path"], row["label"], row["group"], row["source"])


def _walked(root: Path) -> Iterator[Sample]:
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in _SUFFIXES:
                relative = path.relative_to(root).as_posix()
                yield Sample(relative, folder.name, relative, root.resolve().name)


def split_by_group(samples: Sequence[Sample], shares: tuple[float, float, float], seed: int) -> Split:
    """Split so that no group lies in two parts and each class keeps about the wanted shares.

    Greedy iterative stratification (after Sechidis et al. 2011) over groups, the largest first: each goes where its
    classes are most wanted. Large groups therefore end in training, and the test part holds many small ones.

    Raises:
        ImagesInvalid: a part that should hold images would hold none of some class.
    """
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.group].append(sample)
    order = sorted(groups)
    np.random.default_rng(seed).shuffle(order)
    order.sort(key=lambda group: -len(groups[group]))
    totals = Counter(sample.label for sample in samples)
    wanted = [{label: count * share for label, count in totals.items()} for share in shares]
    parts: tuple[list[Sample], ...] = ([], [], [])
    for group in order:
        counts = Counter(sample.label for sample in groups[group])
        best = max(range(3), key=lambda part: sum(n * wanted[part][label] for label, n in counts.items()))
        parts[best].extend(groups[group])
        for label, count in counts.items():
            wanted[best][label] -= count
    _refuse_empty(parts, shares, totals)
    return Split(*(tuple(sorted(part, key=lambda sample: sample.path)) for part in parts))


def _refuse_empty(parts: Iterable[list[Sample]], shares: Sequence[float], totals: Counter[str]) -> None:
    for name, part, share in zip(("training", "validation", "test"), parts, shares, strict=True):
        absent = set(totals) - {sample.label for sample in part}
        if share > 0 and absent:
            message = f"The {name} part would hold no image of {', '.join(sorted(absent))}: too few groups."
            raise ImagesInvalid(message)


def part_of(samples: Sequence[Sample]) -> Part:
    """Count images and groups."""
    return Part(images=len(samples), groups=len({sample.group for sample in samples}))


def load_images(folder: Folder, samples: Sequence[Sample], preprocessing: Preprocessing, watch: Watch = iter) -> Images:
    """Decode and preprocess every image once, in parallel, exactly as serving does.

    Args:
        folder: that the samples are of.
        samples: in the order that the images will have.
        preprocessing: from the recipe.
        watch: passes on what it is given, one image at a time; a progress bar fits here.

    Raises:
        ImagesInvalid: an image that serving would refuse; the message names the file.
    """

    def load(sample: Sample) -> NDArray[np.uint8]:
        try:
            content = (folder.root / sample.path).read_bytes()
            shrink_to = max(preprocessing.height, preprocessing.width)
            return prepare(decode(content, max_pixels=_MAX_PIXELS, shrink_to=shrink_to).pixels, preprocessing)
        except (OSError, SightlineError) as refused:
            message = f"{sample.path}: {refused}"
            raise ImagesInvalid(message) from refused

    pixels = np.empty((len(samples), preprocessing.height, preprocessing.width, 3), np.uint8)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for index, tensor in enumerate(watch(pool.map(load, samples))):
            pixels[index] = tensor
    number = {label: index for index, label in enumerate(folder.labels)}
    return Images(pixels, np.array([number[sample.label] for sample in samples]), tuple(samples))


def class_weights(images: Images) -> dict[int, float]:
    """Weigh each class by the inverse of its frequency; the weights average to one over the images."""
    counts = np.bincount(images.classes)
    return {number: len(images.classes) / (len(counts) * count) for number, count in enumerate(counts)}


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of uint8 pixels and class numbers, in a new order each epoch when `seed` is given."""

    def __init__(self, images: Images, batch_size: int, seed: int | None = None) -> None:
        super().__init__()
        self._images = images
        self._batch_size = batch_size
        self._random = None if seed is None else np.random.default_rng(seed)
        self._order = np.arange(len(images.classes))
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return self._images.pixels[chosen], self._images.classes[chosen]

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch."""
        if self._random is not None:
            self._random.shuffle(self._order)

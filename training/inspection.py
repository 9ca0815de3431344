"""What a folder of images holds, as the serving code sees it: classes, sizes, colours, refused files, copies."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.duplicates import blocks, clusters, flat, near_copies
from training.errors import ImagesInvalid
from training.folders import Folder, Sample
from training.looks import LEVELS, Look, Refused, look_at
from training.shortcuts import told_by
from training.split import Split

# An aspect ratio twice another is this many shapes away.
_SHAPES_PER_OCTAVE = 4

Border = Literal["labels", "group", "parts"]
"""What copies should not cross: their labels, their group, their part of a split."""

Histogram = NDArray[np.float64]
Bar = Callable[[str, int], Callable[[Iterable[Any]], Iterable[Any]]]


@dataclass(frozen=True, slots=True)
class Shades:
    """The colours of a class; every image counts the same, whatever its size.

    Attributes:
        channels: "grey", or "red", "green" and "blue".
        mean: of each channel, in levels.
        deviation: of each channel over all pixels, in levels.
        histogram: of each channel the share of pixels of each of the 256 levels.
    """

    channels: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    histogram: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Class:
    """One class: images and groups as listed, images per source, and the colours of those that can be decoded."""

    label: str
    images: int
    groups: int
    sources: dict[str, int]
    shades: Shades | None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Copies of one picture.

    Attributes:
        kind: what they share at least.
        samples: the images.
        parts: of a split that they lie in, in the same order; empty without a split.
    """

    kind: Literal["same file", "same pixels", "near copies"]
    samples: tuple[Sample, ...]
    parts: tuple[str, ...]

    def crosses(self, border: Border) -> bool:
        """Whether the copies lie on both sides of such a border."""
        return len(set(self._sides(border))) > 1

    def across(self, border: Border) -> tuple[Sample, Sample]:
        """Two of the copies, on two sides of a border that they cross."""
        sides = self._sides(border)
        return self.samples[0], next(
            sample for sample, side in zip(self.samples, sides, strict=True) if side != sides[0]
        )

    def _sides(self, border: Border) -> Sequence[Hashable]:
        return self.parts if border == "parts" else [getattr(sample, border) for sample in self.samples]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a folder.

    Attributes:
        folder: that was looked at.
        classes: in the order of the folder's labels.
        looks: at the images that can be decoded, in the order of the folder.
        refused: the others.
        flat: images that are all but one shade.
        copies: clusters of copies.
        parts: images in each part of the split; empty without one.
        shortcuts: how well one clue tells the class, as training.shortcuts.told_by measures it; without the clues that
            all images share.
    """

    folder: Folder
    classes: tuple[Class, ...]
    looks: tuple[Look, ...]
    refused: tuple[Refused, ...]
    flat: tuple[Sample, ...]
    copies: tuple[Cluster, ...]
    parts: dict[str, int]
    shortcuts: dict[str, float]


def inspect_folder(folder: Folder, split: Split | None, bar: Bar, *, max_pixels: int) -> Inspection:
    """Decode every image of a folder and say what is there.

    Args:
        folder: that was read.
        split: of this folder; None where there is none yet.
        bar: makes a progress bar from what is being done and the number of steps.
        max_pixels: the most pixels that an image's header may declare.

    Raises:
        ImagesInvalid: not one image can be decoded.
    """
    looks: list[Look] = []
    refused: list[Refused] = []
    for seen in bar(f"Reading {len(folder.samples)} images", len(folder.samples))(look_at(folder, max_pixels)):
        (looks if isinstance(seen, Look) else refused).append(seen)
    if not looks:
        message = f"Not one image of {folder.root} can be decoded; {refused[0].sample.path}: {refused[0].reason}"
        raise ImagesInvalid(message)
    part_of = {sample: name for name, part in split.parts() for sample in part} if split else {}
    blank = flat(np.stack([look.thumbnail for look in looks]))
    return Inspection(
        folder,
        tuple(_classes(folder, looks)),
        tuple(looks),
        tuple(refused),
        tuple(look.sample for look, one_shade in zip(looks, blank.tolist(), strict=True) if one_shade),
        tuple(_copies(looks, part_of, bar)),
        dict(Counter(part_of.values())),
        _shortcuts(looks),
    )


# ---------------------------------------------------------------- classes


def _classes(folder: Folder, looks: Sequence[Look]) -> Iterator[Class]:
    shown: dict[str, list[Look]] = defaultdict(list)
    for look in looks:
        for label in look.sample.labels:
            shown[label].append(look)
    for label in folder.labels:
        samples = [sample for sample in folder.samples if label in sample.labels]
        sources = Counter(sample.source for sample in samples)
        yield Class(
            label,
            len(samples),
            len({sample.group for sample in samples}),
            dict(sorted(sources.items())),
            _mean_shades(shown[label]) if shown[label] else None,
        )


def _mean_shades(looks: Sequence[Look]) -> Shades:
    histogram: Histogram = np.mean([look.shades for look in looks], axis=0, dtype=np.float64)
    channels: tuple[str, ...] = ("red", "green", "blue")
    if all(look.kind.colour != "colour" for look in looks):
        histogram, channels = histogram.mean(axis=0, keepdims=True), ("grey",)
    scale = np.arange(LEVELS)
    mean = histogram @ scale
    deviation = np.sqrt(np.maximum(histogram @ np.square(scale) - np.square(mean), 0))
    rows = tuple(tuple(row.tolist()) for row in histogram)
    return Shades(channels, tuple(mean.tolist()), tuple(deviation.tolist()), rows)


# ---------------------------------------------------------------- copies


def _copies(looks: Sequence[Look], part_of: dict[Sample, str], bar: Bar) -> Iterator[Cluster]:
    first: dict[str, int] = {}
    for number, look in enumerate(looks):
        first.setdefault(look.pixels_sha256, number)
    # What is equal need not be compared: a set may hold one picture a thousand times.
    different = np.array(list(first.values()))
    exact = [(first[look.pixels_sha256], number) for number, look in enumerate(looks)]
    thumbnails = np.stack([looks[number].thumbnail for number in different])
    near = different[near_copies(thumbnails, bar("Comparing them", blocks(len(thumbnails))))]
    for cluster in clusters(len(looks), [*exact, *near.tolist()]):
        members = [looks[number] for number in cluster]
        samples = tuple(look.sample for look in members)
        yield Cluster(_likeness(members), samples, tuple(part_of[sample] for sample in samples) if part_of else ())


def _likeness(looks: Sequence[Look]) -> Literal["same file", "same pixels", "near copies"]:
    if len({look.file_sha256 for look in looks}) == 1:
        return "same file"
    return "same pixels" if len({look.pixels_sha256 for look in looks}) == 1 else "near copies"


# ---------------------------------------------------------------- shortcuts


def _shortcuts(looks: Sequence[Look]) -> dict[str, float]:
    clues: dict[str, Callable[[Look], Hashable]] = {
        "source": lambda look: look.sample.source,
        "file type": lambda look: look.kind.media_type,
        "colour and bits": lambda look: (look.kind.colour, look.kind.bits),
        "size": lambda look: (look.width, look.height),
        "shape": lambda look: round(_SHAPES_PER_OCTAVE * log2(look.width / look.height)),
    }
    classes, groups = [look.sample.label for look in looks], [look.sample.group for look in looks]
    values = {name: [clue(look) for look in looks] for name, clue in clues.items()}
    return {name: told_by(value, classes, groups) for name, value in values.items() if len(set(value)) > 1}

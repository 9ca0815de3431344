"""Which images bundles are measured on: those that none of them has seen, unless a person says otherwise."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from services.bundle.fingerprints import Fingerprints
from services.bundle.manifest import Manifest
from training.errors import ImagesInvalid, NothingToMeasure, RecipeInvalid
from training.folders import Folder, Sample, read_folder
from training.markdown import listed
from training.seen import group_fingerprint, image_fingerprint
from training.split import Split
from training.studies import by_study

Part = Literal["test", "validation", "all"]

_FEW_GROUPS = 20


@dataclass(frozen=True, slots=True)
class Selection:
    """The images to measure on.

    Attributes:
        title: says of which images, on plots.
        notes: sentences that must stand beside the figures.
    """

    samples: tuple[Sample, ...]
    title: str
    notes: tuple[str, ...]


def open_folder(data: Path, manifests: Sequence[Manifest]) -> Folder:
    """Read the folder of images as training read it, and make sure that the bundles know its labels.

    Args:
        data: the folder.
        manifests: of the bundles; all of one task.

    Raises:
        ImagesInvalid: the folder cannot be read, holds a label that the bundles do not know, or several labels per
            image where the bundles give one.
        RecipeInvalid: a bundle's recipe cannot be read.
    """
    folder = by_study(read_folder(data, next(filter(None, map(_group_pattern, manifests)), None), fewest=1))
    for label in folder.labels:
        if label not in manifests[0].labels:
            message = f"{data} holds images of {label!r}, which these bundles do not know."
            raise ImagesInvalid(message)
    single = [manifest.version for manifest in manifests if manifest.calibration.activation == "softmax"]
    if folder.multilabel and single:
        message = f"{data} holds images of several labels or none; version {single[0]} gives each image one."
        raise ImagesInvalid(message)
    return folder


def _group_pattern(manifest: Manifest) -> str | None:
    """How training told groups by their paths, so that they are the same ones now."""
    if manifest.origin.kind == "import":
        return None
    try:
        material = tomllib.loads(manifest.origin.recipe).get("material")
    except tomllib.TOMLDecodeError as broken:
        message = f"The recipe in version {manifest.version} is not TOML, so its groups are not known: {broken}."
        raise RecipeInvalid(message) from broken
    pattern = material.get("group_pattern") if isinstance(material, dict) else None
    return pattern if isinstance(pattern, str) else None


def select(
    folder: Folder,
    labels: Sequence[str],
    seen: Mapping[int, Fingerprints | None],
    split: Split | None,
    part: Part | None,
) -> Selection:
    """Choose the images to measure on.

    Args:
        folder: of the images.
        labels: that the bundles know.
        seen: what each version has seen; None where nobody knows.
        split: of the folder, or None.
        part: of the split; "all" is the whole folder, seen or not. None is the test part if there is a split, else what
            no version has seen.

    Raises:
        NothingToMeasure: every image was seen.
        ImagesInvalid: a part was asked for, but no split given.
    """
    asked = _asked(folder, split, part)
    known = _known(folder, asked, seen)
    which = "this bundle" if len(seen) == 1 else "one of these bundles"
    notes = [
        f"Nobody knows which images version {version} was fitted to."
        for version in sorted(seen)
        if seen[version] is None
    ]
    if split is not None or part is not None:
        samples, title = asked, "images" if part == "all" else f"images of the {part or 'test'} part"
        if known:
            notes.append(
                f"{len(known):,} of {len(asked):,} images are included although {which} was trained on them or on "
                "their group: these figures are not a test."
            )
    else:
        samples, title = tuple(sample for sample in asked if sample not in known), "images unseen in training"
        if known:
            notes.append(
                f"{len(known):,} of {len(asked):,} images were left out: {which} was trained on them or on their group."
            )
    if not samples:
        message = (
            f"No image of {folder.root} is left: {which} was trained on each of them or on its group. Give other "
            "images, or say --part all for figures that are not a test."
        )
        raise NothingToMeasure(message)
    return Selection(samples, f"{len(samples):,} {title}", (*notes, *_remarks(samples, labels)))


def _asked(folder: Folder, split: Split | None, part: Part | None) -> tuple[Sample, ...]:
    if part == "all" or (split is None and part is None):
        return folder.samples
    if split is None:
        message = (
            f"The {part} part of {folder.root} is not known: give the split.csv that training wrote, with --split."
        )
        raise ImagesInvalid(message)
    return split.validation if part == "validation" else split.test


def _known(folder: Folder, samples: Sequence[Sample], seen: Mapping[int, Fingerprints | None]) -> frozenset[Sample]:
    """Images that some version has seen, or whose group it has."""
    told = [known for known in seen.values() if known is not None]
    if not told:
        return frozenset()
    images = {number for known in told for number in known.images.tolist()}
    groups = {number for known in told for number in known.groups.tolist()}
    return frozenset(
        sample
        for sample in samples
        if group_fingerprint(sample) in groups or image_fingerprint((folder.root / sample.path).read_bytes()) in images
    )


def _remarks(samples: Sequence[Sample], labels: Sequence[str]) -> Iterator[str]:
    absent = sorted(set(labels) - {label for sample in samples for label in sample.labels})
    if absent:
        yield f"There is no image of {listed(absent)} among these, so figures over labels are over the others."
    groups = len({sample.group for sample in samples})
    if groups < _FEW_GROUPS:
        yield f"These images are of {groups} group{'s' if groups > 1 else ''}, too few for intervals to be exact."

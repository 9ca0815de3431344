"""A folder of labelled images: one sub-folder per class, an index.csv, or BioFors's classification.json."""

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.errors import ImagesInvalid

INDEX, CLASSIFICATION = "index.csv", "classification.json"

SEPARATOR = "|"
"""Between the labels of an image that has several."""

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".dcm"}
_COLUMNS = {"path", "label", "group", "source"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One image file.

    Attributes:
        path: relative to the folder, with forward slashes.
        labels: one, or for a multi-label task none or several.
        group: what must not be split: a patient, a background.
        source: where the image comes from: a hospital, a scanner, a collection.
    """

    path: str
    labels: tuple[str, ...]
    group: str
    source: str

    @property
    def label(self) -> str:
        """The labels as one word."""
        return SEPARATOR.join(self.labels)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of labelled images.

    Attributes:
        labels: sorted; their positions are the class numbers.
        grouped: whether somebody said which images belong together.
        multilabel: whether some image has more or fewer labels than one.
        sha256: of the index, or of the list of files where there is none.
    """

    root: Path
    samples: tuple[Sample, ...]
    labels: tuple[str, ...]
    grouped: bool
    multilabel: bool
    sha256: str


def read_folder(root: Path, group_pattern: str | None = None, fewest: int = 2) -> Folder:
    r"""Read which images a folder holds and what they show; no image is opened.

    An index.csv has the columns path, label, group and source; several labels of an image are joined by "|". BioFors's
    classification.json maps names of images to labels. Without either, each sub-folder is a class.

    Args:
        root: the folder.
        group_pattern: a regular expression searched for in each path; what its first group matches is the image's
            group, as `^(patient\d+)_`. Not beside an index.csv, which has a column for it.
        fewest: labels that there must be; two to learn from, one to measure on.

    Raises:
        ImagesInvalid: not a folder, an index of another shape, a missing file, or too few classes.
    """
    if not root.is_dir():
        message = f"{root} is not a folder."
        raise ImagesInvalid(message)
    index, classification = root / INDEX, root / CLASSIFICATION
    if index.is_file():
        samples, listing = tuple(_indexed(index)), index.read_bytes()
    elif classification.is_file():
        samples, listing = tuple(_classified(classification)), classification.read_bytes()
    else:
        samples = tuple(_walked(root))
        listing = "\n".join(sample.path for sample in samples).encode()
    if group_pattern is not None and not index.is_file():
        samples = tuple(_grouped(samples, group_pattern))
    labels = tuple(sorted({label for sample in samples for label in sample.labels}))
    if len(labels) < fewest:
        message = f"{root} holds {len(labels)} classes with images; at least {fewest} are needed."
        raise ImagesInvalid(message)
    return Folder(
        root,
        samples,
        labels,
        grouped=index.is_file() or group_pattern is not None,
        multilabel=any(len(sample.labels) != 1 for sample in samples),
        sha256=hashlib.sha256(listing).hexdigest(),
    )


# ---------------------------------------------------------------- index.csv


def _indexed(index: Path) -> Iterator[Sample]:
    seen: set[str] = set()
    try:
        with index.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = _COLUMNS - set(reader.fieldnames or ())
            if missing:
                message = f"{index} lacks the columns {', '.join(sorted(missing))}."
                raise ImagesInvalid(message)
            for row in reader:
                sample = _sample(row, f"{index}, line {reader.line_num},", index.parent)
                if sample.path in seen:
                    message = f"{index}, line {reader.line_num}, lists {sample.path} a second time."
                    raise ImagesInvalid(message)
                seen.add(sample.path)
                yield sample
    except (UnicodeDecodeError, csv.Error) as broken:
        message = f"{index} is not a CSV file in UTF-8: {broken}."
        raise ImagesInvalid(message) from broken


def _sample(row: dict[str, str], line: str, root: Path) -> Sample:
    for column in sorted(_COLUMNS):
        # An image of a multi-label task may show nothing of what is asked: then its label is "|".
        if not row[column]:
            message = f"{line} has no {column}."
            raise ImagesInvalid(message)
    if not _within(root, row["path"]):
        message = f"{line} lists {row['path']}, which is not there."
        raise ImagesInvalid(message)
    return Sample(row["path"], _labels(row["label"]), row["group"], row["source"])


def _labels(text: str) -> tuple[str, ...]:
    return tuple(sorted({label.strip() for label in text.split(SEPARATOR)} - {""}))


def _within(root: Path, path: str) -> bool:
    return (root / path).is_file() and (root / path).resolve().is_relative_to(root.resolve())


# ---------------------------------------------------------------- classification.json


def _classified(classification: Path) -> Iterator[Sample]:
    root = classification.parent
    try:
        entries = json.loads(classification.read_text("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as broken:
        message = f"{classification} is not JSON: {broken}."
        raise ImagesInvalid(message) from broken
    if not isinstance(entries, dict) or not all(isinstance(label, str) and label for label in entries.values()):
        message = f"{classification} must map names of images to labels."
        raise ImagesInvalid(message)
    found = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if _is_image(path)}
    names: dict[str, list[str]] = {}
    for path in found:
        # The mapping may give a name alone, wherever below the folder its image lies.
        names.setdefault(path.rsplit("/", 1)[-1], []).append(path)
    for name in sorted(entries):
        places = [name] if name in found else names.get(name, [])
        if len(places) != 1:
            message = f"{classification} lists {name}, of which there are {len(places)} in the folder."
            raise ImagesInvalid(message)
        yield Sample(places[0], (entries[name],), places[0], root.resolve().name)


# ---------------------------------------------------------------- sub-folders


def _walked(root: Path) -> Iterator[Sample]:
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        images = [path for path in sorted(folder.rglob("*")) if _is_image(path)]
        if not images:
            message = f"{folder} holds no image; a class without images cannot be learnt."
            raise ImagesInvalid(message)
        for path in images:
            relative = path.relative_to(root).as_posix()
            yield Sample(relative, (folder.name,), relative, root.resolve().name)


def _is_image(path: Path) -> bool:
    try:
        path.name.encode()
    except UnicodeEncodeError as broken:
        message = f"{path.parent} holds a file whose name is not text: {path.name!r}. Rename it."
        raise ImagesInvalid(message) from broken
    return path.suffix.lower() in _SUFFIXES and path.is_file()


def _grouped(samples: tuple[Sample, ...], pattern: str) -> Iterator[Sample]:
    try:
        compiled = re.compile(pattern)
    except re.error as broken:
        message = f"The group pattern {pattern!r} is not a regular expression: {broken}."
        raise ImagesInvalid(message) from broken
    if compiled.groups < 1:
        message = f"The group pattern {pattern!r} has no group in parentheses."
        raise ImagesInvalid(message)
    for sample in samples:
        found = compiled.search(sample.path)
        if found is None or not found[1]:
            message = f"The group pattern {pattern!r} finds no group in {sample.path}."
            raise ImagesInvalid(message)
        yield Sample(sample.path, sample.labels, found[1], sample.source)

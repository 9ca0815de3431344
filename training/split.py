"""Which images are for training, validation and test, and the folds of a cross-validation: always by whole groups."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.bundle.manifest import Part
from training.disk import write_whole
from training.errors import ImagesInvalid
from training.folders import Folder, Sample

PARTS = ("train", "validation", "test")
_COLUMNS = ("path", "part")

_Kind = tuple[str, ...]
"""A label and a source, or a label alone."""


@dataclass(frozen=True, slots=True)
class Split:
    """Disjoint parts of a folder; no group lies in two of them."""

    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    test: tuple[Sample, ...]

    def parts(self) -> Iterator[tuple[str, tuple[Sample, ...]]]:
        """The parts with their names, as the file of a split has them."""
        yield from zip(PARTS, (self.train, self.validation, self.test), strict=True)


def split_by_group(
    samples: Sequence[Sample], shares: tuple[float, float, float], seed: int, training_only: Sequence[str] = ()
) -> Split:
    """Split so that no group lies in two parts and each label keeps about the wanted shares.

    Large groups end in training, and the test part holds many small ones.

    Args:
        samples: of a folder.
        shares: of the parts.
        seed: of the deal.
        training_only: sources whose images are all trained on.

    Raises:
        ImagesInvalid: a part that should hold images would hold none of some label, or there is no such source.
    """
    require_sources(training_only, {sample.source for sample in samples}, "training_only")
    drawn = tuple(sample for sample in samples if sample.source in training_only)
    measured = [sample for sample in samples if sample.source not in training_only]
    parts = list(_stratified(measured, shares, seed))
    parts[0] = tuple(sorted(parts[0] + drawn, key=lambda sample: sample.path))
    labels = {label for sample in samples for label in sample.labels}
    for name, part, share in zip(PARTS, parts, shares, strict=True):
        if share > 0:
            _require_labels(f"{name} part", part, labels)
    return Split(*parts)


def folds(samples: Sequence[Sample], count: int, seed: int) -> tuple[tuple[Sample, ...], ...]:
    """Deal images into so many parts of about the same size and share of labels, by whole groups.

    Raises:
        ImagesInvalid: some fold would hold no image of some label.
    """
    parts = _stratified(samples, (1 / count,) * count, seed)
    labels = {label for sample in samples for label in sample.labels}
    for number, part in enumerate(parts, start=1):
        _require_labels(f"fold {number} of {count}", part, labels)
    return parts


def require_sources(wanted: Iterable[str], known: Collection[str], field: str) -> None:
    """Refuse a source that a recipe names and the folder does not hold.

    Raises:
        ImagesInvalid: with the sources there are.
    """
    for source in wanted:
        if source not in known:
            message = f"material.{field} names the source {source!r}; there are {', '.join(sorted(known))}."
            raise ImagesInvalid(message)


def _stratified(samples: Sequence[Sample], shares: Sequence[float], seed: int) -> tuple[tuple[Sample, ...], ...]:
    """Greedy iterative stratification (after Sechidis et al. 2011) over groups, the largest first.

    Each group goes where its labels, of its source, are most wanted; of several such parts, where its labels are of
    whatever source. Else what is left over of each source would gather in the first of them.
    """
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.group].append(sample)
    order = sorted(groups)
    np.random.default_rng(seed).shuffle(order)
    order.sort(key=lambda group: -len(groups[group]))
    totals = _tally(samples)
    wanted = [{kind: count * share for kind, count in totals.items()} for share in shares]
    parts: list[list[Sample]] = [[] for _ in shares]
    for group in order:
        counts = _tally(groups[group])
        best = max(range(len(parts)), key=lambda part: _want(wanted[part], counts))
        parts[best].extend(groups[group])
        for kind, count in counts.items():
            wanted[best][kind] -= count
    return tuple(tuple(sorted(part, key=lambda sample: sample.path)) for part in parts)


def _want(wanted: Mapping[_Kind, float], counts: Mapping[_Kind, int]) -> tuple[float, ...]:
    """How much a part wants a group: for its labels of their source, then for its labels."""
    return tuple(sum(n * wanted[kind] for kind, n in counts.items() if len(kind) == length) for length in (2, 1))


def _tally(samples: Iterable[Sample]) -> Counter[_Kind]:
    # An image without any label is stratified like one of a label of its own.
    pairs = [(label, sample.source) for sample in samples for label in sample.labels or ("",)]
    return Counter([*pairs, *((label,) for label, _ in pairs)])


def _require_labels(where: str, part: Iterable[Sample], labels: set[str]) -> None:
    absent = labels - {label for sample in part for label in sample.labels}
    if absent:
        message = f"The {where} would hold no image of {', '.join(sorted(absent))}: too few groups."
        raise ImagesInvalid(message)


def part_of(samples: Sequence[Sample]) -> Part:
    """Count images and groups."""
    return Part(images=len(samples), groups=len({sample.group for sample in samples}))


# ---------------------------------------------------------------- the file of a split


def write_split(path: Path, split: Split) -> None:
    """Write a split as CSV with the columns path and part, sorted by path.

    Raises:
        OSError: it cannot be written; no part of it is left.
    """
    rows = sorted((sample.path, name) for name, part in split.parts() for sample in part)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def read_split(path: Path, folder: Folder) -> Split:
    """Read a split of a folder back.

    Raises:
        ImagesInvalid: not such a file; an image without a part, twice, or unknown; a group or a label in the wrong
            number of parts.
    """
    given = _read_rows(path)
    known = {sample.path for sample in folder.samples}
    for wrong, what in ((known - given.keys(), "gives no part to"), (given.keys() - known, "names an unknown image,")):
        if wrong:
            message = f"{path} {what} {min(wrong)}" + (f" and {len(wrong) - 1} more." if len(wrong) > 1 else ".")
            raise ImagesInvalid(message)
    parts = [tuple(sample for sample in folder.samples if given[sample.path] == name) for name in PARTS]
    split = Split(*(tuple(sorted(part, key=lambda sample: sample.path)) for part in parts))
    _require_whole_groups(path, split)
    for name, part in split.parts():
        _require_labels(f"{name} part of {path}", part, set(folder.labels))
    return split


def _read_rows(path: Path) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader) if set(_COLUMNS) <= set(reader.fieldnames or ()) else []
    except OSError as missing:
        message = f"{path} cannot be read: {missing.strerror}."
        raise ImagesInvalid(message) from missing
    except (UnicodeDecodeError, csv.Error) as broken:
        message = f"{path} is not a CSV file in UTF-8: {broken}."
        raise ImagesInvalid(message) from broken
    given: dict[str, str] = {}
    for row in rows:
        if row["part"] not in PARTS or row["path"] in given:
            message = f"{path}: {row['path']} stands there twice, or with a part that is none of {', '.join(PARTS)}."
            raise ImagesInvalid(message)
        given[row["path"]] = row["part"]
    if not given:
        message = f"{path} is no split: it needs the columns {' and '.join(_COLUMNS)}, and rows."
        raise ImagesInvalid(message)
    return given


def _require_whole_groups(path: Path, split: Split) -> None:
    home: dict[tuple[str, str], str] = {}
    for name, part in split.parts():
        for sample in part:
            first = home.setdefault((sample.source, sample.group), name)
            if first != name:
                message = (
                    f"{path} tears the group {sample.group!r} apart: it lies in {first} and in {name}. What was "
                    "learnt of one part would be measured on the other."
                )
                raise ImagesInvalid(message)

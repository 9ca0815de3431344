"""Splits and folds keep groups whole, keep the shares of each label, and can be written down and given back."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import draw_images, little_room
from training.errors import ImagesInvalid
from training.folders import Folder, Sample, read_folder
from training.split import Split, folds, part_of, read_split, require_sources, split_by_group, write_split

SHARES = (0.7, 0.15, 0.15)


def samples(groups: int = 60, largest: int = 5) -> list[Sample]:
    """Groups of uneven size, some of them of two labels."""
    random = np.random.default_rng(4)
    made = []
    for group in range(groups):
        for image in range(int(random.integers(1, largest + 1))):
            label = "ab"[group % 2] if group % 10 else "ab"[image % 2]
            made.append(Sample(f"{group}-{image}.png", (label,), f"g{group}", "drawn"))
    return made


def test_a_split_never_divides_a_group_and_loses_nothing() -> None:
    everything = samples()
    split = split_by_group(everything, SHARES, seed=1)
    groups = [{sample.group for sample in part} for part in (split.train, split.validation, split.test)]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert Counter(split.train + split.validation + split.test) == Counter(everything)


def test_a_split_keeps_the_shares_of_each_label() -> None:
    everything = samples(groups=200)
    split = split_by_group(everything, SHARES, seed=1)
    totals = Counter(sample.label for sample in everything)
    for part, share in zip((split.train, split.validation, split.test), SHARES, strict=True):
        for label, count in Counter(sample.label for sample in part).items():
            assert count / totals[label] == pytest.approx(share, abs=0.02)


def test_a_split_follows_its_seed_and_not_the_order_of_the_files() -> None:
    everything = samples()
    split = split_by_group(everything, SHARES, seed=1)
    assert split_by_group(everything[::-1], SHARES, seed=1) == split
    assert split_by_group(everything, SHARES, seed=2) != split


def test_a_split_that_would_lack_a_label_is_refused() -> None:
    few = [Sample(f"{index}.png", ("ab"[index % 2],), f"g{index % 2}", "drawn") for index in range(20)]
    with pytest.raises(ImagesInvalid, match=r"part would hold no image of .*: too few groups"):
        split_by_group(few, SHARES, seed=1)


def test_a_part_is_counted_in_images_and_groups() -> None:
    part = part_of([Sample("1", ("a",), "x", "s"), Sample("2", ("a",), "x", "s"), Sample("3", ("a",), "y", "s")])
    assert (part.images, part.groups) == (3, 2)


def test_images_of_several_labels_or_none_are_stratified_too() -> None:
    kinds = [("a",), ("b",), ("a", "b"), ()]
    everything = [Sample(f"{index}.png", kinds[index % 4], f"g{index}", "drawn") for index in range(400)]
    split = split_by_group(everything, SHARES, seed=1)
    for part, share in zip((split.train, split.validation, split.test), SHARES, strict=True):
        for label in ("a", "b"):
            assert sum(label in sample.labels for sample in part) / 200 == pytest.approx(share, abs=0.02)
        assert sum(not sample.labels for sample in part) / 100 == pytest.approx(share, abs=0.02)


def by_source(counts: dict[tuple[str, str], int]) -> list[Sample]:
    """So many images of each label and source, two per group."""
    return [
        Sample(f"{source}/{label}{n}.png", (label,), f"{source} {label} {n // 2}", source)
        for (label, source), count in counts.items()
        for n in range(count)
    ]


def test_each_source_of_a_label_keeps_its_share_too() -> None:
    everything = by_source({("a", "large"): 400, ("b", "large"): 40, ("a", "small"): 40, ("b", "small"): 200})
    split = split_by_group(everything, SHARES, seed=1)
    totals = Counter((sample.label, sample.source) for sample in everything)
    for part, share in zip((split.train, split.validation, split.test), SHARES, strict=True):
        found = Counter((sample.label, sample.source) for sample in part)
        for kind, count in totals.items():
            # To the nearest group of two.
            assert found[kind] == pytest.approx(count * share, abs=2)


def test_what_is_left_over_of_each_source_does_not_gather_in_one_part() -> None:
    # Many sources of one or three groups: alone, each would give validation all, and test nothing.
    few = by_source({(label, f"s{n}"): 2 + 4 * (n % 2) for n in range(20) for label in "ab"})
    split = split_by_group(few, SHARES, seed=1)
    for label in "ab":
        held = [sum(sample.label == label for sample in part) for part in (split.validation, split.test)]
        assert held[0] == pytest.approx(held[1], abs=2)
    sizes = [len(part) for part in folds(few, 4, seed=1)]
    assert max(sizes) - min(sizes) <= 8


def test_what_is_trained_on_only_is_in_no_other_part() -> None:
    counts = {("a", "real"): 60, ("b", "real"): 60, ("a", "drawn"): 30, ("b", "drawn"): 30}
    everything = by_source(counts)
    split = split_by_group(everything, SHARES, seed=1, training_only=("drawn",))
    drawn = {sample for sample in everything if sample.source == "drawn"}
    assert drawn <= set(split.train)
    assert list(split.train) == sorted(split.train, key=lambda sample: sample.path)
    # The others are split as if those were not there.
    real = split_by_group([sample for sample in everything if sample not in drawn], SHARES, seed=1)
    assert (split.validation, split.test) == (real.validation, real.test)
    assert set(split.train) == set(real.train) | drawn


def test_a_label_that_is_drawn_only_cannot_be_measured() -> None:
    everything = by_source({("a", "real"): 60, ("b", "real"): 60, ("c", "drawn"): 30})
    with pytest.raises(ImagesInvalid, match="The validation part would hold no image of c"):
        split_by_group(everything, SHARES, seed=1, training_only=("drawn",))


def test_an_unknown_source_is_refused_with_those_there_are() -> None:
    everything = by_source({("a", "real"): 60, ("b", "scanned"): 60})
    with pytest.raises(
        ImagesInvalid, match=r"material.training_only names the source 'drawn'; there are real, scanned"
    ):
        split_by_group(everything, SHARES, seed=1, training_only=("real", "drawn"))
    with pytest.raises(ImagesInvalid, match=r"material.holdouts names the source 'x'; there are a, b\."):
        require_sources(("a", "x"), {"b", "a"}, "holdouts")
    require_sources((), (), "holdouts")


# ---------------------------------------------------------------- folds


def test_folds_hold_every_image_once_and_no_group_twice() -> None:
    everything = samples(groups=120)
    parts = folds(everything, 4, seed=1)
    assert Counter(sample for part in parts for sample in part) == Counter(everything)
    homes = [{sample.group for sample in part} for part in parts]
    assert sum(len(home) for home in homes) == len(set().union(*homes))
    totals = Counter(sample.label for sample in everything)
    for part in parts:
        for label, count in Counter(sample.label for sample in part).items():
            assert count / totals[label] == pytest.approx(1 / 4, abs=0.03)


def test_more_folds_than_groups_are_refused() -> None:
    few = [Sample(f"{index}.png", ("ab"[index % 2],), f"g{index}", "drawn") for index in range(6)]
    with pytest.raises(ImagesInvalid, match=r"fold . of 4 would hold no image of .*: too few groups"):
        folds(few, 4, seed=1)


# ---------------------------------------------------------------- the file


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return read_folder(draw_images(tmp_path / "images"))


@pytest.fixture
def split(folder: Folder) -> Split:
    return split_by_group(folder.samples, (0.6, 0.2, 0.2), seed=5)


def test_a_split_can_be_given_back(folder: Folder, split: Split, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    write_split(path, split)
    assert read_split(path, folder) == split
    assert path.read_text().splitlines()[0] == "path,part"
    assert len(path.read_text().splitlines()) == 1 + len(folder.samples)


def test_a_full_disk_leaves_no_split(split: Split, tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("older")
    with little_room(64), pytest.raises(OSError, match="File too large"):
        write_split(tmp_path / "split.csv", split)
    assert (tmp_path / "split.csv").read_text() == "older"
    assert not list(tmp_path.glob("incoming*"))


def test_a_split_that_tears_a_group_apart_is_refused(folder: Folder, split: Split, tmp_path: Path) -> None:
    moved = split.train[0]
    torn = replace(split, train=split.train[1:], test=(*split.test, moved))
    write_split(tmp_path / "split.csv", torn)
    with pytest.raises(ImagesInvalid, match=rf"tears the group '{moved.group}' apart: it lies in .* measured on"):
        read_split(tmp_path / "split.csv", folder)


def test_a_split_that_leaves_a_part_without_a_label_is_refused(folder: Folder, split: Split, tmp_path: Path) -> None:
    discs = tuple(sample for sample in split.test if sample.label == "disc")
    emptied = replace(split, train=(*split.train, *discs), test=tuple(s for s in split.test if s not in discs))
    write_split(tmp_path / "split.csv", emptied)
    with pytest.raises(ImagesInvalid, match=r"The test part of .*split.csv would hold no image of disc"):
        read_split(tmp_path / "split.csv", folder)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("disc/003.png,", "disc/999.png,", "gives no part to disc/003.png"),
        ("path,part", "image,part", "is no split: it needs the columns path and part"),
        ("disc/003.png,", "disc/004.png,", "disc/004.png stands there twice, or with a part that is none of train"),
        ("train", "training", "or with a part that is none of train, validation, test"),
    ],
)
def test_a_file_that_is_no_split_of_the_folder_is_refused(
    before: str, after: str, reason: str, folder: Folder, split: Split, tmp_path: Path
) -> None:
    path = tmp_path / "split.csv"
    write_split(path, split)
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(ImagesInvalid, match=reason):
        read_split(path, folder)


def test_an_unknown_image_is_told(folder: Folder, split: Split, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    write_split(path, split)
    path.write_text(path.read_text() + "disc/998.png,test\ndisc/999.png,test\n")
    with pytest.raises(ImagesInvalid, match=r"names an unknown image, disc/998.png and 1 more"):
        read_split(path, folder)


@pytest.mark.parametrize("content", [b"", b"path,part\n", "path,part".encode("utf-16")])
def test_no_split_at_all_is_refused(content: bytes, folder: Folder, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_bytes(content)
    with pytest.raises(ImagesInvalid, match=r"split.csv is (no split|not a CSV file)"):
        read_split(path, folder)
    with pytest.raises(ImagesInvalid, match=r"nowhere.csv cannot be read: No such file"):
        read_split(tmp_path / "nowhere.csv", folder)

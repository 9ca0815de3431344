"""A folder of drawn pictures: there whole or not at all, and beside real images without touching them."""

import csv
import errno
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.conftest import draw_images, little_room
from training.errors import ImagesInvalid, ResultsTaken
from training.folders import read_folder
from training.simulation.dice import Rng
from training.simulation.folder import SOURCE, write_folder
from training.simulation.found import Found

LABELS = ("disc", "square", "stripes")


def scribble(label: str, rng: Rng) -> Image.Image:
    """Noise whose first pixel says which label was asked for."""
    pixels = rng.integers(256, size=(30, 40, 3)).astype(np.uint8)
    pixels[:10, :10] = 80 * LABELS.index(label)
    return Image.fromarray(pixels)


def at_once(things: Iterable[int]) -> Iterable[int]:
    return things


def write(out: Path, count: int = 7, seed: int = 4, beside: Path | None = None) -> None:
    write_folder(out, LABELS, scribble, count, seed, at_once, beside)


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def nothing_is_left(root: Path) -> bool:
    return not [path for path in root.iterdir() if path.name not in {"images", "taken"}]


def test_labels_take_turns_and_each_picture_is_a_group(tmp_path: Path) -> None:
    write(tmp_path / "new" / "drawn")
    folder = read_folder(tmp_path / "new" / "drawn")
    assert [sample.label for sample in folder.samples] == ["disc", "square", "stripes"] * 2 + ["disc"]
    assert len({sample.group for sample in folder.samples}) == 7
    assert {sample.source for sample in folder.samples} == {SOURCE}
    for sample in folder.samples:
        assert sample.path.startswith(f"{sample.label}/")
        with Image.open(folder.root / sample.path) as image:
            assert image.size == (40, 30)
            assert image.convert("RGB").getpixel((4, 4)) == pytest.approx(
                (80 * LABELS.index(sample.label),) * 3, abs=30
            )


def test_the_same_seed_draws_the_same_and_more_begin_with_the_same(tmp_path: Path) -> None:
    write(tmp_path / "first")
    write(tmp_path / "again")
    write(tmp_path / "more", count=12)
    write(tmp_path / "other", seed=5)
    first, more = contents(tmp_path / "first"), contents(tmp_path / "more")
    assert contents(tmp_path / "again") == first
    assert {path: more[path] for path in first if path != "index.csv"} == {
        path: content for path, content in first.items() if path != "index.csv"
    }
    assert more["index.csv"].startswith(first["index.csv"])
    assert not set(contents(tmp_path / "other").values()) & set(first.values())


def test_formats_do_not_go_with_labels(tmp_path: Path) -> None:
    write(tmp_path / "drawn", count=90)
    suffixes = {label: {path.suffix for path in (tmp_path / "drawn" / label).iterdir()} for label in LABELS}
    assert set(map(frozenset, suffixes.values())) == {frozenset({".png", ".webp"})}


def test_real_images_are_linked_and_their_rows_stay(tmp_path: Path) -> None:
    real = draw_images(tmp_path / "images", LABELS, 4)
    before = contents(real)
    write(tmp_path / "wide", beside=real)
    after, folder = contents(tmp_path / "wide"), read_folder(tmp_path / "wide")
    assert contents(real) == before
    assert after["index.csv"].startswith(before["index.csv"])
    assert len(folder.samples) == 12 + 7
    assert [sample.source for sample in folder.samples[12:]] == [SOURCE] * 7
    for path in before:
        if path != "index.csv":
            assert (real / path).samefile(tmp_path / "wide" / path)


def test_images_are_copied_where_they_cannot_be_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = draw_images(tmp_path / "images", LABELS, 2)

    def refuse(self: Path, _target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link", str(self))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    write(tmp_path / "wide", beside=real)
    for path, content in contents(real).items():
        if path != "index.csv":
            assert (tmp_path / "wide" / path).read_bytes() == content
            assert not (real / path).samefile(tmp_path / "wide" / path)


def test_further_columns_of_an_index_stay_and_are_empty_for_drawn_pictures(tmp_path: Path) -> None:
    real = draw_images(tmp_path / "images", LABELS, 2)
    rows = list(csv.DictReader((real / "index.csv").read_text().splitlines()))
    lines = [f"{row['source']},CC0,{row['label']},{row['path']},{row['group']}" for row in rows]
    (real / "index.csv").write_text("\n".join(["source,licence,label,path,group", *lines]))
    write(tmp_path / "wide", beside=real)
    merged = list(csv.DictReader((tmp_path / "wide" / "index.csv").read_text().splitlines()))
    assert [row["licence"] for row in merged] == ["CC0"] * 6 + [""] * 7
    assert [row["path"] for row in merged[:6]] == [row["path"] for row in rows]
    assert len(read_folder(tmp_path / "wide").samples) == 13


def test_images_without_an_index_get_one(tmp_path: Path) -> None:
    real = draw_images(tmp_path / "images", LABELS, 3, index=False)
    write(tmp_path / "wide", beside=real)
    folder, bare = read_folder(tmp_path / "wide"), read_folder(real)
    assert folder.samples[:9] == bare.samples
    assert not (real / "index.csv").exists()


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(ResultsTaken, match="is there already"):
        write(tmp_path / "taken")
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]


def test_a_folder_among_the_images_is_refused(tmp_path: Path) -> None:
    real = draw_images(tmp_path / "images", LABELS, 2)
    with pytest.raises(ResultsTaken, match="among the images"):
        write(real / "wide", beside=real)
    assert not (real / "wide").exists()


def test_images_of_other_labels_are_refused(tmp_path: Path) -> None:
    real = draw_images(tmp_path / "images", ("disc", "cat"), 2)
    with pytest.raises(ImagesInvalid, match="has no label square, stripes"):
        write(tmp_path / "wide", beside=real)
    assert nothing_is_left(tmp_path)


def test_the_same_pictures_are_not_added_twice(tmp_path: Path) -> None:
    write(tmp_path / "drawn", seed=1)
    write(tmp_path / "both", seed=11, beside=tmp_path / "drawn")
    with pytest.raises(ImagesInvalid, match="drawn from seed 1;"):
        write(tmp_path / "again", seed=1, beside=tmp_path / "both")
    assert len(read_folder(tmp_path / "both").samples) == 14


@pytest.mark.parametrize("path", ["../images/disc/000.png", "disc/../disc/000.png"])
def test_paths_that_climb_are_refused(tmp_path: Path, path: str) -> None:
    real = draw_images(tmp_path / "images", LABELS, 2)
    index = real / "index.csv"
    index.write_text(index.read_text().replace("disc/000.png", path, 1))
    with pytest.raises(ImagesInvalid, match="a path must go down from the folder"):
        write(tmp_path / "wide", beside=real)
    assert nothing_is_left(tmp_path)


def test_an_absolute_path_is_refused(tmp_path: Path) -> None:
    real = draw_images(tmp_path / "images", LABELS, 2)
    index = real / "index.csv"
    index.write_text(index.read_text().replace("disc/000.png", str(real / "disc/000.png"), 1))
    with pytest.raises(ImagesInvalid, match="a path must go down from the folder"):
        write(tmp_path / "wide", beside=real)
    assert nothing_is_left(tmp_path)


def found(root: Path, label: str = "disc", count: int = 3) -> Found:
    root.mkdir(parents=True)
    for number in range(count):
        scribble("disc", np.random.default_rng(number)).resize((220, 200)).save(root / f"{number}.png")
    return Found(label, root, 5)


def test_found_pictures_are_images_of_their_label_from_a_source_of_their_own(tmp_path: Path) -> None:
    real = draw_images(tmp_path / "images", LABELS, 2)
    folders = [found(tmp_path / "taken" / "scenes"), found(tmp_path / "taken" / "charts", "stripes", 9)]
    write_folder(tmp_path / "wide", LABELS, scribble, 4, 1, at_once, real, folders)
    samples = read_folder(tmp_path / "wide").samples[10:]
    assert [(sample.label, sample.source) for sample in samples] == [
        *[("disc", "found:scenes")] * 3,
        *[("stripes", "found:charts")] * 5,
    ]
    assert {sample.group for sample in samples[:3]} == {f"found:scenes/{number}.png" for number in range(3)}
    assert len({(tmp_path / "wide" / sample.path).read_bytes() for sample in samples}) == 8


def test_a_found_folder_of_no_known_label_or_of_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    known, strange = found(tmp_path / "taken" / "scenes"), found(tmp_path / "taken" / "cats", "cat")
    for folders, reason in (([known, strange], "cat is no label"), ([known, known], "Two folders are called scenes")):
        with pytest.raises(ImagesInvalid, match=reason):
            write_folder(tmp_path / "wide", LABELS, scribble, 4, 1, at_once, None, folders)
    assert nothing_is_left(tmp_path)


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    real = draw_images(tmp_path / "images", LABELS, 2)
    with little_room(500), pytest.raises(OSError, match="wide"):
        write(tmp_path / "wide", beside=real)
    assert nothing_is_left(tmp_path)
    assert len(read_folder(real).samples) == 6


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    def stopped(label: str, rng: Rng) -> Image.Image:
        if label == "stripes":
            raise KeyboardInterrupt
        return scribble(label, rng)

    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "wide", LABELS, stopped, 7, 4, at_once)
    assert nothing_is_left(tmp_path)

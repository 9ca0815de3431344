"""Folders of images: the index, splits that keep groups whole, decoding through the serving code, batches."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from services.bundle.preprocessing import prepare
from services.imaging import decode
from tests.bundles import PREPROCESSING, SHAPES, draw, encode
from tests.training.conftest import draw_images
from training.datasets import (
    Batches,
    Images,
    Sample,
    class_weights,
    load_images,
    part_of,
    read_folder,
    split_by_group,
)
from training.errors import ImagesInvalid

SHARES = (0.7, 0.15, 0.15)


def samples(groups: int = 60, largest: int = 5) -> list[Sample]:
    """Groups of uneven size, some of them of two labels."""
    random = np.random.default_rng(4)
    made = []
    for group in range(groups):
        for image in range(int(random.integers(1, largest + 1))):
            label = "ab"[group % 2] if group % 10 else "ab"[image % 2]
            made.append(Sample(f"{group}-{image}.png", label, f"g{group}", "drawn"))
    return made


# ---------------------------------------------------------------- reading


def test_an_index_says_labels_groups_and_sources(tmp_path: Path) -> None:
    folder = read_folder(draw_images(tmp_path / "images", each=4))
    assert folder.labels == tuple(sorted(SHAPES))
    assert folder.grouped
    assert len(folder.samples) == 12
    assert folder.samples[2] == Sample("disc/002.png", "disc", "disc-1", "source 1")


def test_without_an_index_every_image_is_its_own_group(tmp_path: Path) -> None:
    root = draw_images(tmp_path / "images", each=4, index=False)
    (root / "disc" / "notes.txt").write_text("not an image")
    folder = read_folder(root)
    assert not folder.grouped
    assert len({sample.group for sample in folder.samples}) == len(folder.samples) == 12
    assert {sample.source for sample in folder.samples} == {"images"}
    assert {sample.path.split("/")[0] for sample in folder.samples} == set(SHAPES)


def test_the_digest_follows_the_index(tmp_path: Path) -> None:
    root = draw_images(tmp_path / "images", each=4)
    before = read_folder(root).sha256
    assert read_folder(root).sha256 == before
    index = root / "index.csv"
    index.write_text(index.read_text().replace("source 1", "source 2"))
    assert read_folder(root).sha256 != before


def test_folders_that_cannot_be_trained_on_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImagesInvalid, match="nowhere is not a folder"):
        read_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImagesInvalid, match="empty holds 0 classes with images"):
        read_folder(tmp_path / "empty")
    with pytest.raises(ImagesInvalid, match="one holds 1 classes with images; at least two are needed"):
        read_folder(draw_images(tmp_path / "one", labels=("disc",)))


def test_a_wrong_index_is_refused(tmp_path: Path) -> None:
    root = draw_images(tmp_path / "images", each=4)
    index = root / "index.csv"
    text = index.read_text()
    index.write_text(text.replace("path,label,group,source", "path,label,patient,source"))
    with pytest.raises(ImagesInvalid, match="lacks the columns group"):
        read_folder(root)
    index.write_text(text)
    (root / "disc" / "002.png").unlink()
    with pytest.raises(ImagesInvalid, match=r"index.csv, line 4, lists disc/002.png, which is not there"):
        read_folder(root)
    for line, column in (("disc/001.png,disc,disc-0,", "source"), ("disc/001.png,disc,,s", "group"), ("x,y", "group")):
        index.write_text(text.replace("disc/001.png,disc,disc-0,source 0", line))
        with pytest.raises(ImagesInvalid, match=rf"index.csv, line 3, has no {column}"):
            read_folder(root)
    index.write_bytes(text.encode("utf-16"))
    with pytest.raises(ImagesInvalid, match=r"index.csv is not a CSV file in UTF-8"):
        read_folder(root)


def test_the_folder_names_the_source_also_when_it_is_the_present_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(draw_images(tmp_path / "images", each=4, index=False))
    assert {sample.source for sample in read_folder(Path()).samples} == {"images"}


# ---------------------------------------------------------------- splitting


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
    few = [Sample(f"{index}.png", "ab"[index % 2], f"g{index % 2}", "drawn") for index in range(20)]
    with pytest.raises(ImagesInvalid, match=r"part would hold no image of .*: too few groups"):
        split_by_group(few, SHARES, seed=1)


def test_a_part_is_counted_in_images_and_groups() -> None:
    part = part_of([Sample("1", "a", "x", "s"), Sample("2", "a", "x", "s"), Sample("3", "a", "y", "s")])
    assert (part.images, part.groups) == (3, 2)


# ---------------------------------------------------------------- decoding


def test_images_are_decoded_as_serving_does(tmp_path: Path) -> None:
    root = draw_images(tmp_path / "images", each=4)
    (root / "disc" / "000.png").write_bytes(encode(draw(0, width=400, height=300), "JPEG"))
    folder = read_folder(root)
    seen = []

    def watch(decoded: object) -> object:
        for tensor in decoded:  # type: ignore[attr-defined]
            seen.append(tensor.shape)
            yield tensor

    images = load_images(folder, folder.samples, PREPROCESSING, watch)  # type: ignore[arg-type]
    assert images.pixels.shape == (12, 32, 32, 3)
    assert images.classes.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert seen == [(32, 32, 3)] * 12
    for sample, tensor in zip(images.samples, images.pixels, strict=True):
        raster = decode((root / sample.path).read_bytes(), max_pixels=10**6, shrink_to=32)
        np.testing.assert_array_equal(tensor, prepare(raster.pixels, PREPROCESSING))


@pytest.mark.parametrize("content", [b"", b"not an image", encode(draw(0))[:200]])
def test_an_image_that_serving_would_refuse_is_named(content: bytes, tmp_path: Path) -> None:
    root = draw_images(tmp_path / "images", each=4)
    (root / "square" / "003.png").write_bytes(content)
    folder = read_folder(root)
    with pytest.raises(ImagesInvalid, match=r"^square/003.png: ."):
        load_images(folder, folder.samples, PREPROCESSING)


# ---------------------------------------------------------------- batches


def numbered(count: int) -> Images:
    """Images whose pixels say which they are."""
    pixels = np.repeat(np.arange(count, dtype=np.uint8), 3).reshape(count, 1, 1, 3)
    return Images(pixels, np.arange(count) % 3, tuple(Sample(str(n), "a", str(n), "s") for n in range(count)))


@pytest.mark.parametrize("batch_size", [1, 4, 5, 20, 50])
def test_an_epoch_holds_every_image_once(batch_size: int) -> None:
    batches = Batches(numbered(20), batch_size, seed=1)
    for _ in range(2):
        parts = [batches[index] for index in range(len(batches))]
        order = np.concatenate([pixels[:, 0, 0, 0] for pixels, _ in parts])
        assert sorted(order.tolist()) == list(range(20))
        assert np.concatenate([classes for _, classes in parts]).tolist() == (order % 3).tolist()
        assert order.tolist() != list(range(20))
        batches.on_epoch_end()


def test_each_epoch_has_its_own_order_and_a_seed_repeats_it() -> None:
    def orders(seed: int | None) -> list[list[int]]:
        batches = Batches(numbered(20), 20, seed)
        found = []
        for _ in range(2):
            found.append(batches[0][0][:, 0, 0, 0].tolist())
            batches.on_epoch_end()
        return found

    first, second = orders(1)
    assert first != second
    assert orders(1) == [first, second]
    assert orders(None) == [list(range(20))] * 2


def test_rare_classes_weigh_more() -> None:
    images = Images(np.zeros((8, 1, 1, 3), np.uint8), np.array([0, 0, 0, 0, 0, 0, 1, 1]), ())
    weights = class_weights(images)
    assert weights == {0: pytest.approx(8 / (2 * 6)), 1: pytest.approx(8 / (2 * 2))}
    assert np.mean([weights[int(number)] for number in images.classes]) == pytest.approx(1)


def test_an_index_is_read_as_csv(tmp_path: Path) -> None:
    root = draw_images(tmp_path / "images", each=4)
    with (root / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0]["source"] = 'a source, with "quotes"'
    with (root / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert read_folder(root).samples[0].source == 'a source, with "quotes"'

"""Folders of labelled images: an index, a classification.json, or sub-folders; what cannot be trained on is refused."""

import csv
import json
import os
from pathlib import Path

import pytest

from tests.bundles import SHAPES
from tests.training.conftest import draw_images
from training.errors import ImagesInvalid
from training.folders import Sample, read_folder


def test_an_index_says_labels_groups_and_sources(tmp_path: Path) -> None:
    folder = read_folder(draw_images(tmp_path / "images", each=4))
    assert folder.labels == tuple(sorted(SHAPES))
    assert folder.grouped
    assert not folder.multilabel
    assert len(folder.samples) == 12
    assert folder.samples[2] == Sample("disc/002.png", ("disc",), "disc-1", "source 1")


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
    with pytest.raises(ImagesInvalid, match="one holds 1 classes with images; at least 2 are needed"):
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


def rewrite(root: Path, before: str, after: str) -> None:
    index = root / "index.csv"
    text = index.read_text()
    assert before in text
    index.write_text(text.replace(before, after))


def test_an_image_may_have_several_labels_or_none(tmp_path: Path) -> None:
    root = draw_images(tmp_path / "images", each=4)
    rewrite(root, "disc/000.png,disc,", "disc/000.png,square|disc,")
    rewrite(root, "disc/001.png,disc,", "disc/001.png,|,")
    folder = read_folder(root)
    assert folder.multilabel
    assert folder.labels == tuple(sorted(SHAPES))
    assert [sample.labels for sample in folder.samples[:3]] == [("disc", "square"), (), ("disc",)]
    assert folder.samples[0].label == "disc|square"


def test_an_index_may_not_name_an_image_twice_or_one_outside(tmp_path: Path) -> None:
    root = draw_images(tmp_path / "images", each=4)
    text = (root / "index.csv").read_text()
    rewrite(root, "disc/001.png,", "disc/000.png,")
    with pytest.raises(ImagesInvalid, match=r"line 3, lists disc/000.png a second time"):
        read_folder(root)
    (tmp_path / "elsewhere.png").write_bytes((root / "disc/001.png").read_bytes())
    for outside in ("../elsewhere.png", str(tmp_path / "elsewhere.png")):
        (root / "index.csv").write_text(text.replace("disc/001.png,", f"{outside},"))
        with pytest.raises(ImagesInvalid, match=r"line 3, lists .*elsewhere.png, which is not there"):
            read_folder(root)


def test_an_empty_class_is_refused(tmp_path: Path) -> None:
    root = draw_images(tmp_path / "images", each=4, index=False)
    (root / "cross").mkdir()
    with pytest.raises(ImagesInvalid, match="cross holds no image; a class without images cannot be learnt"):
        read_folder(root)


def test_a_name_that_is_not_text_is_refused(tmp_path: Path) -> None:
    root = draw_images(tmp_path / "images", each=4, index=False)
    (root / "disc" / os.fsdecode(b"broken-\xff.png")).write_bytes((root / "disc/000.png").read_bytes())
    with pytest.raises(ImagesInvalid, match=r"disc holds a file whose name is not text: '.*png'. Rename it") as refused:
        read_folder(root)
    assert str(refused.value).isprintable()


# ---------------------------------------------------------------- classification.json


@pytest.fixture
def mapped(tmp_path: Path) -> Path:
    """A folder of images in no order, and a mapping from some of their names to labels."""
    root = draw_images(tmp_path / "biofors", each=2, index=False)
    (root / "disc" / "only_here.png").write_bytes((root / "disc/000.png").read_bytes())
    entries = {"only_here.png": "Blot/Gel", "square/000.png": "None of the above", "square/001.png": "FACS"}
    (root / "classification.json").write_text(json.dumps(entries))
    return root


def test_a_mapping_of_names_to_labels_is_read(mapped: Path) -> None:
    folder = read_folder(mapped)
    assert folder.labels == ("Blot/Gel", "FACS", "None of the above")
    assert [(sample.path, sample.label) for sample in folder.samples] == [
        ("disc/only_here.png", "Blot/Gel"),
        ("square/000.png", "None of the above"),
        ("square/001.png", "FACS"),
    ]
    assert not folder.grouped
    assert {sample.source for sample in folder.samples} == {"biofors"}


def test_an_index_goes_before_a_mapping(mapped: Path) -> None:
    (mapped / "index.csv").write_text("path,label,group,source\ndisc/000.png,a,1,s\ndisc/001.png,b,2,s\n")
    assert read_folder(mapped).labels == ("a", "b")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('["a"]', "must map names of images to labels"),
        ('{"disc/000.png": 3}', "must map names of images to labels"),
        ('{"disc/000.png": ""}', "must map names of images to labels"),
        ('{"nowhere.png": "FACS"}', "lists nowhere.png, of which there are 0 in the folder"),
        ('{"000.png": "FACS"}', "lists 000.png, of which there are 3 in the folder"),
        ('{"../outside.png": "FACS"}', "lists ../outside.png, of which there are 0"),
    ],
)
def test_a_mapping_that_cannot_be_right_is_refused(content: str, reason: str, mapped: Path) -> None:
    (mapped.parent / "outside.png").write_bytes(b"")
    (mapped / "classification.json").write_text(content)
    with pytest.raises(ImagesInvalid, match=reason):
        read_folder(mapped)


# ---------------------------------------------------------------- groups by name


def test_a_pattern_names_the_groups_of_a_folder_without_an_index(tmp_path: Path) -> None:
    root = draw_images(tmp_path / "images", each=4, index=False)
    folder = read_folder(root, r"^([a-z]+/00)[0-9]")
    assert folder.grouped
    assert {sample.group for sample in folder.samples} == {"disc/00", "square/00", "stripes/00"}


def test_an_index_has_its_own_groups(tmp_path: Path) -> None:
    root = draw_images(tmp_path / "images", each=4)
    assert read_folder(root, r"(.)") == read_folder(root)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [("(", "is not a regular expression"), ("disc", "has no group in parentheses"), ("(disc)", "finds no group in sq")],
)
def test_a_pattern_that_finds_no_groups_is_refused(pattern: str, reason: str, tmp_path: Path) -> None:
    root = draw_images(tmp_path / "images", each=4, index=False)
    with pytest.raises(ImagesInvalid, match=reason):
        read_folder(root, pattern)

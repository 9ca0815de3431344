"""Which images are measured on, and what is said of them."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest

from services.bundle.fingerprints import Fingerprints
from services.bundle.manifest import Manifest
from tests.bundles import SHAPES, publish_tiny
from tests.training.conftest import draw_images
from training.errors import ImagesInvalid, NothingToMeasure, RecipeInvalid
from training.folders import Folder, read_folder
from training.seen import fingerprints
from training.selection import open_folder, select
from training.split import split_by_group

NOTHING = Fingerprints(np.empty(0, np.uint64), np.empty(0, np.uint64))


@pytest.fixture
def folder(images: Path) -> Folder:
    return read_folder(images)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return publish_tiny(tmp_path_factory.mktemp("models"))


# ---------------------------------------------------------------- what was seen


def test_seen_images_and_groups_are_left_out_and_counted(folder: Folder) -> None:
    split = split_by_group(folder.samples, (0.6, 0.2, 0.2), 3)
    seen = fingerprints(folder, (*split.train, *split.validation))
    chosen = select(folder, SHAPES, {1: seen}, None, None)
    assert chosen.samples == tuple(sample for sample in folder.samples if sample in split.test)
    assert chosen.notes[0] == (
        f"{60 - len(split.test)} of 60 images were left out: this bundle was trained on them or on their group."
    )
    assert chosen.title == f"{len(split.test)} images unseen in training"


def test_an_image_under_another_name_is_still_known(folder: Folder) -> None:
    seen = fingerprints(folder, folder.samples[:1])
    renamed = dataclasses.replace(
        folder, samples=tuple(dataclasses.replace(sample, group=f"other {sample.group}") for sample in folder.samples)
    )
    chosen = select(renamed, SHAPES, {1: seen}, None, None)
    assert [sample.path for sample in chosen.samples] == [sample.path for sample in folder.samples[1:]]


def test_an_unseen_image_of_a_seen_group_is_left_out(folder: Folder) -> None:
    # The images were seen before they were saved anew, so that only their group is known.
    group = Fingerprints(NOTHING.images, fingerprints(folder, folder.samples[:1]).groups)
    chosen = select(folder, SHAPES, {1: group}, None, None)
    assert len(chosen.samples) == 58
    assert folder.samples[0].group not in {sample.group for sample in chosen.samples}


def test_what_any_of_several_bundles_has_seen_is_left_out(folder: Folder) -> None:
    seen = {number: fingerprints(folder, folder.samples[2 * number : 2 * number + 2]) for number in (1, 2)}
    chosen = select(folder, SHAPES, seen, None, None)
    assert len(chosen.samples) == 56
    assert "one of these bundles was trained on them" in chosen.notes[0]


def test_without_an_unseen_image_there_is_nothing_to_measure(folder: Folder) -> None:
    with pytest.raises(NothingToMeasure, match="this bundle was trained on each of them"):
        select(folder, SHAPES, {1: fingerprints(folder, folder.samples)}, None, None)


def test_nobody_knows_what_an_imported_bundle_has_seen(folder: Folder) -> None:
    chosen = select(folder, SHAPES, {1: None, 2: fingerprints(folder, folder.samples[:2])}, None, None)
    assert chosen.notes[0] == "Nobody knows which images version 1 was fitted to."
    assert "2 of 60 images were left out" in chosen.notes[1]
    assert len(select(folder, SHAPES, {1: None}, None, None).samples) == 60


# ---------------------------------------------------------------- what a person asks for


def test_seen_images_may_be_measured_but_are_no_test(folder: Folder) -> None:
    chosen = select(folder, SHAPES, {1: fingerprints(folder, folder.samples[:2])}, None, "all")
    assert len(chosen.samples) == 60
    (note,) = chosen.notes
    assert note.startswith("2 of 60 images are included although this bundle was trained on them")
    assert note.endswith("these figures are not a test.")


def test_a_part_of_a_split_is_taken_as_it_is(folder: Folder) -> None:
    split = split_by_group(folder.samples, (0.6, 0.2, 0.2), 3)
    test, same = (select(folder, SHAPES, {1: NOTHING}, split, part) for part in (None, "test"))
    assert test == same
    assert test.samples == split.test
    assert not any("left out" in note or "not a test" in note for note in test.notes)
    seen = fingerprints(folder, (*split.train, *split.validation))
    validation = select(folder, SHAPES, {1: seen}, split, "validation")
    assert validation.samples == split.validation
    assert f"{len(split.validation)} of {len(split.validation)} images are included although" in validation.notes[0]
    assert len(select(folder, SHAPES, {1: NOTHING}, split, "all").samples) == 60


def test_a_part_needs_a_split(folder: Folder) -> None:
    with pytest.raises(ImagesInvalid, match="give the split"):
        select(folder, SHAPES, {1: NOTHING}, None, "test")


def test_few_groups_and_absent_labels_are_told(folder: Folder) -> None:
    few = dataclasses.replace(folder, samples=tuple(s for s in folder.samples if s.labels != ("disc",))[:6])
    notes = select(few, SHAPES, {1: NOTHING}, None, None).notes
    assert "no image of disc and stripes among these" in notes[0]
    assert "These images are of 3 groups, too few" in notes[1]
    assert select(folder, SHAPES, {1: NOTHING}, None, None).notes == ()


# ---------------------------------------------------------------- the folder


def test_a_folder_may_hold_some_of_the_labels(tmp_path: Path, manifest: Manifest) -> None:
    assert open_folder(draw_images(tmp_path / "some", labels=SHAPES[:2]), [manifest]).labels == SHAPES[:2]


def test_a_label_that_the_bundle_does_not_know_is_refused(tmp_path: Path, manifest: Manifest) -> None:
    with pytest.raises(ImagesInvalid, match="holds images of 'blob', which these bundles do not know"):
        open_folder(draw_images(tmp_path / "other", labels=("disc", "blob")), [manifest])


def test_several_labels_need_a_bundle_that_gives_several(images: Path, manifest: Manifest, tmp_path: Path) -> None:
    index = images / "index.csv"
    index.write_text(index.read_text().replace("disc/000.png,disc,", "disc/000.png,disc|square,"))
    with pytest.raises(ImagesInvalid, match="version 1 gives each image one"):
        open_folder(images, [manifest])
    assert open_folder(images, [publish_tiny(tmp_path / "models", activation="sigmoid")]).multilabel


def test_groups_are_told_as_training_told_them(tmp_path: Path, manifest: Manifest) -> None:
    unindexed = draw_images(tmp_path / "plain", index=False)
    recipe = manifest.origin.model_copy(update={"recipe": "[material]\ngroup_pattern = '/(.)'\n"})
    grouped = open_folder(unindexed, [manifest, manifest.model_copy(update={"origin": recipe})])
    assert {sample.group for sample in grouped.samples} == {"0"}
    assert len({sample.group for sample in open_folder(unindexed, [manifest]).samples}) == 60


def test_a_recipe_that_cannot_be_read_is_told(images: Path, manifest: Manifest) -> None:
    recipe = manifest.origin.model_copy(update={"recipe": "material = ["})
    with pytest.raises(RecipeInvalid, match="The recipe in version 1 is not TOML"):
        open_folder(images, [manifest.model_copy(update={"origin": recipe})])


def test_the_fingerprint_is_of_the_bytes(images: Path, folder: Folder) -> None:
    content = (images / folder.samples[0].path).read_bytes()
    number = int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
    seen = Fingerprints(np.array([number], np.uint64), np.empty(0, np.uint64))
    assert len(select(folder, SHAPES, {1: seen}, None, None).samples) == 59

"""What a bundle has seen: fingerprints that are kept, joined, handed on, and stop a test part that is not one."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from services.bundle.fingerprints import Fingerprints
from services.errors import ManifestInvalid
from tests.bundles import publish_tiny
from tests.training.conftest import draw_images
from training import seen
from training.errors import NotPublishable
from training.folders import Folder, Sample, read_folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return read_folder(draw_images(tmp_path / "images", each=4))


def of(folder: Folder, *paths: str) -> Fingerprints:
    return seen.fingerprints(folder, chosen(folder, *paths))


def chosen(folder: Folder, *paths: str) -> tuple[Sample, ...]:
    return tuple(sample for sample in folder.samples if sample.path in paths)


def test_fingerprints_are_sorted_and_say_no_names(folder: Folder) -> None:
    found = seen.fingerprints(folder, folder.samples)
    assert found.images.dtype == found.groups.dtype == np.uint64
    assert (len(found.images), len(found.groups)) == (12, 6)
    assert (np.diff(found.images.astype(float)) > 0).all()
    assert b"disc" not in seen.pack(found)


def test_a_group_is_known_by_its_source_and_its_name() -> None:
    def group(group: str, source: str) -> int:
        return seen.group_fingerprint(Sample("x", ("a",), group, source))

    assert group("1", "here") == seen.group_fingerprint(Sample("y", ("b",), "1", "here"))
    assert len({group("1", "here"), group("2", "here"), group("1", "there"), group("here1", "")}) == 4


def test_packing_and_joining_lose_nothing(folder: Folder) -> None:
    first, second = of(folder, "disc/000.png", "disc/001.png"), of(folder, "disc/001.png", "square/000.png")
    both = seen.unpack(seen.pack(seen.joined(first, second)))
    assert both.images.tolist() == of(folder, "disc/000.png", "disc/001.png", "square/000.png").images.tolist()
    assert both.groups.tolist() == sorted({*first.groups.tolist(), *second.groups.tolist()})


def test_a_bundle_hands_on_what_it_has_seen(tmp_path: Path) -> None:
    publish_tiny(tmp_path / "models")
    weights = tmp_path / "models/shapes/1/model.weights.h5"
    found = seen.inherited(weights)
    assert len(found.images) > 0
    assert found.images.tolist() == seen.unpack((weights.parent / "seen.npz").read_bytes()).images.tolist()
    # The same file elsewhere is not of a bundle any more.
    shutil.copy(weights, tmp_path / "alone.weights.h5")
    for none in (None, tmp_path / "alone.weights.h5", tmp_path / "nowhere.h5"):
        assert not len(seen.inherited(none).images)
        assert not len(seen.inherited(none).groups)


def test_a_bundle_that_was_changed_hands_on_nothing(tmp_path: Path) -> None:
    publish_tiny(tmp_path / "models")
    (tmp_path / "models/shapes/1/seen.npz").write_bytes(b"")
    with pytest.raises(ManifestInvalid, match=r"seen.npz"):
        seen.inherited(tmp_path / "models/shapes/1/model.weights.h5")


def test_a_test_part_of_new_groups_is_allowed(folder: Folder) -> None:
    test = chosen(folder, "disc/002.png", "square/003.png")
    seen.require_unseen(of(folder, "disc/000.png", "square/000.png"), folder, test)


def test_an_image_whose_group_was_seen_is_refused(folder: Folder) -> None:
    # 000 and 001 are of one group.
    test = chosen(folder, "disc/001.png", "square/003.png")
    with pytest.raises(NotPublishable, match=r"computed on 1 images that .* disc/001.png among"):
        seen.require_unseen(of(folder, "disc/000.png"), folder, test)


def test_the_same_image_under_another_group_is_refused(folder: Folder) -> None:
    (folder.root / "square/003.png").write_bytes((folder.root / "disc/000.png").read_bytes())
    test = chosen(folder, "square/003.png")
    with pytest.raises(NotPublishable, match=r"square/003.png among them"):
        seen.require_unseen(of(folder, "disc/000.png"), folder, test)

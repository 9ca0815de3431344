"""Studies: slices of one study are one group, and nothing tells which study it was."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from tests.bundles import draw, encode
from tests.dicoms import PATIENT, dicom
from tests.training.conftest import draw_images
from tests.training.heads import draw_heads, slice_of, uid_of
from training.errors import ImagesInvalid
from training.folders import read_folder
from training.studies import by_study, study_of


def test_slices_of_a_study_are_one_group(tmp_path: Path) -> None:
    folder = by_study(read_folder(draw_heads(tmp_path / "heads", studies=4, each=3)))
    assert folder.grouped
    groups = [sample.group for sample in folder.samples]
    assert len(set(groups)) == 4
    assert all(groups.count(group) == 3 for group in groups)
    # Which of the numbers belong together, the files' names do not say.
    numbers = {int(Path(sample.path).stem) for sample in folder.samples if sample.group == groups[0]}
    assert {number % 4 for number in numbers} == {0}


def test_a_group_s_name_tells_neither_study_nor_patient(tmp_path: Path) -> None:
    path = tmp_path / "slice.dcm"
    path.write_bytes(slice_of(7, 0, bleed=True))
    named = study_of(path)
    assert named is not None
    assert len(named) == len("study-") + 32
    assert uid_of(7) not in named
    assert PATIENT not in named
    # Some writers fill an odd length with a blank, not with a zero.
    odd = uid_of(7).encode()
    assert odd + b"\0" in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(odd + b"\0", odd + b" "))
    assert study_of(path) == named
    # The next time, and in another encoding, it is the same one.
    path.write_bytes(slice_of(7, 1, bleed=False, syntax=uid.ImplicitVRLittleEndian))
    assert study_of(path) == named
    path.write_bytes(slice_of(8, 0, bleed=True))
    assert study_of(path) not in {named, None}


def test_what_names_no_study_is_a_group_of_its_own(tmp_path: Path) -> None:
    root = draw_heads(tmp_path / "heads", studies=2, each=2)
    (root / "bleed" / "a.png").write_bytes(encode(draw(0)))
    (root / "bleed" / "b.dcm").write_bytes(dicom(np.zeros((8, 8), np.uint8)))
    (root / "bleed" / "c.dcm").write_bytes(slice_of(0, 0, bleed=True, StudyInstanceUID=""))
    folder = by_study(read_folder(root))
    assert not folder.grouped
    alone = [sample.path for sample in folder.samples if sample.group == sample.path]
    assert alone == ["bleed/a.png", "bleed/b.dcm", "bleed/c.dcm"]


def test_groups_that_somebody_named_stay(tmp_path: Path) -> None:
    indexed = read_folder(draw_images(tmp_path / "indexed"))
    assert by_study(indexed) is indexed
    patterned = read_folder(draw_heads(tmp_path / "heads"), r"/(\d\d)\d\.dcm$")
    assert by_study(patterned) is patterned


def test_a_torn_header_is_named(tmp_path: Path) -> None:
    root = draw_heads(tmp_path / "heads", studies=2)
    whole = slice_of(0, 0, bleed=True, syntax=uid.DeflatedExplicitVRLittleEndian)
    (root / "bleed" / "000.dcm").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImagesInvalid, match=r"bleed/000\.dcm: The header of the DICOM file cannot be read"):
        by_study(read_folder(root))

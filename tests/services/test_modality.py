from collections.abc import Sequence

import numpy as np
import pytest

from services.errors import WrongModality
from services.imaging import DICOM, Raster, decode
from services.modality import require_modality
from tests.dicoms import dicom
from tests.images import gradient, radiograph, saved

CHEST = (("CR", "DX", "RG"), ("CHEST", "THORAX", "LUNG"))
WANTED = "the task Brain wants the CHEST, THORAX or LUNG."
BRAIN = (("MR",), ("BRAIN", "HEAD", "SKULL"))


def film(modality: str | None, body_part: str | None) -> Raster:
    return Raster(np.zeros((4, 4), np.uint8), DICOM, 4, 4, modality, body_part)


@pytest.mark.parametrize(
    ("modality", "body_part", "task"),
    [
        ("DX", "CHEST", CHEST),
        ("CR", "THORAX", CHEST),
        ("RG", "NECKCHESTABDOMEN", CHEST),
        ("MR", "HEADNECK", BRAIN),
        ("CT", "FOOT", (("CT",), ())),
    ],
)
def test_what_a_task_is_about_passes_without_a_word(
    modality: str, body_part: str, task: tuple[Sequence[str], Sequence[str]]
) -> None:
    assert require_modality(film(modality, body_part), "A task", *task) == ()


@pytest.mark.parametrize(
    ("modality", "body_part", "task", "sentence"),
    [
        ("CT", "HEAD", BRAIN, "The file says that it is a CT of the HEAD; the task Brain wants MR."),
        ("DX", "HAND", CHEST, "The file says that it is a DX of the HAND; " + WANTED),
        ("MR", None, CHEST, "The file says that it is an MR; the task Brain wants CR, DX or RG."),
        (None, "HAND", CHEST, "The file says that it is a picture of the HAND; " + WANTED),
        ("XC", None, ((), ()), "The task Brain takes no DICOM files; save the picture as PNG or JPEG."),
        (None, None, ((), ("HEAD",)), "The task Brain takes no DICOM files; save the picture as PNG or JPEG."),
    ],
)
def test_something_else_is_refused_in_a_sentence(
    modality: str | None, body_part: str | None, task: tuple[Sequence[str], Sequence[str]], sentence: str
) -> None:
    with pytest.raises(WrongModality) as refused:
        require_modality(film(modality, body_part), "Brain", *task)
    assert str(refused.value) == sentence


def test_what_the_file_does_not_say_passes_with_a_note() -> None:
    kind, part = (
        "The file does not say what kind of image it is.",
        "The file does not say which part of the body it shows.",
    )
    assert require_modality(film(None, None), "Brain", *BRAIN) == (kind, part)
    assert require_modality(film("MR", None), "Brain", *BRAIN) == (part,)
    assert require_modality(film(None, "HEAD"), "Brain", *BRAIN) == (kind,)
    assert require_modality(film("MR", None), "Brain", ("MR",), ()) == ()


def test_a_picture_that_is_no_dicom_file_is_not_asked() -> None:
    raster = decode(saved(gradient(), "PNG"), max_pixels=10**6)
    assert require_modality(raster, "Brain", *BRAIN) == ()
    assert require_modality(raster, "Brain", (), ()) == ()


def test_a_whole_file_is_refused_for_what_its_header_says() -> None:
    hand = decode(dicom(radiograph(), Modality="DX", BodyPartExamined="LEFT HAND"), max_pixels=10**6)
    with pytest.raises(WrongModality, match="a DX of the HAND"):
        require_modality(hand, "Pneumonia", *CHEST)
    chest = decode(dicom(radiograph(), Modality="DX", BodyPartExamined="Chest PA"), max_pixels=10**6)
    assert require_modality(chest, "Pneumonia", *CHEST) == ()

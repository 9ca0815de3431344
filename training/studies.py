"""Which study a DICOM file is of, as a pseudonym, so that slices of one study stay together."""

import hashlib
import warnings
from dataclasses import replace
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from services.damage import BROKEN
from training.errors import ImagesInvalid
from training.folders import Folder

_STUDY = "StudyInstanceUID"
_LETTERS = 32


def by_study(folder: Folder) -> Folder:
    """The same folder with the slices of each DICOM study as one group.

    A folder whose groups somebody has named is left as it is. A file that is no DICOM file, or names no study, stays a
    group of its own; only if there is none of these does the folder count as grouped.

    Raises:
        ImagesInvalid: a DICOM file whose header cannot be read; the message names the file.
    """
    if folder.grouped:
        return folder
    studies = [_study(folder.root, sample.path) for sample in folder.samples]
    samples = tuple(
        sample if study is None else replace(sample, group=study)
        for sample, study in zip(folder.samples, studies, strict=True)
    )
    return replace(folder, samples=samples, grouped=None not in studies)


def study_of(path: Path) -> str | None:
    """A pseudonym of the study that a DICOM file is of: the first 16 bytes of the SHA-256 of its Study Instance UID.

    No other element is parsed, and the identifier itself is never kept. Somebody who knows it can still confirm it.

    Returns:
        The same for all files of a study; None where the file is no DICOM file or names no study.

    Raises:
        OSError, ValueError, EOFError and others of services.damage.BROKEN: the file is torn, or not there.
    """
    try:
        # What pydicom finds odd may quote the file.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = dcmread(path, stop_before_pixels=True, specific_tags=[_STUDY])
    except InvalidDicomError:
        return None
    if _STUDY not in dataset:
        return None
    # As bytes: an identifier that breaks the standard's spelling tells a study as well.
    uid = (dataset.get_item(_STUDY).value or b"").strip(b"\0 ")
    return f"study-{hashlib.sha256(uid).hexdigest()[:_LETTERS]}" if uid else None


def _study(root: Path, path: str) -> str | None:
    try:
        return study_of(root / path)
    except BROKEN as broken:
        message = f"{path}: The header of the DICOM file cannot be read."
        raise ImagesInvalid(message) from broken

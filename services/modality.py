"""Whether a DICOM file says that it shows what a task is about."""

from collections.abc import Sequence

from services.errors import WrongModality
from services.imaging import DICOM, Raster


def require_modality(
    raster: Raster, title: str, modalities: Sequence[str], body_parts: Sequence[str]
) -> tuple[str, ...]:
    """Refuse a DICOM file whose header names another kind of image or part of the body than a task wants.

    A part of the body is also the right one within a larger one: CHEST within CHESTABDOMEN.

    Args:
        raster: a decoded image; one that is no DICOM file always passes.
        title: the task's.
        modalities: the standard's terms for the images that the task takes; none means that it takes no DICOM file.
        body_parts: the standard's terms for the parts of the body that they may show; none means any.

    Returns:
        Sentences on what the header does not say, for the notes of the answer.

    Raises:
        WrongModality: the header names another kind of image or part of the body, or the task takes no DICOM file.
    """
    if raster.media_type != DICOM:
        return ()
    if not modalities:
        message = f"The task {title} takes no DICOM files; save the picture as PNG or JPEG."
        raise WrongModality(message)
    told = _with_article(" of the ".join(term for term in (raster.modality or "picture", raster.body_part) if term))
    if raster.modality is not None and raster.modality not in modalities:
        message = f"The file says that it is {told}; the task {title} wants {_either(modalities)}."
        raise WrongModality(message)
    if raster.body_part and body_parts and not any(part in raster.body_part for part in body_parts):
        message = f"The file says that it is {told}; the task {title} wants the {_either(body_parts)}."
        raise WrongModality(message)
    notes = []
    if raster.modality is None:
        notes.append("The file does not say what kind of image it is.")
    if body_parts and raster.body_part is None:
        notes.append("The file does not say which part of the body it shows.")
    return tuple(notes)


def _with_article(words: str) -> str:
    # As the letters are spoken: an MR, but a CT.
    return f"{'an' if words[0] in 'AEFHILMNORSX' else 'a'} {words}"


def _either(terms: Sequence[str]) -> str:
    return " or ".join([", ".join(terms[:-1]), terms[-1]] if len(terms) > 1 else terms)

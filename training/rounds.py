"""The rounds of a cross-validation: who is trained on what, and measured on whom, by whole groups."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.errors import ImagesInvalid
from training.folders import Folder, Sample
from training.split import Split, folds

_FEWEST_FOLDS = 3


@dataclass(frozen=True, slots=True)
class Round:
    """One training of a cross-validation.

    Attributes:
        name: of the fold, or of the source that is left out.
    """

    name: str
    split: Split


def by_fold(folder: Folder, count: int, seed: int) -> tuple[tuple[Round, ...], tuple[str, ...]]:
    """Each fold in turn is the test part, the next one chooses the checkpoint, the others are trained on.

    Args:
        folder: of the images.
        count: of the folds, at least 3.
        seed: of the deal.

    Returns:
        The rounds, and as with `by_source` a reason for each that is missing: none is.

    Raises:
        ImagesInvalid: too few folds, or a fold would lack a label.
    """
    if count < _FEWEST_FOLDS:
        message = f"{count} folds are too few: one is for the test, one for the validation, the others for training."
        raise ImagesInvalid(message)
    dealt = folds(folder.samples, count, seed)
    rounds = (
        Round(f"fold {number + 1}", _around(dealt, part, (number + 1) % count)) for number, part in enumerate(dealt)
    )
    return tuple(rounds), ()


def by_source(folder: Folder, count: int, seed: int) -> tuple[tuple[Round, ...], tuple[str, ...]]:
    """Each source in turn is the test part; of the others one fold chooses the checkpoint, the rest is trained on.

    Args:
        folder: of the images.
        count: into so many folds the other sources are dealt, at least 2.
        seed: of the deal.

    Returns:
        The rounds, and why some source is not among them.

    Raises:
        ImagesInvalid: fewer than two sources, or none that can be left out.
    """
    rounds, reasons = [], []
    names = sorted({sample.source for sample in folder.samples})
    for name in names if len(names) > 1 else ():
        test = tuple(sample for sample in folder.samples if sample.source == name)
        others = tuple(sample for sample in folder.samples if sample.source != name)
        missing = set(folder.labels) - {label for sample in others for label in sample.labels}
        if missing:
            reasons.append(f"{name} is not left out: without it there is no image of {', '.join(sorted(missing))}.")
            continue
        try:
            rounds.append(Round(name, _around(folds(others, count, seed), test, 0)))
        except ImagesInvalid as few:
            reasons.append(f"{name} is not left out: of the others, {str(few)[0].lower()}{str(few)[1:]}")
    if not rounds:
        why = " ".join(reasons) or f"{folder.root} holds the images of one source."
        message = f"No source can be left out. {why}"
        raise ImagesInvalid(message)
    return tuple(rounds), tuple(reasons)


def _around(dealt: Sequence[tuple[Sample, ...]], test: tuple[Sample, ...], validation: int) -> Split:
    others = (part for number, part in enumerate(dealt) if number != validation and part is not test)
    train = sorted((sample for part in others for sample in part), key=lambda sample: sample.path)
    return Split(tuple(train), dealt[validation], test)

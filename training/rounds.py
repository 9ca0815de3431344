"""The rounds of a cross-validation: who is trained on what, and measured on whom, by whole groups."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.errors import ImagesInvalid
from training.folders import Folder, Sample
from training.recipe import Material
from training.split import Split, folds, require_sources

_FEWEST_FOLDS = 3


@dataclass(frozen=True, slots=True)
class Round:
    """One training of a cross-validation.

    Attributes:
        name: of the fold, or of the source that is left out.
    """

    name: str
    split: Split


def by_fold(folder: Folder, count: int, seed: int, material: Material) -> tuple[tuple[Round, ...], tuple[str, ...]]:
    """Each fold in turn is the test part, the next one chooses the checkpoint, the others are trained on.

    Args:
        folder: of the images.
        count: of the folds, at least 3.
        seed: of the deal.
        material: its `training_only` is in no fold, and trained on in every round.

    Returns:
        The rounds, and as with `by_source` a reason for each that is missing: none is.

    Raises:
        ImagesInvalid: too few folds, a fold would lack a label, or there is no such source.
    """
    require_sources(material.training_only, {sample.source for sample in folder.samples}, "training_only")
    if count < _FEWEST_FOLDS:
        message = f"{count} folds are too few: one is for the test, one for the validation, the others for training."
        raise ImagesInvalid(message)
    drawn = tuple(sample for sample in folder.samples if sample.source in material.training_only)
    dealt = folds([sample for sample in folder.samples if sample.source not in material.training_only], count, seed)
    rounds = (
        Round(f"fold {number + 1}", _around((*dealt, drawn), part, (number + 1) % count))
        for number, part in enumerate(dealt)
    )
    return tuple(rounds), ()


def by_source(folder: Folder, count: int, seed: int, material: Material) -> tuple[tuple[Round, ...], tuple[str, ...]]:
    """Each source in turn is the test part; of the others one fold chooses the checkpoint, the rest is trained on.

    Args:
        folder: of the images.
        count: into so many folds the other sources are dealt, at least 2.
        seed: of the deal.
        material: its `holdouts`, where it names any, are left out in place of each source; its `training_only` never.

    Returns:
        The rounds, and why some source is not among them.

    Raises:
        ImagesInvalid: fewer than two sources, none that can be left out, or an unknown one.
    """
    require_sources(material.training_only, {sample.source for sample in folder.samples}, "training_only")
    rounds, reasons = [], []
    known = sorted({sample.source for sample in folder.samples} - set(material.training_only))
    holdouts = material.holdouts or (tuple((name,) for name in known) if len(known) > 1 else ())
    for holdout in holdouts:
        require_sources(holdout, known, "holdouts")
        name = " + ".join(holdout)
        test = tuple(sample for sample in folder.samples if sample.source in holdout)
        others = tuple(sample for sample in folder.samples if sample.source not in holdout)
        if set(holdout) == set(known):
            reasons.append(f"{name} is not left out: there is no other source to choose a checkpoint by.")
            continue
        missing = set(folder.labels) - {label for sample in others for label in sample.labels}
        if missing:
            reasons.append(f"{name} is not left out: without it there is no image of {', '.join(sorted(missing))}.")
            continue
        try:
            rounds.append(Round(name, _around(_dealt(others, count, seed, material), test, 0)))
        except ImagesInvalid as few:
            reasons.append(f"{name} is not left out: of the others, {str(few)[0].lower()}{str(few)[1:]}")
    if not rounds:
        why = " ".join(reasons) or f"{folder.root} holds the images of one source."
        message = f"No source can be left out. {why}"
        raise ImagesInvalid(message)
    return tuple(rounds), tuple(reasons)


def _dealt(samples: Sequence[Sample], count: int, seed: int, material: Material) -> tuple[tuple[Sample, ...], ...]:
    """Folds of what may be measured on; what may not is with the last one, which is never the validation part."""
    drawn = tuple(sample for sample in samples if sample.source in material.training_only)
    dealt = folds([sample for sample in samples if sample.source not in material.training_only], count, seed)
    return (*dealt[:-1], dealt[-1] + drawn)


def _around(dealt: Sequence[tuple[Sample, ...]], test: tuple[Sample, ...], validation: int) -> Split:
    others = (part for number, part in enumerate(dealt) if number != validation and part is not test)
    train = sorted((sample for part in others for sample in part), key=lambda sample: sample.path)
    return Split(tuple(train), dealt[validation], test)

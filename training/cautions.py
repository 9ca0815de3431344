"""What a person should know about a folder of images before training on it, in plain sentences."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from training.inspection import Border, Cluster, Inspection

# Above this ratio of the largest to the smallest class a network that never names the small one looks good.
_IMBALANCE = 3
# Fewer say little about a class: with 30 test images, 90 % may as well be 74 % or 97 % (Wilson, 95 %).
_FEW_IMAGES, _FEW_GROUPS = 30, 10
# Half of the 224 pixels that most pretrained networks look at.
_SMALL = 112
# A clue that goes half the way from guessing to knowing.
_TELLING = 0.5
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Caution:
    """One thing to know.

    Attributes:
        about: one word for programs.
        sentence: for people.
    """

    about: str
    sentence: str


def cautions(found: Inspection) -> tuple[Caution, ...]:
    """What is wrong or risky, worst first: figures that would be too good, then labels, then what is missing.

    Args:
        found: in the folder.
    """
    return tuple(Caution(about, sentence) for about, warn in _CAUTIONS.items() for sentence in warn(found))


# ---------------------------------------------------------------- copies


def _leakage(found: Inspection) -> Iterator[str]:
    crossing = _crossing(found, "parts")
    if crossing:
        yield (
            f"{_images(crossing)} have copies in another part of the split, as {_example(crossing, 'parts')}. What is "
            "learnt from one is measured on the other, so the figures would be too good: give copies one group."
        )


def _conflicts(found: Inspection) -> Iterator[str]:
    crossing = _crossing(found, "labels")
    if crossing:
        yield (
            f"{_images(crossing)} have copies with another label, as {_example(crossing, 'labels')}. Look at them: a "
            "label may be wrong, or what tells them apart is small."
        )


def _torn_groups(found: Inspection) -> Iterator[str]:
    crossing = _crossing(found, "group")
    if crossing and found.folder.grouped:
        yield (
            f"{_images(crossing)} have copies in another group, as {_example(crossing, 'group')}. A split by group "
            "may part them: give copies one group."
        )


def _ungrouped(found: Inspection) -> Iterator[str]:
    if found.folder.grouped:
        return
    missing = "Nobody said which images belong together, so each is split off alone"
    remedy = "Name the patient, object or scene of each image in an index.csv, or with --group-pattern."
    crossing = _crossing(found, "group")
    risk = (
        f"{_images(crossing)} have copies that a split may part" if crossing else "two views of one thing may be parted"
    )
    yield f"{missing}: {risk}. {remedy}"


def _repeated(found: Inspection) -> Iterator[str]:
    further = sum(len(cluster.samples) - 1 for cluster in found.copies)
    total = len(found.looks)
    if further:
        yield f"Of {total} images, {total - further} are different pictures; the others are copies."


def _crossing(found: Inspection, border: Border) -> list[Cluster]:
    return [cluster for cluster in found.copies if cluster.crosses(border)]


def _images(crossing: Sequence[Cluster]) -> str:
    return _count(sum(len(cluster.samples) for cluster in crossing), "image")


def _example(crossing: Sequence[Cluster], border: Border) -> str:
    first, second = crossing[0].across(border)
    return f"{first.path} and {second.path}"


# ---------------------------------------------------------------- shortcuts


def _shortcuts(found: Inspection) -> Iterator[str]:
    guessing = 1 / len({look.sample.label for look in found.looks})
    for clue, told in sorted(found.shortcuts.items(), key=lambda item: -item[1]):
        if guessing < 1 and told >= guessing + _TELLING * (1 - guessing):
            yield (
                f"The {clue} of an image alone tells its class with a balanced accuracy of {told:.2f}, where guessing "
                f"has {guessing:.2f}: a network may learn that instead. {_REMEDIES.get(clue, _SAME_FOR_ALL)}"
            )


_SAME_FOR_ALL = "Prepare all classes alike, or let the augmentation vary it."
_REMEDIES = {"source": "Measure with one source left out, and look for sources that hold several classes."}


# ---------------------------------------------------------------- too little


def _refused(found: Inspection) -> Iterator[str]:
    if found.refused:
        first = found.refused[0]
        yield (
            f"{_count(len(found.refused), 'file')} cannot be used, and training would stop there, as "
            f"{first.sample.path}: {first.reason}"
        )


def _tiny(found: Inspection) -> Iterator[str]:
    few = [f"{item.label} ({item.images})" for item in found.classes if item.images < _FEW_IMAGES]
    if few:
        yield f"Fewer than {_FEW_IMAGES} images say little about a class: {_named(few)}."
    few = [f"{item.label} ({item.groups})" for item in found.classes if item.groups < _FEW_GROUPS <= item.images]
    if few:
        yield f"Fewer than {_FEW_GROUPS} groups say little about a class, however many images they hold: {_named(few)}."


def _imbalance(found: Inspection) -> Iterator[str]:
    order = sorted(found.classes, key=lambda item: item.images)
    small, large = order[0], order[-1]
    if large.images > _IMBALANCE * small.images:
        yield (
            f"{large.label} has {large.images / small.images:.1f} times as many images as {small.label} "
            f"({large.images} and {small.images}): weigh or sample the classes, and read balanced accuracy."
        )


def _small(found: Inspection) -> Iterator[str]:
    small = [look for look in found.looks if max(look.width, look.height) < _SMALL]
    if small:
        least = min(small, key=lambda look: max(look.width, look.height))
        yield (
            f"Most pretrained networks look at 224 pixels, and both sides of {_count(len(small), 'image')} have fewer "
            f"than {_SMALL}, as {least.sample.path} ({least.width} x {least.height})."
        )


def _flat(found: Inspection) -> Iterator[str]:
    if found.flat:
        labels = Counter(sample.label for sample in found.flat)
        yield (
            f"All but one shade: {_count(len(found.flat), 'image')}, as {found.flat[0].path}; of the classes "
            f"{_named([f'{label} ({count})' for label, count in labels.most_common()])}."
        )


def _named(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_CAUTIONS: Mapping[str, Callable[[Inspection], Iterator[str]]] = {
    "leakage": _leakage,
    "conflicting labels": _conflicts,
    "torn groups": _torn_groups,
    "no groups": _ungrouped,
    "shortcut": _shortcuts,
    "refused files": _refused,
    "tiny classes": _tiny,
    "imbalance": _imbalance,
    "small images": _small,
    "flat images": _flat,
    "copies": _repeated,
}

"""Hints: words that a user reads off a thing, and how far they may move what the image alone says."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.bundle.task import LabelText

Floats = NDArray[np.float64]
Effect = Literal["agreed", "weighed", "contradicted", "implausible", "unknown", "ambiguous"]

MOST_HINT = 100
"""The most characters of a hint that are worth reading."""

# Shorter beginnings and shorter words stand for too many things.
_FEWEST_OF_BEGINNING = 4
_FEWEST_OF_SLIP = 5


@dataclass(frozen=True, slots=True)
class Rule:
    """How much a hint counts; training.hinting measures it.

    Attributes:
        ratio: by how much the odds of the label named are multiplied: the likelihood ratio of a hint that is right
            nine times in ten, if every wrong one fell on just this label.
        confident: an image that gives another label at least this probability alone is not overridden. Spoilt
            validation images as sure as that were right more often than such a hint.
        plausible: a label that the image gives less than this probability is not raised. Of the floors that cost a
            right hint nothing on spoilt validation images the highest was taken, because it stops some wrong ones.
    """

    ratio: float = 9.0
    confident: float = 0.9
    plausible: float = 0.05


RULE = Rule()


@dataclass(frozen=True, slots=True)
class Hinted:
    """An image's probabilities after a hint.

    Attributes:
        probabilities: float64 [labels], which sum to one; those of the image where the hint did not count.
        effect: "agreed" where the image's first label was named and "weighed" where another was, and its odds raised;
            else why nothing changed: the image is confident of another label, gives this one next to nothing, or the
            hint names no label or several.
        note: the same as a sentence for the person who gave the hint; it does not repeat the hint.
    """

    probabilities: Floats
    effect: Effect
    note: str


def hintable(entries: Iterable[LabelText]) -> bool:
    """Whether a task takes hints: somebody wrote down what stands on its things."""
    return any(entry.hints for entry in entries)


def take_hint(hint: str, entries: Sequence[LabelText], labels: Sequence[str], chances: Floats) -> Hinted:
    """Weigh what a user reads off a thing against what the image says.

    Args:
        hint: of at most MOST_HINT characters.
        entries: the labels of the task.
        labels: in the order of the probabilities; entries hold them all.
        chances: float64 [labels], calibrated, of labels that exclude each other.
    """
    titles = {entry.label: entry.title for entry in entries}
    found = matches(hint, entries)
    if len(found) != 1:
        effect: Effect = "ambiguous" if found else "unknown"
        names = "several labels" if found else "none of the labels"
        return Hinted(chances, effect, f"The hint names {names}, so it was not counted.")
    weighed, effect = rerank(chances, labels.index(found[0]))
    alone, first = (titles[labels[int(values.argmax())]] for values in (chances, weighed))
    return Hinted(weighed, effect, _note(effect, titles[found[0]], alone, first))


def _note(effect: Effect, named: str, alone: str, first: str) -> str:
    if effect == "agreed":
        return f"The hint and the image agree on {named}; the probabilities count both."
    if effect == "contradicted":
        return f"The hint names {named}, but the image alone is confident of {alone}: the hint was not counted."
    if effect == "implausible":
        return f"The hint names {named}, which the image makes implausible: the hint was not counted."
    if first == named:
        return f"The image alone puts {alone} first; with the hint it is {named}. The probabilities count both."
    return f"The hint names {named}; with it the image still puts {first} first. The probabilities count both."


# ---------------------------------------------------------------- the rule


def rerank(chances: Floats, named: int, rule: Rule = RULE) -> tuple[Floats, Effect]:
    """Bayes' theorem with a fixed likelihood ratio, where the image leaves room for it.

    The odds of the named label are multiplied by the ratio and all probabilities brought back to a sum of one, unless
    the image is confident of another label or the named one is implausible.

    Args:
        chances: float64 [labels], of labels that exclude each other.
        named: position of the label that the hint names.
        rule: how much a hint counts.
    """
    first = int(chances.argmax())
    if named != first and chances[first] >= rule.confident:
        return chances, "contradicted"
    if named != first and chances[named] < rule.plausible:
        return chances, "implausible"
    weighed = chances.copy()
    weighed[named] *= rule.ratio
    return weighed / weighed.sum(), "agreed" if named == first else "weighed"


# ---------------------------------------------------------------- what a hint names


def matches(hint: str, entries: Iterable[LabelText]) -> tuple[str, ...]:
    """The labels that a hint names, in the order of the task.

    Case, accents, punctuation and spaces make no difference. A label is named if one of its hints stands among the
    words of this one; where none does, by a single slip in a name of at least five letters and no digit (a letter
    wrong, missing or added, or two swapped), or by a beginning of at least four characters, if that is the whole hint.
    """
    words = _words(hint)
    # Neighbouring words as one: people disagree about where a name's spaces and hyphens are.
    runs = {"".join(words[start:end]) for end in range(len(words) + 1) for start in range(end)}
    known = {entry.label: ["".join(_words(text)) for text in entry.hints] for entry in entries}
    exact = tuple(label for label, names in known.items() if not runs.isdisjoint(names))
    if exact:
        return exact
    whole = "".join(words)
    return tuple(
        label for label, names in known.items() if any(_begins(name, whole) or _nearly(name, runs) for name in names)
    )


def _words(text: str) -> list[str]:
    plain = "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))
    # Some characters come apart into many.
    return re.findall(r"[^\W\d_]+|\d+", plain.casefold()[:MOST_HINT])


def _begins(name: str, whole: str) -> bool:
    return len(whole) >= _FEWEST_OF_BEGINNING and name.startswith(whole)


def _nearly(name: str, runs: Collection[str]) -> bool:
    # Another digit is another strength or imprint.
    return len(name) >= _FEWEST_OF_SLIP and name.isalpha() and any(_one_slip(name, run) for run in runs)


def _one_slip(meant: str, written: str) -> bool:
    """Whether one letter is wrong, missing or added, or two neighbours are swapped (Damerau 1964)."""
    if abs(len(meant) - len(written)) > 1:
        return False
    differ = (place for place, pair in enumerate(zip(meant, written, strict=False)) if pair[0] != pair[1])
    place = next(differ, min(len(meant), len(written)))
    left, right = meant[place:], written[place:]
    swapped = left[:2] == right[1::-1] and left[2:] == right[2:]
    return swapped or left[1:] == right[1:] or left[1:] == right or left == right[1:]

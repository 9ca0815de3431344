"""Shortcuts: what tells the class of an image without a look at it, so that a network may learn that instead."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence


def told_by(clue: Sequence[Hashable], classes: Sequence[str], groups: Sequence[str]) -> float:
    """How often the class is guessed rightly from one clue alone ("shortcut learning", Geirhos et al. 2020).

    The guess is the class that is commonest, for its size, among the images of other groups with the same clue. Where
    there are none, or several classes are as common, it is drawn by lot.

    Args:
        clue: of each image: its source, its size.
        classes: of each image.
        groups: of each image.

    Returns:
        Balanced accuracy: the mean over classes of the share of their images that are guessed rightly. It is one over
        the number of classes for a clue that tells nothing, and one for a clue that tells all.
    """
    images = Counter(zip(clue, classes, groups, strict=True))
    alike, own = defaultdict[Hashable, Counter[str]](Counter), defaultdict[Hashable, Counter[str]](Counter)
    totals, group_totals = Counter(classes), defaultdict[str, Counter[str]](Counter)
    for (value, label, group), count in images.items():
        alike[value][label] += count
        own[value, group][label] += count
        group_totals[group][label] += count
    right = dict.fromkeys(totals, 0.0)
    for (value, label, group), count in images.items():
        shares = {
            name: (number - own[value, group][name]) / ((totals[name] - group_totals[group][name]) or 1)
            for name, number in alike[value].items()
        }
        best = max(shares.values())
        guesses = [name for name, share in shares.items() if share == best] if best else list(totals)
        right[label] += count * (label in guesses) / len(guesses)
    return sum(right[label] / total for label, total in totals.items()) / len(totals)

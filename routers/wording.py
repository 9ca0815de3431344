"""Figures, dates and reasons put into words: the filters of the page templates."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from services.bundle.decision import PointName
from services.bundle.evaluation import Estimate
from services.prediction import OutcomeName

_NONE = "\N{EN DASH}"
_METRICS = {
    "macro_precision": "Precision, mean over labels",
    "macro_recall": "Recall (sensitivity), mean over labels",
    "macro_specificity": "Specificity, mean over labels",
    "macro_f1": "F1, mean over labels",
    "weighted_f1": "F1, labels weighted by their images",
    "macro_roc_auc": "ROC AUC, each label against the rest, mean",
    "macro_average_precision": "Average precision, mean over labels",
    "expected_calibration_error": "Calibration error (ECE)",
    "ece_uncalibrated": "Calibration error before calibration",
}
# Figures that count images; the others are no share of anything that one could point at.
_SHARES = {"accuracy", "balanced_accuracy", "precision", "recall", "specificity"}
_OUTCOMES: Mapping[OutcomeName, str] = {
    "finding": "Finding",
    "uncertain": "Uncertain",
    "not_applicable": "Not this kind of image",
}
_POINTS: Mapping[PointName, tuple[str, str]] = {
    "rule_out": ("Rule-out", "Misses few of those who have it, so that a negative answer can be relied on most."),
    "balanced": ("Balanced", "Lies between the two, where both mistakes are about as rare."),
    "rule_in": ("Rule-in", "Raises few false alarms, so that a positive answer can be relied on most."),
}


def probability(value: float) -> str:
    """A calibrated probability; nothing short of certainty may look certain."""
    if value < 0.001:  # noqa: PLR2004 - one in the last decimal shown
        return "<0.1 %"
    if value > 0.999:  # noqa: PLR2004
        return ">99.9 %"
    return f"{value:.1%}".replace("%", " %")


def share(value: float | None) -> str:
    """A measured share of images; all and none are what they are."""
    if value is None:
        return _NONE
    if value in {0, 1}:
        return f"{value:.0%}".replace("%", " %")
    return probability(value)


def in_words(value: float, answers: str = "such answers") -> str:
    """What a calibrated probability means, counted in answers."""
    right = round(value * 100)
    counted = f"of 100 {answers} on images like those it was tested on"
    if right > 99:  # noqa: PLR2004 - of a hundred
        return f"O{counted[1:]}, more than 99 are right."
    if right < 1:
        return f"O{counted[1:]}, fewer than 1 is right."
    if value < 0.5:  # noqa: PLR2004 - an even chance
        return f"More likely wrong than right: {counted}, about {right} {'is' if right == 1 else 'are'} right."
    return f"O{counted[1:]}, about {right} are right."


def figure(estimate: Estimate | None, name: str) -> str:
    """A figure in its own kind of number."""
    return _NONE if estimate is None else _measured(name, estimate.value)


def interval(estimate: Estimate, name: str) -> str:
    """The 95 % interval of a figure."""
    return f"{_measured(name, estimate.low)} to {_measured(name, estimate.high)}"


def figure_title(name: str) -> str:
    """A figure's name as people read it."""
    return _METRICS.get(name, name.replace("_", " ").capitalize())


def decimals(value: float | None, places: int = 4) -> str:
    """A number with so many decimals."""
    return _NONE if value is None else f"{value:.{places}f}"


def count(value: int) -> str:
    """A whole number, its thousands set off."""
    return f"{value:,}"


def moment(value: datetime) -> str:
    """A date and time in UTC."""
    return f"{value.astimezone(UTC):%d %B %Y, %H:%M} UTC".lstrip("0")


def duration(seconds: float) -> str:
    """A span of time in its natural unit."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def size(value: int) -> str:
    """Bytes in MiB, or in KiB below one."""
    return f"{round(value / 2**20, 1):g} MiB" if value >= 2**20 else f"{round(value / 2**10, 1):g} KiB"


def megapixels(value: int) -> str:
    """A number of pixels in words."""
    return f"{round(value / 1e6, 1):g} million pixels"


def short(digest: str) -> str:
    """The first digits of a digest, enough to tell two bundles apart."""
    kind, _, digits = digest.rpartition(":")
    return f"{kind}:{digits[:12]}" if kind else digits[:12]


def sentence(text: str) -> str:
    """A reason as a sentence of its own; a file's name at its head stays as it is."""
    head = text.partition(" ")[0]
    begun = text[:1].upper() + text[1:] if head.isalpha() else text
    return begun if begun.endswith((".", "!", "?")) else f"{begun}."


def outcome(value: OutcomeName) -> str:
    """An outcome as a heading."""
    return _OUTCOMES[value]


def point_title(name: PointName) -> str:
    """An operating point as people call it."""
    return _POINTS[name][0]


def point_purpose(name: PointName) -> str:
    """What an operating point is for."""
    return _POINTS[name][1]


def in_people(value: float, title: str, still: str = "") -> str:
    """What a predictive value means, counted in people.

    Args:
        value: share of those with an answer who have the finding.
        title: of the finding.
        still: how the sentence ends.
    """
    people = round(value * 100)
    some = "fewer than 1" if people < 1 else f"about {people}"
    some = "more than 99" if people > 99 else some  # noqa: PLR2004 - of a hundred
    return f"Of 100 people with this answer, {some} {'has' if people <= 1 else 'have'} {_quoted(title)}{still}."


def _quoted(text: str) -> str:
    return f"\N{LEFT DOUBLE QUOTATION MARK}{text}\N{RIGHT DOUBLE QUOTATION MARK}"


def skill(value: float | None) -> str:
    """What lies between a floor and all, in percent; less than none where the floor is not reached."""
    return _NONE if value is None else f"{100 * value:.1f} %".replace("-", "\N{MINUS SIGN}")


def change(value: float) -> str:
    """A difference of two shares, in points of a hundred."""
    points = round(100 * value, 1)
    return f"{points:+.1f}".replace("-", "\N{MINUS SIGN}") if points else "0.0"


def day(value: date) -> str:
    """A date."""
    return f"{value:%d %B %Y}".lstrip("0")


def width(value: float) -> str:
    """The length of a bar, for an SVG attribute."""
    return f"{value:.2%}"


def listed(names: Sequence[str], joint: str = "or") -> str:
    """Names joined as a sentence joins them."""
    return f" {joint} ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def _measured(name: str, value: float) -> str:
    return share(value) if name.removeprefix("macro_") in _SHARES else decimals(value)


FILTERS: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(probability, share, in_words, width, outcome, point_title, point_purpose),
        *(interval, figure, figure_title, decimals, count),
        *(change, skill, day, moment, duration, size, megapixels, short, sentence, listed),
    )
}
"""Every filter of the page templates, by its name."""

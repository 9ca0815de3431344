"""Probabilities to an outcome: a finding, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.bundle.calibration import PRESENT, prediction_set
from services.bundle.decision import OperatingPoint, PointName
from services.bundle.manifest import Manifest
from services.errors import MalformedRequest

_NONE_PRESENT = "No label reached a probability of one half."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is concluded of one image.

    Attributes:
        label: of the finding; None leaves the image uncertain.
        labels: that may be the truth, highest first; None where the bundle has no means to tell.
        points: the operating points that decided.
        reason: why there is no finding.
    """

    label: str | None
    labels: tuple[str, ...] | None
    points: tuple[OperatingPoint, ...] = ()
    reason: str | None = None


def conclude(
    chances: NDArray[np.float64], manifest: Manifest, titles: Mapping[str, str], point: PointName | None = None
) -> Outcome:
    """Conclude from calibrated probabilities.

    Args:
        chances: float64 [labels], in the manifest's order.
        manifest: of the bundle.
        titles: of the labels, for the reason.
        point: the operating point to decide at; None uses the outer two.

    Raises:
        MalformedRequest: an operating point is asked for, and the bundle has none.
    """
    ranked = tuple(manifest.labels[number] for number in np.argsort(-chances, kind="stable"))
    if manifest.operating_points:
        return _at_points(dict(zip(manifest.labels, chances.tolist(), strict=True)), ranked, manifest, titles, point)
    if point is not None:
        message = "This model has no operating points: its task has no positive finding, or none were measured."
        raise MalformedRequest(message)
    if manifest.calibration.activation == "sigmoid":
        present = _chosen(ranked, manifest, chances >= PRESENT)
        return Outcome(present[0], present) if present else Outcome(None, present, reason=_NONE_PRESENT)
    if manifest.prediction_sets is None:
        return Outcome(ranked[0], None)
    likely = _chosen(ranked, manifest, prediction_set(chances, manifest.prediction_sets.threshold))
    if len(likely) == 1:
        return Outcome(likely[0], likely)
    named = ", ".join(titles[label] for label in likely)
    return Outcome(None, likely, reason=f"The image leaves more than one label open: {named}.")


def _chosen(ranked: tuple[str, ...], manifest: Manifest, chosen: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(label for label in ranked if chosen[manifest.labels.index(label)])


def _at_points(
    chances: Mapping[str, float],
    ranked: tuple[str, ...],
    manifest: Manifest,
    titles: Mapping[str, str],
    point: PointName | None,
) -> Outcome:
    points = manifest.operating_points
    positive = points[0].label
    negative = next(label for label in manifest.labels if label != positive)
    chance = chances[positive]
    if point is not None:
        asked = next(entry for entry in points if entry.name == point)
        label = positive if chance >= asked.threshold else negative
        return Outcome(label, (label,), (asked,))
    low, high = points[0], points[-1]
    if chance >= high.threshold:
        return Outcome(positive, (positive,), (low, high))
    if chance < low.threshold:
        return Outcome(negative, (negative,), (low, high))
    reason = (
        f"The probability of {titles[positive]} lies between the rule-out threshold of {low.threshold:.2g} and the "
        f"rule-in threshold of {high.threshold:.2g}."
    )
    return Outcome(None, ranked, (low, high), reason)

"""Evaluation: what was measured on the test part, once, after everything was chosen on validation."""

from typing import Annotated

from pydantic import Field

from services.bundle.fields import Count, Frozen, Label, Number, Sentence


class Estimate(Frozen):
    """A measured figure with its 95 % interval, bootstrapped over groups."""

    value: Number
    low: Number
    high: Number


class Metric(Estimate):
    """An overall figure."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]


class LabelMetrics(Frozen):
    """How one label fared against the rest; null where it was never predicted or never present.

    Attributes:
        support: test images that have the label.
        precision: share of the label's predictions that were right; the positive predictive value in the test part.
        recall: share of the label's images that were found; the sensitivity.
        specificity: share of the other images that were not taken for it.
    """

    label: Label
    support: Count
    precision: Estimate | None
    recall: Estimate | None
    specificity: Estimate | None
    f1: Estimate | None
    roc_auc: Estimate | None
    average_precision: Estimate | None


class SourceMetrics(Frozen):
    """How one source of images fared.

    Attributes:
        balanced_accuracy: mean recall over the labels that the source holds; null where it holds only one.
    """

    source: Sentence
    images: Count
    groups: Count
    accuracy: Estimate
    balanced_accuracy: Estimate | None


class Evaluation(Frozen):
    """Every figure of the test part.

    Attributes:
        metrics: overall figures; always holds "accuracy", which for several labels per image counts an image as right
            if each of its labels is.
        confusion: counts, row = truth, column = prediction, both in the order of the labels; null where an image may
            have several labels.
    """

    metrics: tuple[Metric, ...]
    per_label: tuple[LabelMetrics, ...]
    per_source: tuple[SourceMetrics, ...]
    confusion: tuple[tuple[Count, ...], ...] | None

    def metric(self, name: str) -> Metric | None:
        """The overall figure of this name."""
        return next((metric for metric in self.metrics if metric.name == name), None)

"""Evaluation: what was measured on the test part, once, after everything was chosen on validation."""

from typing import Annotated

from pydantic import Field

from services.bundle.fields import Count, Frozen, Label, Number, Sentence, Share


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
        roc_auc: one label against the rest, mean over the labels that the source holds; null likewise.
    """

    source: Sentence
    images: Count
    groups: Count
    accuracy: Estimate
    balanced_accuracy: Estimate | None
    roc_auc: Estimate | None


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


class HeldOut(Frozen):
    """What a network of the same recipe makes of sources that it never saw: trained on all others, measured on these.

    Attributes:
        sources: that were left out together.
        images: of them, all measured on.
    """

    sources: Annotated[tuple[Sentence, ...], Field(min_length=1)]
    images: Count
    groups: Count
    metrics: tuple[Metric, ...]
    per_label: tuple[LabelMetrics, ...]

    def metric(self, name: str) -> Metric | None:
        """The overall figure of this name."""
        return next((metric for metric in self.metrics if metric.name == name), None)


class Floor(Frozen):
    """What a logistic regression on hardly any picture scores.

    Attributes:
        macro_roc_auc: null where the images give no area.
    """

    balanced_accuracy: Estimate
    macro_roc_auc: Estimate | None


class Floors(Frozen):
    """What it scores on thumbnails of 24 x 24 pixels, and on the outermost 3 pixels of these alone."""

    thumbnail: Floor
    border: Floor


class Withheld(Frozen):
    """How a detector fares on a kind of image of which it was shown none.

    Attributes:
        auroc: area under the ROC curve between the bundle's test images and these, by their scores.
        refused: share of these above its threshold.
    """

    auroc: Share
    refused: Share


class Foreign(Frozen):
    """How the detector of foreign images fared on one kind of them.

    Attributes:
        kind: of image, for people.
        near: whether they are so like the model's own that many are expected to get through.
        auroc: area under the ROC curve between the bundle's test images and these, by their scores.
        refused: share of these above the threshold.
        withheld: what another detector makes of them, to which all kinds were shown but this one; None where the
            bundle's own was not shown it either.
    """

    kind: Sentence
    near: bool
    images: Count
    auroc: Share
    refused: Share
    withheld: Withheld | None


class HintEffect(Frozen):
    """What hints did to the answers of validation images, as they are or spoilt in one way.

    Attributes:
        title: what was done to each image, for people.
        alone: accuracy without hints.
        right: each image with a hint that names what it shows.
        wrong: each with a hint that names another label, the mean over all others.
        misleading: each with a hint that names the likeliest wrong label: no hint does more harm.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    title: Sentence
    images: Count
    alone: Estimate
    right: Estimate
    wrong: Estimate
    misleading: Estimate


class Variant(Frozen):
    """How the test images fared in another shape: as other files, sizes, framings and exposures.

    Attributes:
        title: what was done to each image, for people.
        accuracy: of the images in this shape.
        change: accuracy in this shape less that of the images as they are, in points of 0..1.
        unchanged: share of the images whose answer stayed the same: the first label or, where an image may have
            several, all of them.
        largest_shift: the most that any probability changed.
        refused: share of the images that the detector of foreign images refuses; null where there is none.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    title: Sentence
    images: Count
    accuracy: Estimate
    change: Number
    unchanged: Share
    largest_shift: Share
    refused: Share | None

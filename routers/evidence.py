"""The JSON shapes of what was measured of a model; every field has the name that it has in manifest.json."""

from collections.abc import Iterable
from typing import Literal, Self

from pydantic import Field

from routers.shape import Shape
from services.bundle.decision import PointName
from services.bundle.evaluation import HeldOut, Metric
from services.bundle.manifest import Import, Manifest, Training


class MetricShape(Shape):
    """A measured figure with its 95 % interval."""

    value: float
    low: float
    high: float


class LabelMetricsShape(Shape):
    """How one label fared on the test part; null where nothing could be measured."""

    label: str
    support: int = Field(description="Test images that have the label.")
    precision: MetricShape | None
    recall: MetricShape | None = Field(description="The sensitivity.")
    specificity: MetricShape | None
    f1: MetricShape | None
    roc_auc: MetricShape | None
    average_precision: MetricShape | None


class SourceMetricsShape(Shape):
    """How one source of images fared on the test part."""

    source: str
    images: int
    groups: int
    accuracy: MetricShape
    balanced_accuracy: MetricShape | None = Field(description="Null where the source holds one label only.")
    roc_auc: MetricShape | None = Field(description="Null likewise.")


class HeldOutShape(Shape):
    """What a network of the same recipe makes of sources that it never saw: fitted to all others, measured on these."""

    sources: list[str] = Field(description="Left out together.")
    images: int
    groups: int
    metrics: dict[str, MetricShape]

    @classmethod
    def of(cls, held_out: HeldOut) -> Self:
        """Take it from a manifest."""
        return cls(
            sources=list(held_out.sources),
            images=held_out.images,
            groups=held_out.groups,
            metrics=metric_shapes(held_out.metrics),
        )


class FloorShape(Shape):
    """What a logistic regression on hardly any picture scores."""

    balanced_accuracy: MetricShape
    macro_roc_auc: MetricShape | None


class FloorsShape(Shape):
    """What pictures give away that show hardly anything; a figure is worth what it has above these."""

    thumbnail: FloorShape = Field(description="Of 24 x 24 pixels.")
    border: FloorShape = Field(description="The outermost 3 pixels of that thumbnail alone.")


class OperatingPointShape(Shape):
    """A threshold on the probability of the positive label, chosen on validation and measured on test."""

    name: PointName
    label: str = Field(description="The positive one.")
    threshold: float = Field(description="From this probability on the answer is positive.")
    policy: str = Field(description="How the threshold was chosen.")
    sensitivity: MetricShape
    specificity: MetricShape


class PredictionSetsShape(Shape):
    """Sets of labels that hold the truth as often as promised (split conformal prediction)."""

    promised: float = Field(description="Share of images like those of validation whose set holds the truth.")
    threshold: float = Field(description="Labels of at least this probability are in the set; the likeliest always is.")
    coverage: MetricShape = Field(description="Share of the test images whose set holds the truth.")
    mean_size: float = Field(description="Labels per set, over the test images.")
    single: MetricShape = Field(description="Share of the test images whose set is one label.")


class WithheldShape(Shape):
    """How a detector fares on a kind of image of which it was shown none."""

    auroc: float = Field(description="Area under the ROC curve between the test images and these.")
    refused: float = Field(description="Share of these that it would have refused.")


class ForeignShape(Shape):
    """How the detector of foreign images fared on one kind of them."""

    kind: str
    near: bool = Field(description="Whether they are so like the model's own images that many are expected to pass.")
    images: int
    auroc: float = Field(description="Area under the ROC curve between the test images and these.")
    refused: float = Field(description="Share of these that were refused.")
    withheld: WithheldShape | None = Field(
        description="The same had the detector been shown all other kinds but this one; null where it was shown none."
    )


class NoveltyShape(Shape):
    """The detector of images that are not like those of training."""

    threshold: float = Field(description="A score above it is foreign, and the outcome is not_applicable.")
    promised: float = Field(description="Share of the validation images that pass.")
    passed: float = Field(description="Share of the test images that pass.")
    foreign: list[ForeignShape]


class VariantShape(Shape):
    """How the test images fared in another shape: as other files, sizes, framings and exposures."""

    name: str
    title: str = Field(description="What was done to each image.")
    images: int
    accuracy: MetricShape
    change: float = Field(description="Accuracy in this shape less that of the images as they are.")
    unchanged: float = Field(description="Share of the images whose first label stayed the same.")
    largest_shift: float = Field(description="The most that any probability changed.")
    refused: float | None = Field(description="Share refused as foreign; null where there is no detector.")


class HintEffectShape(Shape):
    """What hints did to the answers of validation images, as they are or spoilt in one way."""

    name: str
    title: str = Field(description="What was done to each image.")
    images: int
    alone: MetricShape = Field(description="Accuracy without hints.")
    right: MetricShape = Field(description="With a hint that names what the image shows.")
    wrong: MetricShape = Field(description="With a hint that names another label, the mean over all others.")
    misleading: MetricShape = Field(description="With a hint that names the likeliest wrong label.")


class OriginShape(Shape):
    """Where a model's weights come from."""

    kind: Literal["training", "import"] = Field(
        description="import: the weights were fitted elsewhere, nobody knows to which images, and the test images may "
        "have been among them."
    )
    data: str
    data_licence: str
    test_images: int
    test_groups: int
    file: str | None = Field(description="The file that imported weights came in.")
    file_sha256: str | None

    @classmethod
    def of(cls, origin: Training | Import) -> Self:
        """Take it from a manifest."""
        imported = origin if isinstance(origin, Import) else None
        return cls(
            kind=origin.kind,
            data=origin.data,
            data_licence=origin.data_licence,
            test_images=origin.test.images,
            test_groups=origin.test.groups,
            file=imported.file if imported else None,
            file_sha256=imported.file_sha256 if imported else None,
        )


class EvidenceShape(Shape):
    """Everything that was measured of the model that answers; empty or null where it was not measured."""

    metrics: dict[str, MetricShape] = Field({}, description="Overall figures of the test part.")
    per_label: list[LabelMetricsShape] = Field([], description="In the order of the model's outputs.")
    per_source: list[SourceMetricsShape] = Field([], description="Of the test part.")
    across: list[HeldOutShape] = Field([], description="Figures on sources that were held out of training.")
    floors: FloorsShape | None = None
    operating_points: list[OperatingPointShape] = Field(
        [], description="From rule-out to rule-in; empty where the task has no positive finding."
    )
    prediction_sets: PredictionSetsShape | None = None
    novelty: NoveltyShape | None = None
    steadiness: list[VariantShape] = Field([], description="The test images as other people would send them.")
    hints: list[HintEffectShape] = Field([], description="Empty where the task takes no hints.")
    origin: OriginShape | None = None

    @classmethod
    def measured(cls, manifest: Manifest) -> Self:
        """Take it from a manifest."""
        fields = {
            name: getattr(manifest, name)
            for name in ("floors", "operating_points", "prediction_sets", "novelty", "steadiness", "hints")
        }
        return cls.model_validate(
            fields
            | {
                "metrics": metric_shapes(manifest.evaluation.metrics),
                "per_label": manifest.evaluation.per_label,
                "per_source": manifest.evaluation.per_source,
                "across": [HeldOutShape.of(held_out) for held_out in manifest.across],
                "origin": OriginShape.of(manifest.origin),
            }
        )


def metric_shapes(metrics: Iterable[Metric]) -> dict[str, MetricShape]:
    """Overall figures by their names."""
    return {metric.name: MetricShape.model_validate(metric) for metric in metrics}

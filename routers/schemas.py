"""The JSON shapes of answers, problems and versions."""

from datetime import datetime
from typing import Self

from pydantic import Field

from routers.embedding import data_address
from routers.evidence import MetricShape
from routers.shape import Shape
from services.bundle.calibration import predictive_values
from services.bundle.decision import OperatingPoint, PointName
from services.prediction import SALIENCY_CAVEAT, OutcomeName, Saliency
from services.shelf import Live, State, VersionState


class ModelShape(Shape):
    """Which bundle answered."""

    task: str
    version: int
    digest: str

    @classmethod
    def of(cls, live: Live) -> Self:
        """Name a live bundle."""
        return cls(task=live.manifest.task, version=live.manifest.version, digest=live.digest)


class FindingShape(Shape):
    """What the model names."""

    label: str
    title: str
    probability: float = Field(ge=0, le=1, description="Calibrated on validation images.")


class LabelProbabilityShape(Shape):
    """One label's calibrated probability."""

    label: str
    probability: float = Field(ge=0, le=1)


class ForeignnessShape(Shape):
    """How foreign the image looks to the model; above the threshold it is not answered."""

    score: float
    threshold: float


class SaliencyShape(Shape):
    """Which places of the image spoke for a label (Grad-CAM)."""

    label: str = Field(description="Whose score is explained: the finding, or the likeliest label.")
    values: list[list[float]] = Field(
        description="Rows of the map from the top, in logits per place of the last feature map, none negative."
    )
    overlay: str = Field(description="PNG of the map over what the model saw, as a data: address.")
    caveat: str = Field(description="What the map does not show; stands beside it wherever it is shown.")

    @classmethod
    def of(cls, saliency: Saliency) -> Self:
        """Shape a map."""
        return cls(
            label=saliency.label,
            values=[[float(f"{value:.4g}") for value in row] for row in saliency.values.tolist()],
            overlay=data_address(saliency.overlay, "image/png"),
            caveat=SALIENCY_CAVEAT,
        )


class PredictionShape(Shape):
    """One image's answer. A field that the bundle has no means for is null."""

    filename: str | None
    outcome: OutcomeName = Field(
        description="finding: the model names a label. uncertain: more than one label stays open, or none is likely. "
        "not_applicable: this is not the kind of image that the model knows, and the probabilities mean nothing."
    )
    finding: FindingShape | None = Field(description="Null unless the outcome is a finding.")
    probabilities: list[LabelProbabilityShape] = Field(
        description="Every label, highest first, calibrated. They sum to one, except where an image may have several "
        "labels: there each label has a probability of its own."
    )
    prediction_set: list[str] | None = Field(
        description="The labels that may be the truth, highest first: those of the conformal set, what the operating "
        "points leave open, or, where an image may have several labels, all with a probability of one half or more."
    )
    novelty: ForeignnessShape | None
    reason: str | None = Field(description="Why the outcome is not a finding.")
    suggested_tasks: list[str] = Field(description="Tasks whose models know this kind of image, the surest first.")
    notes: list[str] = Field(description="What a reader should know of the image and of the hint.")
    saliency: SaliencyShape | None = Field(description="Null unless asked for.")


class ProblemShape(Shape):
    """A failure, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str


class ProblemInPlace(Shape):
    """Stands where the answer of an image would, when that image among several could not be answered."""

    filename: str | None
    problem: ProblemShape


class TimingShape(Shape):
    """Milliseconds: decoding and network summed over the images, queue and total of the slowest."""

    decode: float
    queue: float
    network: float
    total: float


class PointUsedShape(Shape):
    """An operating point that decided, with what its answers are worth at the prevalence that was given."""

    name: PointName
    label: str = Field(description="The positive one.")
    threshold: float = Field(description="From this probability on the answer is positive.")
    sensitivity: MetricShape
    specificity: MetricShape
    positive_predictive_value: float | None = Field(
        description="How likely a positive answer is right, by Bayes' theorem; null without a prevalence, or where "
        "there would be no such answer."
    )
    negative_predictive_value: float | None = Field(description="The same of a negative answer.")

    @classmethod
    def of(cls, point: OperatingPoint, prevalence: float | None) -> Self:
        """Weigh a point at a prevalence."""
        values = (
            (None, None)
            if prevalence is None
            else predictive_values(point.sensitivity.value, point.specificity.value, prevalence)
        )
        return cls(
            name=point.name,
            label=point.label,
            threshold=point.threshold,
            sensitivity=MetricShape.model_validate(point.sensitivity),
            specificity=MetricShape.model_validate(point.specificity),
            positive_predictive_value=values[0],
            negative_predictive_value=values[1],
        )


class PredictionsShape(Shape):
    """The answer to one request."""

    request_id: str
    model: ModelShape
    predictions: list[PredictionShape | ProblemInPlace]
    operating_points: list[PointUsedShape] = Field(description="Those that decided; empty where none did.")
    prevalence: float | None = Field(description="As it was given.")
    timing_ms: TimingShape


class VersionShape(Shape):
    """One version of a task."""

    task: str
    version: int
    state: State
    reason: str | None
    digest: str | None
    since: datetime


class ModelsShape(Shape):
    """Every version of every task."""

    models: list[VersionShape]

    @classmethod
    def of(cls, states: tuple[VersionState, ...]) -> Self:
        """List the registry's states."""
        return cls(models=[VersionShape.model_validate(state) for state in states])

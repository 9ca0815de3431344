"""The JSON shapes of the wire."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from services.bundle.manifest import Import, Manifest, Training
from services.bundle.task import Task
from services.shelf import Live, State, VersionState


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True, json_schema_serialization_defaults_required=True)


class ModelShape(_Shape):
    """Which bundle answered."""

    task: str
    version: int
    digest: str

    @classmethod
    def of(cls, live: Live) -> Self:
        """Name a live bundle."""
        return cls(task=live.manifest.task, version=live.manifest.version, digest=live.digest)


class FindingShape(_Shape):
    """What the model names."""

    label: str
    title: str
    probability: float = Field(ge=0, le=1, description="Calibrated on validation images.")


class LabelProbabilityShape(_Shape):
    """One label's calibrated probability."""

    label: str
    probability: float = Field(ge=0, le=1)


class NoveltyShape(_Shape):
    """How foreign the image looks to the model; above the threshold it is not answered."""

    score: float
    threshold: float


class PredictionShape(_Shape):
    """One image's answer. A field that the bundle has no means for is null."""

    filename: str | None
    outcome: Literal["finding", "uncertain", "not_applicable"]
    finding: FindingShape | None = Field(description="The likeliest label; null unless the outcome is a finding.")
    probabilities: list[LabelProbabilityShape] = Field(
        description="Every label, highest first. They sum to one, except where an image may have several labels: "
        "there each label has a probability of its own."
    )
    prediction_set: list[str] | None = Field(
        description="Where an image may have several labels, all with a probability of one half or more."
    )
    novelty: NoveltyShape | None
    reason: str | None
    suggested_tasks: list[str]
    notes: list[str]
    saliency: None


class ProblemShape(_Shape):
    """A failure, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str


class ProblemInPlace(_Shape):
    """Stands where the answer of an image would, when that image among several could not be answered."""

    filename: str | None
    problem: ProblemShape


class TimingShape(_Shape):
    """Milliseconds: decoding and network summed over the images, queue and total of the slowest."""

    decode: float
    queue: float
    network: float
    total: float


class PredictionsShape(_Shape):
    """The answer to one request."""

    request_id: str
    model: ModelShape
    predictions: list[PredictionShape | ProblemInPlace]
    timing_ms: TimingShape


class LabelShape(_Shape):
    """A label and how people read it."""

    label: str
    title: str
    explanation: str


class LabelTitleShape(_Shape):
    """A label and its title."""

    label: str
    title: str


class MetricShape(_Shape):
    """A figure measured on the test part, with its 95 % interval."""

    value: float
    low: float
    high: float


class LabelMetricsShape(_Shape):
    """How one label fared on the test part; null where nothing could be measured."""

    label: str
    support: int = Field(description="Test images that have the label.")
    precision: MetricShape | None
    recall: MetricShape | None = Field(description="The sensitivity.")
    specificity: MetricShape | None
    f1: MetricShape | None
    roc_auc: MetricShape | None
    average_precision: MetricShape | None


class SourceMetricsShape(_Shape):
    """How one source of images fared on the test part."""

    source: str
    images: int
    groups: int
    accuracy: MetricShape
    balanced_accuracy: MetricShape | None = Field(description="Null where the source holds one label only.")


class OriginShape(_Shape):
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


class TaskSummaryShape(_Shape):
    """A task in the list."""

    name: str
    title: str
    modality: str
    labels: list[LabelTitleShape]
    serving: int | None = Field(description="The version that answers; null while there is none.")
    metrics: dict[str, MetricShape]

    @classmethod
    def of(cls, task: Task, live: Live | None) -> Self:
        """Describe a task with what answers for it."""
        return cls(
            name=task.name,
            title=task.title,
            modality=task.modality,
            labels=[LabelTitleShape(label=entry.label, title=entry.title) for entry in task.labels],
            serving=live.manifest.version if live else None,
            metrics=_metrics(live.manifest) if live else {},
        )


class TasksShape(_Shape):
    """Every task."""

    tasks: list[TaskSummaryShape]


class TaskShape(_Shape):
    """One task with all that a caller should know before trusting it."""

    name: str
    title: str
    summary: str
    modality: str
    upload: str
    warning: str
    intended_use: str
    out_of_scope: list[str]
    limits: list[str]
    labels: list[LabelShape]
    serving: int | None
    model: ModelShape | None
    multilabel: bool | None = Field(description="Whether an image may have several labels, or none.")
    metrics: dict[str, MetricShape]
    per_label: list[LabelMetricsShape]
    per_source: list[SourceMetricsShape]
    origin: OriginShape | None

    @classmethod
    def of(cls, task: Task, live: Live | None) -> Self:
        """Describe a task with what answers for it."""
        evaluation = live.manifest.evaluation if live else None
        return cls(
            **task.model_dump(exclude={"serve"}, mode="json"),
            serving=live.manifest.version if live else None,
            model=ModelShape.of(live) if live else None,
            multilabel=live.multilabel if live else None,
            metrics=_metrics(live.manifest) if live else {},
            per_label=[LabelMetricsShape.model_validate(row) for row in evaluation.per_label] if evaluation else [],
            per_source=[SourceMetricsShape.model_validate(row) for row in evaluation.per_source] if evaluation else [],
            origin=OriginShape.of(live.manifest.origin) if live else None,
        )


class VersionShape(_Shape):
    """One version of a task."""

    task: str
    version: int
    state: State
    reason: str | None
    digest: str | None
    since: datetime


class ModelsShape(_Shape):
    """Every version of every task."""

    models: list[VersionShape]

    @classmethod
    def of(cls, states: tuple[VersionState, ...]) -> Self:
        """List the registry's states."""
        return cls(models=[VersionShape.model_validate(state) for state in states])


def _metrics(manifest: Manifest) -> dict[str, MetricShape]:
    return {metric.name: MetricShape.model_validate(metric) for metric in manifest.evaluation.metrics}

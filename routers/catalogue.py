"""The JSON shapes of the tasks: the words that a person wrote, and what was measured of the model that answers."""

from datetime import date
from typing import Self

from pydantic import Field

from routers.evidence import EvidenceShape, FloorsShape, HeldOutShape, MetricShape, metric_shapes
from routers.questions import takes_hints
from routers.schemas import ModelShape
from routers.shape import Shape
from services.bundle.task import Task
from services.shelf import Live


class SourceShape(Shape):
    """Where a fact can be checked."""

    title: str
    url: str


class FactsShape(Shape):
    """What a leaflet says of the thing that a label names; to be compared with the packaging, which is right."""

    variant: str = Field(description="Which product of the name this describes.")
    ingredients: list[str]
    use: str
    dose_form: str
    warnings: list[str]
    notes: list[str]
    sources: list[SourceShape]
    checked: date = Field(description="When a person last compared this with its sources.")


class LabelShape(Shape):
    """A label and how people read it."""

    label: str
    title: str
    explanation: str
    facts: FactsShape | None


class DicomShape(Shape):
    """Which DICOM files a task takes, by what their headers say."""

    modalities: list[str] = Field(description="Values of Modality; empty takes no DICOM file.")
    body_parts: list[str] = Field(description="Values of BodyPartExamined; empty takes any.")


class LabelTitleShape(Shape):
    """A label and its title."""

    label: str
    title: str


_PICTURE = "What its images are; tasks of the same pictures share it."
_POSITIVE = "The label that is a positive finding, of two labels; empty where no label is."
_TAKES_HINTS = "Whether a hint counts: what a person reads on the thing itself or its box."


class TaskSummaryShape(Shape):
    """A task in the list."""

    name: str
    title: str
    modality: str
    picture: str = Field(description=_PICTURE)
    positive: str = Field(description=_POSITIVE)
    takes_hints: bool = Field(description=_TAKES_HINTS)
    dicom: DicomShape
    labels: list[LabelTitleShape]
    serving: int | None = Field(description="The version that answers; null while there is none.")
    metrics: dict[str, MetricShape]
    across: list[HeldOutShape] = Field(description="Figures on sources that were held out of training.")
    floors: FloorsShape | None

    @classmethod
    def of(cls, task: Task, live: Live | None) -> Self:
        """Describe a task with what answers for it."""
        manifest = live.manifest if live else None
        return cls(
            name=task.name,
            title=task.title,
            modality=task.modality,
            picture=task.picture,
            positive=task.positive,
            takes_hints=takes_hints(task, live),
            dicom=DicomShape.model_validate(task.dicom),
            labels=[LabelTitleShape(label=entry.label, title=entry.title) for entry in task.labels],
            serving=manifest.version if manifest else None,
            metrics=metric_shapes(manifest.evaluation.metrics) if manifest else {},
            across=[HeldOutShape.of(held_out) for held_out in manifest.across] if manifest else [],
            floors=FloorsShape.model_validate(manifest.floors) if manifest and manifest.floors else None,
        )


class TasksShape(Shape):
    """Every task."""

    tasks: list[TaskSummaryShape]


class TaskWordsShape(Shape):
    """What a person wrote about a task, and which model answers it."""

    name: str
    title: str
    summary: str
    modality: str
    picture: str = Field(description=_PICTURE)
    positive: str = Field(description=_POSITIVE)
    takes_hints: bool = Field(description=_TAKES_HINTS)
    dicom: DicomShape
    upload: str
    warning: str
    intended_use: str
    out_of_scope: list[str]
    limits: list[str]
    labels: list[LabelShape]
    serving: int | None
    model: ModelShape | None
    multilabel: bool | None = Field(description="Whether an image may have several labels, or none.")


class TaskShape(EvidenceShape, TaskWordsShape):
    """One task with all that a caller should know before trusting it."""

    @classmethod
    def of(cls, task: Task, live: Live | None) -> Self:
        """Describe a task with what answers for it."""
        evidence = EvidenceShape.measured(live.manifest) if live else EvidenceShape()
        return cls(
            **task.model_dump(exclude={"serve": True, "labels": {"__all__": {"hints"}}}, mode="json"),
            takes_hints=takes_hints(task, live),
            serving=live.manifest.version if live else None,
            model=ModelShape.of(live) if live else None,
            multilabel=live.multilabel if live else None,
            **{name: getattr(evidence, name) for name in EvidenceShape.model_fields},
        )

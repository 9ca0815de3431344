"""What each page template receives: one frozen value per template."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Self

from routers.wording import share
from services.bundle.manifest import Manifest, Metric, Part, Preprocessing, Task
from services.inference import Finding, Prediction
from services.shelf import Live, VersionState


@dataclass(frozen=True, slots=True)
class Measured:
    """What a reader must know of the model behind a page: which it is and how it fared.

    Attributes:
        accuracy: on the test part.
        test: the size of the test part.
        split: how the test images were kept apart, and what the interval cannot show, in sentences.
    """

    version: int
    digest: str
    accuracy: Metric
    test: Part
    split: str

    @classmethod
    def of(cls, live: Live) -> Self:
        """Take it from a live bundle's manifest."""
        manifest = live.manifest
        accuracy = manifest.evaluation.metric("accuracy")
        assert accuracy is not None  # noqa: S101 - the manifest's own validation demands it
        return cls(manifest.version, live.digest, accuracy, manifest.training.test, _split(manifest, accuracy))


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """One task in the list; either a model answers it or there is a reason why none does."""

    task: Task
    model: Measured | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Bar:
    """One label's probability, under the title that people read."""

    label: str
    title: str
    probability: float


@dataclass(frozen=True, slots=True)
class Picture:
    """What the model saw, as a data: address, and how it came about."""

    source: str
    width: int
    height: int
    caption: str

    @classmethod
    def of(cls, jpeg: bytes, preprocessing: Preprocessing) -> Self:
        """Inline the preview of a prediction."""
        source = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
        return cls(source, preprocessing.width, preprocessing.height, _seen(preprocessing))


@dataclass(frozen=True, slots=True)
class ShelfEntry:
    """A task and its versions, newest first."""

    task: Task
    serving: bool
    versions: tuple[VersionState, ...]


# ---------------------------------------------------------------- one per template


@dataclass(frozen=True, slots=True)
class IndexPage:
    """The list of tasks; `unreadable` holds name and reason of those whose task.toml could not be read."""

    template: ClassVar[str] = "index.html"

    entries: tuple[TaskEntry, ...]
    unreadable: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TaskPage:
    """The form of one task; `example` says whether an example image can be had."""

    template: ClassVar[str] = "task.html"

    task: Task
    model: Measured
    formats: str
    accept: str
    max_bytes: int
    max_pixels: int
    example: bool


@dataclass(frozen=True, slots=True)
class ResultPage:
    """The answer to one image.

    Attributes:
        explanation: of the finding's label; empty without a finding.
        reason: why there is no finding.
        picture: None where the prediction carries no preview.
        request_id: under which the log knows this answer.
        curl: the command that asks the same by program.
    """

    template: ClassVar[str] = "result.html"

    task: Task
    model: Measured
    outcome: str
    finding: Finding | None
    explanation: str
    reason: str | None
    bars: tuple[Bar, ...]
    picture: Picture | None
    notes: tuple[str, ...]
    filename: str | None
    answered: datetime
    request_id: str
    curl: str

    @classmethod
    def of(
        cls, task: Task, live: Live, prediction: Prediction, filename: str | None, request_id: str, curl: str
    ) -> Self:
        """Arrange one prediction for reading."""
        finding, preview = prediction.finding, prediction.preview
        explanations = {entry.label: entry.explanation for entry in task.labels}
        return cls(
            task=task,
            model=Measured.of(live),
            outcome=prediction.outcome,
            finding=finding,
            explanation=explanations[finding.label] if finding else "",
            reason=prediction.reason,
            bars=tuple(Bar(p.label, live.titles[p.label], p.probability) for p in prediction.probabilities),
            picture=Picture.of(preview, live.manifest.preprocessing) if preview else None,
            notes=prediction.notes,
            filename=filename,
            answered=datetime.now(UTC),
            request_id=request_id,
            curl=curl,
        )


@dataclass(frozen=True, slots=True)
class CardPage:
    """The model card: what a person wrote about the task and what training measured.

    Attributes:
        titles: of the labels.
        seen: how pixels become the model's input.
    """

    template: ClassVar[str] = "card.html"

    task: Task
    model: Measured
    manifest: Manifest
    titles: Mapping[str, str]
    seen: str

    @classmethod
    def of(cls, task: Task, live: Live) -> Self:
        """The card of a live bundle."""
        return cls(task, Measured.of(live), live.manifest, live.titles, _seen(live.manifest.preprocessing))


@dataclass(frozen=True, slots=True)
class ModelsPage:
    """Every version of every task; `missing` holds name and reason of what has no live bundle."""

    template: ClassVar[str] = "models.html"

    shelves: tuple[ShelfEntry, ...]
    missing: tuple[tuple[str, str], ...]


Page = IndexPage | TaskPage | ResultPage | CardPage | ModelsPage


# ---------------------------------------------------------------- sentences


def _split(manifest: Manifest, accuracy: Metric) -> str:
    kept_apart = {
        "group": "Related images were kept together, in training or in test but never in both.",
        "image": "The images were split one by one, so near-copies of training images may be among them.",
    }
    sentence = kept_apart[manifest.training.split_by]
    if accuracy.low == accuracy.high:
        # Hanley & Lippman-Hand 1983: nothing in n observed leaves 3/n at 95 %.
        remaining = share(min(1.0, 3 / max(manifest.training.test.groups, 1)))
        sentence += f" No error was seen, so resampling cannot show one; up to {remaining} remain possible."
    return sentence


def _seen(preprocessing: Preprocessing) -> str:
    size = f"{preprocessing.width} \N{MULTIPLICATION SIGN} {preprocessing.height} pixels"
    fitted = {
        "letterbox": f"The whole image, scaled to fit {size}; plain bands fill what is left, and nothing is cut off.",
        "stretch": f"The whole image, stretched to {size} whatever its shape.",
    }[preprocessing.fit]
    return fitted if preprocessing.colour == "rgb" else f"{fitted} Colour is dropped."

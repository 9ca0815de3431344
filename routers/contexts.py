"""What each page template receives: one frozen value per template."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Self

from routers.wording import count
from services.bundle.evaluation import Metric
from services.bundle.graph import Architecture, Description
from services.bundle.manifest import Import, Manifest, Part, Preprocessing, Training
from services.bundle.task import Task
from services.inference import Prediction
from services.shelf import Live, VersionState


@dataclass(frozen=True, slots=True)
class Measured:
    """What a reader must know of the model behind a page: which it is and how it fared.

    Attributes:
        accuracy: on the test part.
        test: the size of the test part.
        tested: on how many images, how they were kept apart, and what the interval cannot show, in sentences.
        multilabel: whether an image may have several labels; then accuracy counts those with every label right.
        imported: whether the weights were fitted elsewhere.
    """

    version: int
    digest: str
    accuracy: Metric
    test: Part
    tested: str
    multilabel: bool
    imported: bool

    @classmethod
    def of(cls, live: Live) -> Self:
        """Take it from a live bundle's manifest."""
        manifest = live.manifest
        accuracy = manifest.evaluation.metric("accuracy")
        assert accuracy is not None  # noqa: S101 - the manifest's own validation demands it
        tested = _tested_on(manifest.origin)
        return cls(
            version=manifest.version,
            digest=live.digest,
            accuracy=accuracy,
            test=manifest.origin.test,
            tested=tested,
            multilabel=live.multilabel,
            imported=manifest.origin.kind == "import",
        )


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """One task in the list; either a model answers it or there is a reason why none does."""

    task: Task
    model: Measured | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Bar:
    """One label's probability, under the title that people read; `found` says whether the answer names it."""

    label: str
    title: str
    probability: float
    found: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A label that the answer names, as people read it."""

    label: str
    title: str
    probability: float
    explanation: str


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
        found: the labels that the model names, the likeliest first; several only where an image may have several.
        reason: why it names none.
        picture: None where the prediction carries no preview.
        request_id: under which the log knows this answer.
        curl: the command that asks the same by program.
    """

    template: ClassVar[str] = "result.html"

    task: Task
    model: Measured
    outcome: str
    found: tuple[Found, ...]
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
        found, preview = _found(task, prediction), prediction.preview
        named = {entry.label for entry in found}
        return cls(
            task=task,
            model=Measured.of(live),
            outcome=prediction.outcome,
            found=found,
            reason=prediction.reason,
            bars=tuple(
                Bar(each.label, live.titles[each.label], each.probability, each.label in named)
                for each in prediction.probabilities
            ),
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
        architecture: of the network, in words.
        seen: how pixels become the model's input.
    """

    template: ClassVar[str] = "card.html"

    task: Task
    model: Measured
    manifest: Manifest
    titles: Mapping[str, str]
    architecture: str
    seen: str

    @classmethod
    def of(cls, task: Task, live: Live) -> Self:
        """The card of a live bundle."""
        manifest = live.manifest
        architecture, seen = _architecture(manifest.architecture), _seen(manifest.preprocessing)
        return cls(task, Measured.of(live), manifest, live.titles, architecture, seen)


@dataclass(frozen=True, slots=True)
class ModelsPage:
    """Every version of every task; `missing` holds name and reason of what has no live bundle."""

    template: ClassVar[str] = "models.html"

    shelves: tuple[ShelfEntry, ...]
    missing: tuple[tuple[str, str], ...]


Page = IndexPage | TaskPage | ResultPage | CardPage | ModelsPage


# ---------------------------------------------------------------- sentences


_KEPT_APART = {
    "group": "Related images were kept together, in training or in test but never in both.",
    "image": "The images were split one by one, so near-copies of training images may be among them.",
}
_NOBODY_KNOWS = (
    "The weights were fitted elsewhere, and nobody knows to which images: these may have been among them, and then "
    "the figures flatter."
)


def _tested_on(origin: Training | Import) -> str:
    images = f"{count(origin.test.images)} test images"
    if isinstance(origin, Import):
        return f"{images}. {_NOBODY_KNOWS}"
    return f"{images} that the model never saw. {_KEPT_APART[origin.split_by]}"


def _found(task: Task, prediction: Prediction) -> tuple[Found, ...]:
    if prediction.finding is None:
        return ()
    texts = {entry.label: entry for entry in task.labels}
    named = prediction.prediction_set or (prediction.finding.label,)
    return tuple(
        Found(each.label, texts[each.label].title, each.probability, texts[each.label].explanation)
        for each in prediction.probabilities
        if each.label in named
    )


def _architecture(description: Description) -> str:
    if not isinstance(description, Architecture):
        return f"imported graph of {len(description.layers)} layers"
    words = [description.backbone]
    if description.filters:
        words.append(f"blocks of {', '.join(map(str, description.filters))} filters")
    words += [f"one hidden layer of {units} units" for units in description.hidden]
    return ", ".join(words)


def _seen(preprocessing: Preprocessing) -> str:
    size = f"{preprocessing.width} \N{MULTIPLICATION SIGN} {preprocessing.height} pixels"
    fitted = {
        "letterbox": f"The whole image, scaled to fit {size}; plain bands fill what is left, and nothing is cut off.",
        "stretch": f"The whole image, stretched to {size} whatever its shape.",
    }[preprocessing.fit]
    return fitted if preprocessing.colour == "rgb" else f"{fitted} Colour is dropped."

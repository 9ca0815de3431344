"""What the page templates receive: one frozen value per template, those of answers and cards in rooms of their own."""

from dataclasses import dataclass
from typing import ClassVar, Self

from routers.cardpage import CardPage
from routers.measured import Measured
from routers.questions import takes_hints
from routers.resultpage import ResultPage
from routers.wording import listed
from services.bundle.decision import PointName
from services.bundle.hints import MOST_HINT
from services.bundle.task import Task
from services.imaging import DICOM, MEDIA_TYPES
from services.settings import Settings
from services.shelf import Live, VersionState


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """One task in the list; either a model answers it or there is a reason why none does."""

    task: Task
    model: Measured | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be sent: formats in words, and as browsers' file dialogues want them; bytes and pixels."""

    formats: str
    accept: str
    max_bytes: int
    max_pixels: int

    @classmethod
    def of(cls, task: Task, settings: Settings) -> Self:
        """Those of a task; not every one takes DICOM files."""
        dicom = bool(task.dicom.modalities)
        types = {media_type: name for media_type, name in MEDIA_TYPES.items() if dicom or media_type != DICOM}
        # Few computers know the media type of DICOM files, so their usual suffix is named too.
        accept = [*types, ".dcm"] if dicom else [*types]
        return cls(listed([*types.values()]), ",".join(accept), settings.max_upload_bytes, settings.max_pixels)


@dataclass(frozen=True, slots=True)
class Choices:
    """What may be asked beside the image; what a task or its model has no means for is not offered.

    Attributes:
        points: the operating points.
        hint: the most characters of a hint, or None.
        frame: whether a DICOM file may come, of which a frame can be chosen.
    """

    points: tuple[PointName, ...]
    hint: int | None
    frame: bool

    @classmethod
    def of(cls, live: Live) -> Self:
        """Those of a live bundle."""
        return cls(
            points=tuple(point.name for point in live.manifest.operating_points),
            hint=MOST_HINT if takes_hints(live.task, live) else None,
            frame=bool(live.task.dicom.modalities),
        )


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
    limits: Limits
    choices: Choices
    example: bool


@dataclass(frozen=True, slots=True)
class ModelsPage:
    """Every version of every task; `missing` holds name and reason of what has no live bundle."""

    template: ClassVar[str] = "models.html"

    shelves: tuple[ShelfEntry, ...]
    missing: tuple[tuple[str, str], ...]


Page = IndexPage | TaskPage | ResultPage | CardPage | ModelsPage
"""What any template receives."""

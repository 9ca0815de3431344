"""The answer to one image, arranged for reading."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Self

from routers.embedding import data_address
from routers.measured import Measured, seen
from routers.questions import Asked
from routers.wording import in_people
from services.bundle.calibration import predictive_values
from services.bundle.decision import OperatingPoint
from services.bundle.facts import Facts
from services.bundle.manifest import Preprocessing
from services.bundle.task import Task
from services.prediction import SALIENCY_CAVEAT, Prediction, Saliency
from services.shelf import Live


@dataclass(frozen=True, slots=True)
class Bar:
    """One label's probability, under the title that people read; `found` says whether the answer names it."""

    label: str
    title: str
    probability: float
    found: bool


@dataclass(frozen=True, slots=True)
class Named:
    """A label that the answer names or leaves open, as people read it."""

    label: str
    title: str
    probability: float
    explanation: str
    facts: Facts | None


@dataclass(frozen=True, slots=True)
class PointUsed:
    """An operating point that decided, and what its answers are worth at the prevalence that was given, if one was."""

    point: OperatingPoint
    positive: float | None
    negative: float | None

    @classmethod
    def of(cls, point: OperatingPoint, prevalence: float | None) -> Self:
        """Weigh a point."""
        if prevalence is None:
            return cls(point, None, None)
        return cls(point, *predictive_values(point.sensitivity.value, point.specificity.value, prevalence))


@dataclass(frozen=True, slots=True)
class Decision:
    """How the operating points made the answer.

    Attributes:
        positive: title of the positive label.
        points: that decided, from the lowest threshold.
        prevalence: at which they are weighed.
        worth: of this answer at that prevalence, counted in people; None without one, or without a finding.
    """

    positive: str
    points: tuple[PointUsed, ...]
    prevalence: float | None
    worth: str | None

    @classmethod
    def of(cls, live: Live, prediction: Prediction, prevalence: float | None) -> Self | None:
        """How a prediction was decided; None where no operating point did it."""
        if not prediction.operating_points:
            return None
        points = tuple(PointUsed.of(point, prevalence) for point in prediction.operating_points)
        positive = live.titles[points[0].point.label]
        return cls(positive, points, prevalence, _worth(prediction, points, positive))


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
        return cls(data_address(jpeg, "image/jpeg"), preprocessing.width, preprocessing.height, seen(preprocessing))


@dataclass(frozen=True, slots=True)
class Map:
    """Where the network looked, as a data: address, for which label, and what that does not show."""

    source: str
    title: str
    caveat: str

    @classmethod
    def of(cls, saliency: Saliency, title: str) -> Self:
        """Inline the overlay of a prediction."""
        return cls(data_address(saliency.overlay, "image/png"), title, SALIENCY_CAVEAT)


@dataclass(frozen=True, slots=True)
class ResultPage:
    """The answer to one image.

    Attributes:
        found: the labels that the model names, the likeliest first; several only where an image may have several.
        open: the labels that may be the truth where it names none.
        reason: why it names none.
        suggested: tasks whose models know such images.
        bars: of every label; none where the probabilities mean nothing.
        decision: None where no operating point decided.
        picture: None where the prediction carries no preview.
        map: None where none was asked for, or the model has none.
        request_id: under which the log knows this answer.
        curl: the command that asks the same by program.
    """

    template: ClassVar[str] = "result.html"

    task: Task
    model: Measured
    outcome: str
    found: tuple[Named, ...]
    open: tuple[Named, ...]
    reason: str | None
    suggested: tuple[Task, ...]
    bars: tuple[Bar, ...]
    decision: Decision | None
    picture: Picture | None
    map: Map | None
    notes: tuple[str, ...]
    filename: str | None
    answered: datetime
    request_id: str
    curl: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a result page is made of beside the prediction.

    Attributes:
        live: what answered.
        asked: beside the image.
        filename: as it was sent.
        request_id: of the request.
        address: of the JSON interface for the same question.
    """

    live: Live
    asked: Asked
    filename: str | None
    request_id: str
    address: str

    def page(self, prediction: Prediction, suggested: tuple[Task, ...]) -> ResultPage:
        """Arrange one prediction for reading; `suggested` are the tasks that it suggests."""
        live, saliency, preview = self.live, prediction.saliency, prediction.preview
        named = () if prediction.finding is None else prediction.prediction_set or (prediction.finding.label,)
        left = () if prediction.outcome != "uncertain" else prediction.prediction_set or ()
        return ResultPage(
            task=live.task,
            model=Measured.of(live),
            outcome=prediction.outcome,
            found=_named(live.task, prediction, named),
            open=_named(live.task, prediction, left),
            reason=prediction.reason,
            suggested=suggested,
            bars=_bars(live, prediction, named),
            decision=Decision.of(live, prediction, self.asked.prevalence),
            picture=Picture.of(preview, live.manifest.preprocessing) if preview else None,
            map=Map.of(saliency, live.titles[saliency.label]) if saliency else None,
            notes=prediction.notes,
            filename=self.filename,
            answered=datetime.now(UTC),
            request_id=self.request_id,
            curl=f"curl -F image=@image.jpg{_fields(self.asked)} {self.address}",
        )


def _named(task: Task, prediction: Prediction, labels: tuple[str, ...]) -> tuple[Named, ...]:
    texts = {entry.label: entry for entry in task.labels}
    return tuple(
        Named(each.label, text.title, each.probability, text.explanation, text.facts)
        for each in prediction.probabilities
        if each.label in labels and (text := texts[each.label])
    )


def _bars(live: Live, prediction: Prediction, named: tuple[str, ...]) -> tuple[Bar, ...]:
    # What the model would have said of something that it does not know must not be read as an answer.
    if prediction.outcome == "not_applicable":
        return ()
    return tuple(
        Bar(each.label, live.titles[each.label], each.probability, each.label in named)
        for each in prediction.probabilities
    )


def _worth(prediction: Prediction, points: tuple[PointUsed, ...], positive: str) -> str | None:
    if prediction.finding is None:
        return None
    # A positive answer reached the highest of the points, a negative one not even the lowest.
    if prediction.finding.label == points[0].point.label:
        value = points[-1].positive
        return None if value is None else in_people(value, positive)
    value = points[0].negative
    return None if value is None else in_people(1 - value, positive, " all the same")


def _fields(asked: Asked) -> str:
    """The question as curl sends it; the hint is the caller's own to fill in."""
    fields = {
        "operating_point": asked.operating_point,
        "prevalence": asked.prevalence,
        "saliency": "true" if asked.saliency else None,
        "frame": asked.frame,
        "hint": "HINT" if asked.hint else None,
    }
    given = (f"{name}={value}" for name, value in fields.items() if value is not None)
    return "".join(f" -F {field}" for field in given)

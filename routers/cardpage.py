"""The model card: what a person wrote about the task and what training measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from routers.measured import Measured, seen
from services.bundle.calibration import predictive_values
from services.bundle.decision import OperatingPoint
from services.bundle.evaluation import Estimate, Metric
from services.bundle.graph import Architecture, Description
from services.bundle.manifest import Manifest
from services.bundle.task import Task
from services.shelf import Live

PREVALENCES = (0.01, 0.1, 0.5)
"""At which the card works out what an answer is worth."""


@dataclass(frozen=True, slots=True)
class Rise:
    """One figure beside what hardly any picture reaches, and the skill above each of these floors.

    Attributes:
        floors: title, floor and skill of the thumbnail and of the border; the skill is (figure - floor) / (1 - floor),
            so nothing at the floor and one where nothing is wrong; None where the floor is one already.
    """

    figure: Metric
    floors: tuple[tuple[str, Estimate, float | None], ...]


@dataclass(frozen=True, slots=True)
class Worth:
    """What the answers at an operating point are worth where so many of those asked about have the finding."""

    point: OperatingPoint
    prevalence: float
    positive: float | None
    negative: float | None


@dataclass(frozen=True, slots=True)
class CardPage:
    """The card of a live bundle.

    Attributes:
        titles: of the labels.
        architecture: of the network, in words.
        seen: how pixels become the model's input.
        rises: figures beside their floors; empty where no floor was measured.
        worths: of the operating points at some prevalences.
    """

    template: ClassVar[str] = "card.html"

    task: Task
    model: Measured
    manifest: Manifest
    titles: Mapping[str, str]
    architecture: str
    seen: str
    rises: tuple[Rise, ...]
    worths: tuple[Worth, ...]

    @classmethod
    def of(cls, live: Live) -> Self:
        """Arrange a manifest for reading."""
        manifest = live.manifest
        return cls(
            task=live.task,
            model=Measured.of(live),
            manifest=manifest,
            titles=live.titles,
            architecture=_architecture(manifest.architecture),
            seen=seen(manifest.preprocessing),
            rises=tuple(_rises(manifest)),
            worths=tuple(_worth(point, share) for share in PREVALENCES for point in manifest.operating_points),
        )


def _rises(manifest: Manifest) -> Iterator[Rise]:
    floors = manifest.floors
    if floors is None:
        return
    for name in ("balanced_accuracy", "macro_roc_auc"):
        figure = manifest.evaluation.metric(name)
        reached = {"A thumbnail": getattr(floors.thumbnail, name), "Its border": getattr(floors.border, name)}
        if figure is not None and all(reached.values()):
            yield Rise(figure, tuple((title, floor, _skill(figure, floor)) for title, floor in reached.items()))


def _skill(figure: Estimate, floor: Estimate) -> float | None:
    return None if floor.value >= 1 else (figure.value - floor.value) / (1 - floor.value)


def _worth(point: OperatingPoint, prevalence: float) -> Worth:
    values = predictive_values(point.sensitivity.value, point.specificity.value, prevalence)
    return Worth(point, prevalence, *values)


def _architecture(description: Description) -> str:
    if not isinstance(description, Architecture):
        return f"imported graph of {len(description.layers)} layers"
    words = [description.backbone]
    if description.filters:
        words.append(f"blocks of {', '.join(map(str, description.filters))} filters")
    words += [f"one hidden layer of {units} units" for units in description.hidden]
    return ", ".join(words)

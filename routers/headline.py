"""The one figure that stands for a model, and what it must not stand without: unseen sources and the floor."""

from dataclasses import dataclass
from typing import Self

from services.bundle.evaluation import Estimate, Metric
from services.bundle.manifest import Manifest

_TWO = 2
_WORDS = {
    "accuracy": ("accuracy", "correct"),
    "balanced_accuracy": ("balanced accuracy", "balanced accuracy"),
    "macro_roc_auc": ("area under the ROC curve", "area under the ROC curve"),
}
_SEVERAL = ("accuracy, every label of an image right", "with every label right")


@dataclass(frozen=True, slots=True)
class Across:
    """The main figure on sources that were held out of training: the lowest, and how many there are.

    Attributes:
        sources: of the lowest.
        count: how often sources were held out.
        highest: of these figures.
    """

    lowest: Metric
    sources: tuple[str, ...]
    count: int
    highest: float


@dataclass(frozen=True, slots=True)
class Headline:
    """The main figure of a model.

    Attributes:
        figure: on the test part.
        title: what it is.
        phrase: the same after its number.
        across: None where no source was held out.
        floor: what a thumbnail alone reaches; None where that was not measured of this figure.
    """

    figure: Metric
    title: str
    phrase: str
    across: Across | None
    floor: Estimate | None

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Choose it from a manifest."""
        figure = main_figure(manifest)
        floor = getattr(manifest.floors.thumbnail, figure.name, None) if manifest.floors else None
        title, phrase = _SEVERAL if _several(manifest) else _WORDS[figure.name]
        return cls(figure, title, phrase, _across(manifest, figure.name), floor)


def main_figure(manifest: Manifest) -> Metric:
    """The figure that says most of a model.

    Of two labels that is the area under the ROC curve, which no threshold has a part in; of more it is the balanced
    accuracy, which no frequent label decides. Where an image may have several labels, and where these were not
    measured, it is the accuracy.
    """
    wanted = ["macro_roc_auc"] if len(manifest.labels) == _TWO else []
    wanted = ["accuracy"] if _several(manifest) else [*wanted, "balanced_accuracy", "accuracy"]
    # The manifest's own validation demands an accuracy.
    return next(metric for metric in map(manifest.evaluation.metric, wanted) if metric is not None)


def _several(manifest: Manifest) -> bool:
    return manifest.calibration.activation == "sigmoid"


def _across(manifest: Manifest, name: str) -> Across | None:
    measured = [(metric, held_out) for held_out in manifest.across if (metric := held_out.metric(name)) is not None]
    if not measured:
        return None
    lowest, held_out = min(measured, key=lambda pair: pair[0].value)
    highest = max(metric.value for metric, _ in measured)
    return Across(lowest, held_out.sources, len(measured), highest)

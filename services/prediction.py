"""What is asked about an image, and what is answered."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.bundle.decision import OperatingPoint, PointName

OutcomeName = Literal["finding", "uncertain", "not_applicable"]

SALIENCY_CAVEAT = (
    "The map shows which places raised this label's score (Grad-CAM). It does not show that the model was right, nor "
    "that it looked for the right reason; places outside the marked ones may have mattered, too."
)
"""Stands beside every map."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a caller wants to know beside the answer, and how it is to be found.

    Attributes:
        operating_point: decides at this one alone; None leaves what lies between rule-out and rule-in uncertain.
        hint: what the user reads on the thing itself; never kept.
        frame: of a DICOM file of several frames, from 1.
        saliency: whether to say which places spoke for the label.
        preview: whether to give back what the model saw.
    """

    operating_point: PointName | None = None
    hint: str | None = None
    frame: int | None = None
    saliency: bool = False
    preview: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """The label that the model names, with its calibrated probability."""

    label: str
    title: str
    probability: float


@dataclass(frozen=True, slots=True)
class LabelProbability:
    """One label's calibrated probability."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Foreignness:
    """How unlike its training images a bundle's detector finds the image; above the threshold it is foreign."""

    score: float
    threshold: float

    @property
    def foreign(self) -> bool:
        """Whether the image is not of the kind that the model knows."""
        return self.score > self.threshold


@dataclass(frozen=True, slots=True)
class Saliency:
    """Which places of the image spoke for a label.

    Attributes:
        label: whose score is explained: the finding, or the likeliest label.
        values: float32 [h', w'], not negative, in logits per place of the last feature map.
        overlay: PNG of the map over what the model saw.
    """

    label: str
    values: NDArray[np.float32]
    overlay: bytes


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds that one prediction took."""

    decode: float
    queue: float
    network: float
    total: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """One image's answer.

    Attributes:
        finding: None unless the outcome is "finding".
        probabilities: every label, highest first. They sum to one where an image has one label; where it may have
            several, each stands for itself.
        prediction_set: the labels that may be the truth, highest first: those of the bundle's prediction sets, what the
            operating points leave open, or, where an image may have several labels, all that are more likely present
            than not; None where the bundle has no means for it, as are `novelty` and `saliency`.
        operating_points: those that decided.
        reason: why the outcome is not a finding.
        suggested_tasks: tasks whose models take the image for one of theirs, the surest first.
        notes: what a reader should know of the image.
        preview: JPEG of what the model saw, where it was asked for.
    """

    outcome: OutcomeName
    finding: Finding | None
    probabilities: tuple[LabelProbability, ...]
    prediction_set: tuple[str, ...] | None
    operating_points: tuple[OperatingPoint, ...]
    novelty: Foreignness | None
    reason: str | None
    suggested_tasks: tuple[str, ...]
    notes: tuple[str, ...]
    saliency: Saliency | None
    timing: Timing
    preview: bytes | None

"""What a legacy file cannot tell: how images were prepared for its model, and what its outputs mean."""

from dataclasses import dataclass
from typing import Literal

Scaling = Literal["0..1", "-1..1", "caffe", "torch", "none", "inside"]
Colour = Literal["rgb", "grey", "bgr"]
Fit = Literal["stretch", "letterbox"]


@dataclass(frozen=True, slots=True)
class Conventions:
    """Under which a legacy model was trained, as a person says.

    Attributes:
        labels: in the order of the outputs; of a single output, what 0 means and what 1 means.
        scaling: what the pixels went through before the model: "caffe" and "torch" as in keras.applications, "none"
            for 0..255, "inside" where the model's own first layers do it.
        colour: of the pixels that the model was given; "bgr" as OpenCV reads them.
        size: height and width in pixels, or None where the file says it.
        fit: how an image was brought to that size.
        multilabel: whether an image may have several labels.
    """

    labels: tuple[str, ...]
    scaling: Scaling
    colour: Colour
    size: tuple[int, int] | None
    fit: Fit
    multilabel: bool

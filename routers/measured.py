"""What a reader must know of the model behind a page: which it is, how it fared, and what it sees of an image."""

from dataclasses import dataclass
from typing import Self

from routers.headline import Headline
from routers.wording import count
from services.bundle.manifest import Import, Part, Preprocessing, Training
from services.shelf import Live


@dataclass(frozen=True, slots=True)
class Measured:
    """A model and its main figure.

    Attributes:
        headline: the main figure, with what it must not stand without.
        test: the size of the test part.
        tested: on how many images, how they were kept apart, and what the interval cannot show, in sentences.
        multilabel: whether an image may have several labels; then accuracy counts those with every label right.
        imported: whether the weights were fitted elsewhere.
    """

    version: int
    digest: str
    headline: Headline
    test: Part
    tested: str
    multilabel: bool
    imported: bool

    @classmethod
    def of(cls, live: Live) -> Self:
        """Take it from a live bundle's manifest."""
        manifest = live.manifest
        return cls(
            version=manifest.version,
            digest=live.digest,
            headline=Headline.of(manifest),
            test=manifest.origin.test,
            tested=_tested_on(manifest.origin),
            multilabel=live.multilabel,
            imported=manifest.origin.kind == "import",
        )


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


def seen(preprocessing: Preprocessing) -> str:
    """How pixels become the model's input, in words."""
    size = f"{preprocessing.width} \N{MULTIPLICATION SIGN} {preprocessing.height} pixels"
    whole = preprocessing.borders == "kept"
    shown, cut = ("The whole image", "nothing") if whole else ("The image without its plain borders", "nothing else")
    fitted = {
        "letterbox": f"{shown}, scaled to fit {size}; plain bands fill what is left, and {cut} is cut off.",
        "stretch": f"{shown}, stretched to {size} whatever its shape.",
    }[preprocessing.fit]
    told = [fitted]
    if preprocessing.colour == "grey":
        told.append("Colour is dropped.")
    if preprocessing.levels == "stretched":
        told.append("Grey levels are stretched over the whole range.")
    if preprocessing.window is not None:
        centre, width = preprocessing.window
        told.append(f"A DICOM file is shown in a window of {width:g} around {centre:g}, in its own units.")
    return " ".join(told)

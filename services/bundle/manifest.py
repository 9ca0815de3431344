"""Manifest: everything that a trained model is but its weights, from manifest.json, which training alone writes.

Nothing here has a default: a field that is missing or unknown is refused, so that a manifest can never mean
something that training did not say. A field that does not apply is null.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.bundle.decision import OperatingPoint, PredictionSets
from services.bundle.evaluation import Evaluation, Floors, Foreign, HeldOut, HintEffect, Variant
from services.bundle.fields import Count, Edge, Frozen, Label, Name, Number, Sentence, Sha256, Share, first_error
from services.bundle.graph import Description
from services.errors import ManifestInvalid


class Preprocessing(Frozen):
    """How pixels become the model's input, float32 [height, width, 3] in 0..255.

    Attributes:
        borders: "trimmed" cuts off plain borders first; see services.bundle.framing.
        colour: "grey" drops colour and repeats the one channel three times.
        fit: "letterbox" keeps the aspect ratio and pads; "stretch" does not.
        pad: grey level of the letterbox.
        window: centre and width, in the file's own units, that a DICOM file is shown in, as (40, 80) Hounsfield units
            for the brain in a CT; null takes the file's own window.
        levels: "stretched" maps the `window_percentiles` of every picture to 0 and 255, so that it says nothing how
            light or flat the file is.
        window_percentiles: the percentiles of grey levels that become 0 and 255; where levels are "kept", of images of
            more than 8 bits without a window alone.
    """

    height: Edge
    width: Edge
    borders: Literal["kept", "trimmed"]
    colour: Literal["rgb", "grey"]
    fit: Literal["letterbox", "stretch"]
    interpolation: Literal["bilinear", "bicubic", "lanczos"]
    pad: Annotated[int, Field(ge=0, le=255)]
    window: tuple[Number, Annotated[float, Field(gt=0, allow_inf_nan=False)]] | None
    levels: Literal["kept", "stretched"]
    window_percentiles: tuple[Annotated[float, Field(ge=0, lt=50)], Annotated[float, Field(gt=50, le=100)]]


class Calibration(Frozen):
    """How logits become probabilities.

    Attributes:
        temperature: divides the logits (Guo et al. 2017, arXiv:1706.04599).
        activation: "softmax" where an image has one label, "sigmoid" where it may have none or several.
    """

    temperature: Annotated[float, Field(gt=0, le=100)]
    activation: Literal["softmax", "sigmoid"]


class Weights(Frozen):
    """The weights file: which bytes, and what halving its precision cost on the validation images."""

    file: Literal["model.weights.h5"]
    sha256: Sha256
    size: Annotated[int, Field(gt=0, le=512 * 2**20)]
    dtype: Literal["float16"]
    halving: "Halving"


class Halving(Frozen):
    """What changed when the weights went from single to half precision."""

    images: Count
    changed_predictions: Count
    largest_probability_change: Share


class Probe(Frozen):
    """The proof that travels in the bundle: an image and the logits it must give.

    Attributes:
        file: arrays `pixels` (uint8 [h, w, 3], drawn by code) and `tensor` (uint8 [height, width, 3], what
            preprocessing made of them when the bundle was written).
        logits: of `tensor`, by the half-precision weights.
        tensor_tolerance: largest allowed difference of any logit, from `tensor`.
        image_tolerance: the same from `pixels`, which also runs the preprocessing; wider, because Pillow's
            resampling may change by a grey level between releases.
    """

    file: Literal["probe.npz"]
    sha256: Sha256
    logits: tuple[Number, ...]
    tensor_tolerance: Annotated[float, Field(gt=0, le=0.01)]
    image_tolerance: Annotated[float, Field(gt=0, le=0.5)]


class Seen(Frozen):
    """Fingerprints of the images and groups that decided the weights, so that nobody measures on them by mistake.

    Attributes:
        file: arrays `images` and `groups`, uint64, sorted: the first eight bytes of the SHA-256 of each image file of
            the training and validation parts, and of each group's source and name. Those of the bundle that the
            weights began from are among them.
    """

    file: Literal["seen.npz"]
    sha256: Sha256


class Novelty(Frozen):
    """The detector of images that are not like those of training; see services.bundle.novelty.

    Attributes:
        file: numeric arrays alone.
        features: numbers per image that the detector looks at.
        threshold: a score above it is foreign; chosen so that `promised` of the validation images pass.
        passed: share of the test images that pass.
        foreign: what was measured of other images.
    """

    file: Literal["novelty.npz"]
    sha256: Sha256
    features: Annotated[int, Field(ge=1, le=16384)]
    threshold: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    promised: Share
    passed: Share
    foreign: tuple[Foreign, ...]


class Part(Frozen):
    """One part of the split."""

    images: Count
    groups: Count


class Origin(Frozen):
    """The images that a bundle was measured on, and the software that wrote it."""

    data: Sentence
    data_licence: Sentence
    index_sha256: Sha256
    split_by: Literal["group", "image"]
    validation: Part
    test: Part
    seed: int
    software: Sentence


class Training(Origin):
    """Weights that were fitted here."""

    kind: Literal["training"]
    train: Part
    initial_weights: Sentence
    recipe: str
    epochs: Count
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    device: Sentence


class Import(Origin):
    """Weights that were fitted elsewhere and taken over; which images they were fitted to is not known.

    Attributes:
        file: name of the file that they came in.
    """

    kind: Literal["import"]
    file: Sentence
    file_sha256: Sha256


FORMAT = 5
"""Of manifest.json, as this version writes and reads it."""


class _Header(BaseModel):
    """As much of a manifest as tells its format, whatever else is in it."""

    model_config = ConfigDict(strict=True)

    format: int


class Manifest(Frozen):
    """Everything that a trained model is, but its weights. Written by training alone.

    Attributes:
        format: of this file; a reader reads one format.
        labels: in the order of the logits.
        seen: null where nobody knows.
        operating_points: from rule-out to rule-in; empty where the task has no positive finding.
        prediction_sets: null where an image may have several labels, or the labels are two.
        novelty: null where the training images are not at hand.
        floors: what hardly any picture gives away; null where they were not measured.
        across: figures on sources that were held out; empty where there is one source, or none was held out.
        steadiness: of the test images in other shapes; empty where it was not measured.
        hints: what they did to validation images; empty where the task takes none, or it was not measured.
    """

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)]
    task: Name
    version: Annotated[int, Field(ge=1)]
    created: datetime
    labels: Annotated[tuple[Label, ...], Field(min_length=2)]
    architecture: Description
    preprocessing: Preprocessing
    calibration: Calibration
    weights: Weights
    probe: Probe
    seen: Seen | None
    origin: Annotated[Training | Import, Field(discriminator="kind")]
    evaluation: Evaluation
    operating_points: tuple[OperatingPoint, ...]
    prediction_sets: PredictionSets | None
    novelty: Novelty | None
    floors: Floors | None
    across: tuple[HeldOut, ...]
    steadiness: tuple[Variant, ...]
    hints: tuple[HintEffect, ...]

    @model_validator(mode="after")
    def _consistent(self) -> "Manifest":
        count = len(self.labels)
        confusion, single = self.evaluation.confusion, self.calibration.activation == "softmax"
        checks = {
            "two labels have the same name": len(set(self.labels)) == count,
            "probe.logits and labels differ in length": len(self.probe.logits) == count,
            "evaluation.per_label and labels differ": self.labels
            == tuple(entry.label for entry in self.evaluation.per_label),
            "evaluation.confusion is null, but an image has one label": confusion is not None or not single,
            "evaluation.confusion is not null, but an image may have several labels": confusion is None or single,
            "evaluation.confusion is not square in the labels": confusion is None
            or [len(row) for row in confusion] == [count] * count,
            "evaluation.metrics lacks accuracy": self.evaluation.metric("accuracy") is not None,
            "operating_points are not rule_out, balanced, rule_in of one label, rising": _rising(self.operating_points)
            and {point.label for point in self.operating_points} <= set(self.labels),
            "prediction_sets is not null, but an image may have several labels": self.prediction_sets is None or single,
            "seen is null, but the weights were fitted here": self.seen is not None or self.origin.kind == "import",
        }
        failed = [text for text, holds in checks.items() if not holds]
        if failed:
            raise ValueError(failed[0])
        return self


def _rising(points: tuple[OperatingPoint, ...]) -> bool:
    names, thresholds = [point.name for point in points], [point.threshold for point in points]
    whole = names == ["rule_out", "balanced", "rule_in"] and len({point.label for point in points}) == 1
    return not points or (whole and thresholds == sorted(thresholds))


def parse_manifest(content: bytes) -> Manifest:
    """Read manifest.json.

    Raises:
        ManifestInvalid: not JSON, of another format, a field is missing, unknown or out of range, or the parts
            contradict each other.
    """
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as invalid:
        message = _other_format(content) or f"manifest.json: {first_error(invalid)}"
        raise ManifestInvalid(message) from invalid


def _other_format(content: bytes) -> str | None:
    """What to do with a manifest of another format; None for one of ours."""
    try:
        found = _Header.model_validate_json(content).format
    except ValidationError:
        return None
    if found == FORMAT:
        return None
    advice = (
        "publish the bundle again with `python -m training publish`"
        if found < FORMAT
        else "it was written by a newer version"
    )
    return f"manifest.json is of format {found}; this version reads format {FORMAT}: {advice}"


def serialise_manifest(manifest: Manifest) -> bytes:
    """The bytes of manifest.json: indented, one trailing newline, the same for equal manifests."""
    return (manifest.model_dump_json(indent=1) + "\n").encode()

"""Task (task.toml, written by a person) and Manifest (manifest.json, written by training alone).

Nothing here has a default: a field that is missing or unknown is refused, so that a manifest can never mean
something that training did not say. A field that does not apply is null.
"""

import json
import tomllib
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.errors import ManifestInvalid, TaskInvalid

Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Sentence = Annotated[str, Field(min_length=1, max_length=2000)]
Label = Annotated[str, Field(min_length=1, max_length=64)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Edge = Annotated[int, Field(ge=32, le=1024)]
_MOST_OF_A_NAME = 80
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


# ---------------------------------------------------------------- task.toml


class LabelText(_Frozen):
    """One label as people read it."""

    label: Label
    title: Sentence
    explanation: Sentence


class Task(_Frozen):
    """A clinical or editorial question that images are asked. Written by a person.

    Attributes:
        warning: the sentence that stands beside every answer.
        serve: the version to serve, or "latest" for the highest that is fit to serve.
    """

    name: Name
    title: Sentence
    summary: Sentence
    modality: Sentence
    upload: Sentence
    warning: Sentence
    intended_use: Sentence
    out_of_scope: tuple[Sentence, ...]
    limits: tuple[Sentence, ...]
    serve: Literal["latest"] | Annotated[int, Field(ge=1)]
    labels: Annotated[tuple[LabelText, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _labels_differ(self) -> "Task":
        if len({entry.label for entry in self.labels}) != len(self.labels):
            message = "two labels have the same name"
            raise ValueError(message)
        return self


def parse_task(content: bytes, folder: str) -> Task:
    """Read task.toml; `folder` is the name of the folder that holds it.

    Raises:
        TaskInvalid: not TOML, not of this shape, or named otherwise than its folder.
    """
    try:
        # TOML knows no tuples; in JSON's terms pydantic is strict and still takes an array for one.
        task = Task.model_validate_json(json.dumps(tomllib.loads(content.decode("utf-8")), default=str))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as broken:
        message = f"task.toml cannot be read: {broken}"
        raise TaskInvalid(message) from broken
    except ValidationError as invalid:
        message = f"task.toml: {first_error(invalid)}"
        raise TaskInvalid(message) from invalid
    if task.name != folder:
        message = f"task.toml names the task {task.name!r} but lies in the folder {folder!r}"
        raise TaskInvalid(message)
    return task


# ---------------------------------------------------------------- manifest.json


class Architecture(_Frozen):
    """Which graph the weights belong to.

    Attributes:
        backbone: a row of architectures.BACKBONES.
        hidden: units of each Dense+ReLU layer between pooling and logits; none or one.
    """

    backbone: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=64)]
    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(max_length=1)]


class Preprocessing(_Frozen):
    """How pixels become the model's input, float32 [height, width, 3] in 0..255.

    Attributes:
        colour: "grey" drops colour and repeats the one channel three times.
        fit: "letterbox" keeps the aspect ratio and pads; "stretch" does not.
        pad: grey level of the letterbox.
        window_percentiles: for images of more than 8 bits, the percentiles that become 0 and 255.
    """

    height: Edge
    width: Edge
    colour: Literal["rgb", "grey"]
    fit: Literal["letterbox", "stretch"]
    interpolation: Literal["bilinear", "bicubic", "lanczos"]
    pad: Annotated[int, Field(ge=0, le=255)]
    window_percentiles: tuple[Annotated[float, Field(ge=0, lt=50)], Annotated[float, Field(gt=50, le=100)]]


class Calibration(_Frozen):
    """Logits are divided by the temperature before the softmax (Guo et al. 2017, arXiv:1706.04599)."""

    temperature: Annotated[float, Field(gt=0, le=100)]


class Weights(_Frozen):
    """The weights file: which bytes, and what halving its precision cost on the validation images."""

    file: Literal["model.weights.h5"]
    sha256: Sha256
    size: Annotated[int, Field(gt=0, le=512 * 2**20)]
    dtype: Literal["float16"]
    halving: "Halving"


class Halving(_Frozen):
    """What changed when the weights went from single to half precision."""

    images: Count
    changed_predictions: Count
    largest_probability_change: Share


class Probe(_Frozen):
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


class Part(_Frozen):
    """One part of the split."""

    images: Count
    groups: Count


class Training(_Frozen):
    """Where the weights come from."""

    data: Sentence
    data_licence: Sentence
    index_sha256: Sha256
    split_by: Literal["group", "image"]
    train: Part
    validation: Part
    test: Part
    initial_weights: Sentence
    recipe: str
    seed: int
    epochs: Count
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    device: Sentence
    software: Sentence


class Metric(_Frozen):
    """A measured figure with its 95 % interval, bootstrapped over groups."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    value: Number
    low: Number
    high: Number


class LabelMetrics(_Frozen):
    """How one label fared on the test part; null where nothing was predicted or present."""

    label: Label
    support: Count
    precision: Share | None
    recall: Share | None
    f1: Share | None


class SourceMetrics(_Frozen):
    """How one source of images fared on the test part."""

    source: Sentence
    images: Count
    groups: Count
    accuracy: Share


class Evaluation(_Frozen):
    """What was measured on the test part, once, after everything was chosen on validation.

    Attributes:
        metrics: overall figures; always holds "accuracy".
        confusion: counts, row = truth, column = prediction, both in the order of the labels.
    """

    metrics: tuple[Metric, ...]
    per_label: tuple[LabelMetrics, ...]
    per_source: tuple[SourceMetrics, ...]
    confusion: tuple[tuple[Count, ...], ...]

    def metric(self, name: str) -> Metric | None:
        """The overall figure of this name."""
        return next((metric for metric in self.metrics if metric.name == name), None)


class Manifest(_Frozen):
    """Everything that a trained model is, but its weights. Written by training alone.

    Attributes:
        format: of this file; a reader reads one format.
        labels: in the order of the logits.
    """

    format: Annotated[int, Field(ge=1, le=1)]
    task: Name
    version: Annotated[int, Field(ge=1)]
    created: datetime
    labels: Annotated[tuple[Label, ...], Field(min_length=2)]
    architecture: Architecture
    preprocessing: Preprocessing
    calibration: Calibration
    weights: Weights
    probe: Probe
    training: Training
    evaluation: Evaluation

    @model_validator(mode="after")
    def _consistent(self) -> "Manifest":
        count = len(self.labels)
        rows = [len(row) for row in self.evaluation.confusion]
        checks = {
            "two labels have the same name": len(set(self.labels)) == count,
            "probe.logits and labels differ in length": len(self.probe.logits) == count,
            "evaluation.per_label and labels differ": self.labels
            == tuple(entry.label for entry in self.evaluation.per_label),
            "evaluation.confusion is not square in the labels": rows == [count] * count,
            "evaluation.metrics lacks accuracy": self.evaluation.metric("accuracy") is not None,
        }
        failed = [text for text, holds in checks.items() if not holds]
        if failed:
            raise ValueError(failed[0])
        return self


def parse_manifest(content: bytes) -> Manifest:
    """Read manifest.json.

    Raises:
        ManifestInvalid: not JSON, a field is missing, unknown or out of range, or the parts contradict each other.
    """
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as invalid:
        message = f"manifest.json: {first_error(invalid)}"
        raise ManifestInvalid(message) from invalid


def serialise_manifest(manifest: Manifest) -> bytes:
    """The bytes of manifest.json: indented, one trailing newline, the same for equal manifests."""
    return (manifest.model_dump_json(indent=1) + "\n").encode()


def first_error(invalid: ValidationError) -> str:
    """The first complaint of pydantic as `field.path: message`, without the input's value."""
    error = invalid.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part)[:_MOST_OF_A_NAME] for part in error["loc"])
    return f"{where}: {error['msg']}" if where else error["msg"]

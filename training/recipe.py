"""A recipe: every choice of a training run, as one TOML file that is kept with the bundle."""

import math
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.bundle.fields import Sentence, first_error
from services.bundle.graph import Architecture
from services.bundle.manifest import Preprocessing
from training.errors import RecipeInvalid

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
PartShare = Annotated[float, Field(gt=0, lt=1)]
Dropped = Annotated[float, Field(ge=0, lt=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Material(_Frozen):
    r"""What the images are, and how they are split, by group.

    Attributes:
        split: shares of the images for training, validation and test; they sum to one.
        balance: "class_weights" weighs images of rare labels more in the loss, "oversample" shows them more often;
            "sources" shows each label as often, for each label each of its sources (but a tiny one less), and of a
            source each group.
        counts_as: with balance = "sources", as how many sources a source counts that is to be seen more often than the
            others, as drawn pictures, by which no place can be told; one where nothing is said.
        holdouts: sources that `cross-validate --by source` leaves out together, as where each class has a source of its
            own; empty leaves out each source in turn.
        training_only: sources that are trained on and never measured on, as drawn pictures.
        familiar: kinds of drawn pictures that are among the task's own, so that its detector must not learn to refuse
            them; see training.foreign.DRAWN.
        group_pattern: for a folder without index.csv, a regular expression whose first group, found in an image's
            path, names its group, as '^[^/]+/(patient\d+)_'.
    """

    name: Sentence
    licence: Sentence
    split: tuple[PartShare, PartShare, PartShare]
    balance: Literal["none", "class_weights", "oversample", "sources"]
    holdouts: tuple[Annotated[tuple[str, ...], Field(min_length=1)], ...] = ()
    counts_as: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    training_only: tuple[str, ...] = ()
    familiar: tuple[Literal["charts", "pages", "heads", "figures", "scenes"], ...] = ()
    group_pattern: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Material":
        if not math.isclose(sum(self.split), 1, abs_tol=1e-6):
            message = f"the shares of the split sum to {sum(self.split):g}, not to 1"
            raise ValueError(message)
        if self.counts_as and self.balance != "sources":
            message = "counts_as says something of balance = 'sources' alone"
            raise ValueError(message)
        return self


class Regularisation(_Frozen):
    """What keeps a network from learning its training images by heart.

    Attributes:
        dropout: share of the features that is dropped before each dense layer.
        block_dropout: share of the channels that is dropped after each block of the convnet.
        l2: factor of the squared weights that is added to the loss, for the convnet's convolutions and the head.
        label_smoothing: share of each truth that is spread over all labels (Szegedy et al. 2016, arXiv:1512.00567).
    """

    dropout: Dropped
    block_dropout: Dropped = 0.0
    l2: Annotated[float, Field(ge=0, le=1)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Phase(_Frozen):
    """One phase of training, by Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101).

    Attributes:
        unfreeze: "none" trains the head alone, "all" every layer, else prefixes of layer names, comma-separated. Batch
            normalisation of a pretrained backbone stays in inference mode whatever this says.
        learning_rate: the peak; it rises linearly over `warmup` of the steps.
        schedule: after that it falls as a cosine to zero, or stays constant.
        weight_decay: zero makes it plain Adam.
        patience: epochs without a better validation figure before the phase stops.
        stop_at: validation accuracy at which the phase stops as well.
        tuned_share: in [fine_tuning], the share of its weights in the result; the rest are those that [head] ended
            with. Less than one keeps more of what a pretrained backbone knows of images from elsewhere (Wortsman et
            al. 2022, arXiv:2109.01903).
    """

    unfreeze: str
    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Positive
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: Share
    weight_decay: Annotated[float, Field(ge=0)]
    patience: Annotated[int, Field(ge=1)]
    stop_at: PartShare | None = None
    tuned_share: Annotated[float, Field(gt=0, le=1)] = 1.0


class Augmentation(_Frozen):
    """Random changes of the training images; see training.augmentation.

    Attributes:
        view: edge in pixels of the random crop that is trained on; at most the input's edge.
        rotation: largest turn in degrees, either way.
        scale: smallest and largest factor by which the picture is shrunk (above 1: it looks smaller).
        aspect: largest factor by which the aspect ratio changes, either way; 1 changes nothing.
        flips: "none", "horizontal" or "both".
        contrast: largest relative change of contrast.
        brightness: largest shift, as a share of the range.
        frame: share of the images in which what lies outside the picture is plain, not its mirror image.
        exchange: share of the images that take on the grey levels of another image.
        tone: how much a random monotone curve bends the grey levels; see training.degradation for this and the rest.
        grey: share of the images that lose their colour.
        inversion: share of the images that are shown as negatives.
        margin: the widest side, as a share of the edge, of the plain frame that half of the images lie under.
        blur: the widest Gaussian, in pixels, that half of the images are blurred by.
        noise: the largest deviation, in grey levels, of the noise that half of the images carry.
        compression: share of the images that lose what a JPEG of low quality loses.
    """

    view: Annotated[int, Field(ge=32)]
    rotation: Annotated[float, Field(ge=0, le=180)]
    scale: tuple[Positive, Positive]
    aspect: Annotated[float, Field(ge=1, le=2)]
    flips: Literal["none", "horizontal", "both"]
    contrast: Share
    brightness: Share
    frame: Share = 0.0
    exchange: Share = 0.0
    tone: Share = 0.0
    grey: Share = 0.0
    inversion: Share = 0.0
    margin: Annotated[float, Field(ge=0, le=0.4)] = 0.0
    blur: Annotated[float, Field(ge=0, le=8)] = 0.0
    noise: Annotated[float, Field(ge=0, le=64)] = 0.0
    compression: Share = 0.0


class Sight(Preprocessing):
    """How pixels become the model's input; TOML has no null, so a window that is not wanted is left out."""

    window: tuple[float, Positive] | None = None


class Recipe(_Frozen):
    """A whole training run.

    Attributes:
        activation: "softmax" where an image has one label, "sigmoid" where it may have none or several.
        monitor: the validation figure that chooses the checkpoint and stops a phase.
        mixed_precision: compute in bfloat16 where the device is a GPU.
        initial_weights: "imagenet" where they can be had; "random" trains from scratch.
        head: the phase that trains what lies above the backbone; may be left out.
        fine_tuning: the phase after it; may be left out where there is a first one.
        search: for `tune`: values to try, by dotted names as "fine_tuning.learning_rate"; `train` passes it over.
    """

    task: str
    seed: Annotated[int, Field(ge=0)]
    batch_size: Annotated[int, Field(ge=1)]
    activation: Literal["softmax", "sigmoid"] = "softmax"
    monitor: Literal["val_accuracy", "val_loss"]
    mixed_precision: bool
    initial_weights: Literal["imagenet", "random"]
    material: Material
    architecture: Architecture
    regularisation: Regularisation
    preprocessing: Sight
    augmentation: Augmentation
    head: Phase | None = None
    fine_tuning: Phase | None = None
    search: dict[str, Any] = {}

    @model_validator(mode="after")
    def _possible(self) -> "Recipe":
        edge = min(self.preprocessing.height, self.preprocessing.width)
        if self.augmentation.view > edge:
            message = f"augmentation.view is {self.augmentation.view} pixels, more than the {edge} of the input"
            raise ValueError(message)
        if not self.phases():
            message = "there is neither [head] nor [fine_tuning]: nothing would be trained"
            raise ValueError(message)
        first = next(iter(self.phases().values()))
        if first.tuned_share < 1:
            message = "tuned_share mixes the weights of [fine_tuning] with those of a [head] before it"
            raise ValueError(message)
        return self

    def phases(self) -> dict[str, Phase]:
        """The phases in their order, by name."""
        both = {"head": self.head, "fine_tuning": self.fine_tuning}
        return {name: phase for name, phase in both.items() if phase is not None}


def read_recipe(path: Path) -> tuple[Recipe, str]:
    """Read a recipe and its text.

    Raises:
        RecipeInvalid: not there, not TOML, or not of this shape.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as missing:
        message = f"The recipe {path} cannot be read: {missing.strerror}."
        raise RecipeInvalid(message) from missing
    except UnicodeDecodeError as broken:
        message = f"The recipe {path} is not TOML: {broken}."
        raise RecipeInvalid(message) from broken
    return parse_recipe(text, f"The recipe {path}"), text


def parse_recipe(text: str, where: str) -> Recipe:
    """Read a recipe from its text; `where` begins the sentence if it is refused.

    Raises:
        RecipeInvalid: not TOML, or not of this shape.
    """
    try:
        return Recipe.model_validate(tomllib.loads(text), strict=False)
    except tomllib.TOMLDecodeError as broken:
        message = f"{where} is not TOML: {broken}."
        raise RecipeInvalid(message) from broken
    except ValidationError as invalid:
        message = f"{where}: {first_error(invalid)}."
        raise RecipeInvalid(message) from invalid

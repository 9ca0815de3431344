"""A recipe: every choice of a training run, as one TOML file that is kept with the bundle."""

import math
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.bundle.manifest import Architecture, Preprocessing, Sentence, first_error
from training.errors import RecipeInvalid

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
PartShare = Annotated[float, Field(gt=0, lt=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Material(_Frozen):
    """What the images are, and how they are split, by group.

    Attributes:
        split: shares of the images for training, validation and test; they sum to one.
        balance: "class_weights" weighs each class by the inverse of its frequency.
    """

    name: Sentence
    licence: Sentence
    split: tuple[PartShare, PartShare, PartShare]
    balance: Literal["none", "class_weights"]

    @model_validator(mode="after")
    def _whole(self) -> "Material":
        if not math.isclose(sum(self.split), 1, abs_tol=1e-6):
            message = f"the shares of the split sum to {sum(self.split):g}, not to 1"
            raise ValueError(message)
        return self


class Phase(_Frozen):
    """One phase of fine-tuning.

    Attributes:
        unfreeze: "none" trains the head alone, "all" every layer, else prefixes of layer names, comma-separated.
            Batch normalisation stays in inference mode whatever this says.
        learning_rate: the peak; it rises linearly over `warmup` of the steps and falls as a cosine to zero.
        patience: epochs without a better validation figure before the phase stops.
    """

    unfreeze: str
    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Positive
    warmup: Share
    weight_decay: Annotated[float, Field(ge=0)]
    patience: Annotated[int, Field(ge=1)]


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
    """

    view: Annotated[int, Field(ge=32)]
    rotation: Annotated[float, Field(ge=0, le=180)]
    scale: tuple[Positive, Positive]
    aspect: Annotated[float, Field(ge=1, le=2)]
    flips: Literal["none", "horizontal", "both"]
    contrast: Share
    brightness: Share


class Recipe(_Frozen):
    """A whole training run.

    Attributes:
        monitor: the validation figure that chooses the checkpoint and stops a phase.
        dropout: share of pooled features dropped before the logits.
        mixed_precision: compute in bfloat16 where the device is a GPU.
    """

    task: str
    seed: int
    batch_size: Annotated[int, Field(ge=1)]
    monitor: Literal["val_accuracy", "val_loss"]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    mixed_precision: bool
    material: Material
    architecture: Architecture
    preprocessing: Preprocessing
    augmentation: Augmentation
    head: Phase
    fine_tuning: Phase

    @model_validator(mode="after")
    def _view_fits(self) -> "Recipe":
        edge = min(self.preprocessing.height, self.preprocessing.width)
        if self.augmentation.view > edge:
            message = f"augmentation.view is {self.augmentation.view} pixels, more than the {edge} of the input"
            raise ValueError(message)
        return self


def read_recipe(path: Path) -> tuple[Recipe, str]:
    """Read a recipe and its text.

    Raises:
        RecipeInvalid: not there, not TOML, or not of this shape.
    """
    try:
        text = path.read_text("utf-8")
        recipe = Recipe.model_validate(tomllib.loads(text), strict=False)
    except OSError as missing:
        message = f"The recipe {path} cannot be read: {missing.strerror}."
        raise RecipeInvalid(message) from missing
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as broken:
        message = f"The recipe {path} is not TOML: {broken}."
        raise RecipeInvalid(message) from broken
    except ValidationError as invalid:
        message = f"The recipe {path}: {first_error(invalid)}."
        raise RecipeInvalid(message) from invalid
    return recipe, text

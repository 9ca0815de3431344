"""What `[search]` in a recipe means: which values of which fields are tried, and the recipes that they make."""

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, get_args

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.bundle.fields import first_error
from training.errors import RecipeInvalid
from training.recipe import Recipe

Values = dict[str, Any]
"""Values of a recipe's fields by their dotted names."""

_MOST = 20_000
# Between the ends of a range, and hardly ever a whole number.
_SOMEWHERE = 0.3141592653589793
_ENDS = {"low", "high"}
_FIXED = {
    "task": "it is what the recipe is for",
    "seed": "it decides the split, so the figures would be of other images",
    "activation": "it decides what the monitored figure means",
    "monitor": "it is the figure that the trials are compared by",
    "search": "it is the search itself",
    "material": "it says what the images are",
    "material.name": "it says what the images are",
    "material.licence": "it says what the images are",
    "material.split": "the figures would be of other images",
    "material.group_pattern": "the figures would be of other images",
    "material.familiar": "it decides nothing but what the detector of foreign images is shown",
}
_PART_OF_LOSS = {"regularisation", "regularisation.label_smoothing", "regularisation.l2"}

Number = Annotated[int, Field(strict=True)] | Annotated[float, Field(strict=True, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Choices:
    """Values of a field that are tried one by one."""

    values: tuple[Any, ...]


class Range(BaseModel):
    """Values of a field between two ends, both of which may be tried; for a Bayesian search.

    Attributes:
        log: whether ratios matter rather than differences, as for a learning rate.
        step: from one value to the next; None is 1 for whole numbers, and for others any value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: Number
    high: Number
    log: bool = False
    step: Number | None = None

    @model_validator(mode="after")
    def _possible(self) -> "Range":
        complaints = {
            "low must be less than high": self.low >= self.high,
            "log needs a low above zero": self.log and self.low <= 0,
            "log and step exclude each other": self.log and self.step is not None,
            "step must be above zero and at most high - low": self.step is not None
            and not 0 < self.step <= self.high - self.low,
        }
        for complaint, holds in complaints.items():
            if holds:
                raise ValueError(complaint)
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are tried: both ends, and the step, are written as such."""
        return isinstance(self.low, int) and isinstance(self.high, int) and not isinstance(self.step, float)

    @property
    def top(self) -> int | float:
        """The highest value that steps from the lowest reach."""
        if self.step is None:
            return self.high
        # In decimal, as they were written: (0.5 - 0.2) / 0.1 is just below 3 in binary.
        low, high, step = (Decimal(str(number)) for number in (self.low, self.high, self.step))
        reached = low + (high - low) // step * step
        return int(reached) if self.whole else float(reached)

    @property
    def samples(self) -> tuple[int | float, ...]:
        """Both ends and, unless only whole numbers are tried, a number between them."""
        if self.whole:
            return (self.low, self.top)
        return (self.low, self.low + (self.step or (self.high - self.low) * _SOMEWHERE), self.top)


Space = dict[str, Choices | Range]
"""What is tried, by the dotted names of the recipe's fields."""


def read_space(recipe: Recipe, where: str) -> Space:
    """Read what a recipe's [search] asks for.

    Args:
        recipe: that holds it.
        where: begins the sentence if it is refused.

    Raises:
        RecipeInvalid: there is none; it names no field of a recipe, or one that must stay; or gives it no values.
    """
    space = dict(_flat(recipe.search, where))
    if not space:
        message = (
            f'{where} has no [search]: give fields lists of values, as "fine_tuning.learning_rate" = [1e-4, 3e-4].'
        )
        raise RecipeInvalid(message)
    fields = set(_fields(Recipe))
    for name in space:
        _require_field(recipe, name, fields, where)
        inner = next((other for other in space if other.startswith(f"{name}.")), None)
        if inner:
            message = f"{where}: [search] gives values to {name} and to {inner}, which is a part of it."
            raise RecipeInvalid(message)
    return space


def _flat(search: dict[str, Any], where: str, prefix: str = "") -> Iterator[tuple[str, Choices | Range]]:
    # A name without quotes is a table in a table to TOML.
    for key, value in search.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and not _ENDS & value.keys():
            yield from _flat(value, where, f"{name}.")
        else:
            yield name, _tried(name, value, where)


def _tried(name: str, value: Any, where: str) -> Choices | Range:
    if isinstance(value, dict):
        try:
            return Range.model_validate(value)
        except ValidationError as invalid:
            message = f"{where}: the range of {name} in [search]: {first_error(invalid)}."
            raise RecipeInvalid(message) from invalid
    if not isinstance(value, list) or not value:
        message = f"{where}: [search] gives {name} neither a list of values nor a range {{low = …, high = …}}."
        raise RecipeInvalid(message)
    if len({show(entry) for entry in value}) != len(value):
        message = f"{where}: [search] lists a value of {name} twice."
        raise RecipeInvalid(message)
    return Choices(tuple(value))


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _fields(kind, f"{prefix}{name}.")


def _require_field(recipe: Recipe, name: str, fields: set[str], where: str) -> None:
    if name not in fields:
        message = (
            f"{where}: [search] names {name!r}, which is no field of a recipe; there are "
            f"{', '.join(sorted(fields - _FIXED.keys()))}."
        )
        raise RecipeInvalid(message)
    if name in _FIXED:
        message = f"{where}: [search] names {name}, which must stay as it is: {_FIXED[name]}."
        raise RecipeInvalid(message)
    if recipe.monitor == "val_loss" and name in _PART_OF_LOSS:
        message = f"{where}: {name} changes what val_loss is made of; to search over it, monitor = 'val_accuracy'."
        raise RecipeInvalid(message)


# ---------------------------------------------------------------- what is tried


def grid(space: Space, where: str) -> list[Values]:
    """Every combination of the values, the last name's changing fastest.

    Raises:
        RecipeInvalid: a range, or too many combinations.
    """
    for name, tried in space.items():
        if isinstance(tried, Range):
            message = f"{where}: a grid needs a list of values of {name}, not a range; --method bayes takes ranges."
            raise RecipeInvalid(message)
    return corners(space, where)


def corners(space: Space, where: str) -> list[Values]:
    """Every combination of listed values, and of the ends of ranges and a number between them.

    A field is bounded by itself or by another field, so a space is possible everywhere if it is at its corners. The
    number between is for a range of fractions that is given to a field of whole numbers.

    Raises:
        RecipeInvalid: too many combinations.
    """
    ends = [tried.values if isinstance(tried, Choices) else tried.samples for tried in space.values()]
    count = math.prod(len(values) for values in ends)
    if count > _MOST:
        message = f"{where}: [search] asks for {count} combinations; more than {_MOST} are too many."
        raise RecipeInvalid(message)
    return [dict(zip(space, values, strict=True)) for values in itertools.product(*ends)]


def candidate(recipe: Recipe, values: Values, where: str) -> Recipe:
    """The recipe with other values, and without a search.

    Raises:
        RecipeInvalid: these values do not make a recipe.
    """
    document = recipe.model_dump(mode="json", exclude={"search"})
    for name, value in values.items():
        table, _, key = name.rpartition(".")
        # Not deeper than one table: so are the fields of a recipe.
        target = document[table] if table else document
        if target is None:
            message = f"{where}: [search] names {name}, but the recipe has no [{table}]."
            raise RecipeInvalid(message)
        target[key] = value
    try:
        return Recipe.model_validate(document, strict=False)
    except ValidationError as invalid:
        message = f"{where} with {describe(values)}: {first_error(invalid)}."
        raise RecipeInvalid(message) from invalid


def show(value: Any) -> str:
    """A value as one line, the same for equal values of the same type."""
    return json.dumps(value, sort_keys=True, default=str)


def describe(values: Values) -> str:
    """Values as a person would write them in a recipe, in one line."""
    return ", ".join(f"{name} = {show(value)}" for name, value in values.items())


# ---------------------------------------------------------------- the recipe's file


def rewrite(text: str, values: Values, header: str) -> str:
    """The text of a recipe with other values, without its search, and with everything else as it was written.

    Args:
        text: a valid recipe.
        values: by dotted names.
        header: lines that become comments above it.
    """
    document = tomlkit.parse(text)
    document.pop("search", None)
    for name, value in values.items():
        table, _, key = name.rpartition(".")
        target: Any = document[table] if table else document
        target[key] = value
    comment = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines())
    return f"{comment}\n{tomlkit.dumps(document).lstrip()}"

"""What a caller asks beside the image: in the query string or in the fields of a form."""

import unicodedata
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from starlette.datastructures import FormData

from services.bundle.decision import PointName
from services.bundle.fields import first_error
from services.bundle.hints import MOST_HINT, hintable
from services.bundle.task import Task
from services.errors import MalformedRequest
from services.prediction import Question
from services.shelf import Live


def _without_controls(hint: str) -> str:
    if any(unicodedata.category(mark) == "Cc" for mark in hint):
        kind = "control_characters"
        raise PydanticCustomError(kind, "it holds control characters")
    return hint


_PREVALENCE = (
    "Share of people with a positive finding among those who are asked about, between 0 and 1; the answer then says "
    "what a positive and a negative one are worth."
)


class Asked(BaseModel):
    """What is asked beside the image. A blank field counts as none, as browsers send those that were left empty."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)

    operating_point: PointName | None = Field(
        None,
        description="Decide at this one alone. Without it, what lies between rule-out and rule-in is uncertain.",
    )
    prevalence: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None = Field(None, description=_PREVALENCE)
    saliency: bool = Field(default=False, description="Whether to show which places of the image spoke for the label.")
    hint: Annotated[str, Field(max_length=MOST_HINT), AfterValidator(_without_controls)] | None = Field(
        None,
        description="What stands on the thing itself or its box, where the task takes hints. It never overrides an "
        "image that is confident by itself, and it is neither kept nor logged here; as a field of the form it also "
        "stays out of the logs of any proxy.",
    )
    frame: Annotated[int, Field(ge=1)] | None = Field(None, description="Of a DICOM file of several frames, from 1.")

    @model_validator(mode="before")
    @classmethod
    def _leave_out_blanks(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in given.items() if not (isinstance(value, str) and not value.strip())}

    def completed(self, form: FormData) -> Self:
        """The same with what the fields of a form ask; where both say something, this does.

        Raises:
            MalformedRequest: a field makes no sense; the message does not repeat it.
        """
        names = (str(field.validation_alias or name) for name, field in type(self).model_fields.items())
        fields = {name: form[name] for name in names if name in form}
        try:
            return type(self).model_validate(fields | self.model_dump(exclude_unset=True))
        except ValidationError as invalid:
            message = f"form.{first_error(invalid)}."
            raise MalformedRequest(message) from None

    def question(self, *, preview: bool) -> Question:
        """What the services are asked; `preview` gives back what the model saw."""
        return Question(
            operating_point=self.operating_point,
            hint=self.hint,
            frame=self.frame,
            saliency=self.saliency,
            preview=preview,
        )


def _share(percent: float) -> float:
    # As a person would write it: 12.3 % is 0.123.
    return float(f"{percent / 100:.12g}")


class AskedOnPage(Asked):
    """The same as the form of a page asks it, which speaks of percent."""

    prevalence: Annotated[float, Field(gt=0, lt=100, allow_inf_nan=False), AfterValidator(_share)] | None = Field(
        None, validation_alias="prevalence_percent"
    )


def takes_hints(task: Task, live: Live | None) -> bool:
    """Whether a hint counts: somebody wrote down what stands on the things, and an image shows one kind of them."""
    return hintable(task.labels) and not (live is not None and live.multilabel)

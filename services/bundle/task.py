"""Task: a clinical or editorial question and its words, from task.toml, which a person writes.

A field that is missing or unknown is refused; a label alone may do without facts and hints.
"""

import json
import tomllib
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from services.bundle.facts import Facts, Hint
from services.bundle.fields import Frozen, Label, Name, Sentence, first_error
from services.errors import TaskInvalid

Code = Annotated[str, Field(pattern=r"^[A-Z]{2,16}$")]
"""A word of a DICOM header."""

_TWO = 2


class LabelText(Frozen):
    """One label as people read it.

    Attributes:
        facts: of a drug, for the reader to compare with the packaging; absent for other things.
        hints: words on the thing itself or its package by which a user may name it.
    """

    label: Label
    title: Sentence
    explanation: Sentence
    facts: Facts | None = None
    hints: tuple[Hint, ...] = ()


class Dicom(Frozen):
    """Which DICOM files a task takes, by what their headers say.

    Attributes:
        modalities: values of Modality, as "CR"; empty takes no DICOM file.
        body_parts: values of BodyPartExamined, as "CHEST"; empty takes any.
    """

    modalities: tuple[Code, ...]
    body_parts: tuple[Code, ...]


class Task(Frozen):
    """A clinical or editorial question that images are asked. Written by a person.

    Attributes:
        picture: what its images are, with an article, as "a chest X-ray"; tasks of the same pictures share it.
        dicom: which DICOM files it takes.
        warning: the sentence that stands beside every answer.
        positive: the label that is a positive finding, of two labels; empty where no label is.
        serve: the version to serve, or "latest" for the highest that is fit to serve.
    """

    name: Name
    title: Sentence
    summary: Sentence
    modality: Sentence
    picture: Sentence
    dicom: Dicom
    upload: Sentence
    warning: Sentence
    intended_use: Sentence
    out_of_scope: tuple[Sentence, ...]
    limits: tuple[Sentence, ...]
    serve: Literal["latest"] | Annotated[int, Field(ge=1)]
    positive: Label | Literal[""]
    labels: Annotated[tuple[LabelText, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _labels_differ(self) -> "Task":
        if len({entry.label for entry in self.labels}) != len(self.labels):
            message = "two labels have the same name"
            raise ValueError(message)
        names = tuple(entry.label for entry in self.labels)
        if self.positive and (self.positive not in names or len(names) > _TWO):
            message = "positive is not one of two labels"
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

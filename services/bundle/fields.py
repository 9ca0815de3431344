"""The kinds of field that task.toml and manifest.json are made of, and how a refused one is told."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Sentence = Annotated[str, Field(min_length=1, max_length=2000)]
Label = Annotated[str, Field(min_length=1, max_length=64)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Edge = Annotated[int, Field(ge=32, le=1024)]
Number = Annotated[float, Field(allow_inf_nan=False)]

_MOST_OF_A_NAME = 80


class Frozen(BaseModel):
    """A record that never changes, knows every one of its fields, and takes no type for another."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def first_error(invalid: ValidationError) -> str:
    """The first complaint of pydantic as `field.path: message`, without the input's value."""
    error = invalid.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part)[:_MOST_OF_A_NAME] for part in error["loc"])
    # This kind of complaint alone repeats what was written.
    repeats = error["type"] == "union_tag_invalid"
    what = (
        f"{error['ctx']['discriminator']} should be one of {error['ctx']['expected_tags']}" if repeats else error["msg"]
    )
    return f"{where}: {what}" if where else what

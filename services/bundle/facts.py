"""Facts: what a leaflet says of a label, with its sources, written by a person in task.toml."""

from datetime import date
from typing import Annotated

from pydantic import Field

from services.bundle.fields import Frozen, Sentence

Address = Annotated[
    str,
    Field(pattern=r"^https://([a-z0-9-]+\.)+[a-z]{2,}(/[A-Za-z0-9._~:/?#@!$&()*+,;=%-]*)?$", max_length=500),
]
"""Where a source can be read: https alone, with no name or password in it."""

Hint = Annotated[str, Field(pattern=r"^[a-z0-9]+( [a-z0-9]+)*$", min_length=2, max_length=40)]
"""What may stand on a thing or its box: lower-case letters and digits, in words that are one space apart."""


class Source(Frozen):
    """Where a fact can be checked."""

    title: Sentence
    url: Address


class Facts(Frozen):
    """What a reader of an answer should know of the thing that it names.

    Attributes:
        variant: which product of the name this describes.
        ingredients: each active ingredient with its strength per unit.
        use: what it is for.
        dose_form: form and strength of one unit, as an adult has it; no advice on dosing.
        warnings: the important ones, briefly.
        notes: what limits this entry, as other variants, and that the packaging is right where it differs.
        sources: at least one.
        checked: the day on which the entry was last compared with its sources.
    """

    variant: Sentence
    ingredients: Annotated[tuple[Sentence, ...], Field(min_length=1)]
    use: Sentence
    dose_form: Sentence
    warnings: Annotated[tuple[Sentence, ...], Field(min_length=1)]
    notes: Annotated[tuple[Sentence, ...], Field(min_length=1)]
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    checked: date

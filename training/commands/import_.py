"""`import`: make a bundle of a legacy Keras file of a whole model."""

import re
import sys
from pathlib import Path
from typing import Annotated, TypeVar, get_args

import typer

from services.bundle.store import Store
from training.commands import options
from training.legacy.conventions import Colour, Conventions, Fit, Scaling
from training.terminal import MODEL_STORE, bar, fail, plain_errors, quiet_start, say, show_bundle

Choice = TypeVar("Choice", bound=str)

_USAGE = 2
_LONGEST = 2000


def import_(
    file: Annotated[Path, typer.Argument(help="A whole model that Keras 2 or 3 saved as .h5.")],
    task: Annotated[str, typer.Option(help="A folder of the model store that holds a task.toml.")],
    data: Annotated[Path, typer.Option(help="The folder of images that the model is measured on.")],
    labels: Annotated[
        str | None,
        typer.Option(
            help="The task's labels, in the order of the model's outputs, with commas between. Of a single output: "
            "first the label that 0 means.",
            show_default="asked for",
        ),
    ] = None,
    scaling: Annotated[
        Scaling | None,
        typer.Option(
            help="What was done to the pixels before the model: the range they were brought to; preprocess_input of "
            "keras.applications in its mode caffe or torch (its mode tf is -1..1); none, where they went in as 0..255; "
            "inside, where the model's own first layers do it.",
            show_default="asked for",
        ),
    ] = None,
    colour: Annotated[
        Colour | None,
        typer.Option(help="What the model was given; bgr is how OpenCV reads images.", show_default="asked for"),
    ] = None,
    data_name: Annotated[
        str | None, typer.Option(help="What the images are, for the card.", show_default="asked for")
    ] = None,
    data_licence: Annotated[
        str | None, typer.Option(help="The licence of the images, for the card.", show_default="asked for")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="HEIGHTxWIDTH in pixels, such as 224x224.", show_default="as the file says, if it does"),
    ] = None,
    fit: Annotated[
        Fit, typer.Option(help="How images were brought to that size; Keras's own loaders stretch.")
    ] = "stretch",
    multilabel: Annotated[bool, typer.Option("--multilabel", help="An image may have several labels.")] = False,
    group_pattern: Annotated[
        str | None,
        typer.Option(
            help=r"Regular expression whose first group names what belongs together, as `^(patient\d+)_`.",
            show_default="each image by itself, or the index.csv",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the split into validation and test.")] = 1,
    model_store: options.ModelStore = MODEL_STORE,
) -> None:
    """Make a bundle of a legacy Keras file: a whole model, saved as .h5 by Keras 2 or 3.

    Nothing in the file is run. Its description of layers is read as data, only layers on a list are rebuilt, and its
    weights are checked one by one; a file with a Lambda or any other layer is refused. What the file cannot tell is
    asked for. A fifth of the images fits the temperature, the figures are measured on the rest.

    Example: `python -m training import pneumonia_model.h5 --task pneumonia --data DIR --labels "normal,pneumonia"
    --scaling 0..1 --colour rgb --data-name "Chest radiographs of two hospitals" --data-licence "CC BY 4.0"`
    """
    told = Conventions(
        labels=tuple(
            label.strip() for label in _asked(labels, "--labels", "labels in the order of outputs").split(",")
        ),
        scaling=_chosen(scaling, "--scaling", get_args(Scaling)),
        colour=_chosen(colour, "--colour", get_args(Colour)),
        size=_size(size),
        fit=fit,
        multilabel=multilabel,
    )
    name = _asked(data_name, "--data-name", "what the images are")
    licence = _asked(data_licence, "--data-licence", "licence of the images")
    with plain_errors("Nothing was published."):
        with quiet_start():
            from training import importing  # noqa: PLC0415
        material = importing.Material(data, name, licence, group_pattern, seed)
        manifest = importing.import_model(file, task, told, material, Store(model_store), bar, say)
        show_bundle(manifest, model_store)


def _asked(given: str | None, option: str, what: str) -> str:
    """The option, or what the person at the terminal says instead."""
    if given is None and not sys.stdin.isatty():
        fail(f"{option} is missing: {what}.", _USAGE)
    said = str(typer.prompt(f"{what[0].upper()}{what[1:]} ({option})")) if given is None else given
    if not 1 <= len(said.strip()) <= _LONGEST:
        fail(f"{option} is empty or too long: {what}.", _USAGE)
    return said.strip()


def _chosen(given: Choice | None, option: str, choices: tuple[Choice, ...]) -> Choice:
    listed = f"{option.lstrip('-')}, one of {', '.join(choices)}"
    while given is None:
        said = _asked(None, option, listed)
        given = next((each for each in choices if each == said), None)
    return given


def _size(written: str | None) -> tuple[int, int] | None:
    if written is None:
        return None
    sides = re.fullmatch(r"(\d{1,4})x(\d{1,4})", written)
    if sides is None:
        fail(f"--size is {written!r}; it is a height and a width in pixels, such as 224x224.", _USAGE)
    return int(sides[1]), int(sides[2])

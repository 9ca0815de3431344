"""`simulate`: draw pictures that widen what each class of a task can look like."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from training.errors import ImagesInvalid
from training.terminal import bar, plain_errors, say

if TYPE_CHECKING:
    from training.simulation.found import Found


def simulate(
    task: Annotated[Literal["figures"], typer.Argument(help="A task that there are drawings for.")],  # noqa: ARG001
    out: Annotated[Path, typer.Option(help="New folder for the pictures and their index.csv.")],
    count: Annotated[int, typer.Option(help="How many pictures; classes take turns.", min=1)] = 1500,
    seed: Annotated[int, typer.Option(help="What the pictures follow from.", min=0)] = 1,
    beside: Annotated[
        Path | None,
        typer.Option(
            help="A folder of labelled images that the new folder shall hold as well, as links or copies.",
            show_default="the drawn pictures alone",
        ),
    ] = None,
    found: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=DIR",
            help="A folder of anybody's pictures that all show this label, as charts do; may be given more than once.",
            show_default="none",
        ),
    ] = None,
    views: Annotated[int, typer.Option(help="At most so many views of pictures of each such folder.", min=1)] = 400,
) -> None:
    """Draw pictures of each class, in styles that a collection of real images lacks, as a folder to train on.

    The same seed draws the same pictures, and more of them begin with the same. In index.csv their source is "drawn",
    so that they can be left out of what is measured; of pictures that were found in DIR it is "found:" and the name of
    DIR. Real images are not touched.

    Example: `python -m training simulate figures --beside DIR --out DIR-wide --found None_of_the_above=photographs`
    """
    with plain_errors("Nothing was written."):
        # Matplotlib takes a second to load, and --help should not wait for it.
        from training.simulation import figures, folder  # noqa: PLC0415

        labels, folders = tuple(figures.FIGURES), [_found(text, views) for text in found or ()]
        folder.write_folder(out, labels, figures.draw, count, seed, bar("Drawing", count), beside, folders)
        others = [*([f"the images of {beside}"] if beside else ()), *(f"views of {each.root}" for each in folders)]
        say(f"Wrote {out}: {count} drawn pictures" + "".join(f" and {each}" for each in others))


def _found(text: str, most: int) -> "Found":
    from training.simulation.found import Found  # noqa: PLC0415 - as above

    label, _, root = text.partition("=")
    if not root or not Path(root).is_dir():
        message = f"--found {text}: it takes a label and a folder that is there, as None_of_the_above=photographs."
        raise ImagesInvalid(message)
    return Found(label, Path(root).resolve(), most)

"""`simulate`: draw pictures that widen what each class of a task can look like."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from training.terminal import bar, plain_errors, say


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
) -> None:
    """Draw pictures of each class, in styles that a collection of real images lacks, as a folder to train on.

    The same seed draws the same pictures, and more of them begin with the same. In index.csv their source is "drawn",
    so that they can be left out of what is measured. Real images are not touched.

    Example: `python -m training simulate figures --beside DIR --out DIR-wide --count 1500`
    """
    with plain_errors("Nothing was written."):
        # Matplotlib takes a second to load, and --help should not wait for it.
        from training.simulation import figures, folder  # noqa: PLC0415

        labels = tuple(figures.FIGURES)
        folder.write_folder(out, labels, figures.draw, count, seed, bar("Drawing", count), beside)
        say(f"Wrote {out}: {count} drawn pictures" + (f" and the images of {beside}" if beside else ""))

"""Arguments and options that several commands take with the same meaning."""

from pathlib import Path
from typing import Annotated

import typer

Task = Annotated[str, typer.Argument(help="A folder of the model store that holds a task.toml.")]
Data = Annotated[Path, typer.Option(help="Folder with one sub-folder per label and, if it has one, an index.csv.")]
Recipe = Annotated[Path | None, typer.Option(help="The recipe.", show_default="training/recipes/TASK.toml")]
Split = Annotated[
    Path | None, typer.Option(help="A split.csv of an earlier run.", show_default="by group, as the recipe says")
]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="Weights to start from: a .weights.h5 of the backbone, a bundle's own, or the file that Keras loads.",
        show_default="as the recipe says",
    ),
]
ModelStore = Annotated[
    Path,
    typer.Option(help="Folder of tasks and their bundles.", show_default="model_store of the project"),
]
Keep = Annotated[bool, typer.Option("--keep", help="Keep the run folder after publishing.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Drop an earlier run of this folder first.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]

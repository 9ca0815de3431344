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
Across = Annotated[
    Path | None,
    typer.Option(
        help="report.json of `cross-validate --by source` with the same recipe; its figures go with the bundle.",
        show_default="none were measured",
    ),
]
Foreign = Annotated[
    list[Path] | None,
    typer.Option(
        help="Folder of another task's images, which the model should refuse: its detector is shown some and measured "
        "on others. May be given several times.",
        show_default="drawn pictures alone",
    ),
]
Near = Annotated[
    list[Path] | None,
    typer.Option(
        help="Folder of images so like the task's own that many will get through: the detector is measured on them and "
        "shown none. May be given several times.",
        show_default="none",
    ),
]

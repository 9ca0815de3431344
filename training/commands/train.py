"""`train`: fine-tune a backbone on a folder of images and publish the bundle."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from services.bundle.store import Store
from training.terminal import HERE, MODEL_STORE, RUNS, bar, plain_errors, quiet_start, say, show_bundle


def train(
    task: Annotated[str, typer.Argument(help="A folder of the model store that holds a task.toml.")],
    data: Annotated[Path, typer.Option(help="Folder with one sub-folder per label and, if it has one, an index.csv.")],
    recipe: Annotated[Path | None, typer.Option(help="The recipe.", show_default="training/recipes/TASK.toml")] = None,
    split: Annotated[
        Path | None,
        typer.Option(help="A split.csv of an earlier run.", show_default="by group, as the recipe says"),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Weights to start from: a .weights.h5 of the backbone, a bundle's own, or the file that Keras loads.",
            show_default="as the recipe says",
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Folder of the checkpoints; an interrupted run goes on from it.", show_default="runs/TASK"),
    ] = None,
    model_store: Annotated[
        Path, typer.Option(help="Where the bundle goes.", show_default="model_store of the project")
    ] = MODEL_STORE,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Folder for TensorBoard's event files.", show_default="none are written")
    ] = None,
    no_publish: Annotated[bool, typer.Option("--no-publish", help="Only train; `publish` does the rest.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the run folder after publishing.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Drop an earlier run of this folder first.")] = False,
) -> None:
    """Train a classifier, measure it on the test part, and publish it as a bundle.

    Stopped and started again with the same arguments, it goes on after the last whole epoch.

    Example: `python -m training train drugs --data DIR`
    """
    store, folder = Store(model_store), run or RUNS / task
    with plain_errors(f"The same command goes on after the last whole epoch, from {folder}."):
        with quiet_start():
            # Keras takes seconds to load; --help and a mistyped option should not wait for it.
            from training import pipeline, plan, runs  # noqa: PLC0415
        chosen = plan.draw_up(task, data, recipe or HERE / "recipes" / f"{task}.toml", store, split)
        callbacks = _callbacks(tensorboard)
        if fresh:
            runs.drop_run(folder)
        if no_publish:
            pipeline.train(chosen, folder, weights, bar, callbacks=callbacks)
            say(f"Trained. `python -m training publish {folder} --data {data}` measures and publishes it.")
            return
        manifest = pipeline.publish_run(chosen, folder, weights, store, bar, keep=keep, callbacks=callbacks)
        show_bundle(manifest, model_store)


def _callbacks(tensorboard: Path | None) -> Sequence[Any]:
    if tensorboard is None:
        return ()
    from training.tensorboard import TensorBoardLog  # noqa: PLC0415

    return (TensorBoardLog(tensorboard),)

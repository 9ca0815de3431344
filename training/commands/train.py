"""`train`: fine-tune a backbone on a folder of images and publish the bundle."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from services.bundle.store import Store
from training.commands import options
from training.terminal import HERE, MODEL_STORE, RUNS, bar, plain_errors, quiet_start, say, show_bundle


def train(
    task: options.Task,
    data: options.Data,
    recipe: options.Recipe = None,
    split: options.Split = None,
    weights: options.Weights = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Folder of the checkpoints; an interrupted run goes on from it.", show_default="runs/TASK"),
    ] = None,
    across: options.Across = None,
    foreign: options.Foreign = None,
    near: options.Near = None,
    model_store: options.ModelStore = MODEL_STORE,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Folder for TensorBoard's event files.", show_default="none are written")
    ] = None,
    no_publish: Annotated[bool, typer.Option("--no-publish", help="Only train; `publish` does the rest.")] = False,
    keep: options.Keep = False,
    fresh: options.Fresh = False,
) -> None:
    """Train a classifier, measure it on the test part, and publish it as a bundle.

    Stopped and started again with the same arguments, it goes on after the last whole epoch.

    Example: `python -m training train drugs --data DIR`
    """
    store, folder = Store(model_store), run or RUNS / task
    with plain_errors(f"The same command goes on after the last whole epoch, from {folder}."):
        with quiet_start():
            # Keras takes seconds to load; --help and a mistyped option should not wait for it.
            from training import across as reports  # noqa: PLC0415
            from training import pipeline, plan, runs  # noqa: PLC0415
        chosen = plan.draw_up(task, data, recipe or HERE / "recipes" / f"{task}.toml", store, split)
        # A wrong report is refused before hours of training.
        elsewhere = reports.elsewhere(chosen, across, foreign, near)
        callbacks = _callbacks(tensorboard)
        if fresh:
            runs.drop_run(folder)
        if no_publish:
            pipeline.train(chosen, folder, weights, bar, callbacks=callbacks)
            say(f"Trained. `python -m training publish {folder} --data {data}` measures and publishes it.")
            return
        manifest = pipeline.publish_run(chosen, folder, weights, store, bar, elsewhere, keep=keep, callbacks=callbacks)
        show_bundle(manifest, model_store)


def _callbacks(tensorboard: Path | None) -> Sequence[Any]:
    if tensorboard is None:
        return ()
    from training.tensorboard import TensorBoardLog  # noqa: PLC0415

    return (TensorBoardLog(tensorboard),)

"""`ct`: turn a folder of CT slices of the head into a served task."""

from pathlib import Path
from typing import Annotated

import typer

from services.bundle.store import Store
from training.commands import options
from training.terminal import MODEL_STORE, RUNS, bar, plain_errors, quiet_start, say, show_bundle


def ct(
    data: options.Data,
    task: Annotated[str, typer.Argument(help="Name of the task: small letters, digits and hyphens.")] = "brain-ct",
    recipe: Annotated[
        Path | None, typer.Option(help="The recipe.", show_default="the task's, or that of brain-ct")
    ] = None,
    weights: options.Weights = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Folder of the checkpoints; an interrupted run goes on from it.", show_default="runs/TASK"),
    ] = None,
    foreign: options.Foreign = None,
    near: options.Near = None,
    model_store: options.ModelStore = MODEL_STORE,
    keep: options.Keep = False,
    fresh: options.Fresh = False,
) -> None:
    """Turn a folder of CT slices of the head, DICOM or PNG, into a task that the service serves.

    It trains by the recipe, whose window in Hounsfield units every DICOM file is shown in, with the slices of one study
    in one part; writes a task.toml for a person to go over, unless there is one; measures and publishes.

    Example: `python -m training ct --data DIR`
    """
    store, folder = Store(model_store), run or RUNS / task
    with plain_errors(f"The same command goes on after the last whole epoch, from {folder}."):
        with quiet_start():
            # Keras takes seconds to load; --help and a mistyped option should not wait for it.
            from training import across as reports  # noqa: PLC0415
            from training import ct as heads  # noqa: PLC0415
            from training import runs  # noqa: PLC0415
        plan, words = heads.draw_up(task, data, recipe, store)
        elsewhere = reports.elsewhere(plan, None, foreign, near)
        if fresh:
            runs.drop_run(folder)
        manifest = heads.publish(plan, words, folder, weights, store, bar, elsewhere, keep=keep)
        show_bundle(manifest, model_store)
        if words is not None:
            say(f"Wrote {model_store / task / 'task.toml'}: go over it.")
        if manifest.version == 1:
            say("A running service takes up a new task when it is started again.")

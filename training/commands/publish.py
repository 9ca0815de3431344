"""`publish`: measure a finished training and make it a bundle."""

from pathlib import Path
from typing import Annotated

import typer

from services.bundle.store import Store
from training.commands import options
from training.terminal import MODEL_STORE, bar, plain_errors, quiet_start, show_bundle


def publish(
    run: Annotated[Path, typer.Argument(help="The run folder of a finished `train --no-publish`.")],
    data: Annotated[Path, typer.Option(help="The folder of images that it was trained on.")],
    across: options.Across = None,
    foreign: options.Foreign = None,
    near: options.Near = None,
    model_store: options.ModelStore = MODEL_STORE,
    keep: options.Keep = False,
) -> None:
    """Measure a finished training on its test part and publish it, by the recipe and the split of its run folder.

    It refuses a test part that holds an image or a group that training has seen.

    Example: `python -m training publish runs/drugs --data DIR`
    """
    store = Store(model_store)
    with plain_errors():
        with quiet_start():
            from training import across as reports  # noqa: PLC0415
            from training import pipeline, plan, recipe, runs  # noqa: PLC0415
        chosen, _ = recipe.read_recipe(run / runs.RECIPE)
        drawn = plan.draw_up(chosen.task, data, run / runs.RECIPE, store, run / runs.SPLIT)
        elsewhere = reports.elsewhere(drawn, across, foreign, near)
        manifest = pipeline.publish_finished(drawn, run, store, bar, elsewhere, keep=keep)
        show_bundle(manifest, model_store)

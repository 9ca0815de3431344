"""`draft`: write a first task.toml and a first recipe for a folder of images."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands import options
from training.terminal import HERE, MODEL_STORE, plain_errors, quiet_start, say


def draft(
    task: Annotated[str, typer.Argument(help="Name of the new task: small letters, digits and hyphens.")],
    data: options.Data,
    backbone: Annotated[str, typer.Option(help="A backbone, as in recipes; convnet trains from scratch.")] = (
        "efficientnet_lite0"
    ),
    recipe: Annotated[
        Path | None, typer.Option(help="Where the recipe goes.", show_default="training/recipes/TASK.toml")
    ] = None,
    model_store: options.ModelStore = MODEL_STORE,
) -> None:
    """Write a first task.toml and a first recipe from a folder's names and sizes, so that `train` can follow.

    Both say that nobody has reviewed them: a person must say what the task is for. Nothing is overwritten.

    Example: `python -m training draft skin --data DIR`
    """
    place = recipe or HERE / "recipes" / f"{task}.toml"
    with plain_errors("Nothing was written."):
        with quiet_start():
            # The backbones are Keras's, which takes seconds to load; --help should not wait for it.
            from training import drafting, folders, studies  # noqa: PLC0415
            from training.glance import glance_at  # noqa: PLC0415
        drafting.require_room(model_store, place.parent)
        folder = studies.by_study(folders.read_folder(data))
        glance = glance_at(folder)
        drafts = {
            model_store / task / "task.toml": drafting.draft_task(task, folder, glance),
            place: drafting.draft_recipe(task, folder, glance, backbone),
        }
        drafting.write_drafts(drafts.items())
        for path in drafts:
            say(f"Wrote {path}")
        if not folder.grouped:
            say("Each image counts as a group of its own; see the recipe if several show the same patient or object.")
        chosen = f" --recipe {place}" if recipe else ""
        stored = "" if model_store == MODEL_STORE else f" --model-store {model_store}"
        say(f"Go over both, then `python -m training train {task} --data {data}{chosen}{stored}` trains.")

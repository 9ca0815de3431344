"""`tune`: try the values that a recipe's [search] lists, and write the recipe that did best on validation."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Column, Table

from services.bundle.store import Store
from training.commands import options
from training.search import show
from training.terminal import HERE, MODEL_STORE, RUNS, bar, plain_errors, quiet_start, say

if TYPE_CHECKING:
    from training.tuning import Outcome, Search

_STUDY, _BEST = "study.db", "best.toml"


def tune(
    task: options.Task,
    data: options.Data,
    recipe: Annotated[
        Path | None,
        typer.Option(help="The recipe, with a table [search].", show_default="training/recipes/TASK.toml"),
    ] = None,
    method: Annotated[
        Literal["grid", "bayes"],
        typer.Option(
            help="grid tries every combination of lists; bayes chooses, from lists and ranges (Optuna's TPE)."
        ),
    ] = "grid",
    trials: Annotated[
        int | None, typer.Option(help="At most so many trainings in all.", min=1, show_default="the whole grid, or 20")
    ] = None,
    split: options.Split = None,
    weights: options.Weights = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Folder of the checkpoints; a search goes on from it.", show_default="runs/TASK-tune"),
    ] = None,
    study: Annotated[
        Path | None, typer.Option(help="SQLite file of the trials.", show_default=f"{_STUDY} in the run folder")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File of the best recipe.", show_default=f"{_BEST} in the run folder")
    ] = None,
    model_store: options.ModelStore = MODEL_STORE,
    fresh: options.Fresh = False,
) -> None:
    """Train with each candidate of a recipe's [search], compare them on the validation part, write the best recipe.

    [search] gives fields of the recipe lists of values, or for --method bayes ranges:

        [search]
        "fine_tuning.learning_rate" = {low = 1e-4, high = 1e-2, log = true}
        "architecture.hidden" = [[], [128]]

    A trial ends early by the recipe's patience, or once it is worse than the median of the others at the same epoch.
    Stopped and started again with the same arguments, it goes on where it stopped.

    Example: `python -m training tune drugs --data DIR --method bayes --trials 30`
    """
    folder, path = run or RUNS / f"{task}-tune", recipe or HERE / "recipes" / f"{task}.toml"
    database, best = study or folder / _STUDY, out or folder / _BEST
    with plain_errors(f"The same command goes on where it stopped, from {folder}."):
        with quiet_start():
            # Keras takes seconds to load; --help and a mistyped option should not wait for it.
            from training import disk, plan, tuning  # noqa: PLC0415
        search = tuning.plan_search(plan.draw_up(task, data, path, Store(model_store), split), path, method, trials)
        folder.mkdir(parents=True, exist_ok=True)
        tuning.require_place(best)
        if fresh:
            tuning.drop_search(folder, database)
        found = tuning.tune(search, folder, database, weights, bar, say)
        disk.write_whole(best, found.text.encode())
        _show(search, found)
        say(f"Wrote {best}. `python -m training train {task} --data {data} --recipe {best}` trains and measures it.")


def _show(search: "Search", found: "Outcome") -> None:
    monitor = search.plan.recipe.monitor
    names = ("trial", *search.space, monitor, "epochs", "seconds", "ending")
    table = Table(*(Column(name, overflow="fold") for name in names), title=f"{search.plan.task.name}: trials")
    for number, tried in enumerate(found.tried, start=1):
        table.add_row(
            str(number),
            *(show(tried.values[name]) for name in search.space),
            "" if tried.figure is None else f"{tried.figure:.4f}",
            str(tried.epochs),
            f"{tried.seconds:.0f}",
            "best" if tried == found.best else tried.ending,
        )
    Console().print(table)

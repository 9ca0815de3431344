"""`cross-validate`: train once per fold, or per source, and see how much the figures vary."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from services.bundle.store import Store
from training.commands import options
from training.terminal import HERE, MODEL_STORE, RUNS, bar, plain_errors, quiet_start, say

if TYPE_CHECKING:
    from training.crossvalidation import Report


def cross_validate(
    task: options.Task,
    data: options.Data,
    recipe: options.Recipe = None,
    by: Annotated[
        Literal["fold", "source"],
        typer.Option(help="fold: each fold in turn is the test part; source: each source of the index.csv in turn."),
    ] = "fold",
    folds: Annotated[
        int, typer.Option(help="Parts that the images are dealt into by group; one of them is for validation.", min=2)
    ] = 5,
    weights: options.Weights = None,
    run: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the checkpoints; an interrupted run goes on from it.",
            show_default="runs/TASK-cross-validation",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="New folder for report.json and the plots.", show_default="RUN-report"),
    ] = None,
    model_store: options.ModelStore = MODEL_STORE,
    fresh: options.Fresh = False,
) -> None:
    """Train once per fold with the same recipe and measure each training on the fold that it has not seen.

    Whole groups go into folds: each in turn is the test part, the next one chooses the checkpoint, the others are
    trained on. With --by source, each source is the test part of a training on the others. No bundle is published.

    Stopped and started again with the same arguments, it goes on after the last whole epoch.

    Example: `python -m training cross-validate drugs --data DIR --folds 5`
    """
    folder, path = run or RUNS / f"{task}-cross-validation", recipe or HERE / "recipes" / f"{task}.toml"
    place = out or folder.with_name(f"{folder.name}-report")
    with plain_errors(f"The same command goes on after the last whole epoch, from {folder}."):
        with quiet_start():
            # Keras takes seconds to load; --help and a mistyped option should not wait for it.
            from training import crossvalidation, plan, results, rounds  # noqa: PLC0415
        chosen = plan.undivided(task, data, path, Store(model_store))
        divide = rounds.by_fold if by == "fold" else rounds.by_source
        trainings, left_out = divide(chosen.folder, folds, chosen.recipe.seed, chosen.recipe.material)
        results.require_free(place)
        if fresh:
            crossvalidation.drop_rounds(folder)
        measured = crossvalidation.cross_validate(chosen, trainings, folder, weights, bar, say)
        report = crossvalidation.summarise(chosen, by, measured, left_out)
        results.write_results(place, crossvalidation.report_files(report))
        crossvalidation.drop_rounds(folder)
        _show(report)
        say(f"Wrote {place / 'report.json'}")


def _show(report: "Report") -> None:
    from training.crossvalidation import HEADLINES  # noqa: PLC0415

    console = Console()
    table = Table(report.by, "test images", *HEADLINES.values(), "epochs", title=f"{report.task}: test figures")
    for each in report.rounds:
        metrics = (each.evaluation.metric(name) for name in HEADLINES)
        shown = (
            "" if metric is None else f"{metric.value:.4f} ({metric.low:.3f} to {metric.high:.3f})"
            for metric in metrics
        )
        table.add_row(each.name, str(each.test.images), *shown, str(each.epochs))
    console.print(table)
    spread = Table("figure", "mean", "standard deviation", "lowest", "highest", title=f"over each {report.by}")
    for found in (found for found in report.spread if found.name in HEADLINES):
        deviation = "" if found.deviation is None else f"{found.deviation:.4f}"
        cells = (f"{found.mean:.4f}", deviation, f"{found.lowest:.4f}", f"{found.highest:.4f}")
        spread.add_row(HEADLINES[found.name], *cells)
    console.print(spread)
    for sentence in (*report.left_out, report.note):
        say(sentence)

"""`evaluate`: measure bundles on a folder of images, and compare them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from services.bundle.store import Store
from training.commands import options
from training.terminal import MODEL_STORE, bar, fail, plain_errors, quiet_start, say

if TYPE_CHECKING:
    from training.split import Split


def evaluate(
    task: options.Task,
    data: Annotated[Path, typer.Option(help="Folder of labelled images; it need not be the one that was trained on.")],
    versions: Annotated[
        list[int] | None, typer.Argument(help="Which bundles; the others are compared with the first. All by default.")
    ] = None,
    split: Annotated[
        Path | None, typer.Option(help="A split.csv of the folder.", show_default="images that no version has seen")
    ] = None,
    part: Annotated[
        Literal["test", "validation", "all"] | None,
        typer.Option(help="Which part of the split; all takes every image, seen or not.", show_default="test"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="New folder for report.json and plots.", show_default="nothing is written")
    ] = None,
    as_json: options.AsJson = False,
    mistakes: Annotated[bool, typer.Option(help="Draw the worst mistakes, which shows the images themselves.")] = True,
    floors: Annotated[
        bool,
        typer.Option("--floors", help="Set the figures beside what a thumbnail or its border gives away."),
    ] = False,
    model_store: options.ModelStore = MODEL_STORE,
) -> None:
    """Measure bundles on labelled images, by default on those that none of them has seen, and compare them.

    Every figure has a 95 % interval, bootstrapped over groups; several bundles are compared on the same images by a
    paired bootstrap and a permutation test over groups, and by McNemar's exact test.

    Example: `python -m training evaluate drugs 1 2 --data DIR --out report`
    """
    with plain_errors("Nothing was written."):
        if floors and (split is None or part not in {None, "test"}):
            fail("--floors needs --split: they are fitted to its training part and measured on its test part.", 2)
        with quiet_start():
            # Keras takes seconds to load; --help and a mistyped option should not wait for it.
            from training import assessment, results, selection, tables  # noqa: PLC0415
            from training.split import read_split  # noqa: PLC0415
        if out is not None:
            results.require_free(out)
        store = Store(model_store)
        bundles = assessment.read_bundles(store, task, versions or ())
        manifests = [bundle.manifest for bundle in bundles]
        folder = selection.open_folder(data, manifests)
        drawn: Split | None = None if split is None else read_split(split, folder)
        seen = {manifest.version: store.seen(task, manifest.version) for manifest in manifests}
        chosen = selection.select(folder, manifests[0].labels, seen, drawn, part)
        train = drawn.train if floors and drawn is not None else None
        found, plots = assessment.assess(bundles, folder, chosen, bar, draw=out is not None, show=mistakes, train=train)
        report = found.model_dump_json(indent=1)
        if out is not None:
            results.write_results(out, {"report.json": f"{report}\n".encode(), **plots})
        if as_json:
            typer.echo(report)
            return
        tables.show(found)
        if out is not None:
            say(f"Wrote {out}")

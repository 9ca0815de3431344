"""`inspect`: what a folder of images holds, and what to beware of."""

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from services.settings import Settings
from training.cautions import Caution, cautions
from training.commands import options
from training.errors import ResultsTaken
from training.folders import read_folder
from training.inspection import Border, Class, Cluster, Inspection, inspect_folder
from training.results import require_free, write_results
from training.split import read_split
from training.terminal import bar, plain_errors, say

# What a service accepts unless its operator says otherwise.
_MAX_PIXELS: int = Settings.model_fields["max_pixels"].default
_MOST_ROWS, _MOST_EXAMPLES = 40, 5
_BORDERS: Mapping[Border, str] = {"labels": "across labels", "group": "across groups", "parts": "across parts"}


def inspect(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Sub-folders of images, or an index.csv or classification.json.")
    ],
    split: Annotated[
        Path | None, typer.Option(help="A split.csv, to look for copies across its parts.", show_default="none")
    ] = None,
    group_pattern: Annotated[
        str | None,
        typer.Option(
            help="Without an index.csv: a regular expression whose first group, found in an image's path, names its "
            "group.",
            show_default="each image is a group",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="New folder for report.json and the plots.", show_default="none is written")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Look at a folder of images: classes, sources, sizes, colours, refused files, copies, and what to beware of.

    Every image is decoded by the code that serves. Warnings do not change the exit status.

    Example: `python -m training inspect DIR --out report`
    """
    with plain_errors("Nothing was written."):
        if out is not None:
            _require_place(out, folder)
        images = read_folder(folder, group_pattern)
        parts = None if split is None else read_split(split, images)
        found = inspect_folder(images, parts, bar, max_pixels=_MAX_PIXELS)
        warnings = cautions(found)
        report = json.dumps(_report(found, warnings), indent=1) + "\n"
        if out is not None:
            # Matplotlib takes a second to load, and only the plots need it.
            from training.histograms import plots  # noqa: PLC0415

            write_results(out, {"report.json": report.encode()} | plots(found))
        if as_json:
            typer.echo(report, nl=False)
            return
        _show(found, warnings)
        if out is not None:
            say(f"Wrote {out}")


def _require_place(out: Path, folder: Path) -> None:
    if out.resolve().is_relative_to(folder.resolve()):
        message = f"{out} would lie among the images, where its plots would be taken for a class; name another folder."
        raise ResultsTaken(message)
    require_free(out)


# ---------------------------------------------------------------- report.json


def _report(found: Inspection, warnings: Sequence[Caution]) -> dict[str, Any]:
    return {
        "folder": str(found.folder.root),
        "sha256": found.folder.sha256,
        "images": len(found.folder.samples),
        "grouped": found.folder.grouped,
        "multilabel": found.folder.multilabel,
        "parts": found.parts,
        "classes": [_class(item) for item in found.classes],
        "kinds": [
            {"media_type": kind.media_type, "colour": kind.colour, "bits": kind.bits, "images": count}
            for kind, count in Counter(look.kind for look in found.looks).most_common()
        ],
        "sizes": {name: dict(zip(("least", "median", "most"), span, strict=True)) for name, span in _spans(found)},
        "refused": [{"path": refused.sample.path, "reason": refused.reason} for refused in found.refused],
        "flat": [sample.path for sample in found.flat],
        "copies": [_cluster(cluster) for cluster in found.copies],
        "shortcuts": found.shortcuts,
        "warnings": [{"about": caution.about, "sentence": caution.sentence} for caution in warnings],
    }


def _class(item: Class) -> dict[str, Any]:
    shades = item.shades
    return {
        "label": item.label,
        "images": item.images,
        "groups": item.groups,
        "sources": item.sources,
        "colours": {}
        if shades is None
        else {
            channel: {"mean": mean, "deviation": deviation, "histogram": histogram}
            for channel, mean, deviation, histogram in zip(
                shades.channels, shades.mean, shades.deviation, shades.histogram, strict=True
            )
        },
    }


def _cluster(cluster: Cluster) -> dict[str, Any]:
    parts = cluster.parts or (None,) * len(cluster.samples)
    return {
        "kind": cluster.kind,
        "across": [border for border in _BORDERS if cluster.crosses(border)],
        "images": [
            {"path": sample.path, "labels": sample.labels, "group": sample.group, "source": sample.source, "part": part}
            for sample, part in zip(cluster.samples, parts, strict=True)
        ],
    }


def _spans(found: Inspection) -> Iterable[tuple[str, tuple[float, float, float]]]:
    """Least, median and most of the width, the height and the width over the height."""
    measures: dict[str, list[float]] = {
        "width": [look.width for look in found.looks],
        "height": [look.height for look in found.looks],
        "aspect ratio": [look.width / look.height for look in found.looks],
    }
    for name, values in measures.items():
        yield name, (min(values), statistics.median(values), max(values))


# ---------------------------------------------------------------- tables


def _show(found: Inspection, warnings: Sequence[Caution]) -> None:
    console = Console()
    for table in (_classes(found), _sources(found), _stored(found), _copies(found), _refused(found)):
        if table.row_count:
            console.print(table)
    for number, caution in enumerate(warnings, start=1):
        say(f"Warning {number}: {caution.sentence}")
    if not warnings:
        say("Nothing to warn of.")


def _table(title: str, *names: str) -> Table:
    first, *others = names
    columns = (Column(first, overflow="fold"), *(Column(name, justify="right") for name in others))
    return Table(*columns, title=title, title_justify="left")


def _cells(table: Table, *cells: object) -> None:
    # As they are: a label may hold what rich would take for markup.
    table.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else str(cell)) for cell in cells))


def _cut(table: Table, rest: int) -> Table:
    if rest > 0:
        table.caption = f"{rest} more are in report.json"
    return table


def _classes(found: Inspection) -> Table:
    table = _table("Classes", "label", "images", "groups", "sources", "mean level", "deviation")
    order = sorted(found.classes, key=lambda item: (-item.images, item.label))
    for item in order[:_MOST_ROWS]:
        shades = item.shades
        levels = ("", "") if shades is None else (_levels(shades.mean), _levels(shades.deviation))
        _cells(table, item.label, item.images, item.groups, len(item.sources), *levels)
    total, groups = len(found.folder.samples), {sample.group for sample in found.folder.samples}
    table.add_section()
    _cells(table, "all", total, len(groups), len({sample.source for sample in found.folder.samples}), "", "")
    return _cut(table, len(order) - _MOST_ROWS)


def _levels(values: Iterable[float]) -> str:
    return " / ".join(f"{value:.0f}" for value in values)


def _sources(found: Inspection) -> Table:
    table = _table("Sources", "source", "images", "classes")
    counts = Counter(sample.source for sample in found.folder.samples)
    for source, images in counts.most_common(_MOST_ROWS) if len(counts) > 1 else ():
        labels = [item.label for item in found.classes if source in item.sources]
        _cells(table, source, images, len(labels) if len(labels) > 1 else f"only {labels[0]}" if labels else "none")
    return _cut(table, len(counts) - _MOST_ROWS)


def _stored(found: Inspection) -> Table:
    table = _table("How they are stored", "", "images", "least", "median", "most")
    for kind, count in Counter(look.kind for look in found.looks).most_common():
        _cells(table, f"{kind.media_type}, {kind.colour}, {kind.bits} bits", count, "", "", "")
    table.add_section()
    for name, span in _spans(found):
        _cells(table, name, "", *(f"{value:.2f}" if name == "aspect ratio" else f"{value:g}" for value in span))
    return table


def _copies(found: Inspection) -> Table:
    known: dict[Border, bool] = {"labels": True, "group": found.folder.grouped, "parts": bool(found.parts)}
    borders = [border for border in _BORDERS if known[border]]
    table = _table("Copies", "", "clusters", "images", *(_BORDERS[border] for border in borders))
    for kind in ("same file", "same pixels", "near copies"):
        alike = [cluster for cluster in found.copies if cluster.kind == kind]
        if alike:
            crossing = [sum(cluster.crosses(border) for cluster in alike) for border in borders]
            _cells(table, kind, len(alike), sum(len(cluster.samples) for cluster in alike), *crossing)
    return table


def _refused(found: Inspection) -> Table:
    table = Table(Column("file", overflow="fold"), "reason", title="Refused files", title_justify="left")
    for refused in found.refused[:_MOST_ROWS]:
        _cells(table, refused.sample.path, refused.reason)
    return _cut(table, len(found.refused) - _MOST_ROWS)

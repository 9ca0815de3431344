"""Yardsticks: what no figure of the test part should be read without, sources never seen and trivial floors."""

from collections.abc import Iterator, Mapping

from services.bundle.evaluation import Estimate, Floor
from services.bundle.manifest import Import, Manifest
from services.bundle.task import Task
from training.floors import BORDER, EDGE
from training.markdown import listed, table
from training.sections.estimates import NOTHING, decimals, short

MAIN = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "macro_roc_auc": "ROC AUC"}
"""The figures that are set beside each other, and their names in a table."""


def skill(figure: float, floor: float) -> float | None:
    """How much of the way from a floor to perfection a figure goes; None where the floor leaves nothing to go."""
    return None if floor >= 1 else (figure - floor) / (1 - floor)


def floors_of(manifest: Manifest) -> Mapping[str, Mapping[str, Estimate]]:
    """The figures of each floor, by the names that they have in an evaluation; empty where none was measured."""
    if manifest.floors is None:
        return {}
    both = {"thumbnail": manifest.floors.thumbnail, "border": manifest.floors.border}
    return {name: dict(_figures(floor)) for name, floor in both.items()}


def _figures(floor: Floor) -> Iterator[tuple[str, Estimate]]:
    yield "balanced_accuracy", floor.balanced_accuracy
    if floor.macro_roc_auc is not None:
        yield "macro_roc_auc", floor.macro_roc_auc


# ---------------------------------------------------------------- at the head of the card


def beside(manifest: Manifest) -> str:
    """The main figures, each beside what it was on sources never seen and beside the floors."""
    measured = floors_of(manifest)
    rows = [_row(manifest, measured, name) for name in MAIN if manifest.evaluation.metric(name) is not None]
    columns = ["test part", *(["worst of the sources never seen"] if manifest.across else [])]
    for name in measured:
        columns += [f"{name} floor", "skill above it"]
    lacking = {
        "on sources that it never saw": bool(manifest.across),
        "of the floors, which tell what hardly any picture gives away": bool(measured),
    }
    missing = " ".join(f"Nothing was measured {what}." for what, there in lacking.items() if not there)
    return "\n\n".join(text for text in (table(("figure", *columns), rows), missing) if text)


def _row(manifest: Manifest, measured: Mapping[str, Mapping[str, Estimate]], name: str) -> list[str]:
    own = manifest.evaluation.metric(name)
    row = [MAIN[name], short(own)]
    if manifest.across:
        row.append(_lowest(manifest, name))
    return row + _above(own, measured, name)


def _above(own: Estimate | None, measured: Mapping[str, Mapping[str, Estimate]], name: str) -> list[str]:
    """Two cells for each floor: its figure, and the skill above it."""
    cells = []
    for floor in measured.values():
        found = floor.get(name)
        cells += [short(found), NOTHING if found is None or own is None else decimals(skill(own.value, found.value))]
    return cells


def _lowest(manifest: Manifest, name: str) -> str:
    found = [(metric, held) for held in manifest.across if (metric := held.metric(name)) is not None]
    if not found:
        return NOTHING
    metric, held = min(found, key=lambda pair: pair[0].value)
    return f"{short(metric)}, {listed(held.sources)}"


# ---------------------------------------------------------------- sources never seen


def across(manifest: Manifest, task: Task) -> str:
    """What networks of the same recipe make of sources that were held out."""
    if not manifest.across:
        return (
            f"Not measured: {_why(manifest)}. How much of the figures comes from recognising the sources is not known, "
            "and neither is what to expect of images from elsewhere."
        )
    rows = [
        (listed(held.sources), held.images, held.groups, *(short(held.metric(name)) for name in MAIN))
        for held in manifest.across
    ]
    header = ("sources held out", "images", "groups", *MAIN.values())
    parts = [
        (
            "No figure of the test part should be read without this table. The test part holds the sources of "
            "training, and there a right answer may come from recognising where an image was made."
        ),
        (
            "For each line another network of the same recipe was trained without these sources, and measured on all "
            "of their images; what an image from elsewhere may expect is nearer to these figures than to any other:"
        ),
        table(header, rows),
        "A dash stands where images of a single label give no such figure.",
        *_labels_across(manifest, task),
    ]
    return "\n\n".join(parts)


def _why(manifest: Manifest) -> str:
    if isinstance(manifest.origin, Import):
        return "nobody knows of which sources the images were that the weights were fitted to"
    return "every image is of one source" if len(manifest.evaluation.per_source) == 1 else "no source was held out"


def _labels_across(manifest: Manifest, task: Task) -> Iterator[str]:
    titles = {entry.label: entry.title for entry in task.labels}
    rows = [
        (
            listed(held.sources),
            titles[entry.label],
            entry.support,
            *map(short, (entry.recall, entry.specificity, entry.roc_auc)),
        )
        for held in manifest.across
        for entry in held.per_label
        if entry.support or entry.specificity is not None
    ]
    if rows:
        yield "Each label against the rest, on the sources held out:"
        yield table(("sources held out", "label", "images", "recall", "specificity", "ROC AUC"), rows)


# ---------------------------------------------------------------- floors


def floors(manifest: Manifest) -> str:
    """What a logistic regression on hardly any picture scores, and how far the classifier is above it."""
    measured = floors_of(manifest)
    if not measured:
        return "Not measured, so nobody knows how much of the figures hardly any picture would give away."
    own = {name: manifest.evaluation.metric(name) for name in MAIN if any(name in floor for floor in measured.values())}
    rows = [(MAIN[name], short(figure), *_above(figure, measured, name)) for name, figure in own.items()]
    header = ("figure", "this classifier", *(cell for name in measured for cell in (name, "skill above it")))
    return (
        f"A logistic regression on thumbnails of {EDGE} x {EDGE} pixels, and one on the outermost {BORDER} pixels of "
        "these alone, were fitted to the same training images and measured on the same test images. What they score "
        "needs no look at what an image shows; what the border scores comes from how the images were framed.\n\n"
        f"{table(header, rows)}\n\n"
        "Skill is the share of the way from the floor to a perfect figure: (figure - floor) / (1 - floor)."
    )

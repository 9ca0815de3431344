"""What `evaluate` prints: tables of figures, side by side for several bundles."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.bundle.evaluation import Estimate, Evaluation, Floors
from training.assessment import Assessment
from training.comparison import Comparison
from training.metrics import TITLES
from training.terminal import say

_TESTS = (
    "Intervals: paired bootstrap over groups. P-values of figures: permutation test that swaps the answers of whole "
    "groups. McNemar's exact test takes images for independent, which those of one group are not: trust it only where "
    "each image is a group. Holm corrects for the number of bundles compared."
)


def show(assessment: Assessment) -> None:
    """Print an assessment on standard output, its notes first."""
    console = Console()
    for note in assessment.notes:
        say(note)
    console.print(_overall(assessment))
    if len(assessment.bundles) == 1:
        evaluation = assessment.bundles[0].evaluation
        console.print(_labels(evaluation))
        console.print(_sources(evaluation))
    if assessment.comparison is not None:
        console.print(_comparison(assessment.comparison))
        say(_TESTS)


def _overall(assessment: Assessment) -> Table:
    columns = [f"version {bundle.version}" for bundle in assessment.bundles]
    floors = _floors(assessment.floors)
    rows = []
    for name, title in TITLES.items():
        metrics = [bundle.evaluation.metric(name) for bundle in assessment.bundles]
        if any(metric is not None for metric in metrics):
            rows.append(
                (
                    title,
                    *(_cell(metric, 4) for metric in metrics),
                    *(_cell(floor.get(name), 4) for floor in floors.values()),
                )
            )
    return _table(f"{assessment.task}: {assessment.images}", ("figure", *columns, *floors), rows)


def _floors(floors: Floors | None) -> dict[str, dict[str, Estimate | None]]:
    """The same figures of the trivial regressions, as further columns."""
    if floors is None:
        return {}
    columns = {"floor: thumbnail": floors.thumbnail, "floor: border": floors.border}
    return {
        name: {"balanced_accuracy": floor.balanced_accuracy, "macro_roc_auc": floor.macro_roc_auc}
        for name, floor in columns.items()
    }


def _labels(evaluation: Evaluation) -> Table:
    header = ("label", "images", "recall", "specificity", "precision", "F1", "ROC AUC")
    rows = (
        (m.label, str(m.support), *(_cell(e, 3) for e in (m.recall, m.specificity, m.precision, m.f1, m.roc_auc)))
        for m in evaluation.per_label
    )
    return _table("Each label against the rest", header, rows)


def _sources(evaluation: Evaluation) -> Table:
    rows = (
        (m.source, str(m.images), str(m.groups), _cell(m.accuracy, 3), _cell(m.balanced_accuracy, 3))
        for m in evaluation.per_source
    )
    return _table("Each source", ("source", "images", "groups", "accuracy", "balanced accuracy"), rows)


def _comparison(comparison: Comparison) -> Table:
    rows = []
    for other in comparison.others:
        for found in other.differences:
            tests = (f"{found.p_value:.3f}", f"{found.corrected:.3f}")
            rows.append(
                (other.name, TITLES[found.figure], f"{found.value:+.4f}\n{found.low:+.4f} to {found.high:+.4f}", *tests)
            )
        mcnemar = other.mcnemar
        right = f"{mcnemar.only_other} right here alone, {mcnemar.only_reference} there alone"
        rows.append((other.name, "McNemar's exact test", right, f"{mcnemar.p_value:.3f}", f"{mcnemar.corrected:.3f}"))
    header = ("", "figure", "difference", "p", "p by Holm")
    return _table(f"Compared with {comparison.reference}", header, rows)


def _table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    # As text: a bracket in a label is no markup.
    table = Table(title=Text(title), box=box.SIMPLE_HEAD, title_justify="left", collapse_padding=True, pad_edge=False)
    for name in header:
        table.add_column(Text(name))
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _cell(estimate: Estimate | None, digits: int) -> str:
    if estimate is None:
        return "-"
    return f"{estimate.value:.{digits}f}\n{estimate.low:.{digits - 1}f}-{estimate.high:.{digits - 1}f}"

"""Tables say what was measured, in names as they are."""

import pytest

from services.bundle.evaluation import Estimate, Floor, Floors
from tests.training.answering import ONCE, guesses
from training.assessment import Assessed, Assessment
from training.comparison import Contender, compare
from training.evaluation import evaluate, measure
from training.tables import show

LABELS = ("[red]a[/red]", "b :apple:", "c")


def assessment(bundles: int, floors: Floors | None = None) -> Assessment:
    given = {f"version {number}": guesses(80, 3, skill=number) for number in range(1, bundles + 1)}
    contenders = {name: Contender(answers, ONCE, measure(answers, ONCE, 0)) for name, answers in given.items()}
    return Assessment(
        task="shapes",
        images="80 [b]drawings[/b]",
        index_sha256="0" * 64,
        notes=("Nobody knows [anything].",),
        bundles=tuple(
            Assessed(version=number, digest="sha256:0", evaluation=evaluate(answers, LABELS, ONCE, 0), mistakes=())
            for number, answers in enumerate(given.values(), start=1)
        ),
        comparison=compare(contenders, 0) if bundles > 1 else None,
        floors=floors,
    )


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def test_a_bracket_in_a_name_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    show(assessment(1))
    printed = capsys.readouterr().out
    for text in (*LABELS, "shapes: 80 [b]drawings[/b]", "Nobody knows [anything]."):
        assert text in printed


def test_every_estimate_of_a_label_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    shown = assessment(1)
    show(shown)
    printed = capsys.readouterr().out
    for entry in shown.bundles[0].evaluation.per_label:
        for estimate in (entry.recall, entry.specificity, entry.precision, entry.f1, entry.roc_auc):
            assert estimate is not None
            assert f"{estimate.value:.3f}" in printed
            assert f"{estimate.low:.2f}-{estimate.high:.2f}" in printed


def test_a_comparison_tells_differences_and_p_values(capsys: pytest.CaptureFixture[str]) -> None:
    shown = assessment(3)
    show(shown)
    printed = capsys.readouterr().out
    assert shown.comparison is not None
    assert "Compared with version 1" in printed
    for versus in shown.comparison.others:
        for difference in versus.differences:
            assert f"{difference.value:+.4f}" in printed
            assert f"{difference.low:+.4f} to {difference.high:+.4f}" in printed
            assert f"{difference.corrected:.3f}" in printed
        assert f"{versus.mcnemar.only_other} right here alone, {versus.mcnemar.only_reference} there alone" in printed
    assert "takes images for independent" in printed
    # Tables of labels and sources are of one bundle.
    assert "Each label against the rest" not in printed


def test_floors_are_further_columns(capsys: pytest.CaptureFixture[str]) -> None:
    low = Floor(balanced_accuracy=Estimate(value=0.4321, low=0.4, high=0.5), macro_roc_auc=None)
    show(assessment(1, Floors(thumbnail=low, border=low)))
    printed = capsys.readouterr().out
    assert "floor: thumbnail" in printed
    assert printed.count("0.4321") == 2

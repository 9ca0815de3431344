"""Figures of held-out sources are taken from a report of the same recipe on the same images, and from no other."""

from pathlib import Path
from typing import Any

import pytest

from services.bundle.store import Store
from tests.training.conftest import draw_images
from tests.training.test_crossvalidation import reported
from tests.training.test_tuning import QUICK
from training.across import elsewhere, read_across
from training.crossvalidation import Report, summarise
from training.errors import ImagesInvalid, RecipeInvalid, RunMismatch
from training.evidence import Elsewhere
from training.plan import Plan, draw_up
from training.recipe import parse_recipe

BALANCE = 'balance = "class_weights"'


@pytest.fixture
def plan(tmp_path: Path, store_root: Path) -> Plan:
    (tmp_path / "r.toml").write_text(QUICK)
    return draw_up("shapes", draw_images(tmp_path / "images", each=10), tmp_path / "r.toml", Store(store_root))


@pytest.fixture
def report(plan: Plan) -> Report:
    """Of two rounds, the one without two sources at once, the other without a third."""
    first, second = reported(plan, 0.5, 0.7)
    named = (first.model_copy(update={"name": "a + b"}), second.model_copy(update={"name": "c"}))
    return summarise(plan, "source", named, ())


def written(report: Report, folder: Path, **changes: Any) -> Path:
    path = folder / "report.json"
    path.write_text(report.model_copy(update=changes).model_dump_json())
    return path


def test_each_round_is_a_holdout(report: Report, plan: Plan, tmp_path: Path) -> None:
    together, alone = read_across(written(report, tmp_path), plan)
    assert (together.sources, alone.sources) == (("a", "b"), ("c",))
    for found, each in zip((together, alone), report.rounds, strict=True):
        assert (found.images, found.groups) == (each.test.images, each.test.groups) == (12, 6)
        assert found.metrics == each.evaluation.metrics
        assert found.per_label == each.evaluation.per_label
    accuracy = alone.metric("accuracy")
    assert accuracy is not None
    assert accuracy.value == 0.7


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"task": "forms"}, "is a report of the task 'forms'."),
        ({"by": "fold"}, "is a report of folds, not of sources."),
        ({"index_sha256": "0" * 64}, "is a report of other images."),
    ],
    ids=["task", "folds", "images"],
)
def test_a_report_of_something_else_is_refused(
    changes: dict[str, Any], reason: str, report: Report, plan: Plan, tmp_path: Path
) -> None:
    path = written(report, tmp_path, **changes)
    with pytest.raises(RunMismatch) as refused:
        read_across(path, plan)
    assert str(refused.value) == f"{path} {reason}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("seed = 3", "seed = 4"),
        ("batch_size = ", "batch_size = 1"),
        (BALANCE, 'balance = "sources"'),
        (BALANCE, f'{BALANCE}\ntraining_only = ["source 1"]'),
        ("filters = [8]", "filters = [16]"),
        ("pad = 127", "pad = 126"),
        ("brightness = ", "tone = 0.5\nbrightness = "),
        ("dropout = ", "l2 = 0.1\ndropout = "),
        ("epochs = 2", "epochs = 3"),
    ],
)
def test_a_report_of_another_recipe_is_refused(
    before: str, after: str, report: Report, plan: Plan, tmp_path: Path
) -> None:
    assert before in QUICK
    path = written(report, tmp_path, recipe=QUICK.replace(before, after))
    with pytest.raises(RunMismatch, match=r"report.json is a report of another recipe\."):
        read_across(path, plan)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('name = "Shapes drawn by code"', 'name = "Shapes"'),
        ('licence = "None needed."', 'licence = "CC0-1.0"'),
        ("split = [0.6, 0.2, 0.2]", "split = [0.8, 0.1, 0.1]"),
        (BALANCE, f'{BALANCE}\nholdouts = [["source 0"], ["source 1"]]'),
        ("seed = 3", "# the third\nseed  =  3"),
        ("", '[search]\n"fine_tuning.epochs" = [1, 2]\n'),
    ],
    ids=["name", "licence", "split", "holdouts", "comment", "search"],
)
def test_what_decides_nothing_of_a_holdout_may_differ(
    before: str, after: str, report: Report, plan: Plan, tmp_path: Path
) -> None:
    assert before in QUICK
    changed = QUICK.replace(before, after) if before else f"{QUICK}\n{after}"
    assert parse_recipe(changed, "it") != plan.recipe or "#" in after
    assert len(read_across(written(report, tmp_path, recipe=changed), plan)) == 2


def test_no_report_at_all_is_refused(report: Report, plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(RunMismatch, match=r"nowhere.json cannot be read: No such file or directory\."):
        read_across(tmp_path / "nowhere.json", plan)
    path = tmp_path / "other.json"
    for content in (b"", b"{", b'{"task": "shapes"}', b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(RunMismatch, match=r"other.json is no report of `cross-validate`: "):
            read_across(path, plan)
    with pytest.raises(RecipeInvalid, match=r"^The recipe in .*report.json: fine_tuning.epochs: Field required\."):
        read_across(written(report, tmp_path, recipe=QUICK.replace("epochs = 2", "epocs = 2")), plan)


def test_what_is_known_elsewhere_is_read_before_any_work(report: Report, plan: Plan, tmp_path: Path) -> None:
    assert elsewhere(plan, None, None, None) == Elsewhere()
    others, alike = draw_images(tmp_path / "others", each=1), draw_images(tmp_path / "alike", each=1)
    found = elsewhere(plan, written(report, tmp_path), [others], [alike])
    assert [each.sources for each in found.across] == [("a", "b"), ("c",)]
    assert (found.foreign, found.near) == ((others,), (alike,))
    for folders in (([tmp_path / "nowhere"], None), (None, [tmp_path / "nowhere"])):
        with pytest.raises(ImagesInvalid, match="nowhere is not a folder"):
            elsewhere(plan, None, *folders)

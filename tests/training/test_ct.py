"""CT slices of the head: what is planned before anything is trained, and which images are refused."""

from pathlib import Path
from typing import Any

import pytest

from services.bundle.store import Store
from services.bundle.task import parse_task
from services.errors import TaskInvalid
from tests.bundles import write_task
from tests.training.heads import draw_heads
from training.ct import TASK, draw_up
from training.errors import ImagesInvalid, RecipeInvalid


@pytest.fixture
def store(tmp_path: Path) -> Store:
    root = tmp_path / "model_store"
    root.mkdir()
    return Store(root)


def test_the_shipped_recipe_and_the_drafted_words_plan_a_training(store: Store, tmp_path: Path) -> None:
    plan, words = draw_up(TASK, draw_heads(tmp_path / "heads", studies=40, each=1), None, store)
    assert plan.recipe.preprocessing.window == (40, 80)
    assert words is not None
    task = parse_task(words.encode(), TASK)
    assert task == plan.task
    assert (task.positive, task.dicom.modalities, task.dicom.body_parts) == (
        "bleed",
        ("CT",),
        ("HEAD", "BRAIN", "SKULL"),
    )
    assert (task.title, task.picture) == ("CT slice of the head: Bleed or No bleed", "a CT slice of the head")
    assert "centre 40 and width 80 Hounsfield units" in task.upload
    assert task.warning.startswith("Research use only.")
    # Nobody knows the images, and the words do not pretend otherwise.
    assert "a person must say what this is for" in task.intended_use
    assert any("Nobody has said where the slices come from" in limit for limit in task.limits)
    assert not list(store.root.iterdir())


def test_no_study_lies_in_two_parts(store: Store, tmp_path: Path) -> None:
    plan, words = draw_up(TASK, draw_heads(tmp_path / "heads", studies=24, each=4), None, store)
    parts = [{sample.group for sample in part} for _, part in plan.split.parts()]
    assert [len(part) for _, part in plan.split.parts()] == [4 * len(groups) for groups in parts]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 24
    assert plan.folder.grouped
    assert words is not None
    assert "a patient with several studies may stand in training and test" in " ".join(
        parse_task(words.encode(), TASK).limits
    )


def test_slices_that_name_no_study_are_told_of(store: Store, tmp_path: Path) -> None:
    plan, words = draw_up(TASK, draw_heads(tmp_path / "heads", studies=40, StudyInstanceUID=None), None, store)
    assert not plan.folder.grouped
    assert words is not None
    assert "Nobody has said which slices belong together" in " ".join(parse_task(words.encode(), TASK).limits)


def test_words_that_are_there_stay(store: Store, tmp_path: Path) -> None:
    write_task(store.root, TASK, ("bleed", "no_bleed"), modalities=("CT",))
    plan, words = draw_up(TASK, draw_heads(tmp_path / "heads", studies=40), None, store)
    assert words is None
    assert plan.task == store.task(TASK)


def test_another_task_takes_the_recipe_under_its_own_name(store: Store, tmp_path: Path) -> None:
    heads = draw_heads(tmp_path / "heads", studies=40)
    plan, _ = draw_up("head-bleeds", heads, None, store)
    assert (plan.recipe.task, plan.task.name) == ("head-bleeds", "head-bleeds")
    assert plan.recipe.model_copy(update={"task": TASK}) == draw_up(TASK, heads, None, store)[0].recipe


@pytest.mark.parametrize("name", ["Brain", "../ct", 'a"b'])
def test_a_name_that_no_task_can_have_is_refused(name: str, store: Store, tmp_path: Path) -> None:
    heads = draw_heads(tmp_path / "heads", studies=40)
    with pytest.raises(TaskInvalid, match="name: "):
        draw_up(name, heads, None, store)
    assert not list(store.root.iterdir())


@pytest.mark.parametrize(("said", "named"), [({"Modality": "MR"}, "MR"), ({"BodyPartExamined": "CHEST"}, "CHEST")])
def test_what_is_no_ct_of_the_head_is_refused(said: dict[str, Any], named: str, store: Store, tmp_path: Path) -> None:
    with pytest.raises(ImagesInvalid, match=f"say {named}, which is no CT of the head"):
        draw_up(TASK, draw_heads(tmp_path / "heads", **said), None, store)
    assert not list(store.root.iterdir())


def test_a_header_that_says_more_of_the_head_passes(store: Store, tmp_path: Path) -> None:
    plan, _ = draw_up(TASK, draw_heads(tmp_path / "heads", studies=40, BodyPartExamined="HEADNECK"), None, store)
    assert len(plan.folder.samples) == 80


def test_what_cannot_be_planned_leaves_nothing(store: Store, tmp_path: Path) -> None:
    heads = draw_heads(tmp_path / "heads", studies=2)
    with pytest.raises(ImagesInvalid, match="too few groups"):
        draw_up(TASK, heads, None, store)
    with pytest.raises(RecipeInvalid, match="nowhere"):
        draw_up(TASK, heads, tmp_path / "nowhere.toml", store)
    with pytest.raises(NotADirectoryError):
        draw_up(TASK, heads, None, Store(tmp_path / "nowhere"))
    assert not list(store.root.iterdir())

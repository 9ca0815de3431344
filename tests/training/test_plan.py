"""Recipe, images and task are checked against each other before any work."""

from pathlib import Path

import pytest

from services.bundle.store import Store
from services.errors import SightlineError, TaskInvalid, UnknownTask
from tests.bundles import write_task
from tests.training.conftest import RECIPE, draw_images
from training.errors import ImagesInvalid, RecipeInvalid
from training.plan import Plan, draw_up, undivided
from training.split import split_by_group, write_split


def test_a_plan_holds_what_a_run_needs(images: Path, recipe_path: Path, store_root: Path) -> None:
    plan = draw_up("shapes", images, recipe_path, Store(store_root))
    assert plan.task.name == plan.recipe.task == "shapes"
    assert plan.text == RECIPE
    # The order of the logits is that of training, not that of task.toml.
    assert plan.folder.labels == ("disc", "square", "stripes")
    assert [entry.label for entry in plan.task.labels] == ["stripes", "disc", "square"]
    assert len(plan.split.train) + len(plan.split.validation) + len(plan.split.test) == 60


def test_an_identity_follows_the_choices_and_not_their_layout(
    images: Path, recipe_path: Path, store_root: Path
) -> None:
    def plan() -> Plan:
        return draw_up("shapes", images, recipe_path, Store(store_root))

    before = plan().identity()
    recipe_path.write_text("# a comment\n" + RECIPE.replace("seed = 3", "seed  =  3"))
    assert plan().identity() == before
    recipe_path.write_text(RECIPE.replace("seed = 3", "seed = 4"))
    other = {"recipe_sha256": "", "split_sha256": ""}
    assert plan().identity() | other == before | other
    assert plan().identity() != before
    recipe_path.write_text(RECIPE)
    index = images / "index.csv"
    index.write_text(index.read_text().replace("source 1", "source 2"))
    assert plan().identity() | {"index_sha256": ""} == before | {"index_sha256": ""}
    assert plan().identity() != before


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ('task = "shapes"', 'task = "forms"', "is of the task 'forms', not of 'shapes'"),
        (
            'backbone = "convnet"\nfilters = [16, 32, 64, 128]',
            'backbone = "resnet9000"\nfilters = []',
            "'resnet9000' is no backbone; there are convnet, ",
        ),
        (
            'backbone = "convnet"\nfilters = [16, 32, 64, 128]',
            'backbone = "inception_resnet_v2"\nfilters = []',
            "inception_resnet_v2 takes no less than 75 pixels, augmentation.view is less",
        ),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(
    before: str, after: str, reason: str, images: Path, recipe_path: Path, store_root: Path
) -> None:
    recipe_path.write_text(RECIPE.replace(before, after))
    with pytest.raises(RecipeInvalid, match=reason):
        draw_up("shapes", images, recipe_path, Store(store_root))


def test_a_task_that_is_not_in_the_store_is_refused(images: Path, recipe_path: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownTask, match=r"holds no task 'shapes': write .*nowhere/shapes/task.toml first"):
        draw_up("shapes", images, recipe_path, Store(tmp_path / "nowhere"))


def test_a_broken_task_is_refused(images: Path, recipe_path: Path, store_root: Path) -> None:
    (store_root / "shapes" / "task.toml").write_text("name = 3")
    with pytest.raises(TaskInvalid):
        draw_up("shapes", images, recipe_path, Store(store_root))


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (("disc", "square"), "holds images of 'stripes', which task.toml does not name"),
        (("disc", "square", "stripes", "cross"), "holds no image of 'cross', which task.toml names"),
    ],
)
def test_other_labels_than_the_task_are_refused(
    labels: tuple[str, ...], reason: str, images: Path, recipe_path: Path, store_root: Path
) -> None:
    write_task(store_root, "shapes", labels)
    with pytest.raises(ImagesInvalid, match=reason):
        draw_up("shapes", images, recipe_path, Store(store_root))


def test_too_few_images_are_refused(tmp_path: Path, recipe_path: Path, store_root: Path) -> None:
    few = draw_images(tmp_path / "few", each=2)
    with pytest.raises(SightlineError, match="too few groups"):
        draw_up("shapes", few, recipe_path, Store(store_root))


def test_a_split_can_be_given(images: Path, recipe_path: Path, store_root: Path, tmp_path: Path) -> None:
    drawn = draw_up("shapes", images, recipe_path, Store(store_root))
    other = split_by_group(drawn.folder.samples, (0.4, 0.3, 0.3), seed=9)
    write_split(tmp_path / "split.csv", other)
    given = draw_up("shapes", images, recipe_path, Store(store_root), tmp_path / "split.csv")
    assert given.split == other != drawn.split
    assert given.identity()["split_sha256"] != drawn.identity()["split_sha256"]
    write_split(tmp_path / "split.csv", drawn.split)
    assert draw_up("shapes", images, recipe_path, Store(store_root), tmp_path / "split.csv") == drawn


def test_what_a_search_would_try_is_not_part_of_a_runs_identity(
    images: Path, recipe_path: Path, store_root: Path
) -> None:
    before = draw_up("shapes", images, recipe_path, Store(store_root)).identity()
    recipe_path.write_text(RECIPE + '\n[search]\n"head.learning_rate" = [1e-3, 1e-2]\n')
    assert draw_up("shapes", images, recipe_path, Store(store_root)).identity() == before


def test_several_labels_need_a_sigmoid(images: Path, recipe_path: Path, store_root: Path) -> None:
    index = images / "index.csv"
    index.write_text(index.read_text().replace("disc/000.png,disc,", "disc/000.png,disc|square,"))
    with pytest.raises(RecipeInvalid, match=r"several labels or none; the recipe .* needs activation = 'sigmoid'"):
        draw_up("shapes", images, recipe_path, Store(store_root))
    recipe_path.write_text(RECIPE.replace("seed = 3", 'seed = 3\nactivation = "sigmoid"'))
    assert draw_up("shapes", images, recipe_path, Store(store_root)).folder.multilabel


def test_a_folder_without_an_index_is_grouped_by_the_recipes_pattern(
    tmp_path: Path, recipe_path: Path, store_root: Path
) -> None:
    images = draw_images(tmp_path / "plain", index=False)
    recipe_path.write_text(RECIPE.replace('balance = "class_weights"', 'balance = "none"\ngroup_pattern = "(.*)[0-9]"'))
    with pytest.raises(ImagesInvalid, match="too few groups"):
        # Ten images each: two groups per class.
        draw_up("shapes", images, recipe_path, Store(store_root))
    recipe_path.write_text(recipe_path.read_text().replace("(.*)[0-9]", "(.*)[.]png"))
    assert draw_up("shapes", images, recipe_path, Store(store_root)).folder.grouped


def test_sources_that_are_trained_on_only_are_in_no_other_part(
    images: Path, recipe_path: Path, store_root: Path
) -> None:
    recipe_path.write_text(
        RECIPE.replace('balance = "class_weights"', 'balance = "none"\ntraining_only = ["source 1"]')
    )
    plan = draw_up("shapes", images, recipe_path, Store(store_root))
    found = {name: {sample.source for sample in part} for name, part in plan.split.parts()}
    assert found == {"train": {"source 0", "source 1"}, "validation": {"source 0"}, "test": {"source 0"}}
    assert sum(sample.source == "source 1" for sample in plan.split.train) == 30
    recipe_path.write_text(RECIPE.replace('balance = "class_weights"', 'balance = "none"\ntraining_only = ["drawn"]'))
    with pytest.raises(ImagesInvalid, match="names the source 'drawn'; there are source 0, source 1"):
        draw_up("shapes", images, recipe_path, Store(store_root))


def test_a_source_that_counts_as_several_must_be_there(images: Path, recipe_path: Path, store_root: Path) -> None:
    wanted = 'balance = "sources"\ncounts_as = {{ "{}" = 3 }}'
    recipe_path.write_text(RECIPE.replace('balance = "class_weights"', wanted.format("source 1")))
    assert undivided("shapes", images, recipe_path, Store(store_root)).recipe.material.counts_as == {"source 1": 3}
    recipe_path.write_text(RECIPE.replace('balance = "class_weights"', wanted.format("drawn")))
    with pytest.raises(ImagesInvalid, match=r"counts_as names the source 'drawn'; there are source 0, source 1"):
        undivided("shapes", images, recipe_path, Store(store_root))

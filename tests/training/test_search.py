"""[search]: what it may ask for, and the recipes that come of it."""

from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import RECIPE
from training.errors import RecipeInvalid
from training.recipe import Recipe, parse_recipe
from training.search import Choices, Range, Space, Values, candidate, corners, describe, grid, read_space, rewrite


def searching(lines: str, recipe: str = RECIPE) -> Recipe:
    return parse_recipe(f"{recipe}\n[search]\n{lines}\n", "The recipe")


def candidates(asked: Recipe, where: str) -> list[Recipe]:
    """All that happens before a training."""
    return [candidate(asked, values, where) for values in corners(read_space(asked, where), where)]


def refusal(lines: str, recipe: str = RECIPE) -> str:
    """Why the search is refused."""
    asked = searching(lines, recipe)
    with pytest.raises(RecipeInvalid) as refused:
        candidates(asked, "The recipe r.toml")
    assert str(refused.value).startswith("The recipe r.toml")
    return str(refused.value)


# ---------------------------------------------------------------- what is asked for


def test_lists_and_ranges_are_read() -> None:
    space = read_space(
        searching(
            '"fine_tuning.learning_rate" = {low = 1e-4, high = 1e-2, log = true}\n'
            '"architecture.hidden" = [[], [128]]\n'
            "batch_size = {low = 4, high = 16, step = 4}"
        ),
        "The recipe",
    )
    assert space == {
        "fine_tuning.learning_rate": Range(low=1e-4, high=1e-2, log=True),
        "architecture.hidden": Choices(([], [128])),
        "batch_size": Range(low=4, high=16, step=4),
    }


def test_a_name_needs_no_quotes() -> None:
    quoted = searching('"head.epochs" = [1, 2]\n"fine_tuning.warmup" = {low = 0.0, high = 0.2}')
    bare = searching("head.epochs = [1, 2]\nfine_tuning.warmup = {low = 0.0, high = 0.2}")
    assert read_space(bare, "The recipe") == read_space(quoted, "The recipe")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("", "has no [search]"),
        (
            '"fine_tuning.lr" = [1e-3]',
            "names 'fine_tuning.lr', which is no field of a recipe; there are architecture, ",
        ),
        ('"head.epochs.low" = [1]', "names 'head.epochs.low', which is no field"),
        ("seed = [1, 2]", "names seed, which must stay as it is: it decides the split"),
        ('monitor = ["val_loss"]', "names monitor, which must stay"),
        ('"material.split" = [[0.6, 0.2, 0.2]]', "names material.split, which must stay"),
        ("batch_size = []", "gives batch_size neither a list"),
        ("batch_size = 8", "gives batch_size neither a list"),
        ("batch_size = [8, 16, 8]", "lists a value of batch_size twice"),
        (
            'head = [{epochs = 1}]\n"head.epochs" = [1]',
            "gives values to head and to head.epochs, which is a part of it",
        ),
        ("batch_size = {low = 4}", "range of batch_size in [search]: high: Field required"),
        ("batch_size = {low = 4, high = 8, base = 2}", "base: Extra inputs are not permitted"),
        ("batch_size = {low = 8, high = 8}", "low must be less than high"),
        ("batch_size = {low = 0, high = 8, log = true}", "log needs a low above zero"),
        ("batch_size = {low = 1, high = 8, log = true, step = 2}", "log and step exclude each other"),
        ("batch_size = {low = 1, high = 8, step = 0}", "step must be above zero"),
        ("batch_size = {low = 1, high = 8, step = 8}", "at most high - low"),
        ('batch_size = {low = "1", high = 8}', "range of batch_size in [search]: low"),
        ("batch_size = {low = false, high = true}", "range of batch_size in [search]: low"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_with_its_reason(lines: str, reason: str) -> None:
    assert reason in refusal(lines)


@pytest.mark.parametrize("name", ["regularisation.label_smoothing", "regularisation.l2"])
def test_a_loss_is_no_yardstick_for_what_it_is_made_of(name: str) -> None:
    by_loss = RECIPE.replace("val_accuracy", "val_loss")
    assert "changes what val_loss is made of" in refusal(f'"{name}" = [0.0, 0.1]', by_loss)
    assert candidate(searching(f'"{name}" = [0.0, 0.1]'), {name: 0.1}, "The recipe").monitor == "val_accuracy"


# ---------------------------------------------------------------- what is tried


def test_a_grid_is_every_combination_in_order() -> None:
    space: Space = {"batch_size": Choices((4, 8)), "architecture.hidden": Choices(([], [16]))}
    assert grid(space, "The recipe") == [
        {"batch_size": 4, "architecture.hidden": []},
        {"batch_size": 4, "architecture.hidden": [16]},
        {"batch_size": 8, "architecture.hidden": []},
        {"batch_size": 8, "architecture.hidden": [16]},
    ]


def test_a_grid_takes_no_range() -> None:
    with pytest.raises(RecipeInvalid, match="needs a list of values of batch_size, not a range"):
        grid({"batch_size": Range(low=1, high=2)}, "The recipe")


def test_too_many_combinations_are_refused() -> None:
    space: Space = {f"name{number}": Choices(tuple(range(10))) for number in range(5)}
    with pytest.raises(RecipeInvalid, match="asks for 100000 combinations"):
        corners(space, "The recipe")


@pytest.mark.parametrize(
    ("asked", "tried"),
    [
        (Range(low=2, high=9), (2, 9)),
        (Range(low=2, high=9, step=3), (2, 8)),
        (Range(low=0.2, high=0.5, step=0.1), (0.2, 0.3, 0.5)),
        (Range(low=0.2, high=0.55, step=0.1), (0.2, 0.3, 0.5)),
        (Range(low=1, high=2, step=0.5), (1, 1.5, 2)),
    ],
)
def test_a_range_is_looked_at_where_it_ends(asked: Range, tried: tuple[float, ...]) -> None:
    assert asked.samples == pytest.approx(tried)
    assert asked.whole == all(isinstance(number, int) for number in tried)


# ---------------------------------------------------------------- candidates


def test_a_candidate_is_the_recipe_with_other_values_and_no_search() -> None:
    recipe = searching("head.epochs = [1, 2]")
    values: Values = {"head.epochs": 2, "architecture.hidden": [16], "augmentation.scale": [1.0, 1.1]}
    found = candidate(recipe, values, "The recipe")
    assert recipe.head is not None
    assert found == recipe.model_copy(
        update={
            "search": {},
            "head": recipe.head.model_copy(update={"epochs": 2}),
            "architecture": recipe.architecture.model_copy(update={"hidden": (16,)}),
            "augmentation": recipe.augmentation.model_copy(update={"scale": (1.0, 1.1)}),
        }
    )


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("batch_size = [8, 0]", "with batch_size = 0: batch_size: Input should be greater than or equal to 1"),
        ('"augmentation.view" = [32, 48]', "augmentation.view is 48 pixels, more than the 40 of the input"),
        ('"architecture.backbone" = ["convnet", "vgg16"]', "filters are for the backbone convnet"),
        ('"regularisation.dropout" = {low = 0.0, high = 1.0}', "with regularisation.dropout = 1.0"),
        # Both ends are whole numbers, what lies between them is not.
        ('"head.epochs" = {low = 1.0, high = 4.0}', "head.epochs: Input should be a valid integer"),
        ('"head.epochs" = [1, "two"]', 'with head.epochs = "two": head.epochs'),
    ],
)
def test_values_that_make_no_recipe_are_refused(lines: str, reason: str) -> None:
    assert reason in refusal(lines)


def test_a_phase_that_the_recipe_lacks_has_no_fields() -> None:
    start, end = RECIPE.index("[head]"), RECIPE.index("[fine_tuning]")
    assert "but the recipe has no [head]" in refusal('"head.epochs" = [1]', RECIPE[:start] + RECIPE[end:])


def test_values_are_described_as_a_recipe_has_them() -> None:
    values: Values = {"head.epochs": 2, "architecture.hidden": [], "material.balance": "none"}
    assert describe(values) == 'head.epochs = 2, architecture.hidden = [], material.balance = "none"'


# ---------------------------------------------------------------- the file

INLINE = RECIPE.replace('[architecture]\nbackbone = "convnet"\nfilters = [16, 32, 64, 128]\nhidden = []\n', "").replace(
    'task = "shapes"\n',
    'task = "shapes"\narchitecture = {backbone = "convnet", filters = [16, 32, 64, 128], hidden = []}\n',
)
DOTTED = RECIPE.replace("[regularisation]\ndropout = 0.1\n", "").replace(
    'task = "shapes"\n', 'task = "shapes"\nregularisation.dropout = 0.1\n'
)


@pytest.mark.parametrize("text", [RECIPE, INLINE, DOTTED], ids=["tables", "inline", "dotted"])
@pytest.mark.parametrize(
    "values",
    [
        {"batch_size": 4, "fine_tuning.learning_rate": 1e-05},
        {"architecture.hidden": [16], "regularisation.dropout": 0.25, "regularisation.l2": 1e-4},
        {"architecture": {"backbone": "vgg16", "filters": [], "hidden": [8]}, "material.balance": "none"},
        {"fine_tuning.stop_at": 0.9, "fine_tuning.schedule": "constant", "mixed_precision": False},
    ],
)
def test_the_file_of_the_best_recipe_is_the_candidate(text: str, values: dict[str, Any]) -> None:
    asked = text + '\n[search]\n"batch_size" = [4, 8]\n'
    written = rewrite(asked, values, "Chosen.")
    assert parse_recipe(written, "The file") == candidate(parse_recipe(asked, "The recipe"), values, "The recipe")


def test_the_file_keeps_what_the_person_wrote() -> None:
    text = RECIPE.replace("batch_size = 8", "# As many as fit.\nbatch_size = 8  # at 40 pixels")
    written = rewrite(text + "\n[search] # to try\nbatch_size = [4]\n", {"batch_size": 4}, "Chosen by a search.\n\nSo.")
    assert written.startswith("# Chosen by a search.\n#\n# So.\n\ntask = ")
    assert "# As many as fit.\nbatch_size = 4  # at 40 pixels\n" in written
    assert written.split("\n\n", 1)[1].rstrip() == text.replace("batch_size = 8", "batch_size = 4").strip()


def test_a_search_of_a_shipped_recipe_leaves_training_as_it_is() -> None:
    recipes = Path(__file__).resolve().parents[2] / "training" / "recipes"
    for path in recipes.glob("*.toml"):
        text = path.read_text("utf-8")
        recipe = parse_recipe(text, "The recipe")
        assert parse_recipe(rewrite(text, {}, "As it was."), "The recipe") == recipe.model_copy(update={"search": {}})

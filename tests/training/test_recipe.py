"""Recipes: every shipped one is read, and nothing in one is guessed or ignored."""

import functools
from pathlib import Path

import pytest

from services.bundle.architectures import BACKBONES, build
from services.bundle.graph import Architecture
from services.bundle.manifest import Preprocessing
from tests.training.conftest import RECIPE
from training import recipe as recipe_module
from training.errors import RecipeInvalid
from training.recipe import Recipe, read_recipe

DEGRADATIONS = ("frame", "exchange", "tone", "grey", "inversion", "margin", "blur", "noise", "compression")
SHIPPED = sorted((Path(recipe_module.__file__).parent / "recipes").rglob("*.toml"))


@functools.cache
def layer_names(architecture: Architecture, size: tuple[int, int]) -> list[str]:
    """The names of the layers of a network for images of `size`, drawn once for all recipes that ask for it."""
    return [layer.name for layer in build(architecture, size, 2).layers]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_can_be_trained(path: Path) -> None:
    recipe, text = read_recipe(path)
    # drugs.toml is what `train drugs` takes; the others are asked for by name.
    assert path.stem == recipe.task or path.stem.startswith(f"{recipe.task}-") or path.parent.name == "comparison"
    # A recipe states its command at the top.
    head = text.split("\n\n")[0] + text.split("\n\n")[1]
    # To a folder that another command has drawn into, the header names that one.
    place = "WIDER" if "--out WIDER" in head else "DIR"
    assert f"python -m training train {recipe.task} --data {place}" in head
    if path.stem != recipe.task:
        place = path.relative_to(Path(recipe_module.__file__).parent.parent).as_posix()
        assert f"--recipe {place}" in head
    assert recipe.architecture.backbone in BACKBONES
    size = (recipe.preprocessing.height, recipe.preprocessing.width)
    names = layer_names(recipe.architecture, size)
    for phase in recipe.phases().values():
        for prefix in () if phase.unfreeze in {"none", "all"} else phase.unfreeze.split(","):
            assert any(name.startswith(prefix.strip()) for name in names), prefix


def test_there_are_shipped_recipes() -> None:
    assert "drugs" in {path.stem for path in SHIPPED}


def test_the_text_is_kept_as_written(recipe_path: Path) -> None:
    recipe, text = read_recipe(recipe_path)
    assert text == RECIPE
    assert list(recipe.phases()) == ["head", "fine_tuning"]
    assert recipe.phases()["fine_tuning"].epochs == 6
    assert recipe.augmentation.scale == (0.9, 1.2)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("batch_size = 8", "batch_size = 8\nepocs = 3", "epocs: Extra inputs are not permitted"),
        ("rotation = 10.0", "rotation = 10.0\nshear = 3", "augmentation.shear: Extra inputs are not permitted"),
        ("dropout = 0.1\n", "", "regularisation.dropout: Field required"),
        ("[head]", "[haed]", "haed: Extra inputs are not permitted"),
        ("filters = [16, 32, 64, 128]", "filters = []", "architecture: Value error, filters are for the backbone"),
        ('"convnet"', '"vgg16"', "architecture: Value error, filters are for the backbone convnet"),
        ("learning_rate = 3e-3", "learning_rate = nan", "head.learning_rate: "),
        ("learning_rate = 3e-3", "learning_rate = inf", "head.learning_rate: "),
        ("patience = 1", "patience = 1\nstop_at = 1.0", "head.stop_at: "),
        ("patience = 1", 'patience = 1\nschedule = "steps"', "head.schedule: "),
        ("dropout = 0.1", "dropout = 1.0", "regularisation.dropout: "),
        ('initial_weights = "random"', 'initial_weights = "mine"', "initial_weights: "),
        ("seed = 3", "seed = -3", "seed: "),
        ("batch_size = 8", "batch_size = 0", "batch_size: Input should be greater than or equal to 1"),
        ('flips = "horizontal"', 'flips = "diagonal"', "augmentation.flips: "),
        ("split = [0.6, 0.2, 0.2]", "split = [0.6, 0.2, 0.3]", "the shares of the split sum to 1.1"),
        ("split = [0.6, 0.2, 0.2]", "split = [0.6, 0.4, 0.0]", "material.split.2: "),
        ("view = 32", "view = 41", "augmentation.view is 41 pixels, more than the 40 of the input"),
        ('licence = "None needed."', 'licence = ""', "material.licence: "),
        ("seed = 3", "seed = ", "is not TOML"),
        ('balance = "class_weights"', 'balance = "groups"', "material.balance: "),
        ('balance = "class_weights"', 'balance = "none"\nholdouts = [[]]', "material.holdouts.0: "),
        ('balance = "class_weights"', 'balance = "none"\nholdouts = ["a"]', "material.holdouts.0: "),
        ('balance = "class_weights"', 'balance = "none"\ntraining_only = "a"', "material.training_only: "),
        ('balance = "class_weights"', 'balance = "sources"\ncounts_as = { a = 0 }', "material.counts_as.a: "),
        ('balance = "class_weights"', 'balance = "none"\ncounts_as = { a = 2 }', "counts_as says something of"),
        ("pad = 127", "pad = 127\nwindow = [40.0, 0.0]", "preprocessing.window.1: "),
        ("pad = 127", "pad = 127\nwindow = [40.0]", "preprocessing.window.1: Field required"),
        ("brightness = 0.05", "brightness = 0.05\nframe = 1.5", "augmentation.frame: "),
        ("brightness = 0.05", "brightness = 0.05\nexchange = -0.1", "augmentation.exchange: "),
        ("brightness = 0.05", "brightness = 0.05\nmargin = 0.5", "augmentation.margin: "),
        ("brightness = 0.05", "brightness = 0.05\nblur = 9.0", "augmentation.blur: "),
        ("brightness = 0.05", "brightness = 0.05\nnoise = nan", "augmentation.noise: "),
    ],
)
def test_a_wrong_recipe_is_refused_with_its_reason(before: str, after: str, reason: str, recipe_path: Path) -> None:
    assert before in RECIPE
    recipe_path.write_text(RECIPE.replace(before, after, 1))
    with pytest.raises(RecipeInvalid) as refused:
        read_recipe(recipe_path)
    assert reason in str(refused.value)
    assert str(refused.value).startswith(f"The recipe {recipe_path}")


def test_a_recipe_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalid, match=r"none.toml cannot be read: No such file or directory"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeInvalid, match=r"binary.toml is not TOML"):
        read_recipe(tmp_path / "binary.toml")


def test_a_recipe_that_would_train_nothing_is_refused(recipe_path: Path) -> None:
    recipe_path.write_text(RECIPE.split("[head]")[0])
    with pytest.raises(RecipeInvalid, match=r"neither \[head\] nor \[fine_tuning\]"):
        read_recipe(recipe_path)


def test_weights_are_mixed_with_those_of_a_phase_before(recipe_path: Path) -> None:
    start, end = RECIPE.index("[head]"), RECIPE.index("[fine_tuning]")
    head, fine_tuning = RECIPE[start:end].rstrip() + "\ntuned_share = 0.5\n", RECIPE[end:] + "\ntuned_share = 0.5\n"
    recipe_path.write_text(RECIPE[:end] + fine_tuning)
    phases = read_recipe(recipe_path)[0].phases()
    assert [phase.tuned_share for phase in phases.values()] == [1.0, 0.5]
    for text in (RECIPE[:start] + fine_tuning, RECIPE[:start] + head + RECIPE[end:], RECIPE[:start] + head):
        recipe_path.write_text(text)
        with pytest.raises(RecipeInvalid, match=r"tuned_share mixes the weights of \[fine_tuning\] with those of a"):
            read_recipe(recipe_path)


def test_what_a_recipe_leaves_out_of_sources_and_degradations_is_nothing(recipe: Recipe) -> None:
    assert (recipe.material.holdouts, recipe.material.training_only) == ((), ())
    assert recipe.material.counts_as == {}
    assert recipe.preprocessing.window is None
    chosen = recipe.augmentation.model_dump(include=set(DEGRADATIONS))
    assert chosen == dict.fromkeys(DEGRADATIONS, 0.0)


def test_sources_windows_and_degradations_are_read(recipe_path: Path) -> None:
    strengths = dict.fromkeys(DEGRADATIONS, 0.25)
    lines = "".join(f"{name} = {strength}\n" for name, strength in strengths.items())
    text = RECIPE.replace("pad = 127", "pad = 127\nwindow = [40.0, 80.0]")
    text = text.replace("brightness = 0.05\n", f"brightness = 0.05\n{lines}")
    text = text.replace(
        'balance = "class_weights"',
        'balance = "sources"\nholdouts = [["a", "b"], ["c"]]\ntraining_only = ["drawn"]\ncounts_as = { drawn = 6 }',
    )
    recipe_path.write_text(text)
    recipe, _ = read_recipe(recipe_path)
    assert recipe.material.holdouts == (("a", "b"), ("c",))
    assert recipe.material.training_only == ("drawn",)
    assert recipe.material.counts_as == {"drawn": 6.0}
    assert recipe.material.balance == "sources"
    assert recipe.preprocessing.window == (40.0, 80.0)
    assert recipe.augmentation.model_dump(include=set(DEGRADATIONS)) == strengths
    # What is published is what the manifest calls by the same names.
    assert Preprocessing(**recipe.preprocessing.model_dump()).window == (40.0, 80.0)

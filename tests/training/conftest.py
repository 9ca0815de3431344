"""Drawn images and a recipe that learns them in seconds."""

import contextlib
import csv
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.bundle.store import Store
from tests.bundles import SHAPES, draw, encode, write_task
from training.finetuning import FineTuned, fine_tune
from training.images import Images, Watch, load_images
from training.plan import Plan, draw_up
from training.recipe import Recipe, read_recipe

LABELS = ("stripes", "disc", "square")
"""As task.toml has them: not in sorted order, which the classifier's labels are in."""

RECIPE = """
task = "shapes"
seed = 3
batch_size = 8
monitor = "val_accuracy"
mixed_precision = true
initial_weights = "random"

[material]
name = "Shapes drawn by code"
licence = "None needed."
split = [0.6, 0.2, 0.2]
balance = "class_weights"

[architecture]
backbone = "convnet"
filters = [16, 32, 64, 128]
hidden = []

[regularisation]
dropout = 0.1

[preprocessing]
height = 40
width = 40
borders = "kept"
colour = "rgb"
fit = "letterbox"
interpolation = "bilinear"
pad = 127
levels = "kept"
window_percentiles = [0.5, 99.5]

[augmentation]
view = 32
rotation = 10.0
scale = [0.9, 1.2]
aspect = 1.05
flips = "horizontal"
contrast = 0.1
brightness = 0.05

[head]
unfreeze = "none"
epochs = 1
learning_rate = 3e-3
warmup = 0.1
weight_decay = 0.0
patience = 1

[fine_tuning]
unfreeze = "all"
epochs = 6
learning_rate = 3e-3
warmup = 0.2
weight_decay = 0.01
patience = 6
"""


def draw_images(root: Path, labels: tuple[str, ...] = SHAPES, each: int = 20, *, index: bool = True) -> Path:
    """Draw a folder of labelled images: two per group, and groups alternate between two sources."""
    rows = []
    for number, label in enumerate(labels):
        (root / label).mkdir(parents=True)
        for turn in range(each):
            path, group = f"{label}/{turn:03}.png", turn // 2
            (root / path).write_bytes(encode(draw(number, turn)))
            rows.append({"path": path, "label": label, "group": f"{label}-{group}", "source": f"source {group % 2}"})
    if index:
        with (root / "index.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, ("path", "label", "group", "source"))
            writer.writeheader()
            writer.writerows(rows)
    return root


@contextlib.contextmanager
def little_room(size: int) -> Iterator[None]:
    """No file may grow beyond this many bytes: what a full disk is to a program."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training of the drawn shapes. Its run folder is shared: do not write to it."""

    plan: Plan
    tuned: FineTuned
    train: Images
    validation: Images
    test: Images
    run: Path

    @property
    def parts(self) -> tuple[Images, Images, Images]:
        return self.train, self.validation, self.test


def unwatched(doing: str, count: int) -> Watch:
    """A progress bar that nobody sees."""
    assert doing
    assert count > 0
    return iter


@pytest.fixture(scope="module")
def few_foreign() -> Iterator[None]:
    """What a bundle is published with is measured on a handful of drawn foreign images instead of hundreds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.foreign.COUNT", 3)
        yield


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One training that many tests look at."""
    root = tmp_path_factory.mktemp("trained")
    (root / "shapes.toml").write_text(RECIPE)
    write_task(root / "models", "shapes", LABELS)
    plan = draw_up("shapes", draw_images(root / "images"), root / "shapes.toml", Store(root / "models"))
    train, validation, test = (
        load_images(plan.folder, part, plan.recipe.preprocessing)
        for part in (plan.split.train, plan.split.validation, plan.split.test)
    )
    tuned = fine_tune(plan.recipe, train, validation, root / "run", None)
    return Trained(plan, tuned, train, validation, test, root / "run")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of drawn shapes."""
    return draw_images(tmp_path / "images")


@pytest.fixture
def recipe_path(tmp_path: Path) -> Path:
    """The file of a recipe for the drawn shapes."""
    path = tmp_path / "shapes.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def recipe(recipe_path: Path) -> Recipe:
    """A recipe for the drawn shapes."""
    return read_recipe(recipe_path)[0]


@pytest.fixture
def store_root(tmp_path: Path) -> Path:
    """A model store that holds the task of the drawn shapes and no bundle."""
    root = tmp_path / "model_store"
    write_task(root, "shapes", LABELS)
    return root

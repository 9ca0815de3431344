"""What is trained on what: a recipe, a folder of images and a task, checked against each other before any work."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from services.bundle.architectures import BACKBONES, smallest_side
from services.bundle.store import Store
from services.bundle.task import Task
from services.errors import UnknownTask
from training.errors import ImagesInvalid, RecipeInvalid
from training.folders import Folder, read_folder
from training.recipe import Recipe, read_recipe
from training.split import Split, read_split, require_sources, split_by_group
from training.studies import by_study


@dataclass(frozen=True, slots=True)
class Plan:
    """One training run, before it starts.

    Attributes:
        text: the recipe's file, as it was written.
    """

    task: Task
    recipe: Recipe
    text: str
    folder: Folder
    split: Split

    def identity(self) -> dict[str, str]:
        """Digests of what decides a run; comments and layout of the recipe do not."""
        # What `tune` would try decides nothing of a training.
        chosen = self.recipe.model_dump_json(exclude={"search"})
        parts = "\n".join(f"{name} {sample.path}" for name, part in self.split.parts() for sample in part)
        return {
            "task": self.task.name,
            "recipe_sha256": hashlib.sha256(chosen.encode()).hexdigest(),
            "index_sha256": self.folder.sha256,
            "split_sha256": hashlib.sha256(parts.encode()).hexdigest(),
        }


def draw_up(task: str, data: Path, recipe: Path, store: Store, split: Path | None = None) -> Plan:
    """Read everything that a run needs, and refuse what cannot end in a bundle.

    Args:
        task: a folder of the store.
        data: the folder of images.
        recipe: its file.
        store: that holds the task.
        split: a file of training.split.write_split; None splits as the recipe says.

    Raises:
        UnknownTask, TaskInvalid, RecipeInvalid, ImagesInvalid: as `undivided`.
        ImagesInvalid: the images cannot be split.
    """
    whole = undivided(task, data, recipe, store)
    if split is not None:
        return replace(whole, split=read_split(split, whole.folder))
    chosen, material = whole.recipe, whole.recipe.material
    dealt = split_by_group(whole.folder.samples, material.split, chosen.seed, material.training_only)
    return replace(whole, split=dealt)


def undivided(task: str, data: Path, recipe: Path, store: Store) -> Plan:
    """A plan whose split is empty, for what divides the images in ways of its own.

    Args:
        task: a folder of the store.
        data: the folder of images.
        recipe: its file.
        store: that holds the task.

    Raises:
        UnknownTask: the model store has no such task.
        TaskInvalid: its task.toml cannot be read.
        RecipeInvalid: the recipe is broken, of another task, or does not fit its backbone or the images.
        ImagesInvalid: the images cannot be read, their labels are not the task's, or a source that `counts_as` names is
            not there.
    """
    chosen, text = read_recipe(recipe)
    if chosen.task != task:
        message = f"The recipe {recipe} is of the task {chosen.task!r}, not of {task!r}."
        raise RecipeInvalid(message)
    require_backbone(chosen, recipe)
    if task not in store.tasks():
        message = f"The model store holds no task {task!r}: write {store.root / task / 'task.toml'} first."
        raise UnknownTask(message)
    asked, folder = store.task(task), by_study(read_folder(data, chosen.material.group_pattern))
    _require_labels(asked, folder)
    if folder.multilabel and chosen.activation == "softmax":
        message = f"{data} holds images of several labels or none; the recipe {recipe} needs activation = 'sigmoid'."
        raise RecipeInvalid(message)
    require_sources(chosen.material.counts_as, {sample.source for sample in folder.samples}, "counts_as")
    return Plan(asked, chosen, text, folder, Split((), (), ()))


def require_backbone(chosen: Recipe, recipe: Path) -> None:
    """Refuse a recipe whose backbone there is not, or that shows it smaller images than it takes.

    Raises:
        RecipeInvalid: with the backbones there are, or the smallest size.
    """
    name = chosen.architecture.backbone
    if name not in BACKBONES:
        message = f"The recipe {recipe}: {name!r} is no backbone; there are {', '.join(sorted(BACKBONES))}."
        raise RecipeInvalid(message)
    smallest = smallest_side(chosen.architecture)
    if chosen.augmentation.view < smallest:
        message = f"The recipe {recipe}: {name} takes no less than {smallest} pixels, augmentation.view is less."
        raise RecipeInvalid(message)


def _require_labels(task: Task, folder: Folder) -> None:
    wanted = {entry.label for entry in task.labels}
    for label in sorted(wanted - set(folder.labels)):
        message = f"{folder.root} holds no image of {label!r}, which task.toml names."
        raise ImagesInvalid(message)
    for label in sorted(set(folder.labels) - wanted):
        message = f"{folder.root} holds images of {label!r}, which task.toml does not name."
        raise ImagesInvalid(message)

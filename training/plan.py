"""What is trained on what: a recipe, a folder of images and a task, checked against each other before any work."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from services.bundle.architectures import BACKBONES
from services.bundle.manifest import Task
from services.bundle.store import Store
from services.errors import UnknownTask
from training.datasets import Folder, Split, read_folder, split_by_group
from training.errors import ImagesInvalid, RecipeInvalid
from training.recipe import Recipe, read_recipe


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
        recipe = hashlib.sha256(self.recipe.model_dump_json().encode()).hexdigest()
        return {"task": self.task.name, "recipe_sha256": recipe, "index_sha256": self.folder.sha256}


def draw_up(task: str, data: Path, recipe: Path, store: Store) -> Plan:
    """Read everything that a run needs, and refuse what cannot end in a bundle.

    Raises:
        UnknownTask: the model store has no such task.
        TaskInvalid: its task.toml cannot be read.
        RecipeInvalid: the recipe is broken, of another task, or of an unknown backbone.
        ImagesInvalid: the images cannot be read or split, or their labels are not the task's.
    """
    chosen, text = read_recipe(recipe)
    if chosen.task != task:
        message = f"The recipe {recipe} is of the task {chosen.task!r}, not of {task!r}."
        raise RecipeInvalid(message)
    if chosen.architecture.backbone not in BACKBONES:
        known = ", ".join(sorted(BACKBONES))
        message = f"The recipe {recipe}: {chosen.architecture.backbone!r} is no backbone; there are {known}."
        raise RecipeInvalid(message)
    if task not in store.tasks():
        message = f"The model store holds no task {task!r}: write {store.root / task / 'task.toml'} first."
        raise UnknownTask(message)
    asked, folder = store.task(task), read_folder(data)
    _require_labels(asked, folder)
    split = split_by_group(folder.samples, chosen.material.split, chosen.seed)
    return Plan(asked, chosen, text, folder, split)


def _require_labels(task: Task, folder: Folder) -> None:
    wanted = {entry.label for entry in task.labels}
    for label in sorted(wanted - set(folder.labels)):
        message = f"{folder.root} holds no image of {label!r}, which task.toml names."
        raise ImagesInvalid(message)
    for label in sorted(set(folder.labels) - wanted):
        message = f"{folder.root} holds images of {label!r}, which task.toml does not name."
        raise ImagesInvalid(message)

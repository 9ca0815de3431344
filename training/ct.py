"""CT slices of the head: from a folder of them to a task that is served, with its words, its plan and its bundle."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomlkit

from services.bundle.manifest import Manifest
from services.bundle.store import Store
from training import pipeline
from training.drafting import UNREVIEWED, draft_task, require_room, titled, write_drafts
from training.errors import ImagesInvalid
from training.evidence import Elsewhere
from training.folders import Folder, read_folder
from training.glance import Glance, glance_at
from training.images import Bar
from training.plan import Plan, undivided
from training.recipe import read_recipe
from training.split import split_by_group
from training.studies import by_study

TASK = "brain-ct"
"""The task that the shipped recipe is of."""

MODALITIES, BODY_PARTS = ("CT",), ("HEAD", "BRAIN", "SKULL")
"""What a DICOM file must not contradict."""

_RECIPES = Path(__file__).resolve().parent / "recipes"


def draw_up(task: str, data: Path, recipe: Path | None, store: Store) -> tuple[Plan, str | None]:
    """Plan a training on CT slices of the head, for a task that may have no words yet; nothing is written.

    Args:
        task: its name.
        data: a folder as training.folders.read_folder reads it; DICOM slices of one study stay in one part.
        recipe: its file; None takes the task's shipped one, or else that of TASK under the task's name.
        store: that the task is in, or will be.

    Returns:
        The plan, and the text of task.toml where the store holds none.

    Raises:
        TaskInvalid: no task can have that name, or its task.toml cannot be read.
        RecipeInvalid: the recipe is broken, of another task, or does not fit its backbone or the images.
        ImagesInvalid: the images cannot be read or split, are of another kind, or their labels are not the task's.
        OSError: the model store is not there.
    """
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        chosen = recipe or _recipe(task, place)
        asked, _ = read_recipe(chosen)
        told = read_folder(data, asked.material.group_pattern)
        folder = by_study(told)
        glance = glance_at(folder)
        _require_head(glance)
        if task in store.tasks():
            whole, words = undivided(task, data, chosen, store), None
        else:
            require_room(store.root)
            words = draft_task(task, folder, glance, _words(folder, asked.preprocessing.window, told=told.grouped))
            write_drafts([(place / task / "task.toml", words)])
            whole = undivided(task, data, chosen, Store(place))
    split = split_by_group(folder.samples, asked.material.split, asked.seed, asked.material.training_only)
    return replace(whole, folder=folder, split=split), words


def publish(
    plan: Plan,
    words: str | None,
    run: Path,
    weights: Path | None,
    store: Store,
    bar: Bar,
    elsewhere: Elsewhere,
    *,
    keep: bool,
) -> Manifest:
    """Train, write the task's words where there are none, measure and publish.

    The words come after the training: a service that is started meanwhile would wait for a bundle of the task.

    Args:
        plan: of `draw_up`.
        words: likewise.
        run: folder of checkpoints; emptied once the bundle is published.
        weights: a local file of initial weights, or None.
        store: where task and bundle go.
        bar: makes a progress bar of a text and a number.
        elsewhere: what is known beyond the plan's images.
        keep: leave the run folder as it is.

    Returns:
        The manifest as published.

    Raises:
        TrainingError: as the steps do.
        OSError: the disk is full or cannot be written.
    """
    pipeline.train(plan, run, weights, bar)
    if words is not None:
        write_drafts([(store.root / plan.task.name / "task.toml", words)])
    return pipeline.publish_finished(plan, run, store, bar, elsewhere, keep=keep)


def _recipe(task: str, place: Path) -> Path:
    """The task's shipped recipe, or that of TASK under the task's name, written to a place."""
    shipped = _RECIPES / f"{task}.toml"
    if shipped.is_file():
        return shipped
    text = (_RECIPES / f"{TASK}.toml").read_text("utf-8")
    written = place / "recipe.toml"
    written.write_text(text.replace(f'task = "{TASK}"', f"task = {tomlkit.string(task).as_string()}"), "utf-8")
    return written


# ---------------------------------------------------------------- the words


def _words(folder: Folder, window: tuple[float, float] | None, *, told: bool) -> dict[str, Any]:
    """Fields of task.toml.

    Args:
        folder: with the slices of a study as a group.
        window: of the recipe.
        told: whether somebody had said which slices belong together.
    """
    units = "" if window is None else f", centre {window[0]:g} and width {window[1]:g} Hounsfield units"
    return {
        "title": f"CT slice of the head: {_either([titled(label) for label in folder.labels])}",
        "summary": f"Which of {len(folder.labels)} labels one CT slice of the head shows. {UNREVIEWED}",
        "modality": "One CT slice of the head",
        "picture": "a CT slice of the head",
        "upload": f"One slice, skull and all, without text over it: as DICOM, or as PNG in the model's window{units}.",
        "warning": "Research use only. Not for diagnosis: a radiologist reads the whole study.",
        "intended_use": f"Research on reading aids. {UNREVIEWED}",
        "out_of_scope": [
            "MRI, and CT of other parts of the body.",
            "A patient, from one slice: a slice says nothing about the others.",
            "Ruling anything out: no other findings than the labels are looked for.",
        ],
        "limits": [_ORIGIN, _HEADS, *([] if told else [_STUDIES if folder.grouped else _SLICES])],
        "dicom": {"modalities": list(MODALITIES), "body_parts": list(BODY_PARTS)},
    }


_ORIGIN = (
    "Nobody has said where the slices come from, which scanners made them or who labelled them: the figures hold for "
    "slices like these."
)
_HEADS = "Nobody has said whether children, or heads after surgery, are among them."
_STUDIES = (
    "Slices of one study are in one part, but a patient with several studies may stand in training and test, which "
    "flatters the figures."
)
_SLICES = (
    "Nobody has said which slices belong together: neighbouring slices of one patient may stand in training and test, "
    "which flatters the figures."
)


def _require_head(glance: Glance) -> None:
    """Refuse images that the task would refuse.

    Raises:
        ImagesInvalid: DICOM headers name another kind of image or part of the body.
    """
    others = set(glance.modalities) - set(MODALITIES)
    others |= {part for part in glance.body_parts if not any(wanted in part for wanted in BODY_PARTS)}
    if others:
        message = (
            f"The DICOM headers say {', '.join(sorted(others))}, which is no CT of the head. For other images there "
            "are `python -m training draft` and `train`."
        )
        raise ImagesInvalid(message)


def _either(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]])

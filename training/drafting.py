"""Drafts: a first task.toml and a first recipe from nothing but a folder of images, for a person to go over."""

import errno
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomlkit

from services.bundle.architectures import BACKBONES, smallest_side
from services.bundle.graph import Architecture
from services.bundle.task import parse_task
from training.disk import write_whole
from training.errors import RecipeInvalid, ResultsTaken
from training.folders import Folder
from training.glance import Glance
from training.recipe import parse_recipe
from training.split import split_by_group

UNREVIEWED = "Written by code from the folder's names; a person must say what this is for before anyone relies on it."
"""The sentence that stands where a person's should."""

_SPLIT = (0.7, 0.15, 0.15)
_SEED = 20
# The first word of a label that says that nothing was found.
_NOTHING = {"normal", "negative", "healthy", "none", "no", "non", "not", "without"}
# Rarer than this beside the most frequent label, a label would hardly be heard.
_RARE = 2 / 3
_LARGEST_EDGE, _STEP = 256, 32


# ---------------------------------------------------------------- the task


def draft_task(name: str, folder: Folder, glance: Glance, words: Mapping[str, Any] | None = None) -> str:
    """The text of task.toml.

    Args:
        name: of the task.
        folder: of the images.
        glance: at these images; the task takes DICOM files of the kinds that were seen.
        words: fields that somebody could say more of, in place of the drafted ones.

    Raises:
        TaskInvalid: the name, or a folder's, cannot stand there.
    """
    document: dict[str, Any] = {
        "name": name,
        "title": titled(name),
        "summary": f"Which of {len(folder.labels)} labels an image shows. {UNREVIEWED}",
        "modality": "Image",
        "picture": f"an image of the task {name}",
        "upload": f"An image like those that it was trained on. {UNREVIEWED}",
        "warning": "A draft that nobody has reviewed: rely on no answer.",
        "intended_use": UNREVIEWED,
        "out_of_scope": ["Every use, until a person has said what this is for."],
        "limits": ["Nobody has looked at the images or said where they come from."],
        "serve": "latest",
        "positive": "" if folder.multilabel else _positive(folder.labels),
        "dicom": {"modalities": list(glance.modalities), "body_parts": list(glance.body_parts)},
        "labels": [
            {
                "label": label,
                "title": titled(label),
                "explanation": f"Images of the label {label}. Written by code; nobody has reviewed it.",
            }
            for label in folder.labels
        ],
    } | dict(words or {})
    document["picture"] = tomlkit.item(document["picture"]).comment(_PICTURE)
    document["positive"] = tomlkit.item(document["positive"]).comment(_POSITIVE)
    text = f"# {UNREVIEWED}\n\n{tomlkit.dumps(document)}"
    parse_task(text.encode(), name)
    return text


_PICTURE = 'What its images are, as "a chest X-ray"; tasks of the same pictures share these words.'
_POSITIVE = "Of two labels, the one that is a positive finding; empty where none is."


def titled(name: str) -> str:
    """A name of a task or a label as people would write it."""
    words = " ".join(name.replace("_", " ").replace("-", " ").split()) or name
    return words[:1].upper() + words[1:]


def _positive(labels: tuple[str, ...]) -> str:
    """Of two labels, the one beside the one that says that nothing was found."""
    found = [label for label in labels if titled(label).lower().split(" ")[0] not in _NOTHING]
    return found[0] if (len(labels), len(found)) == (2, 1) else ""


# ---------------------------------------------------------------- the recipe


def draft_recipe(task: str, folder: Folder, glance: Glance, backbone: str) -> str:
    """The text of a recipe.

    Args:
        task: its name.
        folder: of the images.
        glance: at these images.
        backbone: a row of BACKBONES.

    Raises:
        RecipeInvalid: no such backbone.
        ImagesInvalid: too few groups for three parts that hold every label.
    """
    if backbone not in BACKBONES:
        message = f"{backbone!r} is no backbone; there are {', '.join(sorted(BACKBONES))}."
        raise RecipeInvalid(message)
    split_by_group(folder.samples, _SPLIT, _SEED)
    pretrained = BACKBONES[backbone].pretrained
    filters = () if backbone != "convnet" else (16, 32, 64, 128)
    smallest = smallest_side(Architecture(backbone=backbone, filters=filters, hidden=()))
    edge, view = _sizes(glance.edge, smallest)
    text = _RECIPE.format(
        task=task,
        monitor="val_loss" if folder.multilabel else "val_accuracy",
        activation="sigmoid" if folder.multilabel else "softmax",
        initial="imagenet" if pretrained else "random",
        grouping=_GROUPED if folder.grouped else _UNGROUPED,
        data=tomlkit.string(folder.root.resolve().name).as_string(),
        split=list(_SPLIT),
        balance=_balance(folder),
        backbone=backbone,
        filters=list(filters),
        edge=edge,
        view=view,
        colour="grey" if glance.grey else "rgb",
        window=_WINDOW if glance.modalities else "",
        phases=_PRETRAINED if pretrained else _FROM_SCRATCH,
        seed=_SEED,
    )
    parse_recipe(text, "The draft")
    return text


def _sizes(edge: int, smallest: int) -> tuple[int, int]:
    """The edge of the input, and of the crop that is trained on: 256 and 224 pixels, or less where images are small.

    Training on crops of seven eighths makes objects appear as large as in the whole image (Touvron et al. 2019,
    arXiv:1906.06423).
    """
    # The smallest input of which seven eighths are enough for the backbone.
    least = -(-smallest * 8 // 7 // _STEP) * _STEP
    whole = max(least, min(_LARGEST_EDGE, edge // _STEP * _STEP), 2 * _STEP)
    return whole, max(smallest, whole * 7 // 8)


def _balance(folder: Folder) -> str:
    counts = Counter(label for sample in folder.samples for label in sample.labels)
    return "class_weights" if min(counts.values()) < _RARE * max(counts.values()) else "none"


_GROUPED = "# Images of one group stay in one part."
_UNGROUPED = """\
# Each image counts as a group of its own. If several show the same patient or object, say which belong together, or
# the test figure will flatter: by an index.csv with a column group, or by a pattern for their paths, as
# group_pattern = '^[^/]+/(patient\\d+)_'."""

_WINDOW = """\
# A DICOM file is shown in the window that it asks for. With window = [centre, width], in the modality's units, all are
# shown in the same one, as CT wants: [40, 80] Hounsfield units for the brain.
"""

_PRETRAINED = """\
[head]
unfreeze = "none"
epochs = 2
learning_rate = 3e-3
warmup = 0.1
weight_decay = 0.0
patience = 2

[fine_tuning]
unfreeze = "all"
epochs = 15
learning_rate = 5e-4
warmup = 0.1
weight_decay = 0.02
patience = 5
"""
_FROM_SCRATCH = """\
[fine_tuning]
unfreeze = "all"
epochs = 60
learning_rate = 3e-3
warmup = 0.1
weight_decay = 0.01
patience = 15
"""

_RECIPE = """\
# A first recipe for {task}, written by code from a folder of images.
#
#   python -m training train {task} --data DIR

task = "{task}"
seed = {seed}
batch_size = 32
activation = "{activation}"
monitor = "{monitor}"
mixed_precision = true
initial_weights = "{initial}"

{grouping}
[material]
name = {data}
licence = "Nobody has said under which terms these images may be used."
split = {split}
balance = "{balance}"

[architecture]
backbone = "{backbone}"
filters = {filters}
hidden = []

[regularisation]
dropout = 0.2

[preprocessing]
height = {edge}
width = {edge}
borders = "kept"
colour = "{colour}"
fit = "letterbox"
interpolation = "bicubic"
pad = 127
levels = "kept"
window_percentiles = [0.5, 99.5]
{window}
# Whether a mirrored image still shows the same is for somebody to say who knows the images: then flips = "horizontal".
[augmentation]
view = {view}
rotation = 10.0
scale = [0.85, 1.15]
aspect = 1.05
flips = "none"
contrast = 0.1
brightness = 0.1

{phases}"""


# ---------------------------------------------------------------- the files


def require_room(*folders: Path) -> None:
    """Make sure that the folders are there which a draft does not make.

    Raises:
        OSError: one is not.
    """
    for folder in folders:
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "there is no such folder", str(folder))


def write_drafts(drafts: Iterable[tuple[Path, str]]) -> None:
    """Write texts to new files: all of them, or none.

    Raises:
        ResultsTaken: a file is there already.
        OSError: one cannot be written.
    """
    wanted = list(drafts)
    for path, _ in wanted:
        if path.exists():
            message = f"{path} is there already; a draft overwrites nothing."
            raise ResultsTaken(message)
    made: list[Path] = []
    try:
        for path, text in wanted:
            if not path.parent.exists():
                path.parent.mkdir()
                made.append(path.parent)
            made.append(path)
            write_whole(path, text.encode())
    except OSError:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        raise

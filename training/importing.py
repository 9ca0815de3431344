"""The whole way from a legacy file to a published bundle."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from pydantic import ValidationError

from services.bundle.fields import first_error
from services.bundle.manifest import Import, Manifest, Preprocessing
from services.bundle.store import Store
from services.bundle.task import Task
from services.errors import UnknownTask
from training.answers import answer
from training.devices import software
from training.errors import ImagesInvalid, LegacyInvalid
from training.evidence import decisions
from training.folders import Folder, Sample, read_folder
from training.halving import halve
from training.images import Bar, Images, load_images
from training.legacy import Legacy, read_legacy
from training.legacy.conventions import Conventions
from training.publishing import Candidate, write_bundle
from training.rebuilding import Rebuilt, rebuild
from training.split import Split, part_of, split_by_group
from training.studies import by_study

_SHARES = (0.8, 0.2, 0.0)
_TRIED = 64


@dataclass(frozen=True, slots=True)
class Material:
    """The images that an imported model is measured on.

    Attributes:
        root: the folder.
        name: what they are, for the card.
        licence: likewise.
        group_pattern: as training.folders.read_folder takes it.
        seed: of the split.
    """

    root: Path
    name: str
    licence: str
    group_pattern: str | None
    seed: int


def import_model(
    path: Path,
    task: str,
    told: Conventions,
    material: Material,
    store: Store,
    bar: Bar,
    say: Callable[[str], None],
) -> Manifest:
    """Read a legacy file, measure its model on images and publish it.

    A fifth of the images, by group, fits the temperature and shows what halving the weights costs; the rest is the
    test part. Which images the model was fitted to is not known, so nobody can say that it has not seen them.

    Args:
        path: of the file.
        task: a folder of the store.
        told: what the file cannot tell.
        material: the images.
        store: where the bundle goes.
        bar: makes a progress bar of a sentence and a number of images.
        say: tells the person what the file left open.

    Returns:
        The manifest as published.

    Raises:
        UnknownTask: the model store has no such task.
        TaskInvalid: its task.toml cannot be read.
        LegacyInvalid: the file cannot be taken over.
        ImagesInvalid: the images cannot be read or split, or their labels are not the task's.
        NotPublishable: halving the weights changed the answers.
        OSError: a file cannot be read, or the disk is full.
    """
    if task not in store.tasks():
        message = f"The model store holds no task {task!r}: write {store.root / task / 'task.toml'} first."
        raise UnknownTask(message)
    asked, folder = store.task(task), by_study(read_folder(material.root, material.group_pattern))
    _require_labels(asked, told, folder)
    legacy = read_legacy(path)
    with keras.device("cpu:0"):
        rebuilt = rebuild(legacy, told)
    if folder.multilabel and rebuilt.activation == "softmax":
        message = f"{folder.root} holds images of several labels or none; the model gives each image one."
        raise ImagesInvalid(message)
    for note in rebuilt.notes:
        say(note)
    # The labels of the images come in the order of the model's outputs.
    ordered, split = dataclasses.replace(folder, labels=told.labels), _split(folder, material.seed)
    preprocessing = _preprocessing(legacy, rebuilt, told)
    validation, test = (
        load_images(ordered, part, preprocessing, bar(f"Decoding {len(part)} {name} images", len(part)))
        for name, part in (("validation", split.validation), ("test", split.test))
    )
    with keras.device("cpu:0"):
        _require_numbers(legacy, rebuilt, validation)
        half = halve(rebuilt.described, preprocessing, rebuilt.activation, rebuilt.model, validation)
        answers = answer(half.model, validation), answer(half.model, test)
    candidate = Candidate(
        task=asked,
        labels=told.labels,
        description=rebuilt.described,
        preprocessing=preprocessing,
        half=half,
        origin=_origin(legacy, material, folder, split),
        seen=None,
        history=None,
        split=None,
    )
    evidence = decisions(asked, told.labels, half.calibration, *answers, material.seed)
    return write_bundle(store, candidate, answers[1], evidence)


def _require_labels(task: Task, told: Conventions, folder: Folder) -> None:
    wanted = {entry.label for entry in task.labels}
    if sorted(told.labels) != sorted(wanted):
        message = (
            f"--labels names {', '.join(told.labels) or 'nothing'}; "
            f"task.toml has {', '.join(sorted(wanted))}, each of which is named once."
        )
        raise LegacyInvalid(message)
    for labels, what in ((wanted - set(folder.labels), "no image"), (set(folder.labels) - wanted, "an image")):
        if labels:
            message = f"{folder.root} holds {what} of {min(labels)!r}; task.toml has {', '.join(sorted(wanted))}."
            raise ImagesInvalid(message)


def _split(folder: Folder, seed: int) -> Split:
    # Without a training part there is nothing that the largest groups have to go to.
    drawn = split_by_group(folder.samples, _SHARES, seed)
    test: Sequence[Sample] = sorted((*drawn.train, *drawn.test), key=lambda sample: sample.path)
    return Split(train=(), validation=drawn.validation, test=tuple(test))


def _require_numbers(legacy: Legacy, rebuilt: Rebuilt, images: Images) -> None:
    few = Images(images.pixels[:_TRIED], images.truths[:_TRIED], images.samples[:_TRIED])
    if not np.isfinite(answer(rebuilt.model, few).logits).all():
        message = f"{legacy.file} cannot be imported: its model gives NaN or infinite numbers."
        raise LegacyInvalid(message)


def _preprocessing(legacy: Legacy, rebuilt: Rebuilt, told: Conventions) -> Preprocessing:
    height, width = rebuilt.size
    try:
        return Preprocessing(
            height=height,
            width=width,
            borders="kept",
            colour="grey" if told.colour == "grey" else "rgb",
            fit=told.fit,
            interpolation="bilinear",
            pad=0,
            window=None,
            levels="kept",
            window_percentiles=(0.5, 99.5),
        )
    except ValidationError as invalid:
        message = f"{legacy.file} cannot be imported: its input does not fit: {first_error(invalid)}."
        raise LegacyInvalid(message) from invalid


def _origin(legacy: Legacy, material: Material, folder: Folder, split: Split) -> Import:
    return Import(
        kind="import",
        data=material.name,
        data_licence=material.licence,
        index_sha256=folder.sha256,
        split_by="group" if folder.grouped else "image",
        validation=part_of(split.validation),
        test=part_of(split.test),
        seed=material.seed,
        software=software(),
        file=legacy.file,
        file_sha256=legacy.sha256,
    )

"""The whole way from a plan to a published bundle."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from services.bundle.manifest import Manifest
from services.bundle.store import Store
from training import seen
from training.devices import gpu_count
from training.disk import write_whole
from training.errors import RunMismatch
from training.evidence import Elsewhere
from training.finetuning import FineTuned, fine_tune, finished
from training.images import Bar, Images, load_images
from training.plan import Plan
from training.publishing import publish
from training.recipe import Recipe
from training.runs import RECIPE, SEEN, SPLIT, drop_run, open_run
from training.split import write_split


def train(
    plan: Plan, run: Path, weights: Path | None, bar: Bar, *, callbacks: Sequence[Any] = ()
) -> tuple[FineTuned, tuple[Images, Images, Images]]:
    """Train; started again with the same run folder, go on where it stopped.

    Args:
        plan: what is trained on what.
        run: folder for checkpoints; it also keeps the recipe, the split and what the initial weights have seen.
        weights: a local file of initial weights, or None.
        bar: makes a progress bar of a name and a number of images.
        callbacks: more of Keras's.

    Returns:
        The classifier, and the images for training, validation and test.

    Raises:
        TrainingError: as the steps do.
        BundleRefused: the initial weights lie in a bundle that is not whole.
        OSError: the disk is full or cannot be written.
    """
    before = seen.inherited(weights)
    # What publishing would refuse is refused before hours of training.
    seen.require_unseen(before, plan.folder, plan.split.test)
    open_run(run, plan.identity(), weights)
    write_whole(run / RECIPE, plan.text.encode())
    write_split(run / SPLIT, plan.split)
    write_whole(run / SEEN, seen.pack(before))
    # All of them before the first epoch: a damaged test image must not show only after hours.
    parts = _load(plan, bar)
    with precision(plan.recipe):
        trained = fine_tune(plan.recipe, parts[0], parts[1], run, weights, callbacks=callbacks)
    return trained, parts


def publish_run(
    plan: Plan,
    run: Path,
    weights: Path | None,
    store: Store,
    bar: Bar,
    elsewhere: Elsewhere,
    *,
    keep: bool,
    callbacks: Sequence[Any] = (),
) -> Manifest:
    """Train what is left to train, measure and publish.

    Args:
        plan: what is trained on what.
        run: folder of checkpoints; emptied once the bundle is published.
        weights: a local file of initial weights, or None.
        store: where the bundle goes.
        bar: makes a progress bar of a name and a number of images.
        elsewhere: what is known beyond the plan's images.
        keep: leave the run folder as it is.
        callbacks: more of Keras's.

    Returns:
        The manifest as published.

    Raises:
        TrainingError: as the steps do.
        OSError: the disk is full or cannot be written.
    """
    trained, parts = train(plan, run, weights, bar, callbacks=callbacks)
    manifest = publish(store, plan, trained, parts, seen.unpack((run / SEEN).read_bytes()), elsewhere, bar)
    if not keep:
        drop_run(run)
    return manifest


def publish_finished(plan: Plan, run: Path, store: Store, bar: Bar, elsewhere: Elsewhere, *, keep: bool) -> Manifest:
    """Publish a run that is trained already; its recipe and split are those of the run folder.

    Raises:
        RunMismatch: the folder holds no finished run of this plan.
        TrainingError: as the steps do.
        OSError: the disk is full or cannot be written.
    """
    if not finished(plan.recipe, run):
        message = f"{run} holds no finished training; `python -m training train` goes on with it."
        raise RunMismatch(message)
    open_run(run, plan.identity(), None, finished=True)
    parts = _load(plan, bar)
    trained = fine_tune(plan.recipe, parts[1], parts[1], run, None)
    manifest = publish(store, plan, trained, parts, seen.unpack((run / SEEN).read_bytes()), elsewhere, bar)
    if not keep:
        drop_run(run)
    return manifest


def _load(plan: Plan, bar: Bar) -> tuple[Images, Images, Images]:
    names, parts = ("training", "validation", "test"), (part for _, part in plan.split.parts())
    train, validation, test = (
        load_images(plan.folder, part, plan.recipe.preprocessing, bar(f"Decoding {len(part)} {name} images", len(part)))
        for name, part in zip(names, parts, strict=True)
    )
    return train, validation, test


@contextlib.contextmanager
def precision(recipe: Recipe) -> Iterator[None]:
    """Compute in bfloat16 where the recipe asks for it and a GPU is there; on a CPU it is slower, not faster."""
    before = keras.config.dtype_policy()
    if recipe.mixed_precision and gpu_count():
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)

"""The whole way from a plan to a published bundle."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import keras

from services.bundle.manifest import Manifest
from services.bundle.store import Store
from training.datasets import Watch, load_images
from training.devices import gpu_count
from training.finetuning import fine_tune
from training.plan import Plan
from training.publishing import publish
from training.recipe import Recipe
from training.runs import drop_run, open_run

Bar = Callable[[str, int], Watch]


def train(plan: Plan, run: Path, weights: Path | None, store: Store, bar: Bar, *, keep: bool) -> Manifest:
    """Train, measure and publish; started again with the same run folder, go on where it stopped.

    Args:
        plan: what is trained on what.
        run: folder for checkpoints; emptied once the bundle is published.
        weights: a local file of ImageNet weights, or None.
        store: where the bundle goes.
        bar: makes a progress bar of a name and a number of images.
        keep: leave the run folder as it is.

    Returns:
        The manifest as published.

    Raises:
        TrainingError: as the steps do.
        OSError: the disk is full or cannot be written.
    """
    open_run(run, plan.identity(), weights)
    # All of them before the first epoch: a damaged test image must not show only after hours.
    train_images, validation, test = (
        load_images(plan.folder, part, plan.recipe.preprocessing, bar(name, len(part)))
        for name, part in (
            ("training", plan.split.train),
            ("validation", plan.split.validation),
            ("test", plan.split.test),
        )
    )
    with _precision(plan.recipe):
        trained = fine_tune(plan.recipe, train_images, validation, run, weights)
    manifest = publish(store, plan, trained, validation, test)
    if not keep:
        drop_run(run)
    return manifest


@contextlib.contextmanager
def _precision(recipe: Recipe) -> Iterator[None]:
    """Compute in bfloat16 where the recipe asks for it and a GPU is there; on a CPU it is slower, not faster."""
    before = keras.config.dtype_policy()
    if recipe.mixed_precision and gpu_count():
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)

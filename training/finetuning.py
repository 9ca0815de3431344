"""Fine-tuning: the head alone at first, then chosen blocks of the backbone; or a network from scratch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from services.bundle.architectures import BACKBONES, build, head_layers
from training.augmentation import augmentation_layers
from training.batches import Batches
from training.checkpoints import Backup, DurableSequential, EpochLog, History, Reseed, Stop, read_history
from training.disk import write_whole
from training.errors import RecipeInvalid, TrainingDiverged
from training.images import Images
from training.pretrained import load_pretrained
from training.progress import EpochProgress
from training.recipe import Phase, Recipe

RANDOM = "random weights"

_INITIAL = "initial.json"


@dataclass(frozen=True, slots=True)
class FineTuned:
    """A trained classifier.

    Attributes:
        classifier: RGB float [batch, h, w, 3] in 0..255 -> logits, of any height and width.
        history: figures per epoch over both phases.
        seconds: that the epochs took.
    """

    classifier: Any
    history: History
    initial_weights: str
    seconds: float
    epochs: int


def fine_tune(
    recipe: Recipe,
    train: Images,
    validation: Images,
    run: Path,
    weights: Path | None,
    *,
    callbacks: Sequence[Any] = (),
) -> FineTuned:
    """Train phase by phase; started again with the same `run` folder, go on after the last whole epoch.

    Args:
        recipe: every choice.
        train: images that weights are fitted to.
        validation: images that choose the checkpoint and stop a phase.
        run: folder for checkpoints.
        weights: a local file of weights to begin from, or None.
        callbacks: more of Keras's, for each phase; each has the attribute `phase` set before it, where it has one.

    Raises:
        WeightsUnavailable: no pretrained weights.
        RecipeInvalid: `unfreeze` names no layer, or there are no ImageNet weights of this backbone.
        TrainingDiverged: the loss is no longer a number.
    """
    keras.utils.set_random_seed(recipe.seed)
    run.mkdir(parents=True, exist_ok=True)
    chosen = recipe.regularisation
    classifier = build(
        recipe.architecture,
        (None, None),
        train.truths.shape[1],
        dropout=chosen.dropout,
        block_dropout=chosen.block_dropout,
        l2=chosen.l2,
    )
    for phase in recipe.phases().values():
        _require_layers(classifier, phase.unfreeze)
    initial = _initial_weights(recipe, classifier, run, weights)
    size = (recipe.preprocessing.height, recipe.preprocessing.width, 3)
    augmentation = augmentation_layers(recipe.augmentation, recipe.seed, grey=recipe.preprocessing.colour == "grey")
    model = DurableSequential([keras.Input(size, dtype="uint8"), *augmentation, classifier], name="sequential")
    for name, phase in recipe.phases().items():
        _set_trainable(classifier, head_layers(recipe.architecture), phase.unfreeze, frozen=initial != RANDOM)
        before = classifier.get_weights() if phase.tuned_share < 1 else []
        _run_phase(model, name, recipe, train, validation, run, callbacks)
        if before:
            _mix(classifier, before, phase.tuned_share)
    history = read_history(run)
    return FineTuned(classifier, history, initial, sum(history["seconds"]), len(history["epoch"]))


def begun(recipe: Recipe, run: Path) -> bool:
    """Whether a run has a whole epoch to go on from."""
    first = next(iter(recipe.phases()))
    return (run / f"{first}.finished.json").exists() or Backup(run / f"{first}.backup").epochs > 0


def finished(recipe: Recipe, run: Path) -> bool:
    """Whether all phases of a run are trained."""
    return all((run / f"{name}.finished.json").exists() for name in recipe.phases())


# ---------------------------------------------------------------- before the first epoch


def _initial_weights(recipe: Recipe, classifier: Any, run: Path, weights: Path | None) -> str:
    path = run / _INITIAL
    if path.exists() and begun(recipe, run):
        # The checkpoint holds every weight; where they came from may be out of reach by now.
        return str(json.loads(path.read_text("utf-8"))["initial_weights"])
    name = recipe.architecture.backbone
    if weights is None and recipe.initial_weights == "imagenet" and not BACKBONES[name].pretrained:
        message = f"There are no ImageNet weights of {name}; it is trained from scratch: initial_weights = 'random'."
        raise RecipeInvalid(message)
    scratch = weights is None and recipe.initial_weights == "random"
    initial = RANDOM if scratch else load_pretrained(classifier, name, weights)
    write_whole(path, json.dumps({"initial_weights": initial}).encode())
    return initial


def _prefixes(unfreeze: str) -> tuple[str, ...]:
    named = tuple(part.strip() for part in unfreeze.split(",") if part.strip())
    return {"none": (), "all": ("",)}.get(unfreeze, named)


def _require_layers(classifier: Any, unfreeze: str) -> None:
    for prefix in _prefixes(unfreeze):
        if not any(layer.name.startswith(prefix) for layer in classifier.layers):
            blocks = ", ".join(BACKBONES[classifier.name].blocks)
            message = (
                f"unfreeze: no layer of {classifier.name} has a name that begins with {prefix!r}; its blocks are "
                f"{blocks}."
            )
            raise RecipeInvalid(message)


def _set_trainable(classifier: Any, head: tuple[str, ...], unfreeze: str, *, frozen: bool) -> None:
    for layer in classifier.layers:
        chosen = layer.name.startswith(_prefixes(unfreeze)) or layer.name in head
        # A frozen BatchNormalization layer runs on its stored statistics, which small batches would spoil. A network
        # from scratch has none worth keeping.
        kept = frozen and isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = chosen and not kept


# ---------------------------------------------------------------- a phase


def _run_phase(
    model: Any, name: str, recipe: Recipe, train: Images, validation: Images, run: Path, callbacks: Sequence[Any]
) -> None:
    phase, best, done = recipe.phases()[name], run / f"{name}.weights.h5", run / f"{name}.finished.json"
    backup, log = Backup(run / f"{name}.backup"), EpochLog(run, name)
    stop = Stop(phase, recipe.monitor, log)
    if not done.exists():
        material = recipe.material
        batches = Batches(train, recipe.batch_size, recipe.seed, material.balance, backup.epochs, material.counts_as)
        model.compile(
            optimizer=_optimizer(phase, len(batches) * phase.epochs), loss=_loss(recipe), metrics=[_accuracy(recipe)]
        )
        reseed = Reseed(recipe.seed, list(recipe.phases()).index(name))
        progress = EpochProgress(name, phase.epochs, len(batches), len(train.samples))
        # Killed between its last epoch and its last word, a phase has nothing left to train.
        if backup.epochs < phase.epochs and not (backup.epochs and stop.reached()):
            # A backup is read into these; and TensorFlow would trace a step that makes variables twice.
            model.optimizer.build(model.trainable_variables)
            model.fit(
                batches,
                validation_data=Batches(validation, recipe.batch_size),
                initial_epoch=backup.epochs,
                epochs=phase.epochs,
                callbacks=[
                    reseed,
                    progress,
                    _checkpoint(best, recipe, log),
                    log,
                    stop,
                    *_told(callbacks, name),
                    backup,
                ],
                # Batches come in the order of their epoch already; Keras's would not outlive an interruption.
                shuffle=False,
                verbose=0,
            )
        _require_finite(model, best, name)
        write_whole(done, json.dumps({"phase": name}).encode())
    backup.drop()
    model.load_weights(best)


def _mix(classifier: Any, before: list[NDArray[np.float32]], tuned_share: float) -> None:
    pairs = zip(before, classifier.get_weights(), strict=True)
    classifier.set_weights([(1 - tuned_share) * old + tuned_share * new for old, new in pairs])


def _checkpoint(best: Path, recipe: Recipe, log: EpochLog) -> Any:
    figures = log.figures(recipe.monitor)
    higher = recipe.monitor == "val_accuracy"
    return keras.callbacks.ModelCheckpoint(
        best,
        monitor=recipe.monitor,
        mode="max" if higher else "min",
        save_best_only=True,
        save_weights_only=True,
        initial_value_threshold=(max(figures) if higher else min(figures)) if figures else None,
    )


def _told(callbacks: Sequence[Any], name: str) -> Sequence[Any]:
    for callback in callbacks:
        if hasattr(callback, "phase"):
            callback.phase = name
    return callbacks


def _require_finite(model: Any, best: Path, name: str) -> None:
    # Keras keeps the first epoch whatever it gave, so a loss that was never a number still has a checkpoint.
    if best.exists():
        model.load_weights(best)
    if not best.exists() or not all(np.isfinite(weight).all() for weight in model.get_weights()):
        message = f"The phase {name} diverged: its weights are no longer numbers. Lower its learning_rate."
        raise TrainingDiverged(message)


def _optimizer(phase: Phase, steps: int) -> Any:
    warmup = int(steps * phase.warmup)
    options = {
        "initial_learning_rate": phase.learning_rate / 25,
        "decay_steps": max(1, steps - warmup),
        "warmup_target": phase.learning_rate,
        "warmup_steps": warmup,
    }
    if phase.schedule == "constant":
        # A cosine that stays on its peak: alpha is the share of the peak that is left at the end.
        options["alpha"] = 1.0
    return keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(**options), weight_decay=phase.weight_decay)


def _loss(recipe: Recipe) -> Any:
    kinds = {"softmax": keras.losses.CategoricalCrossentropy, "sigmoid": keras.losses.BinaryCrossentropy}
    return kinds[recipe.activation](from_logits=True, label_smoothing=recipe.regularisation.label_smoothing)


def _accuracy(recipe: Recipe) -> Any:
    if recipe.activation == "softmax":
        return keras.metrics.CategoricalAccuracy(name="accuracy")
    return keras.metrics.MeanMetricWrapper(_all_right, name="accuracy")


def _all_right(truths: Any, logits: Any) -> Any:
    """Whether every label of an image is right: a probability of one half is a logit of zero."""
    return ops.cast(ops.all((truths > 0.5) == (logits > 0), axis=-1), "float32")  # noqa: PLR2004

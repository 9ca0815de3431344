"""Two phases: a new head on a frozen backbone, then the chosen blocks with it. Keras alone, so on any backend."""

import csv
import json
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from services.bundle.architectures import build, head_layers
from training.augmentation import augmentation_layers
from training.datasets import Batches, Images, class_weights
from training.disk import reserve
from training.errors import RecipeInvalid, TrainingDiverged
from training.pretrained import load_pretrained
from training.recipe import Phase, Recipe

History = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class FineTuned:
    """A trained classifier.

    Attributes:
        classifier: RGB float [batch, h, w, 3] in 0..255 -> logits, of any height and width.
        history: figures per epoch over both phases.
    """

    classifier: Any
    history: History
    initial_weights: str
    seconds: float
    epochs: int


def fine_tune(recipe: Recipe, train: Images, validation: Images, run: Path, weights: Path | None) -> FineTuned:
    """Train in two phases; started again with the same `run` folder, it goes on after the last whole epoch.

    Args:
        recipe: every choice.
        train: images that weights are fitted to.
        validation: images that choose the checkpoint and stop a phase.
        run: folder for checkpoints.
        weights: a local file of ImageNet weights, or None.

    Raises:
        WeightsUnavailable: no pretrained weights.
        RecipeInvalid: `unfreeze` names no layer.
        TrainingDiverged: the loss is no longer a number.
    """
    keras.utils.set_random_seed(recipe.seed)
    run.mkdir(parents=True, exist_ok=True)
    classifier = build(recipe.architecture, (None, None), len(set(train.classes)), dropout=recipe.dropout)
    initial = load_pretrained(classifier, recipe.architecture.backbone, weights)
    model = _Durable(
        [
            keras.Input((recipe.preprocessing.height, recipe.preprocessing.width, 3), dtype="uint8"),
            *augmentation_layers(recipe.augmentation, recipe.seed),
            classifier,
        ],
        name="sequential",
    )
    phases = {"head": recipe.head, "fine_tuning": recipe.fine_tuning}
    for phase in phases.values():
        _require_layers(classifier, phase.unfreeze)
    for name, phase in phases.items():
        _set_trainable(classifier, head_layers(recipe.architecture), phase.unfreeze)
        _run_phase(model, name, phase, recipe, train, validation, run)
    history, seconds = _read_history(run)
    return FineTuned(classifier, history, initial, seconds, len(history["epoch"]))


def _prefixes(unfreeze: str) -> tuple[str, ...]:
    named = tuple(part.strip() for part in unfreeze.split(",") if part.strip())
    return {"none": (), "all": ("",)}.get(unfreeze, named)


def _require_layers(classifier: Any, unfreeze: str) -> None:
    for prefix in _prefixes(unfreeze):
        if not any(layer.name.startswith(prefix) for layer in classifier.layers):
            message = f"unfreeze: no layer of {classifier.name} has a name that begins with {prefix!r}."
            raise RecipeInvalid(message)


def _set_trainable(classifier: Any, head: tuple[str, ...], unfreeze: str) -> None:
    for layer in classifier.layers:
        in_block = layer.name.startswith(_prefixes(unfreeze))
        # A frozen BatchNormalization layer runs on its stored statistics, which small batches would spoil.
        frozen = isinstance(layer, keras.layers.BatchNormalization) or not (in_block or layer.name in head)
        layer.trainable = not frozen


def _run_phase(
    model: Any, name: str, phase: Phase, recipe: Recipe, train: Images, validation: Images, run: Path
) -> None:
    best, finished = run / f"{name}.weights.h5", run / f"{name}.finished.json"
    backup = _Backup(run / f"{name}.backup")
    if not finished.exists():
        batches = Batches(train, recipe.batch_size, recipe.seed)
        model.compile(
            optimizer=_optimizer(phase, len(batches) * phase.epochs),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        model.fit(
            batches,
            validation_data=Batches(validation, recipe.batch_size),
            initial_epoch=backup.epochs,
            epochs=phase.epochs,
            class_weight=class_weights(train) if recipe.material.balance == "class_weights" else None,
            callbacks=[*_callbacks(name, phase, recipe, run, best), backup],
            verbose="auto" if sys.stdout.isatty() else 2,
        )
        _require_finite(model, best, name)
        finished.write_text(json.dumps({"phase": name}))
    backup.drop()
    model.load_weights(best)


def _require_finite(model: Any, best: Path, name: str) -> None:
    # Keras keeps the first epoch whatever it gave, so a loss that was never a number still has a checkpoint.
    if best.exists():
        model.load_weights(best)
    if not best.exists() or not all(np.isfinite(weight).all() for weight in model.get_weights()):
        message = f"The phase {name} diverged: its weights are no longer numbers. Lower its learning_rate."
        raise TrainingDiverged(message)


def _optimizer(phase: Phase, steps: int) -> Any:
    warmup = int(steps * phase.warmup)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=phase.learning_rate / 25,
        decay_steps=max(1, steps - warmup),
        warmup_target=phase.learning_rate,
        warmup_steps=warmup,
    )
    return keras.optimizers.AdamW(schedule, weight_decay=phase.weight_decay)


def _callbacks(name: str, phase: Phase, recipe: Recipe, run: Path, best: Path) -> list[Any]:
    log = _EpochLog(run / "epochs.csv", name)
    mode = "max" if recipe.monitor == "val_accuracy" else "min"
    return [
        keras.callbacks.ModelCheckpoint(
            best,
            monitor=recipe.monitor,
            mode=mode,
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=log.best(recipe.monitor, mode),
        ),
        keras.callbacks.EarlyStopping(recipe.monitor, mode=mode, patience=phase.patience),
        log,
    ]


class _Durable(keras.Sequential):  # type: ignore[misc]
    """Writes weights under another name first: a process that is killed meanwhile leaves the old file whole."""

    def save_weights(self, filepath: Path | str, **options: Any) -> None:
        target = Path(filepath)
        incoming = target.with_name(f"incoming.{target.name}")
        reserve(incoming, self)
        super().save_weights(incoming, **options)
        incoming.replace(target)


class _Backup(keras.callbacks.Callback):  # type: ignore[misc]
    """The weights and the optimizer after the last whole epoch, in a file whose name says which epoch it was.

    It must be the last callback, so that an epoch counts as done only once its checkpoint and its row are written.

    Attributes:
        epochs: how many are done.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self.epochs = max((int(path.name.split(".")[0]) for path in self._files()), default=0)

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        del logs
        if self.epochs:
            self.model.optimizer.build(self.model.trainable_variables)
            self.model.load_weights(self._folder / f"{self.epochs}.weights.h5")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        del logs
        self._folder.mkdir(exist_ok=True)
        before = self._files()
        self.model.save_weights(self._folder / f"{epoch + 1}.weights.h5")
        for path in before:
            path.unlink()

    def drop(self) -> None:
        """The phase is finished: nobody will go on from here."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        return [path for path in self._folder.glob("*.weights.h5") if path.name.split(".")[0].isdigit()]


class _EpochLog(keras.callbacks.Callback):  # type: ignore[misc]
    """Appends one row per epoch, so the figures outlive an interruption."""

    def __init__(self, path: Path, phase: str) -> None:
        super().__init__()
        self._path, self._phase, self._start = path, phase, time.monotonic()

    def best(self, monitor: str, mode: str) -> float | None:
        values = [float(row[monitor]) for row in _rows(self._path) if row["phase"] == self._phase]
        return (max(values) if mode == "max" else min(values)) if values else None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        del epoch, logs
        self._start = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        row = {"phase": self._phase, "epoch": epoch + 1, "seconds": round(time.monotonic() - self._start, 1)}
        row |= {key: round(float(value), 6) for key, value in sorted((logs or {}).items())}
        new = not self._path.exists()
        with self._path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        # An epoch that was interrupted after its row is run again: its last row counts.
        latest = {(row["phase"], int(row["epoch"])): row for row in csv.DictReader(file)}
    return list(latest.values())


def _read_history(run: Path) -> tuple[History, float]:
    rows = _rows(run / "epochs.csv")
    history = {key: [float(row[key]) for row in rows] for key in rows[0] if key != "phase"}
    return history, sum(history["seconds"])

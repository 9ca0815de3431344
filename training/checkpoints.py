"""What a training leaves on disk after each epoch, so that a killed one goes on and loses one epoch at most."""

import csv
import io
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from services.bundle import weights
from training.disk import write_whole
from training.recipe import Phase

History = dict[str, list[float]]

_LOG = "epochs.csv"
_SUFFIX = ".weights.h5"


class DurableSequential(keras.Sequential):  # type: ignore[misc]
    """Writes weights under another name first: a process that is killed meanwhile leaves the old file whole."""

    def save_weights(self, filepath: Path | str, **options: Any) -> None:
        """As Keras does, but all or nothing.

        Raises:
            OSError: there is no room.
        """
        target = Path(filepath)
        incoming = target.with_name(f"incoming.{target.name}")
        weights.reserve(incoming, self)
        super().save_weights(incoming, **options)
        incoming.replace(target)


class EpochLog(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps one row per epoch of all phases, so the figures outlive an interruption."""

    def __init__(self, run: Path, phase: str) -> None:
        super().__init__()
        self._run, self._phase, self._start = run, phase, time.monotonic()

    def figures(self, name: str) -> list[float]:
        """One figure of each epoch of this phase so far."""
        return [float(row[name]) for row in read_rows(self._run) if row["phase"] == self._phase]

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Start the clock."""
        del epoch, logs
        self._start = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the row; an epoch that was interrupted after its row and is run again replaces it."""
        row = {"phase": self._phase, "epoch": str(epoch + 1), "seconds": f"{time.monotonic() - self._start:.1f}"}
        row |= {key: f"{float(value):.6f}" for key, value in sorted((logs or {}).items())}
        kept = [old for old in read_rows(self._run) if (old["phase"], old["epoch"]) != (row["phase"], row["epoch"])]
        text = io.StringIO()
        writer = csv.DictWriter(text, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, row])
        write_whole(self._run / _LOG, text.getvalue().encode())


def read_rows(run: Path) -> list[dict[str, str]]:
    """The rows of a run's log, none where it has not begun."""
    path = run / _LOG
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def read_history(run: Path) -> History:
    """The figures of each epoch over all phases; there must be one."""
    rows = read_rows(run)
    return {key: [float(row[key]) for row in rows] for key in rows[0] if key != "phase"}


class Reseed(keras.callbacks.Callback):  # type: ignore[misc]
    """Gives each epoch its own random numbers: a training that goes on draws what it would have drawn.

    Args:
        seed: of the recipe.
        phase: its number.
    """

    def __init__(self, seed: int, phase: int) -> None:
        super().__init__()
        self._entropy = (seed, phase)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Set the state of every random layer; Keras keeps none of them in a weights file."""
        del logs
        states = [one for one in self.model.non_trainable_variables if one.path.endswith("seed_generator_state")]
        drawn = np.random.default_rng((*self._entropy, epoch)).integers(2**31, size=len(states))
        for state, number in zip(states, drawn.tolist(), strict=True):
            state.assign(np.array([number, 0], state.dtype))


class Stop(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a phase once it no longer gets better, or is good enough; it goes by the log, which outlives a restart."""

    def __init__(self, phase: Phase, monitor: str, log: EpochLog) -> None:
        super().__init__()
        self._phase, self._monitor, self._log = phase, monitor, log

    def reached(self) -> bool:
        """Whether the phase should end, after the epochs that it has had."""
        figures = self._log.figures(self._monitor)
        if not figures:
            return False
        best = max(figures) if self._monitor == "val_accuracy" else min(figures)
        if len(figures) - 1 - figures.index(best) >= self._phase.patience:
            return True
        return self._phase.stop_at is not None and max(self._log.figures("val_accuracy")) >= self._phase.stop_at

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Look at the log."""
        del epoch, logs
        if self.reached():
            self.model.stop_training = True


class Backup(keras.callbacks.Callback):  # type: ignore[misc]
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
        """Go on from the last whole epoch; the optimizer must be built."""
        del logs
        if self.epochs:
            self.model.load_weights(self._folder / f"{self.epochs}{_SUFFIX}")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the new one, then drop the old one."""
        del logs
        self._folder.mkdir(exist_ok=True)
        before = self._files()
        self.model.save_weights(self._folder / f"{epoch + 1}{_SUFFIX}")
        for path in before:
            path.unlink()

    def drop(self) -> None:
        """The phase is finished: nobody will go on from here."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        return [path for path in self._folder.glob(f"*{_SUFFIX}") if path.name.split(".")[0].isdigit()]

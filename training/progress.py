"""How far a training is: a live line at a terminal, one line per epoch in a log."""

import time
from collections.abc import Mapping

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class EpochProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Shows each epoch on standard error.

    Args:
        phase: its name.
        epochs: of the phase, at most.
        batches: per epoch.
        images: per epoch.
    """

    def __init__(self, phase: str, epochs: int, batches: int, images: int) -> None:
        super().__init__()
        self._phase, self._epochs, self._batches, self._images = phase, epochs, batches, images
        self._console = Console(stderr=True)
        self._live: Progress | None = None
        self._begun = time.monotonic()
        self._trained = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Begin a bar, where somebody looks at it."""
        del logs
        self._begun = time.monotonic()
        if self._console.is_terminal:
            self._live = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._live.add_task(f"{self._phase} {epoch + 1}/{self._epochs}", total=self._batches, figures="")
            self._live.start()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Move the bar on."""
        if self._live is not None:
            self._live.update(self._live.task_ids[0], completed=batch + 1, figures=_figures(logs or {}))

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Training ends where validation begins."""
        del logs
        self._trained = time.monotonic() - self._begun

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """One line that stays."""
        self._end()
        speed = self._images / max(self._trained, 1e-9)
        self._console.print(
            f"{self._phase} {epoch + 1}/{self._epochs}: {_figures(logs or {})}, {speed:.0f} images/s",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Leave no bar behind."""
        del logs
        self._end()

    def _end(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _figures(logs: Mapping[str, float]) -> str:
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    return ", ".join(f"{name} {float(logs[name]):.4f}" for name in names if name in logs)

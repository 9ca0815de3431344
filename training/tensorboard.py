"""Figures of each epoch as TensorBoard's event files, without TensorFlow."""

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from training.errors import TrainingError


class TensorBoardLog(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes loss, accuracy and learning rate after each epoch, as one run of TensorBoard.

    Args:
        folder: for the event files.

    Attributes:
        phase: the name of the phase that is trained; its figures are kept apart from another's.

    Raises:
        TrainingError: the package tensorboardX is not installed.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        if importlib.util.find_spec("tensorboardX") is None:
            message = "TensorBoard's logs need the package tensorboardX, which is part of `make training`."
            raise TrainingError(message)
        self._writer: Any = importlib.import_module("tensorboardX").SummaryWriter(str(folder))
        self.phase = ""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """One point per curve."""
        figures = dict(logs or {}) | {"learning_rate": float(self.model.optimizer.learning_rate)}
        for name, value in figures.items():
            self._writer.add_scalar(f"{self.phase}/{name}", float(value), epoch + 1)
        self._writer.flush()

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Nothing more comes of this phase; the next one opens the file again."""
        del logs
        self._writer.close()

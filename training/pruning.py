"""Pruning: a trial that is worse than most others at the same epoch is not trained to its end."""

from collections.abc import Mapping
from pathlib import Path

import keras
import optuna

from training.checkpoints import read_rows
from training.recipe import Recipe


class Pruning(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells the study each epoch's monitored figure, and ends a trial that is worse than most were at that epoch.

    Args:
        trial: of the study; it is ended by optuna.TrialPruned.
        recipe: of the trial.
        offset: from which the epochs of the last phase are counted, in every trial of the study.
        run: folder of the trial's log.
    """

    def __init__(self, trial: optuna.Trial, recipe: Recipe, offset: int, run: Path) -> None:
        super().__init__()
        self._trial, self._monitor, self._run = trial, recipe.monitor, run
        phases = list(recipe.phases())
        self._before = dict.fromkeys(phases, 0) | {phases[-1]: offset}
        self._told: set[int] = set()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Look at the log.

        Raises:
            TrialPruned: the trial is not worth going on with.
        """
        del logs
        # From the log: of a trial that goes on, the study has to hear of the epochs before it was interrupted too.
        for row in read_rows(self._run):
            step = self._before[row["phase"]] + int(row["epoch"]) - 1
            if step not in self._told:
                self._trial.report(float(row[self._monitor]), step)
                self._told.add(step)
        # A phase that ends by itself has nothing left to save.
        if epoch + 1 < self.params["epochs"] and not self.model.stop_training and self._trial.should_prune():
            raise optuna.TrialPruned

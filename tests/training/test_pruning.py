"""Pruning: the study hears of every epoch once, and a trial that is behind most others ends."""

from pathlib import Path

import keras
import optuna
import pytest

from training.checkpoints import EpochLog
from training.pruning import Pruning
from training.recipe import Recipe


def begin(study: optuna.Study, recipe: Recipe, run: Path) -> Pruning:
    pruning = Pruning(study.ask(), recipe, 4, run)
    pruning.set_model(keras.Sequential())
    pruning.model.stop_training = False
    pruning.set_params({"epochs": 6})
    return pruning


def test_epochs_of_the_last_phase_are_compared_with_each_other_and_each_is_told_once(
    recipe: Recipe, tmp_path: Path
) -> None:
    study = optuna.create_study(direction="maximize")
    pruning = begin(study, recipe, tmp_path)
    # As of a trial that was killed in its second phase: of the first one, nobody has told this study.
    for phase, epoch, figure in (("head", 0, 0.2), ("fine_tuning", 0, 0.5), ("fine_tuning", 1, 0.6)):
        log = EpochLog(tmp_path, phase)
        log.on_epoch_end(epoch, {"val_accuracy": figure})
    pruning.on_epoch_end(1)
    EpochLog(tmp_path, "fine_tuning").on_epoch_end(2, {"val_accuracy": 0.7})
    pruning.on_epoch_end(2)
    assert study.trials[0].intermediate_values == {0: 0.2, 4: 0.5, 5: 0.6, 6: 0.7}


def test_a_trial_ends_unless_its_phase_ends_anyway(recipe: Recipe, tmp_path: Path) -> None:
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(1, 0))
    better = study.ask()
    better.report(0.9, 4)
    study.tell(better, 0.9)
    pruning = begin(study, recipe, tmp_path)
    EpochLog(tmp_path, "fine_tuning").on_epoch_end(0, {"val_accuracy": 0.4})
    with pytest.raises(optuna.TrialPruned):
        pruning.on_epoch_end(0)
    pruning.on_epoch_end(5)
    pruning.model.stop_training = True
    pruning.on_epoch_end(0)

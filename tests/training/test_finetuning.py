"""Two phases: they learn, they leave alone what is frozen, and they go on where they stopped."""

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from services.bundle.architectures import build
from services.bundle.calibration import probabilities
from services.bundle.manifest import Calibration
from tests.training.conftest import Trained
from training.errors import RecipeInvalid, TrainingDiverged
from training.evaluation import answer, log_loss
from training.finetuning import FineTuned, fine_tune
from training.recipe import Phase, Recipe


@pytest.fixture
def initial(trained: Trained, tmp_path: Path) -> Path:
    """Weights of a backbone, with statistics of batch normalisation that are not the fresh ones."""
    model = build(trained.plan.recipe.architecture, (40, 40), 3)
    random = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    path = tmp_path / "initial.weights.h5"
    keras.Model(model.input, model.get_layer("features").output).save_weights(path)
    return path


def short(recipe: Recipe, unfreeze: str = "all", **changes: Any) -> Recipe:
    phase = Phase(unfreeze=unfreeze, epochs=1, learning_rate=1e-2, warmup=0.0, weight_decay=0.0, patience=1)
    return recipe.model_copy(update={"fine_tuning": phase.model_copy(update=changes)})


def weights_of(model: Any) -> dict[str, list[NDArray[Any]]]:
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def weights_in(path: Path, recipe: Recipe) -> dict[str, list[NDArray[Any]]]:
    model = build(recipe.architecture, (40, 40), 3)
    keras.Model(model.input, model.get_layer("features").output).load_weights(path)
    return weights_of(model)


def changed(before: dict[str, list[NDArray[Any]]], after: dict[str, list[NDArray[Any]]]) -> set[str]:
    return {
        name
        for name, arrays in before.items()
        if any(not np.array_equal(old, new) for old, new in zip(arrays, after[name], strict=True))
    }


def run(trained: Trained, recipe: Recipe, folder: Path, weights: Path | None = None) -> FineTuned:
    return fine_tune(recipe, trained.train, trained.validation, folder, weights)


def test_training_learns(trained: Trained) -> None:
    found = answer(trained.tuned.classifier, trained.test)
    assert (found.logits.argmax(axis=1) == found.classes).mean() > 0.9


def test_the_history_holds_every_epoch_of_both_phases(trained: Trained) -> None:
    history = trained.tuned.history
    assert history["epoch"] == [1, 1, 2, 3, 4, 5, 6]
    assert trained.tuned.epochs == 7
    assert {"accuracy", "loss", "val_accuracy", "val_loss", "seconds"} <= set(history)
    assert all(len(figures) == 7 for figures in history.values())
    assert trained.tuned.seconds == pytest.approx(sum(history["seconds"]))
    assert history["loss"][-1] < history["loss"][0]


def test_the_best_epoch_is_kept_and_not_the_last(trained: Trained) -> None:
    history = trained.tuned.history
    # The first of the second phase's epochs that reached the highest accuracy; later ones only lowered the loss.
    best = 1 + int(np.argmax(history["val_accuracy"][1:]))
    assert best < 6
    found = answer(trained.tuned.classifier, trained.validation)
    assert (found.logits.argmax(axis=1) == found.classes).mean() == pytest.approx(history["val_accuracy"][best])
    loss = log_loss(probabilities(found.logits, Calibration(temperature=1.0)), found.classes).mean()
    assert loss == pytest.approx(history["val_loss"][best], rel=1e-2, abs=1e-5)


def test_a_frozen_backbone_stays_as_it_was(trained: Trained, initial: Path, tmp_path: Path) -> None:
    tuned = run(trained, short(trained.plan.recipe, "none"), tmp_path / "run", initial)
    assert tuned.initial_weights.startswith("the backbone in initial.weights.h5, sha256:")
    assert changed(weights_in(initial, trained.plan.recipe), weights_of(tuned.classifier)) == {"logits"}


@pytest.mark.parametrize(
    ("unfreeze", "expected"),
    [("block4_", {"block4_conv"}), ("all", {"block1_conv", "block2_conv", "block3_conv", "block4_conv"})],
)
def test_only_chosen_blocks_change_and_never_batch_normalisation(
    unfreeze: str, expected: set[str], trained: Trained, initial: Path, tmp_path: Path
) -> None:
    tuned = run(trained, short(trained.plan.recipe, unfreeze), tmp_path / "run", initial)
    before, after = weights_in(initial, trained.plan.recipe), weights_of(tuned.classifier)
    assert changed(before, after) == expected | {"logits"}


def test_a_finished_run_is_read_and_not_trained_again(trained: Trained) -> None:
    rows = (trained.run / "epochs.csv").read_bytes()
    again = run(trained, trained.plan.recipe, trained.run)
    assert (trained.run / "epochs.csv").read_bytes() == rows
    assert again.history == trained.tuned.history
    assert not changed(weights_of(trained.tuned.classifier), weights_of(again.classifier))


def test_an_epoch_that_ran_twice_counts_once(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.run, tmp_path / "run")
    log = tmp_path / "run" / "epochs.csv"
    *others, last = log.read_text().splitlines()
    log.write_text("\n".join((*others, last.replace("fine_tuning,6,", "fine_tuning,6,1000"), last)) + "\n")
    again = run(trained, trained.plan.recipe, tmp_path / "run")
    assert again.history == trained.tuned.history


def test_a_seed_repeats_a_training(trained: Trained, tmp_path: Path) -> None:
    tuned = run(trained, trained.plan.recipe, tmp_path)
    assert tuned.history["val_loss"] == pytest.approx(trained.tuned.history["val_loss"], rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("unfreeze", ["block9_", "block4_,blok3_"])
def test_a_block_that_is_not_there_is_refused_before_training(unfreeze: str, trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalid, match=r"no layer of convnet has a name that begins with 'bl"):
        run(trained, short(trained.plan.recipe, unfreeze), tmp_path)
    assert not (tmp_path / "epochs.csv").exists()


def test_a_loss_that_is_no_number_is_an_error(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match="The phase fine_tuning diverged"):
        run(trained, short(trained.plan.recipe, learning_rate=1e30), tmp_path)
    assert not (tmp_path / "fine_tuning.finished.json").exists()

"""Two phases: they learn, they leave alone what is frozen, and they go on where they stopped."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from services.bundle.architectures import build
from services.bundle.manifest import Calibration
from tests.training.conftest import Trained
from training.answers import answer
from training.errors import RecipeInvalid, TrainingDiverged
from training.finetuning import FineTuned, begun, fine_tune, finished
from training.images import Images
from training.metrics import log_loss
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


class Kill(keras.callbacks.Callback):  # type: ignore[misc]
    """Interrupts the training before chosen epochs of chosen phases, each once."""

    def __init__(self, stops: set[tuple[str, int]]) -> None:
        super().__init__()
        self._stops, self.phase = stops, ""

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        del logs
        if (self.phase, epoch) in self._stops:
            self._stops.remove((self.phase, epoch))
            raise KeyboardInterrupt


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
    loss = log_loss(found, Calibration(temperature=1.0, activation="softmax")).mean()
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


def test_a_training_that_was_interrupted_ends_as_one_that_was_not(trained: Trained, tmp_path: Path) -> None:
    stops = {("head", 0), ("fine_tuning", 0), ("fine_tuning", 3), ("fine_tuning", 5)}
    recipe = trained.plan.recipe
    assert not begun(recipe, tmp_path)
    while stops:
        with pytest.raises(KeyboardInterrupt):
            fine_tune(recipe, trained.train, trained.validation, tmp_path, None, callbacks=[Kill(stops)])
        assert not finished(recipe, tmp_path)
    tuned = fine_tune(recipe, trained.train, trained.validation, tmp_path, None, callbacks=[Kill(stops)])
    assert begun(recipe, tmp_path)
    assert finished(recipe, tmp_path)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert tuned.history[name] == pytest.approx(trained.tuned.history[name], rel=1e-3, abs=1e-5)
    for name, arrays in weights_of(tuned.classifier).items():
        for array, expected in zip(arrays, weights_of(trained.tuned.classifier)[name], strict=True):
            np.testing.assert_allclose(array, expected, rtol=1e-3, atol=1e-4)


def test_a_seed_repeats_a_training(trained: Trained, tmp_path: Path) -> None:
    tuned = run(trained, trained.plan.recipe, tmp_path)
    assert tuned.history["val_loss"] == pytest.approx(trained.tuned.history["val_loss"], rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("unfreeze", ["block9_", "block4_,blok3_"])
def test_a_block_that_is_not_there_is_refused_before_training(unfreeze: str, trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalid, match=r"begins with 'bl.*; its blocks are block1_"):
        run(trained, short(trained.plan.recipe, unfreeze), tmp_path)
    assert not (tmp_path / "epochs.csv").exists()


def test_a_network_from_scratch_learns_its_own_statistics(trained: Trained, tmp_path: Path) -> None:
    tuned = run(trained, short(trained.plan.recipe), tmp_path / "run")
    assert tuned.initial_weights == "random weights"
    mean, variance = tuned.classifier.get_layer("block2_bn").get_weights()[2:]
    assert np.abs(mean).max() > 1e-3
    assert np.abs(variance - 1).max() > 1e-3


def test_weights_that_nobody_has_are_asked_for_in_vain(trained: Trained, tmp_path: Path) -> None:
    recipe = trained.plan.recipe.model_copy(update={"initial_weights": "imagenet"})
    with pytest.raises(RecipeInvalid, match=r"There are no ImageNet weights of convnet; it is trained from scratch"):
        run(trained, recipe, tmp_path)


def test_initial_weights_are_not_needed_once_training_has_begun(
    trained: Trained, initial: Path, tmp_path: Path
) -> None:
    recipe = short(trained.plan.recipe)
    before = run(trained, recipe, tmp_path / "run", initial)
    initial.unlink()
    again = run(trained, recipe, tmp_path / "run", initial)
    assert again.initial_weights == before.initial_weights
    assert again.initial_weights.startswith("the backbone in initial.weights.h5")


@pytest.mark.parametrize("left_out", ["head", "fine_tuning"])
def test_one_phase_is_enough(left_out: str, trained: Trained, tmp_path: Path) -> None:
    recipe = short(trained.plan.recipe).model_copy(update={left_out: None})
    assert run(trained, recipe, tmp_path).epochs == 1


def test_weights_can_be_mixed_with_those_before_fine_tuning(trained: Trained, tmp_path: Path) -> None:
    recipe, folder = short(trained.plan.recipe), tmp_path / "run"
    tuned = weights_of(run(trained, recipe, folder).classifier)
    before = weights_of(run(trained, recipe.model_copy(update={"fine_tuning": None}), folder).classifier)
    mixed = weights_of(run(trained, short(trained.plan.recipe, tuned_share=0.75), folder).classifier)
    assert changed(tuned, before)
    for name, arrays in mixed.items():
        for array, old, new in zip(arrays, before[name], tuned[name], strict=True):
            np.testing.assert_allclose(array, 0.25 * old + 0.75 * new, rtol=1e-5, atol=1e-7)


def test_a_phase_stops_where_it_is_good_enough(trained: Trained, tmp_path: Path) -> None:
    reached = trained.tuned.history["val_accuracy"][1:]
    goal = next(figure for figure in reached if figure > 0.6) - 0.01
    phase = trained.plan.recipe.fine_tuning
    assert phase is not None
    recipe = trained.plan.recipe.model_copy(update={"fine_tuning": phase.model_copy(update={"stop_at": goal})})
    tuned = run(trained, recipe, tmp_path)
    assert tuned.history["val_accuracy"][-1] >= goal
    assert all(figure < goal for figure in tuned.history["val_accuracy"][1:-1])
    assert tuned.epochs < 7


def test_a_phase_that_no_longer_gets_better_stops_also_over_interruptions(trained: Trained, tmp_path: Path) -> None:
    # With a rate of nearly nothing no epoch is better than the first.
    recipe = short(trained.plan.recipe, epochs=9, patience=3, learning_rate=1e-12)

    stops = {("fine_tuning", 2)}
    recipe = recipe.model_copy(update={"head": None})
    with pytest.raises(KeyboardInterrupt):
        fine_tune(recipe, trained.train, trained.validation, tmp_path, None, callbacks=[Kill(stops)])
    tuned = fine_tune(recipe, trained.train, trained.validation, tmp_path, None, callbacks=[Kill(stops)])
    assert not stops
    # The first epoch, and three that were no better.
    best = int(np.argmax(tuned.history["val_accuracy"]))
    assert tuned.epochs == best + 1 + 3 < 9


def test_a_constant_rate_and_a_cosine_are_different_trainings(trained: Trained, tmp_path: Path) -> None:
    rates = {}
    for schedule in ("constant", "cosine"):

        class Watch(keras.callbacks.Callback):  # type: ignore[misc]
            def on_train_end(self, logs: object = None, name: str = schedule) -> None:
                del logs
                rates[name] = float(self.model.optimizer.learning_rate)

        recipe = short(trained.plan.recipe, schedule=schedule, epochs=2, patience=2).model_copy(update={"head": None})
        fine_tune(recipe, trained.train, trained.validation, tmp_path / schedule, None, callbacks=[Watch()])
    assert rates["constant"] == pytest.approx(1e-2)
    assert rates["cosine"] == pytest.approx(0, abs=1e-4)


def test_label_smoothing_spreads_the_truth(trained: Trained, tmp_path: Path) -> None:
    recipe = short(trained.plan.recipe, epochs=4, patience=4).model_copy(update={"head": None})
    margins = []
    for smoothing in (0.0, 0.6):
        chosen = recipe.regularisation.model_copy(update={"label_smoothing": smoothing})
        smoothed = recipe.model_copy(update={"regularisation": chosen})
        tuned = run(trained, smoothed, tmp_path / str(smoothing))
        logits = np.sort(answer(tuned.classifier, trained.train).logits, axis=1)
        margins.append(float((logits[:, -1] - logits[:, -2]).mean()))
    assert margins[1] < margins[0]


def test_labels_that_occur_together_are_learnt_each_for_itself(trained: Trained, tmp_path: Path) -> None:
    """The shapes again, with a second question: is it no stripes? An image has one label or two."""

    def several(images: Images) -> Images:
        disc, square, stripes = images.truths.T
        return Images(images.pixels, np.stack([disc, disc | square, stripes], axis=1), images.samples)

    recipe = trained.plan.recipe.model_copy(update={"activation": "sigmoid"})
    tuned = fine_tune(recipe, several(trained.train), several(trained.validation), tmp_path, None)
    found = answer(tuned.classifier, several(trained.test))
    right = ((found.logits > 0) == found.truths).all(axis=1).mean()
    assert right > 0.8
    best = int(np.argmax(tuned.history["val_accuracy"][1:])) + 1
    validation = answer(tuned.classifier, several(trained.validation))
    exact = ((validation.logits > 0) == validation.truths).all(axis=1).mean()
    assert exact == pytest.approx(tuned.history["val_accuracy"][best], abs=1e-6)


def test_a_loss_that_is_no_number_is_an_error(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match="The phase fine_tuning diverged"):
        run(trained, short(trained.plan.recipe, learning_rate=1e30), tmp_path)
    assert not (tmp_path / "fine_tuning.finished.json").exists()

"""Tuning: every candidate is trained once and compared on validation; the best is written as a recipe."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from services.bundle.store import Store
from tests.training.conftest import RECIPE, draw_images
from training.errors import ImagesInvalid, RecipeInvalid, ResultsTaken, TrainingDiverged, WeightsUnavailable
from training.plan import Plan, draw_up
from training.recipe import parse_recipe
from training.search import candidate
from training.study import open_study
from training.tuning import Method, Outcome, Search, drop_search, plan_search, reached, require_place, tune

QUICK = RECIPE[: RECIPE.index("[head]")].replace("filters = [16, 32, 64, 128]", "filters = [8]").replace(
    "= 40", "= 32"
) + RECIPE[RECIPE.index("[fine_tuning]") :].replace("epochs = 6", "epochs = 2")
"""One phase of two short epochs."""


@dataclass
class Said:
    """What a person at the terminal would see."""

    lines: list[str] = field(default_factory=list)
    bars: list[str] = field(default_factory=list)

    def bar(self, doing: str, count: int) -> Any:
        def watch(things: Iterable[Any]) -> Iterable[Any]:
            self.bars.append(f"{doing} ({count})")
            return things

        return watch


@dataclass
class Tuning:
    """A search over drawn shapes."""

    root: Path
    data: Path
    store: Store
    said: Said = field(default_factory=Said)

    def plan(self, search: str, recipe: str = QUICK) -> Plan:
        (self.root / "r.toml").write_text(f"{recipe}\n[search]\n{search}\n")
        return draw_up("shapes", self.data, self.root / "r.toml", self.store)

    def search(self, search: str, method: Method = "grid", trials: int | None = None, recipe: str = QUICK) -> Search:
        return plan_search(self.plan(search, recipe), self.root / "r.toml", method, trials)

    def run(self, search: Search, weights: Path | None = None) -> Outcome:
        run = self.root / "run"
        return tune(search, run, run / "study.db", weights, self.said.bar, self.said.lines.append)


@pytest.fixture
def tuning(tmp_path: Path, store_root: Path) -> Tuning:
    return Tuning(tmp_path, draw_images(tmp_path / "images", each=10), Store(store_root))


# ---------------------------------------------------------------- trials


def test_the_best_of_a_grid_is_found_on_validation_alone(tuning: Tuning) -> None:
    search = tuning.search('"fine_tuning.learning_rate" = [1e-7, 1e-2]\n"preprocessing.pad" = [127]')
    # Checkpoints that nobody will come back for.
    (tuning.root / "run" / "trial-0a1b2c").mkdir(parents=True)
    (tuning.root / "run" / "trial-0a1b2c" / "initial.json").touch()
    for sample in search.plan.split.test:
        (tuning.data / sample.path).write_bytes(b"never opened")
    found = tuning.run(search)
    assert [each.values["fine_tuning.learning_rate"] for each in found.tried] == [1e-7, 1e-2]
    assert [(each.ending, each.epochs) for each in found.tried] == [("finished", 2)] * 2
    assert found.best == found.tried[1]
    assert found.best.figure is not None
    assert found.best.figure > (found.tried[0].figure or 0)
    # Decoded once for both, and nothing is left but the study.
    assert tuning.said.bars == ["Decoding 18 train images (18)", "Decoding 6 validation images (6)"]
    assert [path.name for path in (tuning.root / "run").iterdir()] == ["study.db"]
    assert tuning.said.lines[2] == "Trial 2 of 2: fine_tuning.learning_rate = 0.01, preprocessing.pad = 127"
    assert tuning.said.lines[3].startswith(f"Trial 2 of 2: val_accuracy {found.best.figure:.4f} after 2 epochs, ")
    _require_written(search, found)

    # Started again, there is nothing left to do.
    tuning.said = Said()
    assert tuning.run(search) == found
    assert tuning.said == Said()


def _require_written(search: Search, found: Outcome) -> None:
    chosen = candidate(search.plan.recipe, found.best.values, "The recipe")
    assert parse_recipe(found.text, "The file") == chosen
    assert chosen.fine_tuning is not None
    assert chosen.fine_tuning.learning_rate == 1e-2
    header = " ".join(line.removeprefix("# ") for line in found.text.split("\n\n")[0].splitlines())
    assert header.startswith(
        "Chosen by `python -m training tune shapes --data DIR --method grid`: val_accuracy "
        f"{found.best.figure:.4f}, the best of 2 trials, with fine_tuning.learning_rate = 0.01, "
    )


def test_an_unpromising_trial_is_pruned_and_a_diverging_one_does_not_end_the_search(tuning: Tuning) -> None:
    search = tuning.search(
        '"fine_tuning.learning_rate" = [1e-1, 1e-2, 1e-3, 1e-4, 1e-7, 1e30]',
        recipe=QUICK.replace("epochs = 2", "epochs = 3"),
    )
    # The first four are told, not trained: as good as can be in every epoch.
    path = tuning.root / "run" / "study.db"
    identity = search.plan.identity() | {"weights_sha256": ""}
    with open_study(path, identity, search.space, search.grid, search.rule()) as study:
        for _ in range(4):
            trial = study.ask()
            assert trial is not None
            for step in range(3):
                trial.report(1.0, step)
            study.end(trial, "finished", 1.0, {"epoch": [1.0], "seconds": [1.0]})
    found = tuning.run(search)
    pruned, diverged = found.tried[4:]
    assert pruned.values == {"fine_tuning.learning_rate": 1e-7}
    # Not in its first epoch, for which the learning rate had hardly risen.
    assert (pruned.ending, pruned.epochs) == ("pruned", 2)
    assert diverged.values == {"fine_tuning.learning_rate": 1e30}
    assert (diverged.ending, diverged.figure) == ("diverged", None)
    assert tuning.said.lines[1].endswith(" s, where it was pruned")
    assert tuning.said.lines[3].startswith("Trial 6 of 6: diverged after ")
    assert found.best == found.tried[0]
    assert [file.name for file in path.parent.iterdir()] == ["study.db"]


def test_a_search_of_which_nothing_comes_is_told(tuning: Tuning) -> None:
    search = tuning.search('"fine_tuning.learning_rate" = [1e30]')
    with pytest.raises(TrainingDiverged, match="No trial ended with a checkpoint"):
        tuning.run(search)


def test_a_bayesian_search_makes_as_many_trials_as_asked_and_more_later(tuning: Tuning) -> None:
    lines = '"fine_tuning.learning_rate" = {low = 1e-3, high = 1e-2, log = true}\n"preprocessing.pad" = [0, 127]'
    found = tuning.run(tuning.search(lines, "bayes", 1))
    assert len(found.tried) == 1
    # Both preprocessings are decoded before the first trial, so that no damaged image shows later.
    assert len(tuning.said.bars) == 4
    more = tuning.run(tuning.search(lines, "bayes", 2))
    assert more.tried[0] == found.tried[0]
    assert len(more.tried) == 2
    assert "--method bayes" in more.text


# ---------------------------------------------------------------- before the first trial


def test_how_many_trials_there_are(tuning: Tuning) -> None:
    assert tuning.search("batch_size = [4, 8]").trials == 2
    assert tuning.search("batch_size = [4, 8]", trials=1).trials == 1
    assert tuning.search("batch_size = [4, 8]", "bayes").trials == 20


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ('"architecture.backbone" = ["convnet", "transformer"]\n', "'transformer' is no backbone"),
        ("batch_size = [8, -8]", "with batch_size = -8: batch_size"),
        ("batch_size = {low = 4, high = 8}", "--method bayes takes ranges"),
    ],
)
def test_what_cannot_be_tried_is_refused_when_it_is_planned(lines: str, reason: str, tuning: Tuning) -> None:
    if "backbone" in lines:
        lines = 'architecture = [{backbone = "transformer", filters = [], hidden = []}]'
    with pytest.raises(RecipeInvalid, match=reason):
        tuning.search(lines)


def test_what_only_a_graph_can_tell_is_refused_before_the_first_trial(tuning: Tuning, tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalid, match="no layer of convnet has a name that begins with 'block9'"):
        tuning.run(tuning.search('"fine_tuning.unfreeze" = ["all", "block9"]'))
    (tuning.root / "run" / "study.db").unlink()
    with pytest.raises(WeightsUnavailable, match="nowhere"):
        tuning.run(tuning.search('"fine_tuning.unfreeze" = ["all", "none"]'), tmp_path / "nowhere")
    assert not (tuning.root / "run" / "study.db").exists()
    (tmp_path / "other.weights.h5").write_bytes(b"no weights")
    with pytest.raises(WeightsUnavailable):
        tuning.run(tuning.search('"fine_tuning.unfreeze" = ["all", "none"]'), tmp_path / "other.weights.h5")
    assert not tuning.said.lines


def test_a_damaged_image_is_named_before_the_first_trial(tuning: Tuning) -> None:
    search = tuning.search("batch_size = [4, 8]")
    path = search.plan.split.validation[0].path
    (tuning.data / path).write_bytes(b"\x89PNG\r\n\x1a\n torn")
    with pytest.raises(ImagesInvalid, match=path):
        tuning.run(search)
    assert not tuning.said.lines


def test_the_warm_up_is_over_with_the_second_epoch_of_the_last_phase(tuning: Tuning) -> None:
    assert tuning.search("batch_size = [4]").rule().warmup == 1
    two_phases = tuning.search("head.epochs = [1, 4]", recipe=RECIPE)
    assert (two_phases.offset(), two_phases.rule().warmup) == (4, 5)
    assert two_phases.rule().higher
    assert not tuning.search("batch_size = [4]", recipe=QUICK.replace("val_accuracy", "val_loss")).rule().higher


# ---------------------------------------------------------------- figures


@pytest.mark.parametrize(
    ("epochs", "figures", "monitor", "wanted"),
    [
        ([1, 2, 3], [0.2, 0.7, 0.6], "val_accuracy", 0.7),
        ([1, 2, 3], [0.2, 0.7, 0.6], "val_loss", 0.2),
        # The checkpoint of the first phase is what the second begins from, not what the training ends with.
        ([1, 2, 1, 2], [0.9, 0.8, 0.5, 0.6], "val_accuracy", 0.6),
        ([1, 1], [0.9, 0.5], "val_accuracy", 0.5),
        ([1, 2, 3], [0.4, float("nan"), 0.5], "val_loss", 0.4),
        ([1, 1, 2], [0.4, float("nan"), float("nan")], "val_loss", None),
    ],
)
def test_a_training_is_worth_what_its_last_checkpoint_is(
    epochs: list[float], figures: list[float], monitor: str, wanted: float | None
) -> None:
    assert reached({"epoch": epochs, monitor: figures}, monitor) == wanted


# ---------------------------------------------------------------- files


def test_the_best_recipe_overwrites_only_what_a_search_wrote(tmp_path: Path) -> None:
    require_place(tmp_path / "best.toml")
    (tmp_path / "best.toml").write_text("# Chosen by `python -m training tune shapes`\n")
    require_place(tmp_path / "best.toml")
    (tmp_path / "best.toml").write_text(RECIPE)
    with pytest.raises(ResultsTaken, match=r"best\.toml is there already"):
        require_place(tmp_path / "best.toml")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ResultsTaken, match="folder is there already"):
        require_place(tmp_path / "folder")
    with pytest.raises(NotADirectoryError, match="there is no such folder"):
        require_place(tmp_path / "nowhere" / "best.toml")


def test_a_dropped_search_leaves_what_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "trial-0a1b2c").mkdir()
    (tmp_path / "trial-0a1b2c" / "initial.json").touch()
    (tmp_path / "study.db").touch()
    (tmp_path / "notes.txt").touch()
    drop_search(tmp_path, tmp_path / "study.db")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]

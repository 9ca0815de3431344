"""A study: it goes on where it was interrupted, and belongs to one search."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from tests.training.conftest import little_room
from training.errors import RunBusy, RunMismatch
from training.search import Choices, Range, Space, Values, grid
from training.study import Rule, Study, open_study, values_of

IDENTITY = {"task": "shapes", "recipe_sha256": "r", "index_sha256": "i", "split_sha256": "s", "weights_sha256": ""}
LISTS: Space = {"batch_size": Choices((4, 8)), "architecture.hidden": Choices(([], [16]))}
RANGES: Space = {
    "fine_tuning.learning_rate": Range(low=1e-5, high=1e-1, log=True),
    "batch_size": Range(low=4, high=16, step=4),
    "architecture.hidden": Choices(([], [16])),
}
RULE = Rule(higher=True, warmup=1, seed=3)


@contextlib.contextmanager
def studying(
    path: Path, space: Space = LISTS, identity: dict[str, str] = IDENTITY, rule: Rule = RULE
) -> Iterator[Study]:
    combinations = grid(space, "The recipe") if space is LISTS else None
    with open_study(path, identity, space, combinations, rule) as study:
        yield study


def history(*seconds: float) -> dict[str, list[float]]:
    return {"epoch": [float(number + 1) for number in range(len(seconds))], "seconds": list(seconds)}


def run_trial(study: Study, figure: float = 0.5) -> Values:
    trial = study.ask()
    assert trial is not None
    study.end(trial, "finished", figure, history(1.0, 0.5))
    return values_of(trial)


def fill(study: Study) -> None:
    while study.ask() is not None:
        pass


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "study.db"


# ---------------------------------------------------------------- going on


def test_a_grid_is_tried_in_its_order_and_then_over(path: Path) -> None:
    with studying(path) as study:
        assert [run_trial(study) for _ in range(4)] == grid(LISTS, "The recipe")
        assert study.ask() is None
        assert len(study) == 4
    with studying(path) as study:
        assert study.ask() is None
        tried = study.tried()
    assert [each.values for each in tried] == grid(LISTS, "The recipe")
    assert {(each.ending, each.figure, each.epochs, each.seconds) for each in tried} == {("finished", 0.5, 2, 1.5)}


@pytest.mark.parametrize("space", [LISTS, RANGES], ids=["grid", "bayes"])
def test_an_interrupted_trial_comes_back_first(space: Space, path: Path) -> None:
    with studying(path, space) as study:
        first = run_trial(study)
        interrupted = study.ask()
        assert interrupted is not None
    with studying(path, space) as study:
        assert [each.values for each in study.tried()] == [first]
        # Killed a second time, before the trial could begin.
        again = study.ask()
        assert again is not None
        assert values_of(again) == values_of(interrupted)
    with studying(path, space) as study:
        assert run_trial(study) == values_of(interrupted)
        assert run_trial(study) not in (first, values_of(interrupted))


def test_a_trial_that_was_killed_before_it_had_values_is_forgotten(path: Path) -> None:
    with studying(path) as study:
        study._study.ask()
    with studying(path) as study:
        assert [run_trial(study) for _ in range(4)] == grid(LISTS, "The recipe")


def test_a_trial_that_was_asked_for_but_not_taken_is_not_lost(path: Path) -> None:
    with studying(path) as study:
        study._study.enqueue_trial({"batch_size": "4", "architecture.hidden": "[]"})
    with studying(path) as study:
        assert [run_trial(study) for _ in range(4)] == grid(LISTS, "The recipe")
        assert study.ask() is None


def test_an_interrupted_search_chooses_as_an_uninterrupted_one(path: Path, tmp_path: Path) -> None:
    # Of twelve trials the first ten are drawn, the others follow from the figures.
    figures = [0.1 * number for number in range(12)]
    with studying(tmp_path / "whole" / "study.db", RANGES) as study:
        whole = [run_trial(study, figure) for figure in figures]
    parts = []
    for part in (figures[:3], figures[3:11], figures[11:]):
        with studying(path, RANGES) as study:
            parts += [run_trial(study, figure) for figure in part]
            # Killed in the midst of the next one.
            study.ask()
    assert parts == whole
    assert len({str(values) for values in whole}) == len(whole)


def test_another_seed_chooses_otherwise(path: Path, tmp_path: Path) -> None:
    with studying(path, RANGES) as study:
        first = run_trial(study)
    with studying(tmp_path / "other" / "study.db", RANGES, rule=Rule(higher=True, warmup=1, seed=4)) as study:
        assert run_trial(study) != first


def test_chosen_numbers_lie_in_their_ranges_and_have_few_digits(path: Path) -> None:
    with studying(path, RANGES) as study:
        chosen = [run_trial(study) for _ in range(8)]
    for values in chosen:
        rate = values["fine_tuning.learning_rate"]
        assert 1e-5 <= rate <= 1e-1
        assert float(f"{rate:.4g}") == rate
        assert values["batch_size"] in {4, 8, 12, 16}
        assert values["architecture.hidden"] in ([], [16])


# ---------------------------------------------------------------- endings


def test_a_diverged_trial_is_not_tried_again_and_is_never_the_best(path: Path) -> None:
    with studying(path) as study:
        trial = study.ask()
        assert trial is not None
        study.end(trial, "diverged", None, history(1.0))
        assert study.best() is None
        run_trial(study, 0.2)
    with studying(path) as study:
        following = [run_trial(study, figure) for figure in (0.9, 0.9)]
        assert study.ask() is None
        best = study.best()
        assert [each.ending for each in study.tried()] == ["diverged", "finished", "finished", "finished"]
    assert best is not None
    # The first of two that are as good.
    assert (best.values, best.figure) == (following[0], 0.9)


def test_the_lowest_loss_is_the_best(path: Path) -> None:
    with studying(path, rule=Rule(higher=False, warmup=1, seed=3)) as study:
        for figure in (0.5, 0.3, 0.7):
            run_trial(study, figure)
        best = study.best()
    assert best is not None
    assert best.figure == 0.3


def test_a_trial_is_pruned_once_it_is_worse_than_the_median_after_the_warm_up(path: Path) -> None:
    with studying(path, RANGES) as study:
        for level in (0.6, 0.7, 0.8, 0.9):
            trial = study.ask()
            assert trial is not None
            for step in range(3):
                trial.report(level, step)
                # There is nothing yet to compare with.
                assert not trial.should_prune()
            study.end(trial, "finished", level, history(1.0, 1.0, 1.0))
        worse, better = study.ask(), study.ask()
        assert worse is not None
        assert better is not None
        for trial, level, wanted in ((worse, 0.7, [False, True]), (better, 0.8, [False, False])):
            found = []
            for step in range(2):
                trial.report(level, step)
                found.append(trial.should_prune())
            assert found == wanted
        tried = study.end(worse, "pruned", 0.7, history(1.0, 1.0))
        assert (tried.ending, tried.figure, tried.epochs) == ("pruned", 0.7, 2)
        best = study.best()
    assert best is not None
    assert best.figure == 0.9


def test_values_that_were_tried_before_are_not_tried_again(path: Path) -> None:
    with studying(path, RANGES) as study:
        first = run_trial(study, 0.4)
        study._study.enqueue_trial(study._study.get_trials()[0].params)
        again = study.ask()
        assert again is not None
        assert values_of(again) == first
        assert study.repeats(again)
        other = study.ask()
        assert other is not None
        assert not study.repeats(other)
        assert len(study) == 2
        assert [each.values for each in study.tried()] == [first]


# ---------------------------------------------------------------- the file


@pytest.mark.parametrize(
    ("key", "meaning"),
    [
        ("task", "of another task"),
        ("recipe_sha256", "of another recipe"),
        ("index_sha256", "of other images"),
        ("split_sha256", "of another split"),
        ("weights_sha256", "begun from other weights"),
    ],
)
def test_a_study_of_something_else_is_told(key: str, meaning: str, path: Path) -> None:
    with studying(path) as study:
        run_trial(study)
    with (
        pytest.raises(RunMismatch, match=f"study.db holds a study {meaning}"),
        studying(path, identity=IDENTITY | {key: "other"}),
    ):
        pass


def test_a_study_of_another_search_is_told(path: Path) -> None:
    with studying(path):
        pass
    with pytest.raises(RunMismatch, match="by another method"), studying(path, RANGES):
        pass
    other: Space = {"batch_size": Choices((4, 8, 16))}
    with (
        pytest.raises(RunMismatch, match="of another search"),
        open_study(path, IDENTITY, other, grid(other, "The recipe"), RULE),
    ):
        pass


def test_only_one_process_may_tune_in_a_folder(path: Path) -> None:
    with studying(path), pytest.raises(RunBusy, match="Another process is tuning in"), studying(path):
        pass
    with studying(path):
        pass


def test_a_file_that_is_no_database_is_told_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("No database. " * 100)
    with pytest.raises(OSError, match=r"the study cannot be read or written: .*file is not a database"), studying(path):
        pass
    assert path.read_text() == "No database. " * 100


def test_a_study_of_another_version_of_optuna_is_told(path: Path) -> None:
    with studying(path):
        pass
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'v0.9.0.a'")
    with pytest.raises(RunMismatch, match=r"study\.db was written by another version of Optuna: "), studying(path):
        pass


def test_a_full_disk_is_told_and_the_trial_comes_back(path: Path) -> None:
    with studying(path) as study:
        first = run_trial(study)
    size = path.stat().st_size
    with (
        pytest.raises(OSError, match="the study cannot be read or written"),
        studying(path) as study,
        little_room(size // 2),
    ):
        fill(study)
    with studying(path) as study:
        assert [each.values for each in study.tried()] == [first]
        assert run_trial(study) == grid(LISTS, "The recipe")[1]


def test_optuna_says_nothing(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    optuna.logging.set_verbosity(optuna.logging.INFO)
    with studying(path, RANGES) as study:
        run_trial(study)
    assert capfd.readouterr() == ("", "")

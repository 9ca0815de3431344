"""`tune`: it goes on where it was killed, writes a recipe that trains, and says in one sentence what is wrong."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import Result

from services.bundle.store import Store
from tests.training.commands.terminal import arguments, call, complaint
from tests.training.conftest import draw_images, little_room
from tests.training.test_tuning import QUICK
from training.plan import draw_up
from training.search import candidate, read_space
from training.study import open_study
from training.tuning import plan_search

PROJECT = Path(__file__).resolve().parents[3]
SEARCH = '\n[search]\n"fine_tuning.learning_rate" = [1e-7, 1e-2]\n'


@pytest.fixture
def options(tmp_path: Path, recipe_path: Path, store_root: Path) -> dict[str, Path]:
    """The options of a search that would succeed."""
    recipe_path.write_text(QUICK + SEARCH)
    images = draw_images(tmp_path / "images", each=10)
    return {"--data": images, "--recipe": recipe_path, "--model-store": store_root, "--run": tmp_path / "run"}


def command(options: dict[str, Path], *flags: str) -> Result:
    return call("tune", options, *flags)


# ---------------------------------------------------------------- a search


def test_a_search_that_was_killed_goes_on_and_writes_the_best_recipe(
    options: dict[str, Path], recipe_path: Path, tmp_path: Path
) -> None:
    recipe_path.write_text(QUICK.replace("epochs = 2", "epochs = 12").replace("patience = 6", "patience = 12") + SEARCH)
    killed = subprocess.Popen(
        [sys.executable, "-m", "training", *arguments("tune", options)],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    with killed:
        deadline = time.monotonic() + 200
        while not (before := rows(tmp_path)) and killed.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    assert before

    result = command(options)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "Trial 1 of 2: fine_tuning.learning_rate = 1e-07"
    # The epochs before it was killed are counted, not repeated.
    assert result.stderr.count("fine_tuning ") <= 2 * 12 - (len(before) - 1)
    assert lines[1].startswith("Trial 1 of 2: val_accuracy ")
    assert " after 12 epochs, " in lines[1]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["best.toml", "study.db"]
    best = (tmp_path / "run" / "best.toml").read_text()
    assert "learning_rate = 0.01\n" in best
    assert result.stdout.splitlines()[-1].startswith(
        f"Wrote {tmp_path / 'run' / 'best.toml'}. `python -m training train"
    )
    plan = draw_up("shapes", options["--data"], tmp_path / "run" / "best.toml", Store(options["--model-store"]))
    asked = draw_up("shapes", options["--data"], recipe_path, Store(options["--model-store"]))
    assert read_space(asked.recipe, "The recipe").keys() == {"fine_tuning.learning_rate"}
    assert plan.recipe == candidate(asked.recipe, {"fine_tuning.learning_rate": 1e-2}, "The recipe")
    assert plan.split == asked.split


def rows(root: Path) -> list[str]:
    logs = list((root / "run").glob("trial-*/epochs.csv"))
    return logs[0].read_text().splitlines()[1:] if logs else []


@pytest.fixture
def searched(options: dict[str, Path]) -> dict[str, Path]:
    """The options of a search of which every trial is over."""
    plan = draw_up("shapes", options["--data"], options["--recipe"], Store(options["--model-store"]))
    search = plan_search(plan, options["--recipe"], "grid", None)
    identity = plan.identity() | {"weights_sha256": ""}
    with open_study(options["--run"] / "study.db", identity, search.space, search.grid, search.rule()) as study:
        for figure in (0.25, 0.75):
            trial = study.ask()
            assert trial is not None
            study.end(trial, "finished", figure, {"epoch": [1.0, 2.0], "seconds": [3.0, 4.0]})
    return options


def test_the_trials_are_shown(searched: dict[str, Path], tmp_path: Path) -> None:
    result = command(searched, "--out", str(tmp_path / "chosen.toml"))
    assert result.exit_code == 0, result.stderr
    shown = [line.split() for line in result.stdout.replace("│", " ").splitlines()]
    assert ["1", "1e-07", "0.2500", "2", "7", "finished"] in shown
    assert ["2", "0.01", "0.7500", "2", "7", "best"] in shown
    assert "learning_rate = 0.01\n" in (tmp_path / "chosen.toml").read_text()
    # Written by a search, it may be written again.
    assert command(searched, "--out", str(tmp_path / "chosen.toml")).exit_code == 0


def test_the_study_may_lie_elsewhere(searched: dict[str, Path], tmp_path: Path) -> None:
    shutil.move(searched["--run"] / "study.db", tmp_path / "kept.db")
    result = command(searched, "--study", str(tmp_path / "kept.db"))
    assert result.exit_code == 0, result.stderr
    assert [path.name for path in searched["--run"].iterdir()] == ["best.toml"]


def test_a_study_of_another_search_is_told_and_can_be_dropped(searched: dict[str, Path]) -> None:
    searched["--recipe"].write_text(QUICK.replace("seed = 3", "seed = 4") + SEARCH)
    assert "holds a study of another recipe" in complaint(command(searched))
    (searched["--data"] / "disc" / "000.png").write_bytes(b"")
    assert "disc/000.png: The file is empty." in complaint(command(searched, "--fresh"))
    assert not (searched["--run"] / "best.toml").exists()


# ---------------------------------------------------------------- complaints


def test_a_wrong_path_is_named(options: dict[str, Path], tmp_path: Path) -> None:
    for option in ("--data", "--recipe", "--weights", "--split"):
        assert "nowhere" in complaint(command(options | {option: tmp_path / "nowhere"})), option
    assert "nowhere: there is no such folder" in complaint(
        command(options | {"--out": tmp_path / "nowhere" / "b.toml"})
    )


def test_a_recipe_is_not_overwritten(options: dict[str, Path]) -> None:
    assert "is there already" in complaint(command(options | {"--out": options["--recipe"]}))


def test_a_recipe_without_a_search_is_told(options: dict[str, Path], recipe_path: Path) -> None:
    recipe_path.write_text(QUICK)
    assert "has no [search]" in complaint(command(options))


def test_a_name_that_is_no_field_is_told_with_those_that_are(options: dict[str, Path], recipe_path: Path) -> None:
    recipe_path.write_text(QUICK + "\n[search]\nlr = [1e-3]\n")
    told = complaint(command(options))
    assert "names 'lr', which is no field" in told
    assert "fine_tuning.learning_rate" in told


def test_a_single_class_is_told(options: dict[str, Path], tmp_path: Path) -> None:
    one = draw_images(tmp_path / "one", labels=("disc",))
    assert "holds 1 classes" in complaint(command(options | {"--data": one}))


def test_a_corrupt_image_is_named(options: dict[str, Path]) -> None:
    plan = draw_up("shapes", options["--data"], options["--recipe"], Store(options["--model-store"]))
    path = plan.split.train[0].path
    (options["--data"] / path).write_bytes(b"\x89PNG\r\n\x1a\n torn")
    assert f"{path}: The PNG file is damaged" in complaint(command(options))


def test_a_full_disk_is_told(options: dict[str, Path], searched: dict[str, Path]) -> None:
    with little_room(2**10):
        assert complaint(command(searched)).endswith("best.toml: File too large")
    assert [path.name for path in options["--run"].iterdir()] == ["study.db"]
    with little_room(2**12):
        assert "study.db: the study cannot be read or written" in complaint(
            command(options | {"--run": options["--run"] / "a"})
        )

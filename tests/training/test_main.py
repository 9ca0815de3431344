"""The command: it trains, goes on where it was killed, and says in one sentence what is wrong."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.bundle.manifest import Manifest
from services.bundle.store import Store
from tests.bundles import write_task
from tests.training.conftest import LABELS, RECIPE, Trained, draw_images, little_room
from training.__main__ import app

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def options(images: Path, recipe_path: Path, store_root: Path, tmp_path: Path) -> dict[str, Path]:
    """The options of a training that would succeed."""
    return {"--data": images, "--recipe": recipe_path, "--model-store": store_root, "--run": tmp_path / "run"}


def arguments(options: dict[str, Path], *flags: str) -> list[str]:
    return ["train", "shapes", *(str(part) for option in options.items() for part in option), *flags]


def command(options: dict[str, Path], *flags: str) -> Result:
    return CliRunner().invoke(app, arguments(options, *flags), catch_exceptions=False)


def complaint(result: Result) -> str:
    """What the person at the terminal reads, after checking that it is one sentence and no traceback."""
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if line.strip() and not line.startswith("Decoding")]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    return lines[0]


def rows(run: Path) -> list[str]:
    path = run / "epochs.csv"
    return path.read_text().splitlines()[1:] if path.exists() else []


# ---------------------------------------------------------------- a training


def test_a_training_that_was_killed_goes_on_and_publishes(
    options: dict[str, Path], recipe_path: Path, store_root: Path, tmp_path: Path
) -> None:
    recipe_path.write_text(RECIPE.replace("epochs = 6", "epochs = 9").replace("patience = 6", "patience = 9"))
    killed = subprocess.Popen(
        [sys.executable, "-m", "training", *arguments(options)],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    with killed:
        deadline = time.monotonic() + 120
        while len(rows(tmp_path / "run")) < 3 and killed.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    before = rows(tmp_path / "run")
    assert 3 <= len(before) < 10
    assert not Store(store_root).versions("shapes")

    result = command(options, "--keep")
    assert result.exit_code == 0, result.stderr
    after = rows(tmp_path / "run")
    # What was finished was not trained again; the epoch in which it was killed may stand there twice.
    assert after[: len(before)] == before
    assert len(after) - len({tuple(row.split(",")[:2]) for row in after}) <= 1
    manifest = Store(store_root).read("shapes", 1).manifest
    assert manifest.training.epochs == 10
    assert "Published" in result.stdout
    _require_learnt(manifest, result)


def _require_learnt(manifest: Manifest, result: Result) -> None:
    accuracy = manifest.evaluation.metric("accuracy")
    assert accuracy is not None
    assert accuracy.value > 0.8
    for metric in manifest.evaluation.metrics:
        assert f"{metric.value:.4f}" in result.stdout
        assert f"{metric.low:.4f} to {metric.high:.4f}" in result.stdout


def test_the_run_folder_has_a_usual_place_and_goes_when_the_bundle_is_there(
    options: dict[str, Path], store_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    del options["--run"]
    # An image that serving would refuse, as somebody may notice after the first try.
    good = (options["--data"] / "disc" / "000.png").read_bytes()
    (options["--data"] / "disc" / "000.png").write_bytes(good[:100])
    assert "disc/000.png: " in complaint(command(options))
    assert (tmp_path / "runs" / "shapes" / "run.json").exists()
    (options["--data"] / "disc" / "000.png").write_bytes(good)
    result = command(options)
    assert result.exit_code == 0, result.stderr
    assert f"Published {store_root / 'shapes' / '1'}" in result.stdout
    assert not (tmp_path / "runs" / "shapes").exists()
    assert "Decoding 36 training images" in result.stderr


# ---------------------------------------------------------------- complaints


def test_a_wrong_path_is_named(options: dict[str, Path], tmp_path: Path) -> None:
    for option in ("--data", "--recipe", "--weights"):
        assert "nowhere" in complaint(command(options | {option: tmp_path / "nowhere"})), option


def test_a_task_without_recipe_is_told(options: dict[str, Path]) -> None:
    del options["--recipe"]
    assert "training/recipes/shapes.toml cannot be read" in complaint(command(options))


def test_a_task_that_the_store_does_not_hold_is_told(options: dict[str, Path], tmp_path: Path) -> None:
    assert "holds no task 'shapes'" in complaint(command(options | {"--model-store": tmp_path}))


def test_an_empty_folder_is_told(options: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds 0 classes" in complaint(command(options | {"--data": tmp_path / "empty"}))


def test_a_single_class_is_told(options: dict[str, Path], tmp_path: Path) -> None:
    one = draw_images(tmp_path / "one", labels=("disc",))
    assert "holds 1 classes" in complaint(command(options | {"--data": one}))


def test_an_empty_class_is_told(options: dict[str, Path], store_root: Path) -> None:
    write_task(store_root, "shapes", (*LABELS, "cross"))
    assert "holds no image of 'cross'" in complaint(command(options))


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_corrupt_image_is_named_before_the_first_epoch(part: str, options: dict[str, Path], tmp_path: Path) -> None:
    number = {"train": "000", "test": "001"}[part]
    (options["--data"] / "square" / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    assert f"square/{number}.png: The PNG file is damaged" in complaint(command(options))
    assert not rows(tmp_path / "run")


def test_a_wrong_recipe_is_told(options: dict[str, Path], recipe_path: Path) -> None:
    recipe_path.write_text(RECIPE + "\nepocs = 3\n")
    assert "fine_tuning.epocs: Extra inputs are not permitted" in complaint(command(options))


def test_a_run_folder_of_another_recipe_is_told_and_can_be_dropped(
    options: dict[str, Path], recipe_path: Path, tmp_path: Path
) -> None:
    (options["--data"] / "disc" / "000.png").write_bytes(b"")
    assert "disc/000.png" in complaint(command(options))
    recipe_path.write_text(RECIPE.replace("seed = 3", "seed = 4"))
    assert "holds a run of another recipe" in complaint(command(options))
    (tmp_path / "run" / "head.weights.h5").write_bytes(b"of another recipe")
    assert "disc/000.png" in complaint(command(options, "--fresh"))
    assert not (tmp_path / "run" / "head.weights.h5").exists()


def test_a_full_disk_while_training_is_told(options: dict[str, Path], store_root: Path, tmp_path: Path) -> None:
    with little_room(2**12):
        result = command(options)
    assert complaint(result).endswith("run/incoming.head.weights.h5: File too large")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.json"]
    assert [path.name for path in (store_root / "shapes").iterdir()] == ["task.toml"]


def test_a_full_disk_while_publishing_is_told_and_leaves_no_bundle(
    options: dict[str, Path], store_root: Path, tmp_path: Path, trained: Trained
) -> None:
    shutil.copytree(trained.run, tmp_path / "run")
    with little_room(2**16):
        result = command(options)
    assert complaint(result).endswith("full.weights.h5: File too large")
    assert [path.name for path in (store_root / "shapes").iterdir()] == ["task.toml"]
    # With room again, the finished run is published as it is.
    assert command(options).exit_code == 0
    assert Store(store_root).read("shapes", 1).manifest.training.epochs == trained.tuned.epochs


# ---------------------------------------------------------------- help


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"]])
def test_help_is_there(words: list[str]) -> None:
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "train" in result.stdout


def test_help_gives_an_example() -> None:
    result = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200"})
    assert "python -m training train drugs --data DIR" in result.stdout


def test_help_does_not_load_a_framework() -> None:
    code = "import sys; sys.argv = ['training', '--help']\nfrom training.__main__ import app\n"
    code += "try:\n    app()\nfinally:\n    print('LOADED', [n for n in ('keras', 'tensorflow') if n in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "LOADED []" in shown.stdout
    assert shown.stderr == ""

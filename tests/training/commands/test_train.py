"""`train`: it trains, goes on where it was killed, and says in one sentence what is wrong."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import Result

from services.bundle.manifest import Manifest, Training
from services.bundle.store import Store
from tests.bundles import write_task
from tests.training.commands.terminal import arguments, call, complaint
from tests.training.conftest import LABELS, RECIPE, Trained, draw_images, little_room

PROJECT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.usefixtures("few_foreign")


@pytest.fixture
def options(images: Path, recipe_path: Path, store_root: Path, tmp_path: Path) -> dict[str, Path]:
    """The options of a training that would succeed."""
    return {"--data": images, "--recipe": recipe_path, "--model-store": store_root, "--run": tmp_path / "run"}


def command(options: dict[str, Path], *flags: str) -> Result:
    return call("train", options, *flags)


def rows(run: Path) -> list[str]:
    path = run / "epochs.csv"
    return path.read_text().splitlines()[1:] if path.exists() else []


# ---------------------------------------------------------------- a training


def test_a_training_that_was_killed_goes_on_and_publishes(
    options: dict[str, Path], recipe_path: Path, store_root: Path, tmp_path: Path
) -> None:
    recipe_path.write_text(RECIPE.replace("epochs = 6", "epochs = 9").replace("patience = 6", "patience = 9"))
    killed = subprocess.Popen(
        [sys.executable, "-m", "training", *arguments("train", options)],
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
    # What was finished was not trained again; of the epoch in which it was killed the row may be a new one.
    assert after[: len(before) - 1] == before[:-1]
    assert len(after) == 10
    manifest = Store(store_root).read("shapes", 1).manifest
    assert isinstance(manifest.origin, Training)
    assert manifest.origin.epochs == 10
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
    for option in ("--data", "--recipe", "--weights", "--across", "--foreign", "--near"):
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
    with little_room(2**14):
        result = command(options)
    assert complaint(result).endswith("run/incoming.head.weights.h5: File too large")
    kept = {path.name for path in (tmp_path / "run").iterdir()}
    assert kept == {"run.json", "recipe.toml", "split.csv", "seen.npz", "initial.json"}
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
    origin = Store(store_root).read("shapes", 1).manifest.origin
    assert isinstance(origin, Training)
    assert origin.epochs == trained.tuned.epochs


def test_a_split_is_kept_and_can_be_given_back(options: dict[str, Path], store_root: Path, tmp_path: Path) -> None:
    assert command(options, "--keep", "--tensorboard", str(tmp_path / "board")).exit_code == 0
    assert list((tmp_path / "board").iterdir())
    split = tmp_path / "kept.csv"
    split.write_bytes((tmp_path / "run" / "split.csv").read_bytes())
    shutil.rmtree(tmp_path / "run")
    text = options["--recipe"].read_text()
    # Another seed would split otherwise.
    options["--recipe"].write_text(text.replace("seed = 3", "seed = 4").replace("epochs = 6", "epochs = 1"))
    assert command(options | {"--split": split}, "--keep").exit_code == 0
    assert (tmp_path / "run" / "split.csv").read_bytes() == split.read_bytes()
    first, second = (Store(store_root).seen("shapes", version) for version in (1, 2))
    assert first is not None
    assert second is not None
    assert first.images.tolist() == second.images.tolist()


def test_a_split_that_leaks_is_told(options: dict[str, Path], tmp_path: Path) -> None:
    (options["--data"] / "disc" / "000.png").write_bytes(b"")
    assert "disc/000.png" in complaint(command(options))
    split = tmp_path / "leaking.csv"
    lines = (tmp_path / "run" / "split.csv").read_text().splitlines()
    moved = next(line for line in lines if line.endswith(",train"))
    split.write_text("\n".join(line.replace(",train", ",test") if line == moved else line for line in lines))
    assert "tears the group" in complaint(command(options | {"--split": split}))


def test_beginning_from_a_bundle_that_has_seen_the_test_part_is_refused_before_training(
    options: dict[str, Path], store_root: Path, tmp_path: Path
) -> None:
    assert command(options).exit_code == 0
    text = options["--recipe"].read_text()
    options["--recipe"].write_text(text.replace("seed = 3", "seed = 4").replace("val_accuracy", "val_loss"))
    weights = store_root / "shapes" / "1" / "model.weights.h5"
    assert "that training has seen" in complaint(command(options | {"--weights": weights}))
    assert not (tmp_path / "run").exists()
    # On the split of the bundle itself, going on from it is what --weights is for.
    options["--recipe"].write_text(text.replace("val_accuracy", "val_loss").replace("epochs = 6", "epochs = 1"))
    result = command(options | {"--weights": weights})
    assert result.exit_code == 0, result.stderr
    origin = Store(store_root).read("shapes", 2).manifest.origin
    assert isinstance(origin, Training)
    assert origin.initial_weights.startswith("the backbone in model.weights.h5, sha256:")

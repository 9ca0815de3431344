"""`cross-validate`: it goes on where it was killed, writes a report, and says in one sentence what is wrong."""

import os
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
from training.crossvalidation import Report

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def options(tmp_path: Path, recipe_path: Path, store_root: Path) -> dict[str, Path]:
    """The options of a cross-validation that would succeed."""
    recipe_path.write_text(QUICK)
    return {
        "--data": draw_images(tmp_path / "images", each=10),
        "--recipe": recipe_path,
        "--model-store": store_root,
        "--run": tmp_path / "run",
        "--out": tmp_path / "report",
    }


def command(options: dict[str, Path], *flags: str) -> Result:
    return call("cross-validate", options, *flags)


# ---------------------------------------------------------------- a cross-validation


def test_a_cross_validation_that_was_killed_goes_on_and_writes_its_report(
    options: dict[str, Path], recipe_path: Path, tmp_path: Path
) -> None:
    recipe_path.write_text(QUICK.replace("epochs = 2", "epochs = 8").replace("patience = 6", "patience = 8"))
    killed = subprocess.Popen(
        [sys.executable, "-m", "training", *arguments("cross-validate", options, "--by", "source", "--folds", "2")],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    second = tmp_path / "run" / "round-2" / "epochs.csv"
    with killed:
        deadline = time.monotonic() + 200
        while not second.exists() and killed.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    assert second.exists()
    assert (tmp_path / "run" / "round-1.npz").exists()

    result = command(options, "--by", "source", "--folds", "2")
    assert result.exit_code == 0, result.stderr
    assert "Training 1 of 2" not in result.stdout
    assert "Training 2 of 2: source 1 is the test part." in result.stdout
    assert not (tmp_path / "run").exists()
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "confusion.png",
        "report.json",
        "spread.png",
    ]
    report = Report.model_validate_json((tmp_path / "report" / "report.json").read_bytes())
    assert [(each.name, each.epochs) for each in report.rounds] == [("source 0", 8), ("source 1", 8)]
    _require_shown(report, result)
    assert Store(options["--model-store"]).versions("shapes") == ()


def _require_shown(report: Report, result: Result) -> None:
    for spread in report.spread[:2]:
        assert f"{spread.mean:.4f}" in result.stdout
        assert f"{spread.deviation:.4f}" in result.stdout
    for each in report.rounds:
        accuracy = each.evaluation.metric("accuracy")
        assert accuracy is not None
        assert f"{accuracy.value:.4f} ({accuracy.low:.3f} to {accuracy.high:.3f})" in result.stdout
    assert "The spread over folds is not a confidence interval" in result.stdout


# ---------------------------------------------------------------- complaints


def test_a_wrong_path_is_named(options: dict[str, Path], tmp_path: Path) -> None:
    for option in ("--data", "--recipe", "--weights"):
        assert "nowhere" in complaint(command(options | {option: tmp_path / "nowhere"})), option


def test_results_overwrite_nothing(options: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.json").write_text("of last week")
    assert "report is not an empty folder" in complaint(command(options))
    assert not (tmp_path / "run").exists()


def test_too_few_folds_and_groups_are_told(options: dict[str, Path]) -> None:
    assert "2 folds are too few" in complaint(command(options, "--folds", "2"))
    assert "too few groups" in complaint(command(options, "--folds", "9"))


def test_a_single_class_or_source_is_told(options: dict[str, Path], tmp_path: Path) -> None:
    one = draw_images(tmp_path / "one", labels=("disc",))
    assert "holds 1 classes" in complaint(command(options | {"--data": one}))
    unlisted = draw_images(tmp_path / "unlisted", each=10, index=False)
    assert "unlisted holds the images of one source" in complaint(
        command(options | {"--data": unlisted}, "--by", "source")
    )


def test_a_corrupt_image_is_named_before_the_first_epoch_and_other_images_are_told(options: dict[str, Path]) -> None:
    (options["--data"] / "disc" / "003.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    assert "disc/003.png: The PNG file is damaged" in complaint(command(options))
    index = (options["--data"] / "index.csv").read_text()
    (options["--data"] / "index.csv").write_text(index.replace("source 0", "source 2"))
    assert "holds a run of other images" in complaint(command(options))
    assert "disc/003.png" in complaint(command(options, "--fresh"))


def test_a_full_disk_is_told_and_leaves_no_report(options: dict[str, Path], tmp_path: Path) -> None:
    with little_room(2**10):
        result = command(options)
    assert complaint(result).endswith("incoming.fine_tuning.weights.h5: File too large")
    assert not (tmp_path / "report").exists()

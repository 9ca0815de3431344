"""The run folder: one training each, nothing of anybody else's is touched."""

import shutil
from pathlib import Path

import pytest

from tests.training.conftest import Trained
from training.errors import RunMismatch, WeightsUnavailable
from training.runs import drop_run, open_run

MINE = {"task": "shapes", "recipe_sha256": "r", "index_sha256": "i", "split_sha256": "s"}


def test_a_run_is_opened_again_by_the_same_training(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "shapes"
    open_run(folder, MINE, None)
    before = (folder / "run.json").read_bytes()
    open_run(folder, MINE, None)
    assert (folder / "run.json").read_bytes() == before


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("task", "of another task"),
        ("recipe_sha256", "of another recipe"),
        ("index_sha256", "of other images"),
        ("split_sha256", "of another split"),
    ],
)
def test_a_run_of_another_training_is_refused(key: str, reason: str, tmp_path: Path) -> None:
    open_run(tmp_path, MINE, None)
    with pytest.raises(RunMismatch, match=f"holds a run {reason}; .* --fresh"):
        open_run(tmp_path, MINE | {key: "other"}, None)


def test_a_run_begun_from_other_weights_is_refused(tmp_path: Path) -> None:
    weights = tmp_path / "mine.weights.h5"
    weights.write_bytes(b"one")
    open_run(tmp_path / "run", MINE, weights)
    open_run(tmp_path / "run", MINE, weights)
    with pytest.raises(RunMismatch, match="begun from other weights"):
        open_run(tmp_path / "run", MINE, None)
    weights.write_bytes(b"two")
    with pytest.raises(RunMismatch, match="begun from other weights"):
        open_run(tmp_path / "run", MINE, weights)
    with pytest.raises(WeightsUnavailable, match="nowhere is not a file"):
        open_run(tmp_path / "run", MINE, tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["", "[]", "{}", "{"])
def test_a_damaged_run_is_refused(content: str, tmp_path: Path) -> None:
    open_run(tmp_path, MINE, None)
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunMismatch, match="--fresh"):
        open_run(tmp_path, MINE, None)


def test_checkpoints_that_do_not_say_whose_they_are_are_adopted(tmp_path: Path) -> None:
    (tmp_path / "head.weights.h5").write_bytes(b"")
    open_run(tmp_path, MINE, None)
    with pytest.raises(RunMismatch):
        open_run(tmp_path, MINE | {"task": "other"}, None)


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious.weights.h5").write_bytes(b"")
    with pytest.raises(RunMismatch, match="is not empty and holds no training run"):
        open_run(tmp_path, MINE, None)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.weights.h5"]


def test_a_finished_run_is_opened_without_the_weights_that_it_began_from(tmp_path: Path) -> None:
    weights = tmp_path / "mine.weights.h5"
    weights.write_bytes(b"one")
    open_run(tmp_path / "run", MINE, weights)
    open_run(tmp_path / "run", MINE, None, finished=True)
    with pytest.raises(RunMismatch, match="of another split"):
        open_run(tmp_path / "run", MINE | {"split_sha256": "other"}, None, finished=True)
    assert "weights_sha256" in (tmp_path / "run" / "run.json").read_text()


def test_dropping_removes_all_that_training_wrote(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained.run, folder)
    open_run(folder, MINE, None)
    (folder / "fine_tuning.backup").mkdir()
    (folder / "fine_tuning.backup" / "latest.weights.h5").touch()
    drop_run(folder)
    assert not folder.exists()
    drop_run(folder)


def test_dropping_spares_what_training_did_not_write(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained.run, folder)
    (folder / "precious.weights.h5").touch()
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "kept").touch()
    (folder / "head.backup").symlink_to(folder / "elsewhere")
    drop_run(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["elsewhere", "precious.weights.h5"]
    assert (folder / "elsewhere" / "kept").exists()

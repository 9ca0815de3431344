"""TensorBoard's event files hold every figure of every epoch, phase by phase."""

import importlib.util
import struct
from pathlib import Path

import pytest

from tests.training.conftest import Trained
from training.errors import TrainingError
from training.finetuning import fine_tune
from training.tensorboard import TensorBoardLog


def records(path: Path) -> list[bytes]:
    """The records of an event file: length, checksum, content, checksum (TFRecord)."""
    content, found = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        found.append(content[12 : 12 + length])
        content = content[16 + length :]
    return found


@pytest.mark.skipif(importlib.util.find_spec("tensorboardX") is None, reason="tensorboardX is not installed")
def test_each_epoch_is_written(trained: Trained, tmp_path: Path) -> None:
    recipe = trained.plan.recipe
    head = recipe.head
    assert head is not None
    recipe = recipe.model_copy(update={"fine_tuning": head.model_copy(update={"unfreeze": "all", "epochs": 2})})
    log = TensorBoardLog(tmp_path / "log")
    fine_tune(recipe, trained.train, trained.validation, tmp_path / "run", None, callbacks=[log])
    written = b"".join(record for path in (tmp_path / "log").iterdir() for record in records(path))
    for name in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
        assert written.count(f"head/{name}".encode()) == 1
        assert written.count(f"fine_tuning/{name}".encode()) == 2


def test_a_missing_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", {}.get)
    with pytest.raises(TrainingError, match=r"need the package tensorboardX, which is part of `make training`"):
        TensorBoardLog(tmp_path / "log")
    assert not (tmp_path / "log").exists()

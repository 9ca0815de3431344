"""The progress of a training: one line per epoch in a log, a live bar at a terminal that leaves nothing behind."""

import re
from pathlib import Path

import pytest

from tests.training.conftest import Trained
from training.finetuning import fine_tune
from training.recipe import Recipe

LINE = re.compile(
    r"^(head|fine_tuning) \d/\d: loss \d+\.\d{4}, accuracy [01]\.\d{4}, "
    r"val_loss \d+\.\d{4}, val_accuracy [01]\.\d{4}, \d+ images/s$"
)


@pytest.fixture
def short(trained: Trained) -> Recipe:
    head = trained.plan.recipe.head
    assert head is not None
    return trained.plan.recipe.model_copy(update={"fine_tuning": head.model_copy(update={"epochs": 2})})


def test_a_log_has_one_line_per_epoch(
    trained: Trained, short: Recipe, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fine_tune(short, trained.train, trained.validation, tmp_path, None)
    shown = capfd.readouterr()
    lines = [line for line in shown.err.splitlines() if line.strip()]
    assert [line.split(":")[0] for line in lines] == ["head 1/1", "fine_tuning 1/2", "fine_tuning 2/2"]
    assert all(LINE.match(line) for line in lines), lines
    assert shown.out == ""


def test_a_terminal_shows_a_bar_that_moves(
    trained: Trained,
    short: Recipe,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    fine_tune(short, trained.train, trained.validation, tmp_path, None)
    shown = capfd.readouterr().err
    assert "5/5" in shown
    assert re.search(r"loss \d", shown)
    # The cursor is shown again, and the lines of the epochs stay.
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") > 0
    assert "fine_tuning 2/2: loss" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)

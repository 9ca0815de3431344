"""The command line as a whole: every command helps with an example, and helping loads no framework."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from training.__main__ import app

PROJECT = Path(__file__).resolve().parents[2]
COMMANDS = sorted(typer.main.get_group(app).commands)


def test_the_commands_are_these() -> None:
    assert COMMANDS == [
        "cross-validate",
        "ct",
        "draft",
        "evaluate",
        "import",
        "inspect",
        "publish",
        "simulate",
        "train",
        "tune",
    ]


def test_all_of_them_are_listed() -> None:
    result = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for command in COMMANDS:
        assert f" {command} " in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_gives_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert f"Example: python -m training {command} " in " ".join(result.stdout.split())


@pytest.mark.parametrize("words", [["--help"], *([command, "--help"] for command in COMMANDS)])
def test_help_does_not_load_a_framework(words: list[str]) -> None:
    frameworks = ("keras", "tensorflow", "torch", "jax", "optuna", "matplotlib")
    code = f"import sys; sys.argv = ['training', *{words}]\nfrom training.__main__ import app\n"
    code += f"try:\n    app()\nfinally:\n    print('LOADED', [n for n in {frameworks} if n in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "LOADED []" in shown.stdout
    assert shown.stderr == ""

"""A person at a terminal: calls a command and reads what it says."""

from pathlib import Path

from typer.testing import CliRunner, Result

from training.__main__ import app

_WIDE = {"COLUMNS": "200", "TERMINAL_WIDTH": "200"}
# Beside a complaint, the progress of decoding and of epochs may stand on standard error.
_PROGRESS = ("Decoding", "head ", "fine_tuning ")


def arguments(command: str, options: dict[str, Path], *flags: str) -> list[str]:
    """The words of a command on the task of drawn shapes."""
    return [command, "shapes", *(str(part) for option in options.items() for part in option), *flags]


def call(command: str, options: dict[str, Path], *flags: str) -> Result:
    """Call a command in this process."""
    return CliRunner().invoke(app, arguments(command, options, *flags), catch_exceptions=False, env=_WIDE)


def complaint(result: Result) -> str:
    """What the person reads, after checking that it is one sentence and no traceback."""
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if line.strip() and not line.startswith(_PROGRESS)]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    return lines[0]

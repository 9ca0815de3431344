"""`import`: what is missing is asked for, what is wrong is said in one sentence, what is right is published."""

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import pytest
import typer
from keras import layers
from typer.testing import CliRunner, Result

from services.bundle.manifest import Import
from services.bundle.store import Store
from tests.training.legacy.files import rewrite, save, stir
from training.commands.import_ import import_

PROJECT = Path(__file__).resolve().parents[3]

app = typer.Typer()
app.command("import")(import_)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A legacy file whose answers are worth nothing."""
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    return save(stir(keras.Sequential([layers.Input((None, None, 3)), *head])), tmp_path / "old.h5")


@pytest.fixture
def options(images: Path, store_root: Path) -> dict[str, object]:
    """The options of an import that would succeed."""
    return {
        "--task": "shapes",
        "--data": images,
        "--labels": "disc, square,stripes",
        "--scaling": "0..1",
        "--colour": "rgb",
        "--size": "32x40",
        "--data-name": "Shapes",
        "--data-licence": "None needed",
        "--model-store": store_root,
    }


def command(file: Path, options: dict[str, Any], *flags: str) -> Result:
    words = [str(file), *(str(part) for option in options.items() for part in option), *flags]
    return CliRunner().invoke(app, words, catch_exceptions=False)


def complaint(result: Result, code: int = 1) -> str:
    """What the person at the terminal reads, after checking that it is one sentence and no traceback."""
    assert result.exit_code == code, result.output
    (line,) = (line for line in result.stderr.splitlines() if line.strip())
    assert line.startswith("Error: ")
    return line


def test_a_legacy_file_becomes_a_bundle(file: Path, options: dict[str, object], store_root: Path) -> None:
    result = command(file, options)
    assert result.exit_code == 0, result.output
    assert f"Published {store_root / 'shapes' / '1'}" in result.stdout
    manifest = Store(store_root).read("shapes", 1).manifest
    assert manifest.labels == ("disc", "square", "stripes")
    assert (manifest.preprocessing.height, manifest.preprocessing.width) == (32, 40)
    assert manifest.preprocessing.fit == "stretch"
    assert isinstance(manifest.origin, Import)
    assert manifest.origin.file == "old.h5"
    for metric in manifest.evaluation.metrics:
        assert f"{metric.value:.4f}" in result.stdout


@pytest.mark.parametrize("option", ["--labels", "--scaling", "--colour", "--data-name", "--data-licence"])
def test_what_is_missing_is_an_error_where_nobody_can_be_asked(
    option: str, file: Path, options: dict[str, object], store_root: Path
) -> None:
    del options[option]
    assert complaint(command(file, options), 2).startswith(f"Error: {option} is missing: ")
    assert not Store(store_root).versions("shapes")


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--size", "224", "--size is '224'; it is a height and a width in pixels, such as 224x224."),
        ("--size", "-5x5", "--size is '-5x5'; it is a height and a width in pixels"),
    ],
)
def test_a_size_that_is_none_is_an_error(
    option: str, value: str, reason: str, file: Path, options: dict[str, object]
) -> None:
    assert reason in complaint(command(file, options | {option: value}), 2)


@pytest.mark.parametrize("value", ["", "  ", "x" * 2001])
@pytest.mark.parametrize("option", ["--data-name", "--data-licence", "--labels"])
def test_what_is_empty_or_endless_is_an_error(option: str, value: str, file: Path, options: dict[str, object]) -> None:
    assert f"{option} is empty or too long: " in complaint(command(file, options | {option: value}), 2)


@pytest.mark.parametrize("option", ["--scaling", "--colour", "--fit"])
def test_a_word_that_is_none_of_the_choices_is_an_error(option: str, file: Path, options: dict[str, object]) -> None:
    result = command(file, options | {option: "upside-down"})
    assert result.exit_code == 2
    assert "upside-down" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"--labels": "disc,square"}, "--labels names disc, square; task.toml has"),
        ({"--task": "other"}, "The model store holds no task 'other'"),
        ({"--data": "nowhere"}, "nowhere is not a folder"),
        ({"--scaling": "inside"}, "old.h5 cannot be imported: its first layer scales nothing"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(
    changed: dict[str, object], reason: str, file: Path, options: dict[str, object], store_root: Path
) -> None:
    assert reason in complaint(command(file, options | changed))
    assert not Store(store_root).versions("shapes")


def test_a_file_that_is_missing_or_hostile_is_said_in_one_sentence(
    file: Path, options: dict[str, object], store_root: Path, tmp_path: Path
) -> None:
    assert "nowhere.h5: No such file or directory" in complaint(command(tmp_path / "nowhere.h5", options))
    rewrite(file, lambda model: model["config"]["layers"][1].update({"class_name": "Lambda"}))
    assert "(Lambda)." in complaint(command(file, options))
    assert [path.name for path in (store_root / "shapes").iterdir()] == ["task.toml"]


def test_help_has_an_example() -> None:
    result = CliRunner().invoke(app, ["--help"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "python -m training import pneumonia_model.h5" in " ".join(result.stdout.split())


def test_what_is_missing_is_asked_for_at_a_terminal(file: Path, options: dict[str, object], images: Path) -> None:
    """A real terminal: the answers lead as far as the task, which the model store does not hold."""
    given = {"--task": "other", "--data": images, "--model-store": options["--model-store"], "--data-name": "Shapes"}
    words = [str(file), *(str(part) for option in given.items() for part in option)]
    ours, theirs = pty.openpty()
    try:
        os.write(ours, b"disc,square,stripes\nsideways\n0..1\nrgb\nNone needed\n")
        child = subprocess.run(
            [
                sys.executable,
                "-c",
                "import typer\nfrom training.commands.import_ import import_\ntyper.run(import_)",
                *words,
            ],
            check=False,
            cwd=PROJECT,
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert child.returncode == 1, child.stderr
    for option in ("--labels", "--colour", "--data-licence"):
        assert child.stdout.count(f"({option})") == 1
    # The word that is none of the choices is asked for again.
    assert child.stdout.count("(--scaling)") == 2
    assert "--data-name" not in child.stdout
    assert "Error: The model store holds no task 'other'" in child.stderr

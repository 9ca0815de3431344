"""`draft`: what it writes can be trained with, and it overwrites nothing."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from services.bundle.store import Store
from tests.training.conftest import draw_images, little_room
from training.__main__ import app as training
from training.commands.draft import draft

PROJECT = Path(__file__).resolve().parents[3]

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
app.command()(draft)


@pytest.fixture
def options(images: Path, tmp_path: Path) -> dict[str, Path]:
    """The options of a draft that would succeed."""
    (tmp_path / "model_store").mkdir()
    return {"--data": images, "--recipe": tmp_path / "draft.toml", "--model-store": tmp_path / "model_store"}


def command(options: dict[str, Path], *words: str) -> Result:
    named = [str(part) for option in options.items() for part in option]
    return CliRunner().invoke(app, [*(words or ("shapes",)), *named], catch_exceptions=False)


def complaint(result: Result) -> str:
    """What the person at the terminal reads, after checking that it is one sentence and no traceback."""
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stderr.startswith("Error: ")
    return result.stderr


def test_a_draft_can_be_trained_and_its_bundle_says_that_nobody_reviewed_it(
    options: dict[str, Path], tmp_path: Path
) -> None:
    result = command(options, "shapes", "--backbone", "convnet")
    assert result.exit_code == 0, result.stderr
    task, recipe = tmp_path / "model_store" / "shapes" / "task.toml", tmp_path / "draft.toml"
    assert result.stdout.splitlines()[:2] == [f"Wrote {task}", f"Wrote {recipe}"]
    # As a person may do who wants to see it work at once.
    text = recipe.read_text()
    recipe.write_text(text.replace("epochs = 60", "epochs = 3").replace("[16, 32, 64, 128]", "[16, 32]"))
    named = [str(part) for option in options.items() for part in option]
    trained = CliRunner().invoke(
        training, ["train", "shapes", *named, "--run", str(tmp_path / "run")], catch_exceptions=False
    )
    assert trained.exit_code == 0, trained.stderr
    store = Store(tmp_path / "model_store")
    assert store.versions("shapes") == (1,)
    assert "a person must say what this is for" in store.task("shapes").intended_use


def test_it_says_what_comes_next(options: dict[str, Path], tmp_path: Path) -> None:
    ungrouped = draw_images(tmp_path / "ungrouped", index=False)
    result = command(options | {"--data": ungrouped})
    assert result.exit_code == 0, result.stderr
    assert "Each image counts as a group of its own" in result.stdout
    assert (
        f"`python -m training train shapes --data {ungrouped} --recipe {tmp_path / 'draft.toml'} "
        f"--model-store {tmp_path / 'model_store'}` trains." in result.stdout
    )


def test_nothing_is_overwritten(options: dict[str, Path], tmp_path: Path) -> None:
    assert command(options).exit_code == 0
    task = tmp_path / "model_store" / "shapes" / "task.toml"
    task.write_text("reviewed")
    assert "task.toml is there already" in complaint(command(options))
    assert "draft.toml is there already" in complaint(command(options, "others"))
    assert task.read_text() == "reviewed"
    assert [path.name for path in (tmp_path / "model_store").iterdir()] == ["shapes"]


def test_what_is_wrong_is_told_in_a_sentence(options: dict[str, Path], images: Path, tmp_path: Path) -> None:
    for option in options:
        assert "nowhere" in complaint(command(options | {option: tmp_path / "nowhere" / "x"})), option
    assert "task.toml: name: " in complaint(command(options, "No Name"))
    assert "'transformer' is no backbone" in complaint(command(options, "shapes", "--backbone", "transformer"))
    one = draw_images(tmp_path / "one", labels=("disc",))
    assert "holds 1 classes" in complaint(command(options | {"--data": one}))
    (images / "disc" / "000.png").write_bytes(b"torn")
    assert "disc/000.png: This is not a JPEG" in complaint(command(options))
    assert not (tmp_path / "draft.toml").exists()
    assert not list((tmp_path / "model_store").iterdir())


def test_a_full_disk_is_told_and_leaves_nothing(options: dict[str, Path], tmp_path: Path) -> None:
    with little_room(1000):
        assert complaint(command(options)).endswith(": File too large\n")
    assert not (tmp_path / "draft.toml").exists()
    assert not list((tmp_path / "model_store").iterdir())

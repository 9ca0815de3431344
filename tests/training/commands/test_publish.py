"""`publish`: a finished run becomes a bundle; an unfinished or a foreign one does not."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.bundle.store import Store
from tests.training.conftest import RECIPE, draw_images
from training.__main__ import app

pytestmark = pytest.mark.usefixtures("few_foreign")


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def finished(images: Path, recipe_path: Path, store_root: Path, tmp_path: Path) -> Path:
    """The run folder of a short training that was not published."""
    recipe_path.write_text(RECIPE.replace("epochs = 6", "epochs = 1"))
    run = tmp_path / "run"
    options = ("--data", images, "--recipe", recipe_path, "--model-store", store_root, "--run", run)
    result = invoke("train", "shapes", *options, "--no-publish")
    assert result.exit_code == 0, result.stderr
    assert f"python -m training publish {run} --data {images}" in result.stdout
    assert not Store(store_root).versions("shapes")
    return run


def test_a_finished_run_is_published_without_its_recipe_at_hand(
    finished: Path, images: Path, recipe_path: Path, store_root: Path, tmp_path: Path
) -> None:
    recipe_path.unlink()
    folders = [draw_images(tmp_path / name, each=2, index=False) for name in ("others", "more", "alike")]
    strange = [
        word
        for option, path in zip(("--foreign", "--foreign", "--near"), folders, strict=True)
        for word in (option, path)
    ]
    result = invoke("publish", finished, "--data", images, "--model-store", store_root, "--keep", *strange)
    assert result.exit_code == 0, result.stderr
    assert f"Published {store_root / 'shapes' / '1'}" in result.stdout
    manifest = Store(store_root).read("shapes", 1).manifest
    assert manifest.origin.seed == 3
    assert manifest.novelty is not None
    assert [(kind.kind, kind.near, kind.images) for kind in manifest.novelty.foreign[:3]] == [
        # The other half of what is foreign was shown to the detector.
        ("others", False, 3),
        ("more", False, 3),
        ("alike", True, 6),
    ]
    assert finished.exists()
    assert invoke("publish", finished, "--data", images, "--model-store", store_root).exit_code == 0
    assert not finished.exists()


def test_figures_on_groups_that_training_has_seen_are_refused(finished: Path, images: Path, store_root: Path) -> None:
    # The very picture of a training image under a name of the test part.
    rows = [line.split(",") for line in (finished / "split.csv").read_text().splitlines()[1:]]
    seen, tested = (next(path for path, part in rows if part == wanted) for wanted in ("train", "test"))
    shutil.copy(images / seen, images / tested)
    result = invoke("publish", finished, "--data", images, "--model-store", store_root)
    assert result.exit_code == 1
    assert "images that training has seen" in result.stderr
    assert tested in result.stderr
    assert not Store(store_root).versions("shapes")
    assert finished.exists()


def test_an_unfinished_run_is_refused(finished: Path, images: Path, store_root: Path) -> None:
    (finished / "fine_tuning.finished.json").unlink()
    result = invoke("publish", finished, "--data", images, "--model-store", store_root)
    assert result.exit_code == 1
    assert "holds no finished training" in result.stderr


def test_other_images_are_refused(finished: Path, images: Path, store_root: Path) -> None:
    index = images / "index.csv"
    index.write_text(index.read_text().replace("source 1", "source 9"))
    result = invoke("publish", finished, "--data", images, "--model-store", store_root)
    assert result.exit_code == 1
    assert "holds a run of other images" in result.stderr


def test_a_folder_that_is_no_run_is_told(images: Path, store_root: Path, tmp_path: Path) -> None:
    for place in (tmp_path / "nowhere", images):
        result = invoke("publish", place, "--data", images, "--model-store", store_root)
        assert result.exit_code == 1
        assert "recipe.toml cannot be read" in result.stderr


def test_what_is_known_elsewhere_is_read_before_any_work(
    finished: Path, images: Path, store_root: Path, tmp_path: Path
) -> None:
    for option, told in (
        ("--across", "cannot be read"),
        ("--foreign", "is not a folder"),
        ("--near", "is not a folder"),
    ):
        words = ("--data", images, "--model-store", store_root, option, tmp_path / "nowhere")
        result = invoke("publish", finished, *words)
        assert result.exit_code == 1
        assert f"nowhere {told}" in result.stderr
        assert "Decoding" not in result.stderr
    assert finished.exists()

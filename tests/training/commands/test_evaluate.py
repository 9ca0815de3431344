"""`evaluate`: tables, JSON and plots of bundles on images that they have not seen, and one sentence where it cannot."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from services.bundle.evaluation import Evaluation
from services.bundle.store import Store
from tests.bundles import SHAPES, publish_tiny, write_task
from tests.training.conftest import draw_images, little_room
from training.commands.evaluate import evaluate
from training.folders import read_folder
from training.metrics import TITLES
from training.split import split_by_group, write_split

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
app.command()(evaluate)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions; both have seen the first disc and the first square that `images` holds. Do not write to it."""
    root = tmp_path_factory.mktemp("models")
    for seed in (0, 1):
        publish_tiny(root, seed=seed, temperature=1.5)
    return root


@pytest.fixture
def split(images: Path, tmp_path: Path) -> Path:
    folder = read_folder(images)
    write_split(tmp_path / "split.csv", split_by_group(folder.samples, (0.5, 0.2, 0.3), 1))
    return tmp_path / "split.csv"


def command(*arguments: object) -> Result:
    return CliRunner().invoke(
        app,
        ["shapes", *map(str, arguments)],
        catch_exceptions=False,
        env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"},
    )


def complaint(result: Result) -> str:
    """What the person at the terminal reads, after checking that it is one sentence and no traceback."""
    assert result.exit_code in {1, 2}
    lines = [
        line for line in result.stderr.splitlines() if line.strip() and not line.startswith(("Decoding", "Asking"))
    ]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    assert not result.stdout
    return lines[0]


# ---------------------------------------------------------------- what it tells


def test_one_bundle_is_told_by_figure_label_and_source(models: Path, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    result = command(2, "--data", images, "--model-store", models, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert "2 of 60 images were left out: this bundle was trained on them or on their group." in result.stdout
    assert "shapes: 58 images unseen in training" in result.stdout
    report = json.loads((out / "report.json").read_text())
    (bundle,) = report["bundles"]
    assert (bundle["version"], bundle["digest"]) == (2, Store(models).read("shapes", 2).digest)
    evaluation = Evaluation.model_validate_json(json.dumps(bundle["evaluation"]))
    for metric in evaluation.metrics:
        assert TITLES[metric.name] in result.stdout
        assert f"{metric.value:.4f}" in result.stdout
        assert f"{metric.low:.3f}-{metric.high:.3f}" in result.stdout
    for name in (*SHAPES, "source 0", "source 1"):
        assert name in result.stdout
    assert sum(source.images for source in evaluation.per_source) == 58
    assert {path.name for path in out.iterdir()} >= {"report.json", "confusion.png", "roc.png", "reliability.png"}
    assert f"Wrote {out}" in result.stdout


def test_several_bundles_stand_side_by_side(models: Path, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    result = command("--data", images, "--model-store", models, "--out", out, "--no-mistakes")
    assert result.exit_code == 0, result.stderr
    assert "one of these bundles was trained on them" in result.stdout
    assert "version 1" in result.stdout
    assert "Compared with version 1" in result.stdout
    assert "McNemar" in result.stdout
    assert "permutation test" in result.stdout
    report = json.loads((out / "report.json").read_text())
    assert report["comparison"]["reference"] == "version 1"
    assert (out / "comparison.png").is_file()
    assert (out / "version-2" / "roc.png").is_file()
    assert not list(out.rglob("mistakes.png"))


def test_json_is_all_that_is_printed(models: Path, images: Path, split: Path) -> None:
    result = command(1, "--data", images, "--model-store", models, "--json", "--split", split, "--floors")
    report = json.loads(result.stdout)
    assert report["bundles"][0]["version"] == 1
    assert 0 < report["floors"]["border"]["balanced_accuracy"]["value"] <= 1
    assert report["images"].endswith("images of the test part")


def test_floors_are_columns_of_the_table(models: Path, images: Path, split: Path) -> None:
    result = command(1, "--data", images, "--model-store", models, "--split", split, "--floors")
    assert "floor: thumbnail" in result.stdout
    assert "floor: border" in result.stdout


def test_seen_images_may_be_measured_but_are_no_test(models: Path, images: Path) -> None:
    result = command(1, "--data", images, "--model-store", models, "--part", "all")
    assert "2 of 60 images are included although this bundle was trained on them" in result.stdout
    assert "these figures are not a test" in result.stdout


def test_another_folder_with_some_of_the_labels_is_measured(models: Path, tmp_path: Path) -> None:
    """External validation: other images, fewer labels, no index."""
    other = draw_images(tmp_path / "elsewhere", labels=SHAPES[:2], index=False)
    (other / "disc/000.png").unlink()
    (other / "square/000.png").unlink()
    result = command(1, "--data", other, "--model-store", models)
    assert result.exit_code == 0, result.stderr
    assert "There is no image of stripes among these" in result.stdout
    assert "elsewhere" in result.stdout


def test_nobody_knows_what_an_imported_bundle_has_seen(images: Path, tmp_path: Path) -> None:
    publish_tiny(tmp_path / "models", imported=True)
    result = command("--data", images, "--model-store", tmp_path / "models")
    assert "Nobody knows which images version 1 was fitted to." in result.stdout


# ---------------------------------------------------------------- complaints


def test_what_is_not_there_is_named(models: Path, images: Path, tmp_path: Path) -> None:
    store = ("--model-store", models)
    assert "has no version 7" in complaint(command(7, "--data", images, *store))
    assert "nowhere is not a folder" in complaint(command("--data", tmp_path / "nowhere", *store))
    assert "nowhere" in complaint(command("--data", images, *store, "--split", tmp_path / "nowhere"))
    assert "holds no task 'shapes'" in complaint(command("--data", images, "--model-store", tmp_path / "nowhere"))
    write_task(tmp_path / "empty")
    assert "has no bundle yet" in complaint(command("--data", images, "--model-store", tmp_path / "empty"))


def test_a_part_needs_a_split(models: Path, images: Path) -> None:
    store = ("--model-store", models)
    assert "--split" in complaint(command("--data", images, *store, "--part", "validation"))
    assert "--floors needs --split" in complaint(command("--data", images, *store, "--floors"))


def test_images_that_were_all_seen_are_refused(models: Path, tmp_path: Path) -> None:
    seen = draw_images(tmp_path / "seen", labels=SHAPES[:2], each=1)
    assert "Give other images" in complaint(command("--data", seen, "--model-store", models))


def test_a_folder_that_holds_something_is_not_overwritten(models: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    result = command(1, "--data", images, "--model-store", models, "--out", tmp_path / "mine")
    assert "is not an empty folder" in complaint(result)
    # It is told before the work, not after.
    assert "Decoding" not in result.stderr


def test_a_damaged_image_is_named_and_nothing_is_left(models: Path, images: Path, tmp_path: Path) -> None:
    path = images / "disc" / "003.png"
    path.write_bytes(path.read_bytes()[:100])
    before = sorted(tmp_path.iterdir())
    assert "disc/003.png: " in complaint(
        command(1, "--data", images, "--model-store", models, "--out", tmp_path / "report")
    )
    assert sorted(tmp_path.iterdir()) == before


def test_a_full_disk_leaves_nothing(models: Path, images: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    with little_room(10_000):
        told = complaint(command(1, "--data", images, "--model-store", models, "--out", tmp_path / "report"))
    assert "File too large" in told
    assert sorted(tmp_path.iterdir()) == before


def test_help_has_an_example() -> None:
    result = command("--help")
    assert result.exit_code == 0
    assert "python -m training evaluate drugs 1 2 --data DIR --out report" in " ".join(result.stdout.split())

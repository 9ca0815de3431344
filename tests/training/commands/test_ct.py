"""`ct`: one command from a folder of DICOM files to a task that answers them and sends other kinds away."""

from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from typer.testing import CliRunner, Result

from services.bundle.store import Store
from services.compiler import Compiler
from services.errors import WrongModality
from services.inference import Predictor
from services.prediction import Prediction
from services.registry import Registry
from services.shelf import Live
from tests.dicoms import PATIENT
from tests.training.commands.terminal import complaint
from tests.training.conftest import RECIPE
from tests.training.heads import draw_heads, slice_of, uid_of
from training.__main__ import app
from training.terminal import MODEL_STORE

_RECIPE = (
    RECIPE.replace('task = "shapes"', 'task = "brain-ct"')
    # Of a dozen slices an epoch must make some steps, or the moving averages of the normalisation stay behind.
    .replace("batch_size = 8", "batch_size = 2")
    .replace("val_accuracy", "val_loss")
    .replace("[0.6, 0.2, 0.2]", "[0.5, 0.25, 0.25]")
    .replace("[16, 32, 64, 128]", "[16, 32, 64]")
    .replace('colour = "rgb"', 'colour = "grey"')
    .replace("window_percentiles", "window = [40, 80]\nwindow_percentiles")
    .replace("epochs = 6", "epochs = 30")
    .replace("patience = 6", "patience = 30")
)


def command(*words: Path | str) -> Result:
    """Call it as a person does."""
    return CliRunner().invoke(app, ["ct", *map(str, words)], catch_exceptions=False, env={"COLUMNS": "200"})


def ask(live: Live, image: Path) -> Prediction:
    predictor = Predictor(concurrency=1, queue_limit=1, max_pixels=10**6)
    return anyio.run(predictor.predict, live, image)


def test_a_folder_of_dicom_files_becomes_a_task_that_is_served(tmp_path: Path, compiler: Compiler) -> None:
    heads, store, run = draw_heads(tmp_path / "heads"), tmp_path / "model_store", tmp_path / "run"
    store.mkdir()
    (tmp_path / "recipe.toml").write_text(_RECIPE)
    result = command(
        "--data", heads, "--recipe", tmp_path / "recipe.toml", "--model-store", store, "--run", run, "--keep"
    )
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[-3:] == [
        f"Published {store / 'brain-ct' / '1'}",
        f"Wrote {store / 'brain-ct' / 'task.toml'}: go over it.",
        "A running service takes up a new task when it is started again.",
    ]
    _require_whole_studies(run / "split.csv")
    _require_nobody(store, run)

    registry = Registry(Store(store), compiler, standby=0)
    registry.scan()
    live = registry.live("brain-ct")
    assert live.manifest.preprocessing.window == (40, 80)
    assert [point.label for point in live.manifest.operating_points] == ["bleed"] * 3
    upload = tmp_path / "upload"
    for bleed, label in ((True, "bleed"), (False, "no_bleed")):
        upload.write_bytes(slice_of(99, 900, bleed=bleed))
        answer = ask(live, upload)
        assert answer.probabilities[0].label == label
        assert "The window with centre 40, width 80 was applied." in answer.notes

    for name in ("brain-tumor", "brain-tumor-type"):
        # The words of the tasks that are served; which network would have answered does not matter.
        mri = replace(live, task=Store(MODEL_STORE).task(name))
        with pytest.raises(WrongModality, match=r"says that it is a CT of the HEAD; the task .* wants MR\."):
            ask(mri, upload)


def _require_whole_studies(split: Path) -> None:
    """Twelve studies of two slices, whose numbers are twelve apart."""
    parts: dict[int, set[str]] = {}
    for row in split.read_text().splitlines()[1:]:
        path, part = row.split(",")
        parts.setdefault(int(Path(path).stem) % 12, set()).add(part)
    assert len(parts) == 12
    assert all(len(found) == 1 for found in parts.values())
    assert set.union(*parts.values()) == {"train", "validation", "test"}


def _require_nobody(*folders: Path) -> None:
    """Nothing that was written tells a patient or a study."""
    written = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(written) > 10
    telling = [word.encode() for word in (PATIENT, uid_of(0)[:-2])]
    assert not [path for path in written if any(word in path.read_bytes() for word in telling)]


def test_what_is_wrong_is_told_in_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    heads, store, run = draw_heads(tmp_path / "heads", Modality="MR"), tmp_path / "model_store", tmp_path / "run"
    store.mkdir()
    where = ("--model-store", store, "--run", run)
    assert "say MR, which is no CT of the head" in complaint(command("--data", heads, *where))
    assert "nowhere" in complaint(command("--data", tmp_path / "nowhere", *where))
    assert not list(store.iterdir())
    assert not run.exists()

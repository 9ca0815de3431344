"""The plots: small, the same for the same figures, and drawn for any number of labels."""

import io

import numpy as np
import pytest
from PIL import Image

from services.bundle.manifest import Calibration, Manifest
from tests.bundles import publish_tiny
from training import reporting
from training.evaluation import Answers
from training.finetuning import History

HISTORY: History = {
    "epoch": [1, 1, 2, 3],
    "loss": [1.0, 0.5, 0.3, 0.2],
    "val_loss": [1.1, 0.6, 0.5, 0.5],
    "accuracy": [0.4, 0.7, 0.9, 0.95],
    "val_accuracy": [0.4, 0.6, 0.8, 0.8],
}


@pytest.fixture
def manifest(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Manifest:
    count = getattr(request, "param", 3)
    return publish_tiny(tmp_path_factory.mktemp("models"), labels=tuple(f"a label {number}" for number in range(count)))


def answers(count: int = 200, labels: int = 4) -> Answers:
    random = np.random.default_rng(0)
    return Answers(random.normal(0, 3, (count, labels)), random.integers(0, labels, count), ())


def pixels(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("manifest", [2, 10, 25], indirect=True)
def test_a_confusion_matrix_of_any_size_is_small(manifest: Manifest) -> None:
    png = reporting.confusion(manifest)
    assert len(png) < 60_000
    assert pixels(png).std() > 10


def test_other_counts_give_another_picture(manifest: Manifest) -> None:
    counts = [list(row) for row in manifest.evaluation.confusion]
    counts[0][0] -= 12
    counts[0][1] += 12
    evaluation = manifest.evaluation.model_copy(update={"confusion": tuple(tuple(row) for row in counts)})
    changed = reporting.confusion(manifest.model_copy(update={"evaluation": evaluation}))
    assert not np.array_equal(pixels(changed), pixels(reporting.confusion(manifest)))


def test_a_label_without_test_images_can_be_drawn(manifest: Manifest) -> None:
    evaluation = manifest.evaluation.model_copy(update={"confusion": ((0, 0, 0), (0, 4, 0), (0, 1, 3))})
    assert pixels(reporting.confusion(manifest.model_copy(update={"evaluation": evaluation}))).std() > 10


def test_reliability_shows_what_calibration_changed() -> None:
    flat, sharp = (reporting.reliability_diagram(answers(), Calibration(temperature=t)) for t in (4.0, 0.5))
    assert len(flat) < 60_000
    assert not np.array_equal(pixels(flat), pixels(sharp))


def test_curves_show_both_phases() -> None:
    whole = reporting.curves(HISTORY)
    assert len(whole) < 60_000
    one_phase = reporting.curves(HISTORY | {"epoch": [1, 2, 3, 4]})
    assert not np.array_equal(pixels(whole), pixels(one_phase))


def test_the_same_figures_give_the_same_file(manifest: Manifest) -> None:
    assert reporting.curves(HISTORY) == reporting.curves(HISTORY)
    assert reporting.confusion(manifest) == reporting.confusion(manifest)
    assert b"matplotlib" not in reporting.curves(HISTORY)

"""The plots: small, the same for the same figures, and drawn for any number of labels."""

import io

import numpy as np
import pytest
from PIL import Image

from services.bundle.evaluation import Evaluation
from services.bundle.manifest import Calibration
from tests.bundles import SHAPES, publish_tiny
from tests.training.answering import ONCE, SEVERAL, guesses
from training import reporting
from training.answers import Answers
from training.evaluation import evaluate
from training.reporting import History

HISTORY: History = {
    "epoch": [1, 1, 2, 3],
    "loss": [1.0, 0.5, 0.3, 0.2],
    "val_loss": [1.1, 0.6, 0.5, 0.5],
    "accuracy": [0.4, 0.7, 0.9, 0.95],
    "val_accuracy": [0.4, 0.6, 0.8, 0.8],
}


def named(count: int) -> tuple[str, ...]:
    return tuple(f"a label of $many$ letters, number {number}" for number in range(count))


def measured(labels: int, calibration: Calibration = ONCE, count: int = 200) -> tuple[Answers, Evaluation]:
    given = guesses(count, labels, several=calibration.activation == "sigmoid")
    return given, evaluate(given, named(labels), calibration, 1)


def pixels(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("labels", [2, 20])
def test_the_diagrams_of_any_number_of_labels_are_small(labels: int) -> None:
    given, evaluation = measured(labels)
    plots = reporting.diagrams(given, evaluation, ONCE, "Images that none of these bundles has seen, drawn by code")
    assert sorted(plots) == ["confusion.png", "precision-recall.png", "reliability.png", "roc.png"]
    for name, png in plots.items():
        assert len(png) < 120_000, name
        assert pixels(png).std() > 10, name


def test_where_an_image_has_several_labels_there_is_no_confusion() -> None:
    given, evaluation = measured(4, SEVERAL)
    plots = reporting.diagrams(given, evaluation, SEVERAL)
    assert sorted(plots) == ["precision-recall.png", "reliability.png", "roc.png"]


def test_every_curve_has_its_own_look() -> None:
    # Twenty labels that differ in nothing but their place: each needs a line that the others have not.
    styles = {tuple(sorted(reporting.line_style(number).items())) for number in range(30)}
    assert len(styles) == 30


def test_other_answers_give_other_curves() -> None:
    (good, evaluation), (poor, worse) = measured(3), measured(3, count=300)
    for draw in (reporting.roc, reporting.precision_recall):
        assert not np.array_equal(pixels(draw(good, evaluation, ONCE)), pixels(draw(poor, worse, ONCE)))


def test_a_label_without_test_images_can_be_drawn() -> None:
    given, _ = measured(3)
    without = np.flatnonzero(given.classes != 2)
    kept = Answers(given.logits[without], given.truths[without], tuple(given.samples[n] for n in without))
    for png in reporting.diagrams(kept, evaluate(kept, named(3), ONCE, 1), ONCE).values():
        assert pixels(png).std() > 10


def test_a_single_label_has_no_curves_and_is_drawn_all_the_same() -> None:
    given, _ = measured(2)
    only = np.flatnonzero(given.classes == 0)
    kept = Answers(given.logits[only], given.truths[only], tuple(given.samples[n] for n in only))
    for png in reporting.diagrams(kept, evaluate(kept, named(2), ONCE, 1), ONCE).values():
        assert pixels(png).std() > 5


def test_a_confusion_matrix_of_many_labels_is_small() -> None:
    assert len(reporting.confusion(measured(30)[1])) < 150_000


def test_reliability_shows_what_calibration_changed() -> None:
    given, _ = measured(4)
    flat, sharp = (
        reporting.reliability_diagram(given, Calibration(temperature=t, activation="softmax")) for t in (4.0, 0.5)
    )
    assert len(flat) < 60_000
    assert not np.array_equal(pixels(flat), pixels(sharp))


def test_curves_show_both_phases() -> None:
    whole = reporting.curves(HISTORY)
    assert len(whole) < 60_000
    one_phase = reporting.curves({**HISTORY, "epoch": [1, 2, 3, 4]})
    assert not np.array_equal(pixels(whole), pixels(one_phase))


def test_bundles_stand_side_by_side() -> None:
    first, second = (measured(3, count=count)[1] for count in (100, 200))
    names = {"accuracy": "Accuracy", "macro_roc_auc": "ROC AUC, one label against the rest, mean over labels"}
    pair = reporting.forest({"shapes 1": first, "shapes 2": second}, names, "Test images")
    assert pixels(pair).shape[0] > pixels(reporting.forest({"shapes 1": first}, names, "Test images")).shape[0]
    swapped = reporting.forest({"shapes 1": second, "shapes 2": first}, names, "Test images")
    assert not np.array_equal(pixels(pair), pixels(swapped))


def test_the_report_of_a_bundle_holds_its_training_if_there_was_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    manifest = publish_tiny(tmp_path_factory.mktemp("models"), labels=SHAPES)
    given = guesses(72, 3)
    manifest = manifest.model_copy(update={"evaluation": evaluate(given, SHAPES, manifest.calibration, 1)})
    pictures = {"confusion.png", "precision-recall.png", "reliability.png", "roc.png"}
    assert set(reporting.report(given, manifest, None)) == pictures
    assert set(reporting.report(given, manifest, HISTORY)) == pictures | {"training.png"}


def test_the_same_figures_give_the_same_file() -> None:
    given, evaluation = measured(3)
    assert reporting.diagrams(given, evaluation, ONCE) == reporting.diagrams(given, evaluation, ONCE)
    assert reporting.curves(HISTORY) == reporting.curves(HISTORY)
    assert b"matplotlib" not in reporting.curves(HISTORY)

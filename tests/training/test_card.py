"""The card says what the manifest says, and what a person said of the task."""

from pathlib import Path

import numpy as np
import pytest

from services.bundle.evaluation import Estimate
from services.bundle.manifest import Calibration, Import, Manifest
from tests.bundles import SHAPES, publish_tiny
from tests.training.answering import guesses
from tests.training.conftest import Trained
from tests.training.sections.filled import evaluation
from tests.training.sections.filled import manifest as manifest_with_every_field
from tests.training.sections.filled import task as task_with_every_field
from training.answers import Answers
from training.card import write_card
from training.evaluation import evaluate

SECTIONS = (
    "Use",
    "Outcome",
    "Warnings and limits",
    "Never tested on",
    "Data",
    "Validation",
    "On sources it never saw",
    "Floors",
    "Figures",
    "Labels",
    "Sources",
    "Confusion matrix",
    "Calibration",
    "Operating points",
    "Prediction sets",
    "Foreign images",
    "Steadiness",
)
CALIBRATION = Calibration(temperature=2.0, activation="softmax")


def with_figures(manifest: Manifest, given: Answers, calibration: Calibration = CALIBRATION) -> Manifest:
    return manifest.model_copy(
        update={"calibration": calibration, "evaluation": evaluate(given, manifest.labels, calibration, 1)}
    )


@pytest.fixture
def tiny(tmp_path: Path) -> Manifest:
    return publish_tiny(tmp_path / "tiny", labels=SHAPES)


@pytest.fixture
def manifest(tiny: Manifest) -> Manifest:
    """A manifest whose figures are neither perfect nor alike."""
    return with_figures(tiny, guesses(90, 3, skill=1.0))


@pytest.fixture
def card(manifest: Manifest, trained: Trained) -> str:
    return write_card(manifest, trained.plan.task, trained.plan.split)


def short(estimate: Estimate | None) -> str:
    assert estimate is not None
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


# ---------------------------------------------------------------- figures


def test_every_figure_is_on_the_card(card: str, manifest: Manifest) -> None:
    for metric in manifest.evaluation.metrics:
        assert f"| {metric.value:.4f} | {metric.low:.4f} to {metric.high:.4f} |" in card
    assert manifest.evaluation.confusion is not None
    for label, counts in zip(manifest.labels, manifest.evaluation.confusion, strict=True):
        assert f"| {label} | {' | '.join(str(count) for count in counts)} |" in card
    for entry in manifest.evaluation.per_label:
        figures = (entry.recall, entry.specificity, entry.precision, entry.f1, entry.roc_auc, entry.average_precision)
        assert f"| {entry.label.title()} | {entry.support} | {' | '.join(short(one) for one in figures)} |" in card
    for source in manifest.evaluation.per_source:
        cells = (source.source, source.images, source.groups, short(source.accuracy))
        ranked = (short(source.balanced_accuracy), short(source.roc_auc))
        assert f"| {' | '.join(str(cell) for cell in (*cells, *ranked))} |" in card
    assert f"divided by {manifest.calibration.temperature:.4f}" in card


def test_the_diagrams_are_linked(card: str) -> None:
    for name in ("roc", "precision-recall", "confusion", "reliability", "training"):
        assert f"](report/{name}.png)" in card


def test_several_labels_per_image_have_no_matrix(tiny: Manifest, trained: Trained) -> None:
    calibration = Calibration(temperature=1.5, activation="sigmoid")
    several = with_figures(tiny, guesses(90, 3, several=True), calibration)
    card = write_card(several, trained.plan.task, trained.plan.split)
    assert "report/confusion.png" not in card
    assert "every label of at least one half is a finding" in card
    assert "An image may have several labels" in card


def test_a_perfect_score_is_not_sold_as_certain(tiny: Manifest, trained: Trained) -> None:
    card = write_card(with_figures(tiny, guesses(90, 3, skill=90.0)), trained.plan.task, trained.plan.split)
    # Three in 45 groups.
    assert "Test accuracy 1.0000 (95 % interval 0.9333 to 1.0000)" in card
    assert "then the interval of a share reaches 3/n below one" in card


def test_a_temperature_at_its_bound_is_told(manifest: Manifest, trained: Trained) -> None:
    def card(temperature: float) -> str:
        calibration = Calibration(temperature=temperature, activation="softmax")
        changed = manifest.model_copy(update={"calibration": calibration})
        return write_card(changed, trained.plan.task, trained.plan.split)

    assert "would have gone further" in card(0.25)
    assert "would have gone further" in card(10.0)
    assert "would have gone further" not in card(1.0)


# ---------------------------------------------------------------- all that a manifest may hold


def test_every_number_of_a_full_manifest_is_on_the_card() -> None:
    card = write_card(manifest_with_every_field(), task_with_every_field(), None)
    for title in SECTIONS:
        assert card.count(f"\n## {title}\n") == 1
    for figure in ("0.0625", "| 0.9375 | 87.5 % |", "96.9 %", "0.938 (0.875 to 0.969)", "| Blurred | 0.750 (0.625 to"):
        assert figure in card
    for nothing in ("not measured of", "Not measured", "There are none", "something else altogether"):
        assert nothing not in card


def test_the_head_sets_the_main_figures_beside_sources_never_seen_and_floors() -> None:
    full = manifest_with_every_field(evaluation=evaluation(("balanced_accuracy", 0.75)))
    head = write_card(full, task_with_every_field(), None).partition("\n## ")[0]
    assert "Test accuracy 0.7500 (95 % interval 0.6250 to 0.8750) on 100 images that training never saw." in head
    assert "worst of the sources never seen" in head
    assert "| accuracy | 0.750 (0.625 to 0.875) | 0.625 (0.500 to 0.750), elsewhere |" in head
    assert "| 0.625 (0.375 to 0.750) | 0.333 | 0.500 (0.375 to 0.750) | 0.500 |" in head


def test_what_validation_decides_is_told(card: str) -> None:
    assert "Validation chooses the epoch and fits the temperature. Test is only measured." in card
    full = write_card(manifest_with_every_field(), task_with_every_field(), None)
    assert (
        "fits the temperature, the operating points, the threshold of the prediction sets and the threshold of the "
        "detector of foreign images. Test is only measured."
    ) in full


# ---------------------------------------------------------------- words


def test_what_a_person_wrote_is_on_the_card(card: str, trained: Trained) -> None:
    task = trained.plan.task
    for sentence in (task.title, task.warning, task.intended_use, task.upload, *task.out_of_scope, *task.limits):
        assert sentence in card
    for label in task.labels:
        assert f"| {label.title} |" in card
        assert label.explanation in card


def test_the_fields_of_a_model_facts_label_are_there(card: str, manifest: Manifest) -> None:
    for title in SECTIONS:
        assert card.count(f"\n## {title}\n") == 1
    assert f"Version {{version}}, {manifest.created:%d %B %Y}" in card
    assert "How to use it: " in card
    assert "Internal and retrospective: once, on 72 images in 72 groups of source 0 and source 1" in card
    assert "- Images of any other source than source 0 and source 1." in card


def test_the_version_is_left_to_the_store(card: str) -> None:
    assert card.count("{version}") == 1


def test_a_source_of_one_label_is_warned_of(tiny: Manifest, trained: Trained) -> None:
    given = guesses(90, 3)
    first = np.array([sample.source == "source 1" for sample in given.samples])
    kept = np.flatnonzero(~first | (given.classes == 0))
    tied = Answers(given.logits[kept], given.truths[kept], tuple(given.samples[n] for n in kept))
    card = write_card(with_figures(tiny, tied), trained.plan.task, trained.plan.split)
    assert "The test images of source 1 have one label only" in card
    assert "have one label only" not in write_card(with_figures(tiny, given), trained.plan.task, trained.plan.split)


def test_a_label_without_test_images_is_told(tiny: Manifest, trained: Trained) -> None:
    given = guesses(90, 3)
    kept = np.flatnonzero(given.classes != 2)
    thin = Answers(given.logits[kept], given.truths[kept], tuple(given.samples[n] for n in kept))
    card = write_card(with_figures(tiny, thin), trained.plan.task, trained.plan.split)
    assert "- Images of stripes: the test part holds none." in card


# ---------------------------------------------------------------- data


def test_data_is_counted_per_part_label_and_source(card: str) -> None:
    assert "| training | 72 | 72 |" in card
    assert "| disc | 12 | 4 | 4 |" in card
    assert "| source 0 | " in card


def test_labels_are_counted_within_each_source(card: str, trained: Trained) -> None:
    def count(label: str, source: str) -> str:
        parts = (trained.plan.split.train, trained.plan.split.validation, trained.plan.split.test)
        counts = (sum(sample.label == label and sample.source == source for sample in part) for part in parts)
        return " / ".join(str(number) for number in counts)

    assert f"| disc | {count('disc', 'source 0')} | {count('disc', 'source 1')} |" in card


def test_the_recipe_and_the_licence_are_on_the_card(card: str, manifest: Manifest) -> None:
    assert manifest.origin.kind == "training"
    assert manifest.origin.recipe.strip() in card
    assert manifest.origin.data_licence in card


def test_a_split_by_image_is_told(card: str, manifest: Manifest, trained: Trained) -> None:
    assert "no groups were given, so near-copies may leak" in card
    assert "- The images came without groups" in card
    origin = manifest.origin.model_copy(update={"split_by": "group"})
    grouped = write_card(manifest.model_copy(update={"origin": origin}), trained.plan.task, trained.plan.split)
    assert "a group is never split" in grouped
    assert "came without groups" not in grouped


def test_a_bar_in_a_name_does_not_break_a_table(manifest: Manifest, trained: Trained) -> None:
    origin = manifest.origin.model_copy(update={"initial_weights": "this | that"})
    card = write_card(manifest.model_copy(update={"origin": origin}), trained.plan.task, trained.plan.split)
    assert "| began from | this \\| that |" in card


def test_weights_that_were_fitted_elsewhere_are_told(tmp_path: Path, trained: Trained) -> None:
    manifest = with_figures(publish_tiny(tmp_path / "tiny", labels=SHAPES, imported=True), guesses(90, 3))
    card = write_card(manifest, trained.plan.task, None)
    assert isinstance(manifest.origin, Import)
    assert f"| imported from | {manifest.origin.file} |" in card
    assert manifest.origin.file_sha256 in card
    assert "nobody knows whether they were fitted to these images" in card
    assert "- The weights were fitted elsewhere." in card
    assert "nobody knows of which sources the images were that the weights were fitted to" in card
    for absent in ("training never saw", "report/training.png", "The recipe", "| training | "):
        assert absent not in card

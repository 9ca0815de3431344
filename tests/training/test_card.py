"""The card says what the manifest says, and what a person said of the task."""

from pathlib import Path

import pytest

from services.bundle.manifest import Calibration, Manifest, Metric
from tests.bundles import SHAPES, publish_tiny
from tests.training.conftest import Trained
from training.card import write_card
from training.evaluation import Answers, evaluate


@pytest.fixture
def manifest(tmp_path: Path, trained: Trained) -> Manifest:
    """A manifest whose figures are neither perfect nor alike."""
    tiny = publish_tiny(tmp_path / "tiny", labels=SHAPES)
    truth = trained.test.classes
    logits = trained.tuned.classifier.predict_on_batch(trained.test.pixels.astype("float32")) / 1e6
    logits[:2] = logits[:2, ::-1] * 1e6
    evaluation = evaluate(Answers(logits, truth, trained.test.samples), SHAPES, Calibration(temperature=2.0), 1)
    return tiny.model_copy(update={"calibration": Calibration(temperature=2.0), "evaluation": evaluation})


@pytest.fixture
def card(manifest: Manifest, trained: Trained) -> str:
    return write_card(manifest, trained.plan.task, trained.plan.split)


def test_every_figure_is_on_the_card(card: str, manifest: Manifest) -> None:
    for metric in manifest.evaluation.metrics:
        assert f"| {metric.value:.4f} | {metric.low:.4f} to {metric.high:.4f} |" in card
    for label, counts in zip(manifest.labels, manifest.evaluation.confusion, strict=True):
        assert f"| {label} | {' | '.join(str(count) for count in counts)} |" in card
    for source in manifest.evaluation.per_source:
        assert f"| {source.source} | {source.images} | {source.groups} | {source.accuracy:.4f} |" in card
    assert f"divided by {manifest.calibration.temperature:.4f}" in card


def test_what_a_person_wrote_is_on_the_card(card: str, trained: Trained) -> None:
    task = trained.plan.task
    for sentence in (task.title, task.warning, task.intended_use, *task.out_of_scope, *task.limits):
        assert sentence in card
    for label in task.labels:
        assert f"| {label.title} |" in card
        assert label.explanation in card


def test_data_is_counted_per_part_label_and_source(card: str) -> None:
    assert "| training | 72 | 72 |" in card
    assert "| disc | 12 | 4 | 4 |" in card
    assert "| source 0 | " in card


def test_the_recipe_and_the_licence_are_on_the_card(card: str, manifest: Manifest) -> None:
    assert manifest.training.recipe.strip() in card
    assert manifest.training.data_licence in card


def test_the_version_is_left_to_the_store(card: str) -> None:
    assert card.count("{version}") == 1


def test_a_perfect_score_is_not_sold_as_certain(manifest: Manifest, trained: Trained) -> None:
    perfect = Metric(name="accuracy", value=1.0, low=1.0, high=1.0)
    others = manifest.evaluation.metrics[1:]
    evaluation = manifest.evaluation.model_copy(update={"metrics": (perfect, *others)})
    card = write_card(manifest.model_copy(update={"evaluation": evaluation}), trained.plan.task, trained.plan.split)
    # Three in the 72 groups of the manifest's test part.
    assert "up to 4.2% remain possible" in card


def test_a_temperature_at_its_bound_is_told(manifest: Manifest, trained: Trained) -> None:
    def card(temperature: float) -> str:
        changed = manifest.model_copy(update={"calibration": Calibration(temperature=temperature)})
        return write_card(changed, trained.plan.task, trained.plan.split)

    assert "would have gone further" in card(1.0)
    assert "would have gone further" in card(10.0)
    assert "would have gone further" not in card(1.3)


def test_a_split_by_image_is_told(card: str, manifest: Manifest, trained: Trained) -> None:
    assert "no groups were given, so near-copies may leak" in card
    training = manifest.training.model_copy(update={"split_by": "group"})
    grouped = write_card(manifest.model_copy(update={"training": training}), trained.plan.task, trained.plan.split)
    assert "a group is never split" in grouped


def test_a_bar_in_a_name_does_not_break_a_table(manifest: Manifest, trained: Trained) -> None:
    training = manifest.training.model_copy(update={"initial_weights": "this | that"})
    card = write_card(manifest.model_copy(update={"training": training}), trained.plan.task, trained.plan.split)
    assert "| began from | this \\| that |" in card

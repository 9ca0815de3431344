"""Every committed bundle keeps the promises of its manifest, its card and the README."""

import csv
import functools
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from routers.headline import Headline
from services.bundle.calibration import probabilities
from services.bundle.classifier import load_classifier
from services.bundle.decision import OperatingPoint
from services.bundle.evaluation import Estimate, Metric
from services.bundle.hints import hintable
from services.bundle.manifest import Import, Manifest, Training
from services.bundle.preprocessing import prepare
from services.bundle.store import Store
from services.compiler import Compiler
from services.imaging import decode
from services.network import Network
from services.registry import Registry
from tests.gradcam import grad_cam
from tests.pills import EXAMPLE, draw_caplets
from training.decisions import COVERAGE, SENSITIVITY, SPECIFICITY
from training.variants import VARIANTS

ROOT = Path(__file__).resolve().parent.parent.parent
STORE = Store(ROOT / "model_store")
BUNDLES = [(task, version) for task in STORE.tasks() for version in STORE.versions(task)]
# Real images, where a maintainer has them; they are never part of the repository.
REAL_IMAGES = ROOT.parent / "shared" / "data"
NOT_AT_HAND = "the images of {} are not at hand; maintainers keep them beside the repository"
PER_LABEL = ("precision", "recall", "specificity", "f1", "roc_auc", "average_precision")

each_bundle = pytest.mark.parametrize(("task", "version"), BUNDLES)


def percent(metric: Estimate) -> str:
    return f"{100 * metric.value:.1f} % ({100 * metric.low:.1f} to {100 * metric.high:.1f})"


def row(manifest: Manifest) -> str:
    """The README's row of a served bundle."""
    headline, test = Headline.of(manifest), manifest.origin.test
    seen = "none seen in training" if manifest.origin.kind == "training" else "perhaps seen in training"
    across = "one source" if headline.across is None else percent(headline.across.lowest)
    return (
        f"| [{STORE.task(manifest.task).title}](model_store/{manifest.task}/{manifest.version}/card.md) "
        f"| {len(manifest.labels)} | {headline.title} | {percent(headline.figure)} | {across} "
        f"| {'-' if headline.floor is None else f'{100 * headline.floor.value:.1f} %'} "
        f"| {test.images} images in {test.groups} groups, {seen} |"
    )


def test_there_is_a_bundle_for_every_task() -> None:
    assert BUNDLES
    assert {task for task, _ in BUNDLES} == set(STORE.tasks())


@pytest.fixture(scope="session")
def proven(committed_graphs: Path) -> Registry:
    registry = Registry(STORE, Compiler(committed_graphs, seconds=300, memory_mb=8192), standby=100)
    registry.scan()
    return registry


@each_bundle
def test_it_loads_and_reproduces_its_reference_logits(proven: Registry, task: str, version: int) -> None:
    assert proven.live(task, version).manifest.version == version
    assert proven.missing() == {}


@each_bundle
def test_its_weights_are_half_precision_and_small(task: str, version: int) -> None:
    manifest = STORE.read(task, version).manifest
    assert manifest.weights.size < 12 * 2**20
    assert manifest.weights.halving.changed_predictions <= 0.005 * manifest.weights.halving.images
    assert manifest.weights.halving.largest_probability_change <= 0.02
    assert manifest.weights.halving.images == manifest.origin.validation.images


@each_bundle
def test_its_figures_agree_with_its_confusion_matrix(task: str, version: int) -> None:
    manifest = STORE.read(task, version).manifest
    evaluation = manifest.evaluation
    if evaluation.confusion is None:
        pytest.skip("an image may have several labels, so there is no confusion matrix")
    confusion = np.array(evaluation.confusion)
    accuracy = evaluation.metric("accuracy")
    assert accuracy is not None
    assert confusion.sum() == manifest.origin.test.images
    assert accuracy.value == pytest.approx(np.trace(confusion) / confusion.sum(), abs=1e-4)
    for number, entry in enumerate(evaluation.per_label):
        right, had, given = confusion[number, number], confusion[number].sum(), confusion[:, number].sum()
        others = confusion.sum() - had
        assert entry.support == had
        assert_share(entry.recall, right, had)
        assert_share(entry.precision, right, given)
        assert_share(entry.specificity, others - (given - right), others)
        assert_share(entry.f1, 2 * right, had + given)


def assert_share(estimate: Estimate | None, part: int, whole: int) -> None:
    # Of nothing there is no share; whether F1 is one of them or zero is for the evaluation to say.
    if estimate is None:
        assert part == 0
    else:
        assert estimate.value == pytest.approx(part / max(whole, 1), abs=1e-4)


@each_bundle
def test_every_interval_holds_its_figure(task: str, version: int) -> None:
    manifest = STORE.read(task, version).manifest
    evaluation = manifest.evaluation
    figures = [
        *((metric.name, metric) for metric in evaluation.metrics),
        *((f"{entry.label}: {name}", getattr(entry, name)) for entry in evaluation.per_label for name in PER_LABEL),
        *((entry.source, entry.accuracy) for entry in evaluation.per_source),
        *((entry.source, entry.balanced_accuracy) for entry in evaluation.per_source),
        *((entry.source, entry.roc_auc) for entry in evaluation.per_source),
        *((" + ".join(held.sources), metric) for held in manifest.across for metric in held.metrics),
        *((point.name, estimate) for point in manifest.operating_points for estimate in shares(point)),
        *((variant.name, variant.accuracy) for variant in manifest.steadiness),
        *((effect.name, effect.right) for effect in manifest.hints),
    ]
    measured = [(name, estimate) for name, estimate in figures if estimate is not None]
    assert len(measured) > len(evaluation.per_label)
    for name, estimate in measured:
        assert estimate.low <= estimate.value <= estimate.high, name
        if "likelihood" not in (estimate.name if isinstance(estimate, Metric) else name):
            assert 0 <= estimate.low <= estimate.high <= 1, name


def shares(point: OperatingPoint) -> tuple[Estimate, Estimate]:
    return point.sensitivity, point.specificity


@each_bundle
def test_it_carries_what_its_task_calls_for(task: str, version: int) -> None:
    manifest, described = STORE.read(task, version).manifest, STORE.task(task)
    assert [point.label for point in manifest.operating_points] == [described.positive] * 3 * bool(described.positive)
    single = manifest.calibration.activation == "softmax"
    assert (manifest.prediction_sets is not None) == (single and len(manifest.labels) > 2)
    if not isinstance(manifest.origin, Training):
        return
    assert manifest.novelty is not None
    assert manifest.floors is not None
    assert {variant.name for variant in manifest.steadiness} == {variant.name for variant in VARIANTS}
    assert bool(manifest.hints) == hintable(described.labels)
    sources = [entry for entry in manifest.evaluation.per_source if entry.balanced_accuracy is not None]
    # Where there is another source to hold out, a figure within the sources does not stand alone.
    assert bool(manifest.across) == (len(manifest.evaluation.per_source) > 1), sources


@each_bundle
def test_what_loses_nothing_changes_nothing(task: str, version: int) -> None:
    for variant in STORE.read(task, version).manifest.steadiness:
        if variant.name in {"png", "webp_lossless", "tiff"}:
            assert (variant.change, variant.unchanged, variant.largest_shift) == (0, 1, 0), variant.name


@each_bundle
def test_its_operating_points_and_sets_keep_near_to_their_promises(task: str, version: int) -> None:
    manifest = STORE.read(task, version).manifest
    for point in manifest.operating_points:
        if point.name == "rule_out":
            assert point.sensitivity.high >= SENSITIVITY
        if point.name == "rule_in":
            assert point.specificity.high >= SPECIFICITY
    if manifest.prediction_sets is not None:
        assert manifest.prediction_sets.coverage.high >= COVERAGE


@each_bundle
def test_noise_is_refused(proven: Registry, task: str, version: int) -> None:
    live = proven.live(task, version)
    if live.detector is None or live.manifest.novelty is None:
        pytest.skip("imported weights come without a detector")
    random = np.random.default_rng(5)
    size = (live.manifest.preprocessing.height, live.manifest.preprocessing.width, 3)
    for stranger in random.integers(0, 256, (4, *size), dtype=np.uint8):
        answer = live.network.answer(prepare(stranger, live.manifest.preprocessing))
        assert live.detector.scores(answer.features[None])[0] > live.manifest.novelty.threshold


@each_bundle
def test_its_saliency_is_grad_cam(proven: Registry, task: str, version: int) -> None:
    bundle, model = STORE.read(task, version), load_keras(task, version)
    tensor = bundle.probe_tensor
    maps = proven.live(task, version).network.answer(tensor, saliency=True).saliency
    assert maps is not None
    np.testing.assert_allclose(maps, grad_cam(model, tensor[None].astype(np.float32))[0], atol=1e-4)


@each_bundle
def test_its_counts_add_up_to_its_test_images(task: str, version: int) -> None:
    manifest = STORE.read(task, version).manifest
    images, single = manifest.origin.test.images, manifest.calibration.activation == "softmax"
    supports = [entry.support for entry in manifest.evaluation.per_label]
    assert images > 0
    assert sum(entry.images for entry in manifest.evaluation.per_source) == images
    assert sum(supports) == images if single else max(supports) <= images
    for entry in manifest.evaluation.per_label:
        # A share of the label's images can be had as soon as there is one, of the others likewise.
        assert (entry.recall is None) == (entry.support == 0), entry.label
        assert (entry.specificity is None) == (entry.support == images), entry.label


@each_bundle
def test_it_tells_what_decided_its_weights(task: str, version: int) -> None:
    manifest, seen = STORE.read(task, version).manifest, STORE.seen(task, version)
    assert (seen is None) == (manifest.seen is None)
    if seen is None:
        assert manifest.origin.kind == "import"
        return
    for numbers in (seen.images, seen.groups):
        assert numbers.size > 0
        assert (np.diff(numbers) > 0).all()
    if isinstance(manifest.origin, Training):
        # Files that are the same byte for byte count once here, and twice there; most are not.
        assert seen.images.size > 0.9 * (manifest.origin.train.images + manifest.origin.validation.images)


@each_bundle
def test_its_test_images_decided_nothing(task: str, version: int) -> None:
    index = REAL_IMAGES / task / "index.csv"
    if not index.is_file():
        pytest.skip(NOT_AT_HAND.format(task))
    seen = STORE.seen(task, version)
    if seen is None:
        pytest.skip("nobody knows which images the imported weights were fitted to")
    with index.open(newline="") as file:
        contents = [(index.parent / row["path"]).read_bytes() for row in csv.DictReader(file)]
    digests = [int.from_bytes(hashlib.sha256(content).digest()[:8]) for content in contents]
    unseen = ~np.isin(np.array(digests, np.uint64), seen.images)
    assert not unseen.all()
    assert unseen.sum() >= STORE.read(task, version).manifest.origin.test.images


@each_bundle
def test_its_card_tells_its_figures_and_its_limits(task: str, version: int) -> None:
    manifest, described = STORE.read(task, version).manifest, STORE.task(task)
    card = (ROOT / "model_store" / task / str(version) / "card.md").read_text("utf-8")
    accuracy = manifest.evaluation.metric("accuracy")
    assert accuracy is not None
    for text in (described.intended_use, described.warning, *described.out_of_scope, *described.limits):
        assert text in card
    assert f"ersion {version}" in card
    assert manifest.origin.data_licence in card
    if isinstance(manifest.origin, Import):
        assert manifest.origin.file in card
        assert manifest.origin.file_sha256 in card
    assert "{version}" not in card


@pytest.mark.parametrize("task", STORE.tasks())
def test_the_readme_shows_the_figures_of_what_is_served(proven: Registry, task: str) -> None:
    assert row(proven.live(task).manifest) in (ROOT / "README.md").read_text("utf-8")


@each_bundle
def test_the_compiled_graph_agrees_with_keras_on_drawn_pictures(proven: Registry, task: str, version: int) -> None:
    bundle = STORE.read(task, version)
    random = np.random.default_rng(0)
    pictures = [draw_caplets(), bundle.probe_pixels, *random.integers(0, 256, (6, 90, 120, 3), dtype=np.uint8)]
    tensors = np.stack([prepare(picture, bundle.manifest.preprocessing) for picture in pictures])
    assert_agreement(proven.live(task, version).network, load_keras(task, version), tensors, bundle.manifest)


@each_bundle
def test_the_compiled_graph_agrees_with_keras_on_real_images(proven: Registry, task: str, version: int) -> None:
    folder = REAL_IMAGES / task
    if not folder.is_dir():
        pytest.skip(NOT_AT_HAND.format(task))
    manifest = STORE.read(task, version).manifest
    with (folder / "index.csv").open(newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file)][::150]
    decoded = [decode((folder / path).read_bytes(), max_pixels=10**7).pixels for path in paths]
    tensors = np.stack([prepare(pixels, manifest.preprocessing) for pixels in decoded])
    assert_agreement(proven.live(task, version).network, load_keras(task, version), tensors, manifest)


@functools.cache
def load_keras(task: str, version: int) -> Any:
    bundle = STORE.read(task, version)
    return load_classifier(bundle.weights.read_bytes(), bundle.manifest)


def assert_agreement(network: Network, model: Any, tensors: Any, manifest: Manifest) -> None:
    theirs = probabilities(np.array(model(tensors.astype(np.float32))), manifest.calibration)
    ours = probabilities(np.stack([network.logits(tensor) for tensor in tensors]), manifest.calibration)
    np.testing.assert_array_equal(ours.argmax(axis=1), theirs.argmax(axis=1))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_the_example_is_drawn_by_code() -> None:
    with Image.open(EXAMPLE) as image:
        np.testing.assert_allclose(np.asarray(image).astype(int), draw_caplets().astype(int), atol=1)

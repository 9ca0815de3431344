"""Every committed bundle keeps the promises of its manifest, its card and the README."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.bundle.calibration import probabilities
from services.bundle.manifest import Manifest, Metric
from services.bundle.preprocessing import prepare
from services.bundle.store import Store
from services.compiler import Compiler
from services.compiler.conversion import load_classifier
from services.imaging import decode
from services.network import Network
from services.registry import Registry
from tests.pills import EXAMPLE, draw_caplets

ROOT = Path(__file__).resolve().parent.parent.parent
STORE = Store(ROOT / "model_store")
BUNDLES = [(task, version) for task in STORE.tasks() for version in STORE.versions(task)]
# Real images, where a maintainer has them; they are never part of the repository.
REAL_IMAGES = ROOT.parent / "shared" / "data"

each_bundle = pytest.mark.parametrize(("task", "version"), BUNDLES)


def percent(metric: Metric | None) -> str:
    assert metric is not None
    return f"{100 * metric.value:.1f} % ({100 * metric.low:.1f} to {100 * metric.high:.1f})"


def row(manifest: Manifest) -> str:
    """The README's row of a served bundle."""
    title = STORE.task(manifest.task).title
    trained = manifest.training
    return (
        f"| [{title}](model_store/{manifest.task}/{manifest.version}/card.md) | {len(manifest.labels)} "
        f"| {percent(manifest.evaluation.metric('accuracy'))} "
        f"| {trained.test.images} images in {trained.test.groups} groups, none seen in training |"
    )


def test_there_is_a_bundle_for_every_task() -> None:
    assert BUNDLES
    assert {task for task, _ in BUNDLES} == set(STORE.tasks())


@pytest.fixture(scope="session")
def proven(graphs: Path) -> Registry:
    registry = Registry(STORE, Compiler(graphs, seconds=300, memory_mb=8192), standby=100)
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
    assert manifest.weights.halving.changed_predictions == 0
    assert manifest.weights.halving.largest_probability_change <= 0.01
    assert manifest.weights.halving.images == manifest.training.validation.images


@each_bundle
def test_its_figures_agree_with_its_confusion_matrix(task: str, version: int) -> None:
    manifest = STORE.read(task, version).manifest
    confusion = np.array(manifest.evaluation.confusion)
    accuracy = manifest.evaluation.metric("accuracy")
    assert accuracy is not None
    assert confusion.sum() == manifest.training.test.images
    assert accuracy.value == pytest.approx(np.trace(confusion) / confusion.sum(), abs=1e-4)
    assert accuracy.low <= accuracy.value <= accuracy.high
    assert [entry.support for entry in manifest.evaluation.per_label] == confusion.sum(axis=1).tolist()


@each_bundle
def test_its_card_tells_its_figures_and_its_limits(task: str, version: int) -> None:
    manifest, described = STORE.read(task, version).manifest, STORE.task(task)
    card = (ROOT / "model_store" / task / str(version) / "card.md").read_text("utf-8")
    accuracy = manifest.evaluation.metric("accuracy")
    assert accuracy is not None
    for text in (described.intended_use, described.warning, *described.out_of_scope, *described.limits):
        assert text in card
    assert f"ersion {version}" in card
    assert manifest.training.data_licence in card
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
        pytest.skip(f"the images of {task} are not at hand; maintainers keep them beside the repository")
    manifest = STORE.read(task, version).manifest
    with (folder / "index.csv").open(newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file)][::150]
    decoded = [decode((folder / path).read_bytes(), max_pixels=10**7).pixels for path in paths]
    tensors = np.stack([prepare(pixels, manifest.preprocessing) for pixels in decoded])
    assert_agreement(proven.live(task, version).network, load_keras(task, version), tensors, manifest)


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

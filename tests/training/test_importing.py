"""From a legacy file to a bundle that is served, measured on images that are at hand."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from services.bundle.calibration import probabilities
from services.bundle.graph import LayerGraph
from services.bundle.manifest import Import, Manifest
from services.bundle.store import Store
from services.compiler import Compiler
from services.errors import SightlineError, UnknownTask
from services.network import Network
from tests.bundles import write_task
from training.errors import ImagesInvalid, LegacyInvalid, NotPublishable
from training.folders import read_folder
from training.importing import Material, import_model
from training.legacy.conventions import Conventions

from .conftest import LABELS, Trained, draw_images
from .legacy.files import as_keras_2, rewrite, save, stir

TOLD = Conventions(
    labels=("disc", "square", "stripes"),
    scaling="inside",
    colour="rgb",
    size=(40, 40),
    fit="letterbox",
    multilabel=False,
)


def unwatched(doing: str, count: int) -> Callable[[Iterable[Any]], Iterable[Any]]:
    assert doing.startswith(f"Decoding {count} ")
    return iter


def bring_in(path: Path, images: Path, store_root: Path, **changed: Any) -> tuple[Manifest, list[str]]:
    said: list[str] = []
    material = Material(images, "Shapes drawn by code.", "None needed.", changed.pop("group_pattern", None), 3)
    told = dataclasses.replace(TOLD, **changed)
    return import_model(path, "shapes", told, material, Store(store_root), unwatched, said.append), said


def as_legacy(classifier: Any) -> Any:
    """A classifier of the trainer as a notebook would have saved it: its probabilities, not its logits."""
    return keras.Model(classifier.input, layers.Softmax()(classifier.output))


@pytest.fixture(scope="module")
def saved(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A legacy file of a classifier that tells the shapes apart."""
    return as_keras_2(save(as_legacy(trained.tuned.classifier), tmp_path_factory.mktemp("legacy") / "shapes_model.h5"))


@dataclasses.dataclass(frozen=True)
class Imported:
    """A bundle that was made of a legacy file."""

    manifest: Manifest
    said: list[str]
    root: Path


@pytest.fixture(scope="module")
def imported(saved: Path, trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    root = tmp_path_factory.mktemp("model_store")
    write_task(root, "shapes", LABELS)
    manifest, said = bring_in(saved, trained.plan.folder.root, root)
    return Imported(manifest, said, root)


# ---------------------------------------------------------------- the bundle


def test_the_bundle_answers_as_the_saved_model_did(imported: Imported, trained: Trained, tmp_path: Path) -> None:
    """Compiled as for serving, and with the temperature taken out again."""
    bundle = Store(imported.root).read("shapes", 1)
    network = Network(Compiler(tmp_path / "graphs", seconds=120, memory_mb=8192).graph(bundle))
    pixels = np.asarray(trained.test.pixels[:])
    logits = np.stack([network.logits(image) for image in pixels])
    before = bundle.manifest.calibration.model_copy(update={"temperature": 1.0})
    expected = np.asarray(as_legacy(trained.tuned.classifier)(pixels.astype(np.float32), training=False))
    np.testing.assert_allclose(probabilities(logits, before), expected, atol=0.02)
    np.testing.assert_allclose(network.logits(bundle.probe_tensor), bundle.manifest.probe.logits, atol=2e-3)


def test_the_manifest_says_where_it_comes_from(imported: Imported, saved: Path, trained: Trained) -> None:
    manifest = imported.manifest
    assert manifest.labels == TOLD.labels
    assert isinstance(manifest.architecture, LayerGraph)
    assert manifest.architecture.layers[-1].name == "logits"
    assert (manifest.preprocessing.height, manifest.preprocessing.width) == (40, 40)
    assert manifest.preprocessing.fit == "letterbox"
    assert manifest.seen is None
    origin = manifest.origin
    assert isinstance(origin, Import)
    assert (origin.file, origin.file_sha256) == (saved.name, hashlib.sha256(saved.read_bytes()).hexdigest())
    assert (origin.data, origin.data_licence) == ("Shapes drawn by code.", "None needed.")
    assert origin.index_sha256 == trained.plan.folder.sha256
    assert origin.split_by == "group"
    assert keras.__version__ in origin.software
    # A fifth for the temperature, the rest to measure on, and no image in both.
    assert (origin.validation.images, origin.test.images) == (12, 48)
    assert origin.validation.groups + origin.test.groups == 30
    assert manifest.weights.halving.images == 12
    assert sum(entry.support for entry in manifest.evaluation.per_label) == 48
    assert imported.said == []
    # What needs the images of training is not there; what needs measuring alone is.
    assert (manifest.novelty, manifest.floors) == (None, None)
    assert (manifest.across, manifest.steadiness, manifest.operating_points) == ((), (), ())
    assert not (imported.root / "shapes/1/novelty.npz").exists()
    assert manifest.prediction_sets is not None
    assert manifest.prediction_sets.coverage.value > 0.8


def test_the_figures_are_measured_and_good(imported: Imported) -> None:
    accuracy = imported.manifest.evaluation.metric("accuracy")
    assert accuracy is not None
    assert accuracy.value > 0.8


def test_the_card_says_that_nobody_knows_what_the_model_has_seen(imported: Imported, saved: Path) -> None:
    card = (imported.root / "shapes/1/card.md").read_text()
    assert "Nobody here knows to which images" in card
    assert "nobody knows whether they were fitted to these images" in card
    assert saved.name in card
    assert "training never saw" not in card


def test_labels_come_in_the_order_of_the_outputs(saved: Path, images: Path, store_root: Path) -> None:
    manifest, _ = bring_in(saved, images, store_root, labels=("square", "disc", "stripes"))
    accuracy = manifest.evaluation.metric("accuracy")
    assert accuracy is not None
    assert accuracy.value < 0.5
    assert manifest.evaluation.confusion is not None
    # What the model calls its first label is a disc, which --labels calls a square.
    assert manifest.evaluation.confusion[1][0] > 10


def test_a_single_sigmoid_serves_two_labels(tmp_path: Path) -> None:
    images, root = draw_images(tmp_path / "images", ("disc", "square")), tmp_path / "models"
    write_task(root, "shapes", ("disc", "square"), positive="disc")
    model = stir(
        keras.Sequential(
            [
                layers.Input((32, 32, 1)),
                layers.Conv2D(4, 3, strides=2, activation="relu"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(1, activation="sigmoid"),
            ]
        )
    )
    path = save(model, tmp_path / "pneumonia_model.h5")
    told = {"labels": ("square", "disc"), "scaling": "0..1", "colour": "grey", "size": None, "fit": "stretch"}
    manifest, said = bring_in(path, images, root, **told)
    assert said == ["It has one output: 0 is taken for square, 1 for disc."]
    assert manifest.labels == ("square", "disc")
    assert manifest.preprocessing.colour == "grey"
    assert manifest.probe.logits[0] == 0
    assert manifest.calibration.activation == "softmax"
    assert {point.label for point in manifest.operating_points} == {"disc"}
    assert len(manifest.operating_points) == 3
    assert manifest.prediction_sets is None


def test_several_labels_per_image(tmp_path: Path) -> None:
    images, root = draw_images(tmp_path / "images"), tmp_path / "models"
    write_task(root, "shapes", LABELS)
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="sigmoid")]
    path = save(stir(keras.Sequential([layers.Input((32, 32, 3)), *head])), tmp_path / "model.h5")
    manifest, _ = bring_in(path, images, root, multilabel=True, scaling="0..1", size=None)
    assert manifest.calibration.activation == "sigmoid"
    assert manifest.evaluation.confusion is None
    assert (manifest.operating_points, manifest.prediction_sets) == ((), None)


# ---------------------------------------------------------------- what is refused, and leaves nothing


def nothing_left(path: Path, images: Path, root: Path, error: type[SightlineError], **changed: Any) -> str:
    before = sorted(root.rglob("*"))
    with pytest.raises(error) as refused:
        bring_in(path, images, root, **changed)
    assert sorted(root.rglob("*")) == before
    assert sorted(path.parent.iterdir()) == [path]
    return str(refused.value)


@pytest.fixture
def alone(saved: Path, tmp_path: Path) -> Path:
    """The file in a folder of its own."""
    (tmp_path / "legacy").mkdir()
    path = tmp_path / "legacy" / saved.name
    path.write_bytes(saved.read_bytes())
    return path


def test_a_hostile_file_leaves_nothing(alone: Path, images: Path, store_root: Path) -> None:
    rewrite(alone, lambda model: model["config"]["layers"][3].update({"class_name": "Lambda"}))
    told = nothing_left(alone, images, store_root, LegacyInvalid)
    assert told.startswith("shapes_model.h5 cannot be imported: it has layers that are not on the list")


@pytest.mark.parametrize(
    ("changed", "error", "reason"),
    [
        ({"labels": ("disc", "square")}, LegacyInvalid, "--labels names disc, square; task.toml has disc, square, st"),
        ({"labels": ("disc", "disc", "square", "stripes")}, LegacyInvalid, "each of which is named once"),
        ({"labels": ()}, LegacyInvalid, "--labels names nothing; task.toml has"),
        ({"size": None}, LegacyInvalid, "say with --size which size it was trained on"),
        (
            {"size": (24, 24)},
            LegacyInvalid,
            "its input does not fit: height: Input should be greater than or equal to 32",
        ),
        ({"size": (0, 40)}, LegacyInvalid, "would give the shape"),
        (
            {"size": (2000, 2000)},
            LegacyInvalid,
            "its input does not fit: height: Input should be less than or equal to",
        ),
    ],
)
def test_what_does_not_fit_leaves_nothing(
    changed: dict[str, Any], error: type[SightlineError], reason: str, alone: Path, images: Path, store_root: Path
) -> None:
    assert reason in nothing_left(alone, images, store_root, error, **changed)


def test_images_that_are_not_the_tasks_leave_nothing(alone: Path, tmp_path: Path, store_root: Path) -> None:
    few = draw_images(tmp_path / "few", ("disc", "square"))
    assert "holds no image of 'stripes'; task.toml has" in nothing_left(alone, few, store_root, ImagesInvalid)
    many = draw_images(tmp_path / "many", (*LABELS, "other"))
    assert "holds an image of 'other'; task.toml has" in nothing_left(alone, many, store_root, ImagesInvalid)
    mixed = draw_images(tmp_path / "mixed")
    index = mixed / "index.csv"
    index.write_text(index.read_text().replace(",disc,", ",disc|square,", 1))
    assert read_folder(mixed).multilabel
    assert "the model gives each image one" in nothing_left(alone, mixed, store_root, ImagesInvalid)


def test_groups_may_be_in_the_names(alone: Path, tmp_path: Path, store_root: Path) -> None:
    images = draw_images(tmp_path / "images", index=False)
    assert "is not a regular expression" in nothing_left(alone, images, store_root, ImagesInvalid, group_pattern="(")
    origin = bring_in(alone, images, store_root, group_pattern=r"^\w+/\d\d(\d)")[0].origin
    assert (origin.split_by, origin.validation.groups, origin.test.groups) == ("group", 2, 8)


def test_a_damaged_image_leaves_nothing(alone: Path, images: Path, store_root: Path) -> None:
    (images / "disc/003.png").write_bytes(b"no image")
    assert "disc/003.png: " in nothing_left(alone, images, store_root, ImagesInvalid)


def test_a_task_that_nobody_wrote_leaves_nothing(alone: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    told = nothing_left(alone, images, tmp_path / "empty", UnknownTask)
    assert told.startswith("The model store holds no task 'shapes'")


@pytest.mark.parametrize("number", [1e38, -1e38])
def test_a_model_that_gives_no_numbers_leaves_nothing(number: float, tmp_path: Path, store_root: Path) -> None:
    images = draw_images(tmp_path / "images")
    model = keras.Sequential([layers.Input((32, 32, 3)), layers.Flatten(), layers.Dense(3), layers.Softmax()])
    model.layers[1].set_weights([np.full((3072, 3), number), np.zeros(3)])
    (tmp_path / "legacy").mkdir()
    path = save(model, tmp_path / "legacy" / "model.h5")
    told = nothing_left(path, images, store_root, LegacyInvalid, scaling="none", size=None)
    assert "gives NaN or infinite numbers" in told


def test_a_model_that_half_precision_changes_leaves_nothing(tmp_path: Path, store_root: Path) -> None:
    images = draw_images(tmp_path / "images")
    model = keras.Sequential(
        [layers.Input((32, 32, 3)), layers.GlobalAveragePooling2D(), layers.Dense(3), layers.Softmax()]
    )
    # Differences that are below the steps of half precision, made large by a bias that takes nearly all of it away.
    kernel = np.full((3, 3), 2000.0) + np.diag([0.4, 0.2, -0.4])
    model.layers[1].set_weights([kernel, np.zeros(3)])
    (tmp_path / "legacy").mkdir()
    path = save(model, tmp_path / "legacy" / "model.h5")
    told = nothing_left(path, images, store_root, NotPublishable, scaling="none", size=None)
    assert "Halving the weights changed" in told

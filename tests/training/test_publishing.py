"""From a trained classifier to a bundle that a reader accepts, with the figures of what it holds."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from services.bundle import weights
from services.bundle.architectures import build
from services.bundle.calibration import probabilities
from services.bundle.evaluation import HeldOut
from services.bundle.fingerprints import Fingerprints
from services.bundle.manifest import Manifest, Training, parse_manifest
from services.bundle.preprocessing import prepare
from services.bundle.store import Bundle, Store
from services.errors import WeightsInvalid
from tests.bundles import write_task
from tests.manifests import valid_manifest
from tests.training.conftest import LABELS, Trained, draw_images, unwatched
from tests.training.test_tuning import QUICK
from training import halving, seen
from training.answers import answer
from training.errors import NotPublishable
from training.evaluation import evaluate
from training.evidence import Elsewhere
from training.finetuning import FineTuned, fine_tune
from training.halving import LARGEST_CHANGE
from training.images import Images, load_images
from training.novelty import PROMISED, featured, features
from training.plan import Plan, draw_up
from training.probe import draw_probe
from training.publishing import publish
from training.temperature import fit_temperature
from training.variants import LOSSLESS, VARIANTS

NOTHING = Fingerprints(np.empty(0, np.uint64), np.empty(0, np.uint64))
Parts = tuple[Images, Images, Images]

pytestmark = pytest.mark.usefixtures("few_foreign")


def put(store: Store, plan: Plan, tuned: FineTuned, parts: Parts, before: Fingerprints = NOTHING) -> Manifest:
    """Publish what is known of no other folder."""
    return publish(store, plan, tuned, parts, before, Elsewhere(), unwatched)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("published")
    write_task(root, "shapes", LABELS)
    return root


@pytest.fixture(scope="module")
def manifest(root: Path, trained: Trained) -> Manifest:
    return put(Store(root), trained.plan, trained.tuned, trained.parts)


@pytest.fixture(scope="module")
def bundle(root: Path, manifest: Manifest) -> Bundle:
    return Store(root).read("shapes", manifest.version)


@pytest.fixture(scope="module")
def served(bundle: Bundle) -> Any:
    """The classifier of the bundle, from its file."""
    model = build(bundle.manifest.architecture, (40, 40), 3)
    content = bundle.weights.read_bytes()
    model.save_weights(bundle.weights.parent.parent / "blank.weights.h5")
    weights.require(weights.inspect(content), weights.layout(bundle.weights.parent.parent / "blank.weights.h5"))
    model.load_weights(bundle.weights)
    return model


def test_a_reader_accepts_the_bundle(root: Path, manifest: Manifest, bundle: Bundle) -> None:
    assert manifest.version == 1
    assert bundle.manifest == manifest
    assert parse_manifest((root / "shapes/1/manifest.json").read_bytes()) == manifest


def test_the_manifest_says_what_built_the_graph(manifest: Manifest, trained: Trained) -> None:
    recipe = trained.plan.recipe
    assert manifest.labels == ("disc", "square", "stripes")
    assert manifest.architecture == recipe.architecture
    assert manifest.preprocessing.model_dump() == recipe.preprocessing.model_dump()
    training = manifest.origin
    assert isinstance(training, Training)
    assert training.recipe == trained.plan.text
    assert training.index_sha256 == trained.plan.folder.sha256
    assert training.split_by == "group"
    assert (training.train.images, training.validation.images, training.test.images) == (36, 12, 12)
    assert (training.train.groups, training.validation.groups, training.test.groups) == (18, 6, 6)
    assert (training.epochs, training.seed) == (7, 3)
    assert training.initial_weights == "random weights"
    assert keras.__version__ in training.software
    assert training.device.startswith("CPU") or "GPU" in training.device


def test_the_figures_are_those_of_the_weights_in_the_bundle(manifest: Manifest, served: Any, trained: Trained) -> None:
    again = evaluate(answer(served, trained.test), manifest.labels, manifest.calibration, trained.plan.recipe.seed)
    assert again.confusion == manifest.evaluation.confusion
    for metric, expected in zip(manifest.evaluation.metrics, again.metrics, strict=True):
        assert metric.name == expected.name
        assert metric.value == pytest.approx(expected.value, abs=1e-4)
    accuracy = manifest.evaluation.metric("accuracy")
    assert accuracy is not None
    assert accuracy.value > 0.9


def test_the_temperature_is_fitted_on_validation(trained: Trained, store_root: Path) -> None:
    # With a sixth of the validation labels wrong and small margins, the best temperature lies between the bounds.
    kernel = trained.tuned.classifier.get_layer("logits").get_weights()[0]
    spread = answer(with_head(trained, kernel).classifier, trained.validation).logits.std()
    tuned = with_head(trained, kernel * 3 / spread)
    truths = trained.validation.truths.copy()
    truths[::6] = np.roll(truths[::6], 1, axis=1)
    validation = dataclasses.replace(trained.validation, truths=truths)
    manifest = put(Store(store_root), trained.plan, tuned, (trained.train, validation, trained.test))
    expected = fit_temperature(answer(tuned.classifier, validation), "softmax")
    assert 0.3 < expected < 9
    assert manifest.calibration.temperature == pytest.approx(expected, rel=0.02)


def test_the_cost_of_halving_is_measured_on_the_whole_validation_part(
    manifest: Manifest, served: Any, trained: Trained
) -> None:
    cost = manifest.weights.halving
    assert cost.images == len(trained.plan.split.validation)
    assert cost.changed_predictions == 0
    assert cost.largest_probability_change <= LARGEST_CHANGE
    full = probabilities(answer(trained.tuned.classifier, trained.validation).logits, manifest.calibration)
    half = probabilities(answer(served, trained.validation).logits, manifest.calibration)
    assert cost.largest_probability_change == pytest.approx(np.abs(full - half).max(), abs=1e-5)


def test_the_weights_are_halved_and_are_the_trained_ones(served: Any, trained: Trained) -> None:
    for layer in served.layers:
        for half, full in zip(layer.get_weights(), _trained_weights(trained, layer.name), strict=True):
            np.testing.assert_array_equal(half, half.astype(np.float16).astype(np.float32))
            np.testing.assert_allclose(half, full, atol=float(np.spacing(np.float16(np.abs(full).max()))))


def _trained_weights(trained: Trained, name: str) -> list[Any]:
    return next((layer.get_weights() for layer in trained.tuned.classifier.layers if layer.name == name), [])


def test_the_probe_is_reproduced(bundle: Bundle, served: Any) -> None:
    probe = bundle.manifest.probe
    np.testing.assert_array_equal(bundle.probe_pixels, draw_probe())
    np.testing.assert_array_equal(prepare(bundle.probe_pixels, bundle.manifest.preprocessing), bundle.probe_tensor)
    logits = np.asarray(served.predict_on_batch(bundle.probe_tensor[None].astype(np.float32)))[0]
    np.testing.assert_allclose(logits, probe.logits, atol=probe.tensor_tolerance)


def test_nothing_of_this_machine_is_in_the_bundle(root: Path, bundle: Bundle, trained: Trained) -> None:
    folder = bundle.weights.parent
    for path in (folder / "manifest.json", folder / "card.md", folder / "model.weights.h5"):
        content = path.read_bytes()
        for place in (root, trained.run, trained.plan.folder.root, Path.home(), Path(weights.__file__).parents[2]):
            assert str(place).encode() not in content


def test_the_report_is_small(bundle: Bundle) -> None:
    report = bundle.weights.parent / "report"
    assert {path.name for path in report.iterdir()} == {
        "confusion.png",
        "precision-recall.png",
        "reliability.png",
        "roc.png",
        "training.png",
    }
    for path in report.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < 60_000


def test_publishing_again_gives_the_next_version_and_the_same_bytes(
    root: Path, manifest: Manifest, trained: Trained
) -> None:
    again = put(Store(root), trained.plan, trained.tuned, trained.parts)
    assert again.version == manifest.version + 1
    assert again.weights == manifest.weights
    assert again.probe == manifest.probe
    first, second = (json.loads((root / f"shapes/{number}/manifest.json").read_text()) for number in (1, 2))
    assert {key for key in first if first[key] != second[key]} <= {"version", "created"}


# ---------------------------------------------------------------- what decides an outcome, and bounds the figures


def test_prediction_sets_come_with_three_labels_and_operating_points_do_not(manifest: Manifest) -> None:
    sets = manifest.prediction_sets
    assert sets is not None
    assert (sets.promised, sets.threshold <= 0.1) == (0.9, True)
    assert sets.coverage.value > 0.8
    assert 1 <= sets.mean_size < 2
    assert manifest.operating_points == ()


def test_the_detector_travels_with_the_bundle(manifest: Manifest, bundle: Bundle, trained: Trained) -> None:
    described, detector = manifest.novelty, bundle.detector
    assert described is not None
    assert detector is not None
    # The last map of each of the two resolutions before the coarsest, and what the head reads.
    assert described.features == 64 + 128 + 128 == len(detector.centre)
    assert len(detector.axes) == 64 + 128
    assert described.promised == PROMISED
    assert [(kind.kind, kind.near, kind.images) for kind in described.foreign] == [
        ("noise", False, 3),
        ("blank pictures", False, 3),
        ("charts, drawn", False, 3),
        ("pages of text and tables, drawn", False, 3),
        ("CT slices of the head, drawn", False, 3),
        ("blots, cytometry, organisms and micrographs, drawn", False, 3),
        ("landscapes, streets and still lifes, drawn", False, 3),
        ("own test images, inverted", True, 12),
        ("own test images, turned by 90 degrees", True, 12),
        ("own test images, upside down", True, 12),
    ]
    served = build(manifest.architecture, (40, 40), 3)
    served.load_weights(bundle.weights)
    scores = detector.scores(features(featured(served), trained.test.pixels, np.arange(12)))
    assert described.passed == pytest.approx((scores <= described.threshold).mean(), abs=1e-6)
    assert described.passed > 0.5


def test_floors_are_those_of_the_same_parts(manifest: Manifest) -> None:
    assert manifest.floors is not None
    # Colour alone tells the shapes apart; their borders hold none of it.
    assert manifest.floors.thumbnail.balanced_accuracy.value > manifest.floors.border.balanced_accuracy.value


def test_steadiness_is_measured_in_every_variant(manifest: Manifest) -> None:
    assert [variant.name for variant in manifest.steadiness] == [variant.name for variant in VARIANTS]
    accuracy = manifest.evaluation.metric("accuracy")
    assert accuracy is not None
    for variant in manifest.steadiness:
        assert variant.images == 12
        assert variant.accuracy.value == pytest.approx(accuracy.value + variant.change)
        assert variant.refused is not None
        if variant.name in LOSSLESS:
            assert (variant.change, variant.unchanged, variant.largest_shift) == (0, 1, 0)


def test_nothing_is_known_of_sources_that_were_not_held_out(manifest: Manifest) -> None:
    assert manifest.across == ()


HELD_OUT = HeldOut.model_validate_json(json.dumps(valid_manifest()["across"][0]))


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of two labels, one of them positive, that was measured on other folders, too."""
    root = tmp_path_factory.mktemp("binary")
    write_task(root / "models", "shapes", ("disc", "square"), positive="square")
    (root / "shapes.toml").write_text(QUICK)
    store = Store(root / "models")
    plan = draw_up("shapes", draw_images(root / "images", ("disc", "square")), root / "shapes.toml", store)
    train, validation, test = (
        load_images(plan.folder, part, plan.recipe.preprocessing) for _, part in plan.split.parts()
    )
    tuned = fine_tune(plan.recipe, train, validation, root / "run", None)
    others = draw_images(root / "others", ("cross", "ring", "bar"), each=4)
    alike = draw_images(root / "alike", ("disc", "square"), each=2, index=False)
    elsewhere = Elsewhere((HELD_OUT,), (others,), (alike,))
    publish(store, plan, tuned, (train, validation, test), NOTHING, elsewhere, unwatched)
    return store.read("shapes", 1)


def test_a_task_with_a_positive_finding_has_operating_points(binary: Bundle) -> None:
    points = binary.manifest.operating_points
    assert [(point.name, point.label) for point in points] == [
        ("rule_out", "square"),
        ("balanced", "square"),
        ("rule_in", "square"),
    ]
    thresholds = [point.threshold for point in points]
    assert thresholds == sorted(thresholds)
    assert binary.manifest.prediction_sets is None


def test_other_folders_are_measured_first_and_by_source(binary: Bundle) -> None:
    described = binary.manifest.novelty
    assert described is not None
    assert [(kind.kind, kind.near) for kind in described.foreign[:4]] == [
        ("others", False),
        ("others: source 0", False),
        ("others: source 1", False),
        ("alike", True),
    ]
    whole, *sources, alike = (kind.images for kind in described.foreign[:4])
    assert alike == 4
    assert whole == sum(sources)
    # The other half of a folder that is not near was shown to the detector.
    assert 3 <= whole <= 9
    assert [kind.withheld is not None for kind in described.foreign[:4]] == [True, True, True, False]
    assert len(described.foreign) == 14


def test_figures_of_held_out_sources_go_with_the_bundle(binary: Bundle) -> None:
    assert binary.manifest.across == (HELD_OUT,)
    assert "elsewhere" in (binary.weights.parent / "card.md").read_text()


# ---------------------------------------------------------------- what must not be published


def with_head(trained: Trained, kernel: Any) -> FineTuned:
    """The trained classifier with another last layer."""
    source = trained.tuned.classifier
    model = build(trained.plan.recipe.architecture, (None, None), 3)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())
    model.get_layer("logits").set_weights([kernel, np.zeros(3)])
    return dataclasses.replace(trained.tuned, classifier=model)


def refused(trained: Trained, tuned: FineTuned, store_root: Path) -> None:
    store = Store(store_root)
    try:
        put(store, trained.plan, tuned, trained.parts)
    finally:
        assert [path.name for path in (store_root / "shapes").iterdir()] == ["task.toml"]


def test_a_class_that_changes_in_half_precision_stops_the_publication(trained: Trained, store_root: Path) -> None:
    # One weight of 1.0004 is 1 in half precision, and there is too little to carry on to another: all labels tie, and
    # the first of them is predicted instead of the second.
    classifier = trained.tuned.classifier
    pooled = keras.Model(classifier.input, classifier.get_layer("pooled").output)
    features = np.asarray(pooled.predict_on_batch(trained.validation.pixels[:].astype(np.float32)))
    kernel = np.ones((128, 3), np.float32)
    kernel[features.min(axis=0).argmax(), 1] = 1.0004
    with pytest.raises(NotPublishable, match=r"changed 12 of 12 validation predictions .*; 0 and 0.05 are allowed"):
        refused(trained, with_head(trained, kernel), store_root)


def test_a_probability_that_changes_much_stops_the_publication(
    trained: Trained, store_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halving, "LARGEST_CHANGE", 0.01)
    # No answer changes, but the first logit leads by 1.4 steps of half precision, which become one.
    kernel = np.ones((128, 3), np.float32)
    features = answer(with_head(trained, kernel).classifier, trained.validation).logits.mean()
    kernel[:, 0] += 1.4 * 2**-10
    # By a power of two, which rounds nothing, to a lead of about one at the highest temperature.
    kernel *= 2 ** np.round(np.log2(10 * 2**10 / features))
    with pytest.raises(NotPublishable, match=r"changed 0 of 12 .*; 0 and 0.01 are allowed"):
        refused(trained, with_head(trained, kernel), store_root)


@pytest.mark.parametrize("number", [np.nan, 1e6])
def test_weights_that_do_not_fit_are_not_published(number: float, trained: Trained, store_root: Path) -> None:
    with pytest.raises(WeightsInvalid, match="does not fit half precision"):
        refused(trained, with_head(trained, np.full((128, 3), number)), store_root)


def test_a_flat_classifier_can_be_published_and_says_so(trained: Trained, store_root: Path) -> None:
    """One that answers always the same: figures that are not defined do not stop it."""
    kernel = np.zeros((128, 3), np.float32)
    tuned = with_head(trained, kernel)
    manifest = put(Store(store_root), trained.plan, tuned, trained.parts)
    disc, square, _ = manifest.evaluation.per_label
    assert disc.recall is not None
    assert disc.recall.value == 1
    assert square.precision is None


def test_a_training_in_mixed_precision_is_published_in_single_precision(
    trained: Trained, store_root: Path, tmp_path: Path
) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        tuned = fine_tune(trained.plan.recipe, trained.train, trained.validation, tmp_path / "run", None)
    finally:
        keras.config.set_dtype_policy("float32")
    assert tuned.classifier.get_layer("block1_conv").compute_dtype == "bfloat16"
    manifest = put(Store(store_root), trained.plan, tuned, trained.parts)
    assert manifest.weights.halving.largest_probability_change < LARGEST_CHANGE
    accuracy = manifest.evaluation.metric("accuracy")
    assert accuracy is not None
    assert accuracy.value > 0.8


def test_the_bundle_says_what_its_weights_have_seen(root: Path, manifest: Manifest, trained: Trained) -> None:
    found = Store(root).seen("shapes", manifest.version)
    assert found is not None
    split = trained.plan.split
    expected = seen.fingerprints(trained.plan.folder, (*split.train, *split.validation))
    assert found.images.tolist() == expected.images.tolist()
    assert found.groups.tolist() == expected.groups.tolist()


def test_what_the_initial_weights_have_seen_is_handed_on(trained: Trained, store_root: Path) -> None:
    before = Fingerprints(np.array([3], np.uint64), np.array([5], np.uint64))
    put(Store(store_root), trained.plan, trained.tuned, trained.parts, before)
    found = Store(store_root).seen("shapes", 1)
    assert found is not None
    assert {3} < set(found.images.tolist())
    assert {5} < set(found.groups.tolist())


def test_figures_on_groups_that_were_seen_are_not_published(trained: Trained, store_root: Path) -> None:
    test = seen.fingerprints(trained.plan.folder, trained.plan.split.test[:1])
    for known in (Fingerprints(test.images, NOTHING.groups), Fingerprints(NOTHING.images, test.groups)):
        with pytest.raises(NotPublishable, match=r"computed on \d images that training has seen"):
            put(Store(store_root), trained.plan, trained.tuned, trained.parts, known)
    split = trained.plan.split
    leaking = dataclasses.replace(split, train=(*split.train, split.test[0]))
    plan = dataclasses.replace(trained.plan, split=leaking)
    with pytest.raises(NotPublishable, match="or whose group it has seen"):
        put(Store(store_root), plan, trained.tuned, trained.parts)
    assert [path.name for path in (store_root / "shapes").iterdir()] == ["task.toml"]


def test_labels_that_occur_together_are_published_too(trained: Trained, store_root: Path) -> None:
    def several(images: Images) -> Images:
        disc, square, stripes = images.truths.T
        return Images(images.pixels, np.stack([disc, disc | square, stripes], axis=1), images.samples)

    plan = dataclasses.replace(trained.plan, recipe=trained.plan.recipe.model_copy(update={"activation": "sigmoid"}))
    train, validation, test = (several(part) for part in trained.parts)
    put(Store(store_root), plan, trained.tuned, (train, validation, test))
    manifest = Store(store_root).read("shapes", 1).manifest
    assert manifest.calibration.activation == "sigmoid"
    assert manifest.evaluation.confusion is None
    # Neither says anything of several labels at once; the detector does not ask for labels.
    assert (manifest.operating_points, manifest.prediction_sets) == ((), None)
    assert manifest.novelty is not None
    assert not (store_root / "shapes/1/report/confusion.png").exists()
    assert sum(entry.support for entry in manifest.evaluation.per_label) > len(trained.test.samples)

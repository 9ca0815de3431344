"""What is measured of the variants is what asking about each of them, one by one, would give."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.bundle.calibration import probabilities
from services.bundle.classifier import load_classifier
from services.bundle.evaluation import Estimate, Variant
from services.bundle.manifest import Manifest
from services.bundle.novelty import read_detector
from services.bundle.preprocessing import prepare
from services.imaging import decode
from tests.bundles import PREPROCESSING, draw, encode, publish_tiny
from tests.training.conftest import draw_images
from training import novelty
from training.answers import Answers, answer
from training.errors import ImagesInvalid
from training.evaluation import evaluate
from training.folders import Folder, read_folder
from training.images import Tensor, load_images
from training.steadiness import measure_steadiness, worst
from training.variants import LOSSLESS, VARIANTS

SEED = 5


def unwatched(_: str, __: int) -> Any:
    return iter


@dataclass(frozen=True)
class Asked:
    """A tiny bundle and a folder of drawings, some of them not of its kinds, that it was asked about."""

    manifest: Manifest
    model: Any
    detector: novelty.Fitted
    folder: Folder
    plain: Answers

    def measure(self, *, detector: bool = True, bar: Any = unwatched) -> dict[str, Variant]:
        found = measure_steadiness(
            self.model,
            self.folder,
            PREPROCESSING,
            self.manifest.calibration,
            self.plain,
            SEED,
            bar,
            self.detector if detector else None,
        )
        assert [variant.name for variant in found] == [variant.name for variant in VARIANTS]
        return {variant.name: variant for variant in found}


def ask(root: Path, images: Path, activation: Any = "softmax") -> Asked:
    manifest = publish_tiny(root, detector=True, activation=activation, temperature=1.5)
    place = root / "shapes/1"
    model = load_classifier((place / manifest.weights.file).read_bytes(), manifest)
    assert manifest.novelty is not None
    found = read_detector((place / manifest.novelty.file).read_bytes(), manifest.novelty.features)
    scores = found.scores(_features(model, images))
    # So that some of the drawings pass, and some do not.
    detector = novelty.Fitted(found, float(np.median(scores)))
    folder = read_folder(images)
    return Asked(manifest, model, detector, folder, answer(model, load_images(folder, folder.samples, PREPROCESSING)))


def _features(model: Any, images: Path) -> Any:
    folder = read_folder(images)
    pixels = load_images(folder, folder.samples, PREPROCESSING).pixels
    return novelty.features(novelty.featured(model), pixels, np.arange(len(pixels)))


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    images = draw_images(tmp_path / "images", each=8)
    # A colour of another class, so that the answer hangs on little.
    for number, label in enumerate(("disc", "square", "stripes")):
        pale = draw(number, 900 + number).astype(float) * 0.25 + 0.75 * draw((number + 1) % 3, 700 + number)
        (images / label / "000.png").write_bytes(encode(pale.astype(np.uint8)))
    return ask(tmp_path / "models", images)


# ---------------------------------------------------------------- figures


def test_each_figure_is_what_asking_one_by_one_gives(asked: Asked) -> None:
    found = asked.measure()
    calibration, truths = asked.manifest.calibration, asked.plain.truths
    before = probabilities(asked.plain.logits, calibration)
    reader = novelty.featured(asked.model)
    for variant in VARIANTS:
        tensors = []
        for sample in asked.folder.samples:
            content = (asked.folder.root / sample.path).read_bytes()
            raster = decode(variant.write(Image.fromarray(decode(content, max_pixels=10**6).pixels)), max_pixels=10**6)
            tensors.append(prepare(raster.pixels, PREPROCESSING))
        pixels = np.stack(tensors)
        after = probabilities(np.asarray(asked.model(pixels.astype(np.float32), training=False)), calibration)
        measured = found[variant.name]
        assert measured.title == variant.title
        assert measured.images == len(truths) == 24
        assert measured.accuracy.value == pytest.approx((after.argmax(axis=1) == truths.argmax(axis=1)).mean())
        plain = (before.argmax(axis=1) == truths.argmax(axis=1)).mean()
        assert measured.change == pytest.approx(measured.accuracy.value - plain)
        assert measured.unchanged == pytest.approx((after.argmax(axis=1) == before.argmax(axis=1)).mean())
        assert measured.largest_shift == pytest.approx(np.abs(after - before).max(), abs=1e-4)
        features = novelty.features(reader, pixels, np.arange(len(pixels)))
        assert measured.refused == pytest.approx(asked.detector.refused(features).mean())
    # Else nothing was shown.
    assert min(variant.unchanged for variant in found.values()) < 1
    assert len({variant.refused for variant in found.values()}) > 2


def test_a_lossless_change_of_the_format_changes_nothing_at_all(asked: Asked) -> None:
    # What was answered to the same pixels is not asked for again, even if another answer would now be given.
    known = asked.plain.logits.copy()
    known[5] *= -1
    asked = replace(asked, plain=replace(asked.plain, logits=known))
    found = asked.measure()
    accuracy = evaluate(asked.plain, asked.folder.labels, asked.manifest.calibration, SEED).metric("accuracy")
    assert accuracy is not None
    for name in LOSSLESS:
        variant = found[name]
        assert (variant.change, variant.unchanged, variant.largest_shift) == (0, 1, 0)
        # Of the same draws, too.
        assert variant.accuracy == Estimate(value=accuracy.value, low=accuracy.low, high=accuracy.high)
        # The threshold is the median of their scores.
        assert variant.refused == 0.5


def test_the_detector_changes_no_other_figure(asked: Asked) -> None:
    with_it, without = asked.measure(), asked.measure(detector=False)
    for name, variant in without.items():
        assert variant.refused is None
        assert variant.accuracy == with_it[name].accuracy
        assert variant.unchanged == with_it[name].unchanged
        assert variant.largest_shift == pytest.approx(with_it[name].largest_shift, abs=1e-5)


def test_several_labels_are_unchanged_only_together(tmp_path: Path) -> None:
    asked = ask(tmp_path / "models", draw_images(tmp_path / "images", each=4), "sigmoid")
    found = asked.measure()
    assert found["png"].unchanged == 1
    before = asked.plain.logits >= 0
    for name in ("darker", "turned_10", "noisy"):
        write = next(variant.write for variant in VARIANTS if variant.name == name)
        pixels = [
            prepare(decode(write(Image.open(asked.folder.root / sample.path)), max_pixels=10**6).pixels, PREPROCESSING)
            for sample in asked.folder.samples
        ]
        after = np.asarray(asked.model(np.stack(pixels).astype(np.float32), training=False)) >= 0
        assert found[name].unchanged == pytest.approx((after == before).all(axis=1).mean())
        assert found[name].accuracy.value == pytest.approx((after == asked.plain.truths).all(axis=1).mean())


# ---------------------------------------------------------------- pictures


def test_large_photographs_and_deep_grey_are_taken_as_uploads_are(tmp_path: Path) -> None:
    images = draw_images(tmp_path / "images", each=4)
    # Decoded at a quarter of its size, where its variants are made of the whole picture.
    (images / "disc/000.png").write_bytes(encode(draw(0, width=480, height=400), "JPEG"))
    deep = draw(1)[..., 0].astype(np.uint16) * 16
    Image.fromarray(deep).save(images / "square/000.png")
    asked = ask(tmp_path / "models", images)
    found = asked.measure()
    for name in LOSSLESS:
        assert found[name].unchanged == 1
        # Pillow's decoder shrinks a photograph almost as its resizing does, and deep grey is windowed either way.
        assert 0 < found[name].largest_shift < 0.05


def test_a_picture_that_serving_would_refuse_is_named(asked: Asked) -> None:
    (asked.folder.root / "square/003.png").write_bytes(encode(draw(0))[:200])
    with pytest.raises(ImagesInvalid, match=r"^square/003.png: ."):
        asked.measure()


def test_no_pictures_are_refused(asked: Asked) -> None:
    nothing = Answers(asked.plain.logits[:0], asked.plain.truths[:0], ())
    with pytest.raises(ValueError, match="no image"):
        measure_steadiness(
            asked.model, asked.folder, PREPROCESSING, asked.manifest.calibration, nothing, SEED, unwatched
        )


def test_progress_is_told_by_pictures(asked: Asked) -> None:
    told, seen = [], []

    def bar(doing: str, count: int) -> Any:
        told.append((doing, count))

        def watch(tensors: Iterable[Tensor]) -> Iterable[Tensor]:
            for tensor in tensors:
                seen.append(tensor.shape)
                yield tensor

        return watch

    asked.measure(bar=bar)
    assert told == [("Asking about 24 images in 13 variants", 24)]
    assert seen == [(14, 32, 32, 3)] * 24


# ---------------------------------------------------------------- the worst


def test_the_worst_costs_most_accuracy_and_then_most_answers() -> None:
    def variant(name: str, change: float, unchanged: float) -> Variant:
        return Variant(
            name=name,
            title=name,
            images=10,
            accuracy=Estimate(value=0.5, low=0.5, high=0.5),
            change=change,
            unchanged=unchanged,
            largest_shift=0.0,
            refused=None,
        )

    variants = [variant("a", -0.01, 0.5), variant("b", -0.02, 0.9), variant("c", -0.02, 0.8), variant("d", 0.3, 0.1)]
    assert worst(variants).name == "c"

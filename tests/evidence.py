"""Tasks whose bundles have everything that a manifest can hold: operating points, prediction sets, detectors of foreign
images, floors, unseen sources, other shapes of the test images, facts and hints.

    publish_chest(root)     # "chest": two labels, "ill" is the positive one; takes DICOM files of a chest
    publish_pills(root)     # "pills": three labels with facts and hints, prediction sets, and little certainty
    publish_anything(root)  # "anything": takes every image for one of its own
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.bundle.decision import OperatingPoint, PredictionSets
from services.bundle.evaluation import Estimate, Floor, Floors, Foreign, HeldOut, HintEffect, Metric, Variant, Withheld
from services.bundle.manifest import Manifest
from tests.bundles import SHAPES, publish_tiny, write_task

POSITIVE = "ill"

FACTS = """
[labels.facts]
variant = "{title} <Forte>, the tablet."
ingredients = ["Chalk 500 mg", "Ink 1 mg"]
use = "Drawing."
dose_form = "Tablet of 501 mg."
warnings = ["Not to be eaten."]
notes = ["Where the packaging says otherwise, the packaging is right."]
sources = [{{ title = "A leaflet", url = "https://example.org/leaflet?of={label}&page=1" }}]
checked = 2026-02-03
"""


def noise() -> NDArray[np.uint8]:
    """An image like none of `tests.bundles.draw`."""
    return np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8)


def estimate(value: float, margin: float = 0.03) -> Estimate:
    """A figure with its interval."""
    return Estimate(value=value, low=round(value - margin, 4), high=round(min(1.0, value + margin), 4))


def metric(name: str, value: float) -> Metric:
    """An overall figure with its interval."""
    return Metric(name=name, **dict(estimate(value)))


def publish_chest(root: Path) -> Manifest:
    """Two labels: `draw(0)` is ruled out, `draw(1)` lies between the outer points, above the balanced one."""
    labels = ("healthy", POSITIVE)
    write_task(
        root,
        "chest",
        labels,
        positive=POSITIVE,
        picture="a chest X-ray",
        modalities=("CR", "DX"),
        body_parts=("CHEST",),
    )
    return _publish(
        root,
        "chest",
        labels,
        {"accuracy": 0.96, "balanced_accuracy": 0.955, "macro_roc_auc": 0.99},
        temperature=4.0,
        operating_points=(
            _point("rule_out", 0.25, 0.98, 0.8),
            _point("balanced", 0.5, 0.9, 0.9),
            _point("rule_in", 0.97, 0.7, 0.99),
        ),
        across=tuple(_held_out(source, value) for source, value in (("north", 0.91), ("south", 0.85))),
        floors=Floors(
            thumbnail=Floor(balanced_accuracy=estimate(0.88), macro_roc_auc=estimate(0.95)),
            border=Floor(balanced_accuracy=estimate(0.78), macro_roc_auc=estimate(0.84)),
        ),
    )


def publish_pills(root: Path) -> Manifest:
    """Three labels: of `draw(0)` the image alone leaves all open, and a hint that agrees decides."""
    path = write_task(root, "pills", SHAPES, picture="a photograph of loose pills", hints=True)
    head, *entries = path.read_text("utf-8").split("[[labels]]")
    told = (
        entry + FACTS.format(title=label.title(), label=label) for entry, label in zip(entries, SHAPES, strict=True)
    )
    path.write_text("[[labels]]".join([head, *told]), "utf-8")
    sets = PredictionSets(promised=0.9, threshold=0.1, coverage=estimate(0.93), mean_size=1.31, single=estimate(0.72))
    figures = {"accuracy": 0.97, "balanced_accuracy": 0.979}
    hints = (_hinted("as_they_are", "As they are", 0.97), _hinted("blurred", "Blurred", 0.81))
    return _publish(root, "pills", SHAPES, figures, temperature=8.0, prediction_sets=sets, hints=hints)


def publish_anything(root: Path) -> Manifest:
    """A detector that lets every image pass."""
    write_task(root, "anything", picture="anything at all")
    detector = publish_tiny(root, "anything", detector=True).novelty
    shutil.rmtree(root / "anything" / "1")
    assert detector is not None
    return publish_tiny(
        root, "anything", detector=True, changes={"novelty": detector.model_copy(update={"threshold": 1000.0})}
    )


def _publish(
    root: Path, task: str, labels: tuple[str, ...], figures: dict[str, float], temperature: float = 1.0, **more: Any
) -> Manifest:
    bare = publish_tiny(root, task, labels=labels, detector=True)
    shutil.rmtree(root / task / "1")
    assert bare.novelty is not None
    metrics = tuple(metric(name, value) for name, value in figures.items())
    foreign = (
        Foreign(
            kind="photographs",
            near=False,
            images=500,
            auroc=0.9991,
            refused=0.986,
            withheld=Withheld(auroc=0.9874, refused=0.941),
        ),
        Foreign(kind="adult films", near=True, images=40, auroc=0.7125, refused=0.225, withheld=None),
    )
    changes = {
        "evaluation": bare.evaluation.model_copy(update={"metrics": metrics}),
        "novelty": bare.novelty.model_copy(update={"foreign": foreign, "passed": 0.969}),
        "steadiness": (
            _variant("webp", "Saved as WebP", 0.97, 0.0, 0.01),
            _variant("blur", "Blurred by 2 pixels", 0.93, -0.04, None),
        ),
        **more,
    }
    return publish_tiny(root, task, labels=labels, detector=True, temperature=temperature, changes=changes)


def _hinted(name: str, title: str, alone: float) -> HintEffect:
    return HintEffect(
        name=name,
        title=title,
        images=60,
        alone=estimate(alone),
        right=estimate(alone + 0.02),
        wrong=estimate(alone - 0.01),
        misleading=estimate(alone - 0.05),
    )


def _point(name: Any, threshold: float, sensitivity: float, specificity: float) -> OperatingPoint:
    return OperatingPoint(
        name=name,
        label=POSITIVE,
        threshold=threshold,
        policy=f"Chosen on validation for {name}.",
        sensitivity=estimate(sensitivity),
        specificity=estimate(specificity),
    )


def _held_out(source: str, value: float) -> HeldOut:
    metrics = (metric("accuracy", round(value - 0.04, 2)), metric("macro_roc_auc", value))
    return HeldOut(sources=(source,), images=1234, groups=321, metrics=metrics, per_label=())


def _variant(name: str, title: str, accuracy: float, change: float, refused: float | None) -> Variant:
    return Variant(
        name=name,
        title=title,
        images=72,
        accuracy=estimate(accuracy),
        change=change,
        unchanged=0.958,
        largest_shift=0.3125,
        refused=refused,
    )

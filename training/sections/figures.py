"""Figures: what was measured of the test part, overall, per label, per source, and of its probabilities."""

from services.bundle.evaluation import Estimate
from services.bundle.manifest import Manifest
from services.bundle.task import Task
from training.markdown import table
from training.metrics import TITLES
from training.sections.estimates import NOTHING, decimals, interval, short
from training.sections.yardsticks import floors_of, skill
from training.temperature import TEMPERATURES


def overall(manifest: Manifest) -> str:
    """Every overall figure, with the floors where there are any."""
    floors = floors_of(manifest)
    rows = [
        (
            TITLES.get(metric.name, metric.name),
            f"{metric.value:.4f}",
            f"{metric.low:.4f} to {metric.high:.4f}",
            *(_beside(metric, floor.get(metric.name)) for floor in floors.values()),
        )
        for metric in manifest.evaluation.metrics
    ]
    note = (
        "Measured on the test part with the half-precision weights, as they are served. Intervals: 95 %, bootstrap "
        "over groups, 1000 resamples; they cover the luck of the draw from these sources, not other sources. Where no "
        "group was wrong, resampling cannot show an error; then the interval of a share reaches 3/n below one, for n "
        "groups (Hanley & Lippman-Hand 1983), and that of an area or a mean over labels says nothing."
    )
    beside = " Behind a floor stands the skill above it; see Floors." if floors else ""
    return (
        f"{table(('figure', 'value', 'interval', *(f'{name} floor' for name in floors)), rows)}\n\n{note}{beside}\n\n"
        "![ROC curves](report/roc.png)\n\n![Precision-recall curves](report/precision-recall.png)"
    )


def _beside(figure: Estimate, floor: Estimate | None) -> str:
    return NOTHING if floor is None else f"{floor.value:.3f} (skill {decimals(skill(figure.value, floor.value))})"


def labels(manifest: Manifest, task: Task) -> str:
    """What each label means and how it fared against the rest."""
    texts = {entry.label: entry for entry in task.labels}
    entries = manifest.evaluation.per_label
    meanings = [(texts[m.label].title, texts[m.label].explanation) for m in entries]
    rows = [
        (
            texts[m.label].title,
            m.support,
            *(short(e) for e in (m.recall, m.specificity, m.precision, m.f1, m.roc_auc, m.average_precision)),
        )
        for m in entries
    ]
    header = ("label", "test images", "recall", "specificity", "precision", "F1", "ROC AUC", "average precision")
    return (
        f"{table(('label', 'meaning'), meanings)}\n\n"
        f"Each label against the rest, with 95 % intervals:\n\n{table(header, rows)}\n\n"
        "Recall is the sensitivity. Precision is the positive predictive value at the share that the label has in the "
        "test part; where the label is rarer, it is lower."
    )


def sources(manifest: Manifest) -> str:
    """How each source of the test part fared."""
    rows = [
        (s.source, s.images, s.groups, *(short(e) for e in (s.accuracy, s.balanced_accuracy, s.roc_auc)))
        for s in manifest.evaluation.per_source
    ]
    listing = table(("source", "test images", "groups", "accuracy", "balanced accuracy", "ROC AUC"), rows)
    lone = any(entry.balanced_accuracy is None for entry in manifest.evaluation.per_source)
    dash = " A dash stands where a source holds a single label." if lone else ""
    return f"{listing}\n\nWhat other sources may bring, the section On sources it never saw tells.{dash}"


def confusion(manifest: Manifest) -> str:
    """What was taken for what."""
    if manifest.evaluation.confusion is None:
        return "An image may have several labels, so there is no such matrix."
    rows = [(label, *counts) for label, counts in zip(manifest.labels, manifest.evaluation.confusion, strict=True)]
    matrix = table(("", *manifest.labels), rows)
    return f"Row: truth. Column: prediction.\n\n{matrix}\n\n![The confusion matrix as a picture](report/confusion.png)"


def calibration(manifest: Manifest) -> str:
    """How logits became probabilities, and how far these are off."""
    temperature = manifest.calibration.temperature
    low, high = TEMPERATURES
    # The search ends a millionth away from a bound that it runs into.
    bounded = not low * 1.001 < temperature < high / 1.001
    note = f" It was kept between {low:g} and {high:g}, and would have gone further." if bounded else ""
    errors = {"before": "ece_uncalibrated", "after": "expected_calibration_error"}
    found = ((when, manifest.evaluation.metric(name)) for when, name in errors.items())
    told = [f"{interval(metric)} {when}" for when, metric in found if metric is not None]
    return (
        f"Logits are divided by {temperature:.4f} (temperature scaling, Guo et al. 2017), fitted on validation with "
        f"truths that are softened as Platt's are (1999).{note} "
        f"Expected calibration error on test: {', '.join(told) or 'not measured'}.\n\n"
        "![Reliability diagram](report/reliability.png)"
    )

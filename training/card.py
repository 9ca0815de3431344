"""card.md: the model card of a bundle (after Mitchell et al. 2019, arXiv:1810.03993), written from its manifest."""

from collections import Counter
from collections.abc import Iterable, Sequence

from services.bundle.manifest import Manifest, Metric, Task
from training.datasets import Sample, Split
from training.evaluation import TEMPERATURES

_FIGURES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "F1, mean over labels",
    "macro_roc_auc": "ROC AUC, one label against the rest, mean over labels",
    "expected_calibration_error": "Expected calibration error, 15 bins",
    "ece_uncalibrated": "The same before calibration",
    "negative_log_likelihood": "Negative log likelihood",
}


def write_card(manifest: Manifest, task: Task, split: Split) -> str:
    """The card as Markdown; "{version}" stands where the store will write the number.

    Args:
        manifest: of the bundle; every figure comes from it.
        task: what a person wrote about use and limits.
        split: for the number of images per label and source.
    """
    sections = (
        _head(manifest, task),
        _section("Use", _use(task)),
        _section("Limits", _bullets(task.limits)),
        _section("Data", _data(manifest, split)),
        _section("Figures", _figures(manifest)),
        _section("Labels", _labels(manifest, task)),
        _section("Sources", _sources(manifest)),
        _section("Confusion matrix", _confusion(manifest)),
        _section("Calibration", _calibration(manifest)),
        _section("Half precision", _halving(manifest)),
        _section("Training", _training(manifest)),
    )
    return "\n".join(sections)


def _head(manifest: Manifest, task: Task) -> str:
    accuracy = next(metric for metric in manifest.evaluation.metrics if metric.name == "accuracy")
    return (
        f"# {task.title}\n\n"
        f"Version {{version}}, {manifest.created:%d %B %Y}. {task.summary}\n\n"
        f"**{task.warning}**\n\n"
        f"Test accuracy {_interval(accuracy)} on {manifest.training.test.images} images that training never saw.\n"
    )


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}\n"


def _use(task: Task) -> str:
    return (
        f"{task.intended_use}\n\nModality: {task.modality}. What to upload: {task.upload}\n\n"
        f"Out of scope:\n\n{_bullets(task.out_of_scope)}"
    )


def _data(manifest: Manifest, split: Split) -> str:
    training = manifest.training
    unit = "a group is never split" if training.split_by == "group" else "no groups were given, so near-copies may leak"
    parts = {"training": training.train, "validation": training.validation, "test": training.test}
    rows = [(name, part.images, part.groups) for name, part in parts.items()]
    return (
        f"{training.data}.\n\n{training.data_licence}\n\n"
        f"Split by {training.split_by} with seed {training.seed}: {unit}. Training fits the weights, validation "
        "chooses the epoch and fits the temperature, test is only measured.\n\n"
        f"{_table(('part', 'images', 'groups'), rows)}\n\n"
        f"{_counts('label', split)}\n\n{_counts('source', split)}\n\n"
        f"Digest of the index: `sha256:{training.index_sha256}`."
    )


def _counts(by: str, split: Split) -> str:
    parts = [_tally(by, part) for part in (split.train, split.validation, split.test)]
    names = sorted(set().union(*parts))
    return _table((by, "training", "validation", "test"), [(name, *(part[name] for part in parts)) for name in names])


def _tally(by: str, samples: Iterable[Sample]) -> Counter[str]:
    return Counter(getattr(sample, by) for sample in samples)


def _figures(manifest: Manifest) -> str:
    metrics = manifest.evaluation.metrics
    rows = [(_FIGURES[m.name], f"{m.value:.4f}", f"{m.low:.4f} to {m.high:.4f}") for m in metrics]
    note = (
        "Measured on the test part with the half-precision weights, as they are served. Intervals: 95 %, bootstrap "
        "over groups, 1000 resamples; they cover the luck of the draw from these sources, not other sources."
    )
    accuracy = manifest.evaluation.metric("accuracy")
    if accuracy is not None and accuracy.low == 1:
        # Hanley & Lippman-Hand 1983: nothing in n observed leaves 3/n at 95 %.
        share = 3 / max(manifest.training.test.groups, 1)
        note += f" No group was wrong, so resampling cannot show an error; up to {share:.1%} remain possible."
    return f"{_table(('figure', 'value', 'interval'), rows)}\n\n{note}"


def _labels(manifest: Manifest, task: Task) -> str:
    texts = {entry.label: entry for entry in task.labels}
    rows = [
        (
            texts[m.label].title,
            m.support,
            _share(m.precision),
            _share(m.recall),
            _share(m.f1),
            texts[m.label].explanation,
        )
        for m in manifest.evaluation.per_label
    ]
    return _table(("label", "test images", "precision", "recall", "F1", "meaning"), rows)


def _sources(manifest: Manifest) -> str:
    rows = [(m.source, m.images, m.groups, f"{m.accuracy:.4f}") for m in manifest.evaluation.per_source]
    return _table(("source", "test images", "groups", "accuracy"), rows)


def _confusion(manifest: Manifest) -> str:
    rows = [(label, *counts) for label, counts in zip(manifest.labels, manifest.evaluation.confusion, strict=True)]
    matrix = _table(("", *manifest.labels), rows)
    return f"Row: truth. Column: prediction.\n\n{matrix}\n\n![The confusion matrix as a picture](report/confusion.png)"


def _calibration(manifest: Manifest) -> str:
    metrics = {metric.name: metric for metric in manifest.evaluation.metrics}
    before, after = metrics["ece_uncalibrated"], metrics["expected_calibration_error"]
    temperature = manifest.calibration.temperature
    low, high = TEMPERATURES
    # The search ends a millionth away from a bound that it runs into.
    bounded = not low * 1.001 < temperature < high / 1.001
    note = f" It was kept between {low:g} and {high:g}, and would have gone further." if bounded else ""
    return (
        f"Logits are divided by {temperature:.4f} (temperature scaling, Guo et al. 2017), fitted on validation.{note} "
        f"Expected calibration error on test: {_interval(before)} before, {_interval(after)} after.\n\n"
        "![Reliability diagram](report/reliability.png)"
    )


def _halving(manifest: Manifest) -> str:
    halving = manifest.weights.halving
    return (
        f"Weights are kept with 16 bits. On {halving.images} validation images this changed "
        f"{halving.changed_predictions} predicted labels, and no probability by more than "
        f"{halving.largest_probability_change:.5f}."
    )


def _training(manifest: Manifest) -> str:
    training = manifest.training
    rows = [
        ("architecture", manifest.architecture.backbone),
        ("input", f"{manifest.preprocessing.width} x {manifest.preprocessing.height} pixels"),
        ("began from", training.initial_weights),
        ("epochs", training.epochs),
        ("time", f"{training.seconds / 60:.1f} minutes"),
        ("device", training.device),
        ("software", training.software),
    ]
    return (
        f"{_table(('', ''), rows)}\n\n![Loss and accuracy per epoch](report/training.png)\n\n"
        f"The recipe:\n\n```toml\n{training.recipe.rstrip()}\n```"
    )


def _interval(metric: Metric) -> str:
    return f"{metric.value:.4f} (95 % interval {metric.low:.4f} to {metric.high:.4f})"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")

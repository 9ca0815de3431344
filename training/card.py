"""card.md: the model card of a bundle, written from its manifest.

The fields are those of Mitchell et al. 2019 (arXiv:1810.03993) and of the Model Facts label of Sendak et al. 2020
(npj Digital Medicine 3:41): use, warnings, data, validation, figures with their intervals.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from services.bundle.evaluation import Estimate
from services.bundle.graph import Architecture
from services.bundle.manifest import Import, Manifest, Training
from services.bundle.task import Task
from training.folders import Sample
from training.markdown import bullets, listed, section, table
from training.metrics import TITLES
from training.split import Split
from training.temperature import TEMPERATURES

_PARTS = ("training", "validation", "test")


def write_card(manifest: Manifest, task: Task, split: Split | None) -> str:
    """The card as Markdown; "{version}" stands where the store will write the number.

    Args:
        manifest: of the bundle; every figure comes from it.
        task: what a person wrote about use and limits.
        split: for the number of images per label and source; None for weights that were fitted elsewhere.
    """
    sections = (
        _head(manifest, task),
        section("Use", _use(manifest, task)),
        section("Warnings and limits", bullets((*task.limits, *_warnings(manifest)))),
        section("Never tested on", bullets(_untested(manifest))),
        section("Data", _data(manifest, split)),
        section("Validation", _validation(manifest)),
        section("Figures", _figures(manifest)),
        section("Labels", _labels(manifest, task)),
        section("Sources", _sources(manifest)),
        section("Confusion matrix", _confusion(manifest)),
        section("Calibration", _calibration(manifest)),
        section("Half precision", _halving(manifest)),
        section("Making", _making(manifest)),
    )
    return "\n".join(sections)


def _head(manifest: Manifest, task: Task) -> str:
    accuracy = manifest.evaluation.metric("accuracy")
    measured = "" if accuracy is None else f"Test accuracy {_interval(accuracy)} on {_tested(manifest)}.\n"
    return (
        f"# {task.title}\n\n"
        f"Version {{version}}, {manifest.created:%d %B %Y}. {task.summary}\n\n"
        f"**{task.warning}**\n\n"
        f"{measured}"
    )


def _tested(manifest: Manifest) -> str:
    images = f"{manifest.origin.test.images} images"
    if isinstance(manifest.origin, Training):
        return f"{images} that training never saw"
    return f"{images}; the weights were fitted elsewhere, so nobody knows whether they were fitted to these images"


# ---------------------------------------------------------------- use


def _use(manifest: Manifest, task: Task) -> str:
    if manifest.calibration.activation == "softmax":
        answer = "a probability for each label, which sum to one; the most probable label is the finding"
    else:
        answer = "a probability for each label by itself; every label of at least one half is a finding"
    return (
        f"{task.intended_use}\n\n"
        f"Modality: {task.modality}. What to upload: {task.upload}\n\n"
        f"How to use it: upload one image and read the answer beside your own judgement of the same image. The answer "
        f"is {answer}. The figures below say how often it is wrong, and for which label and source.\n\n"
        f"Out of scope:\n\n{bullets(task.out_of_scope)}"
    )


def _warnings(manifest: Manifest) -> Iterable[str]:
    if isinstance(manifest.origin, Import):
        yield (
            "The weights were fitted elsewhere. Nobody here knows to which images, so some of the test images may have "
            "been among them, and every figure of this card may be too high."
        )
    elif manifest.origin.split_by == "image":
        yield "The images came without groups, so near-copies of a training image may stand in the test part."
    lone = [source.source for source in manifest.evaluation.per_source if source.balanced_accuracy is None]
    if lone and manifest.calibration.activation == "softmax":
        yield (
            f"The test images of {listed(lone)} have one label only: there, a right answer may come from recognising "
            "the source."
        )


def _untested(manifest: Manifest) -> Iterable[str]:
    sources = [source.source for source in manifest.evaluation.per_source]
    yield f"Images of any other source than {listed(sources)}."
    for entry in manifest.evaluation.per_label:
        if not entry.support:
            yield f"Images of {entry.label}: the test part holds none."
    yield "Images that show none of the labels, or something else altogether."
    yield "People at work: the figures are of the classifier alone, not of anybody who reads its answers."
    yield "Images that were made or handed over in another way than those of the test part."


# ---------------------------------------------------------------- data


def _data(manifest: Manifest, split: Split | None) -> str:
    origin = manifest.origin
    parts = {"validation": origin.validation, "test": origin.test}
    roles = "Validation fits the temperature."
    if isinstance(origin, Training):
        parts = {"training": origin.train, **parts}
        roles = "Training fits the weights. Validation chooses the epoch and fits the temperature."
    unit = "a group is never split" if origin.split_by == "group" else "no groups were given, so near-copies may leak"
    rows = [(name, part.images, part.groups) for name, part in parts.items()]
    return "\n\n".join(
        (
            f"{origin.data.rstrip('.')}.",
            f"**Licence.** {origin.data_licence}",
            f"Split by {origin.split_by} with seed {origin.seed}: {unit}. {roles} Test is only measured.",
            table(("part", "images", "groups"), rows),
            *([] if split is None else _counts(split)),
            f"Digest of the index: `sha256:{origin.index_sha256}`.",
        )
    )


def _counts(split: Split) -> Iterable[str]:
    parts = [part for _, part in split.parts()]
    labels = [Counter(label for sample in part for label in sample.labels) for part in parts]
    sources = [Counter(sample.source for sample in part) for part in parts]
    yield _tallied("label", labels)
    yield _tallied("source", sources)
    if len(set().union(*sources)) > 1:
        yield "Images of each label in each source, in training / validation / test:"
        yield _crossed(parts)


def _tallied(what: str, parts: Sequence[Counter[str]]) -> str:
    names = sorted(set().union(*parts))
    return table((what, *_PARTS), [(name, *(part[name] for part in parts)) for name in names])


def _crossed(parts: Sequence[Iterable[Sample]]) -> str:
    counts = [Counter((label, sample.source) for sample in part for label in sample.labels) for part in parts]
    pairs = set().union(*counts)
    labels, sources = sorted({label for label, _ in pairs}), sorted({source for _, source in pairs})
    rows = [
        (label, *(" / ".join(str(part[label, source]) for part in counts) for source in sources)) for label in labels
    ]
    return table(("label", *sources), rows)


def _validation(manifest: Manifest) -> str:
    origin = manifest.origin
    sources = [source.source for source in manifest.evaluation.per_source]
    return (
        f"Internal and retrospective: once, on {origin.test.images} images in {origin.test.groups} groups of "
        f"{listed(sources)}, after everything had been chosen on {origin.validation.images} other images. The "
        "half-precision weights were measured, as they are served. No other site, and nobody prospectively, has "
        "validated it unless the limits above say so."
    )


# ---------------------------------------------------------------- figures


def _figures(manifest: Manifest) -> str:
    rows = [
        (TITLES.get(m.name, m.name), f"{m.value:.4f}", f"{m.low:.4f} to {m.high:.4f}")
        for m in manifest.evaluation.metrics
    ]
    note = (
        "Measured on the test part with the half-precision weights, as they are served. Intervals: 95 %, bootstrap "
        "over groups, 1000 resamples; they cover the luck of the draw from these sources, not other sources. Where no "
        "group was wrong, resampling cannot show an error; then the interval of a share reaches 3/n below one, for n "
        "groups (Hanley & Lippman-Hand 1983), and that of an area or a mean over labels says nothing."
    )
    return (
        f"{table(('figure', 'value', 'interval'), rows)}\n\n{note}\n\n"
        "![ROC curves](report/roc.png)\n\n![Precision-recall curves](report/precision-recall.png)"
    )


def _labels(manifest: Manifest, task: Task) -> str:
    texts = {entry.label: entry for entry in task.labels}
    entries = manifest.evaluation.per_label
    meanings = [(texts[m.label].title, texts[m.label].explanation) for m in entries]
    rows = [
        (
            texts[m.label].title,
            m.support,
            *(_short(e) for e in (m.recall, m.specificity, m.precision, m.f1, m.roc_auc, m.average_precision)),
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


def _sources(manifest: Manifest) -> str:
    rows = [
        (entry.source, entry.images, entry.groups, _short(entry.accuracy), _short(entry.balanced_accuracy))
        for entry in manifest.evaluation.per_source
    ]
    listing = table(("source", "test images", "groups", "accuracy", "balanced accuracy"), rows)
    lone = any(entry.balanced_accuracy is None for entry in manifest.evaluation.per_source)
    return f"{listing}\n\nA dash stands where a source holds a single label." if lone else listing


def _confusion(manifest: Manifest) -> str:
    if manifest.evaluation.confusion is None:
        return "An image may have several labels, so there is no such matrix."
    rows = [(label, *counts) for label, counts in zip(manifest.labels, manifest.evaluation.confusion, strict=True)]
    matrix = table(("", *manifest.labels), rows)
    return f"Row: truth. Column: prediction.\n\n{matrix}\n\n![The confusion matrix as a picture](report/confusion.png)"


def _calibration(manifest: Manifest) -> str:
    temperature = manifest.calibration.temperature
    low, high = TEMPERATURES
    # The search ends a millionth away from a bound that it runs into.
    bounded = not low * 1.001 < temperature < high / 1.001
    note = f" It was kept between {low:g} and {high:g}, and would have gone further." if bounded else ""
    errors = {"before": "ece_uncalibrated", "after": "expected_calibration_error"}
    found = ((when, manifest.evaluation.metric(name)) for when, name in errors.items())
    told = [f"{_interval(metric)} {when}" for when, metric in found if metric is not None]
    return (
        f"Logits are divided by {temperature:.4f} (temperature scaling, Guo et al. 2017), fitted on validation.{note} "
        f"Expected calibration error on test: {', '.join(told) or 'not measured'}.\n\n"
        "![Reliability diagram](report/reliability.png)"
    )


# ---------------------------------------------------------------- how it was made


def _halving(manifest: Manifest) -> str:
    halving = manifest.weights.halving
    return (
        f"Weights are kept with 16 bits. On {halving.images} validation images this changed "
        f"{halving.changed_predictions} predicted labels, and no probability by more than "
        f"{halving.largest_probability_change:.5f}."
    )


def _making(manifest: Manifest) -> str:
    origin = manifest.origin
    rows: list[tuple[str, object]] = [
        ("architecture", _architecture(manifest)),
        ("input", f"{manifest.preprocessing.width} x {manifest.preprocessing.height} pixels"),
    ]
    if isinstance(origin, Import):
        rows += [("imported from", origin.file), ("its digest", f"sha256:{origin.file_sha256}")]
        return table(("", ""), [*rows, ("software", origin.software)])
    rows += [
        ("began from", origin.initial_weights),
        ("epochs", origin.epochs),
        ("time", f"{origin.seconds / 60:.1f} minutes"),
        ("device", origin.device),
        ("software", origin.software),
    ]
    return (
        f"{table(('', ''), rows)}\n\n![Loss and accuracy per epoch](report/training.png)\n\n"
        f"The recipe:\n\n```toml\n{origin.recipe.rstrip()}\n```"
    )


def _architecture(manifest: Manifest) -> str:
    architecture = manifest.architecture
    if not isinstance(architecture, Architecture):
        return "a list of layers, which manifest.json holds"
    return ", then ".join((architecture.backbone, *(f"{units} units" for units in architecture.hidden)))


# ---------------------------------------------------------------- estimates


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.4f} (95 % interval {estimate.low:.4f} to {estimate.high:.4f})"


def _short(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"

"""What a classifier is worth: every figure of labelled images, overall, per label and per source, with intervals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from services.bundle.calibration import probabilities
from services.bundle.evaluation import Estimate, Evaluation, LabelMetrics, Metric, SourceMetrics
from services.bundle.manifest import Calibration
from training.answers import Answers
from training.bootstrap import estimate, resamples
from training.metrics import (
    Bools,
    Counts,
    Figures,
    Floats,
    accuracy,
    areas,
    balanced_accuracy,
    confusion,
    decide,
    figures,
    mean,
)

_SEVERAL = 2


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of some answers, and what each was in every resample of their groups.

    Attributes:
        figures: of the images as they are; one "resample".
        drawn: of the resamples. Those of other answers to the same samples, with the same seed, are of the same draws.
    """

    figures: Figures
    drawn: Figures


def measure(answers: Answers, calibration: Calibration, seed: int) -> Measured:
    """Compute every figure of the images and of each bootstrap resample of their groups.

    Args:
        answers: of the classifier as it is served.
        calibration: fitted on other images.
        seed: of the resampling.
    """
    drawn = [figures(answers, calibration, weights) for weights in resamples(answers.samples, seed)]
    once = figures(answers, calibration, np.ones((1, len(answers.samples))))
    return Measured(
        once,
        Figures(
            {name: np.concatenate([chunk.overall[name] for chunk in drawn]) for name in once.overall},
            {name: np.concatenate([chunk.per_label[name] for chunk in drawn]) for name in once.per_label},
        ),
    )


def evaluate(answers: Answers, labels: Sequence[str], calibration: Calibration, seed: int) -> Evaluation:
    """Every figure, each with its 95 % interval over groups.

    Args:
        answers: of the classifier as it is served.
        labels: in the order of the logits.
        calibration: fitted on other images.
        seed: of the resampling.
    """
    return summarise(measure(answers, calibration, seed), answers, labels, calibration, seed)


def summarise(
    measured: Measured, answers: Answers, labels: Sequence[str], calibration: Calibration, seed: int
) -> Evaluation:
    """As `evaluate`, of figures that were measured before with the same arguments."""
    decided = decide(probabilities(answers.logits, calibration), calibration.activation)
    single = calibration.activation == "softmax"
    counts = confusion(decided, answers.truths).tolist() if single else None
    return Evaluation(
        metrics=tuple(_metrics(measured, _groups(answers, np.ones(len(answers.samples), bool)))),
        per_label=tuple(
            _label_metrics(measured, answers, decided, label, number) for number, label in enumerate(labels)
        ),
        per_source=_sources(answers, calibration, seed),
        confusion=None if counts is None else tuple(tuple(row) for row in counts),
    )


def _metrics(measured: Measured, groups: int) -> Iterator[Metric]:
    for name, value in measured.figures.overall.items():
        share = groups if name == "accuracy" else None
        found = estimate(float(value[0]), measured.drawn.overall[name], share)
        # A figure that these images cannot give, as an area with one label among them, is left out.
        if found is not None:
            yield Metric(name=name, **dict(found))


def _label_metrics(measured: Measured, answers: Answers, decided: Bools, label: str, number: int) -> LabelMetrics:
    truth, given = answers.truths[:, number], decided[:, number]
    shares = {"precision": given, "recall": truth, "specificity": ~truth}
    estimates: dict[str, Estimate | None] = {}
    for name, values in measured.figures.per_label.items():
        groups = _groups(answers, shares[name]) if name in shares else None
        estimates[name] = estimate(float(values[0, number]), measured.drawn.per_label[name][:, number], groups)
    return LabelMetrics(label=label, support=int(truth.sum()), **estimates)


def _groups(answers: Answers, chosen: Bools) -> int:
    return len({sample.group for sample, taken in zip(answers.samples, chosen, strict=True) if taken})


# ---------------------------------------------------------------- sources


def _sources(answers: Answers, calibration: Calibration, seed: int) -> tuple[SourceMetrics, ...]:
    names = np.array([sample.source for sample in answers.samples])
    return tuple(_source(str(name), of_source(answers, str(name)), calibration, seed) for name in np.unique(names))


def of_source(answers: Answers, source: str) -> Answers:
    """The answers to the images of one source."""
    chosen = np.array([sample.source == source for sample in answers.samples])
    samples = tuple(sample for sample in answers.samples if sample.source == source)
    return Answers(answers.logits[chosen], answers.truths[chosen], samples)


def _source(name: str, answers: Answers, calibration: Calibration, seed: int) -> SourceMetrics:
    calibrated = probabilities(answers.logits, calibration)
    decided = decide(calibrated, calibration.activation)

    def shares(weights: Floats) -> tuple[Floats, Floats, Floats]:
        counts = Counts.of(decided, answers.truths, weights)
        balanced = balanced_accuracy(counts, calibration.activation)
        ranked = [areas(calibrated[:, n], answers.truths[:, n], weights)[0] for n in range(calibrated.shape[1])]
        return accuracy(decided, answers.truths, weights), balanced, mean(np.stack(ranked, axis=1))

    # Groups are drawn from this source alone: how many images it has is no matter of luck.
    drawn = [np.concatenate(chunks) for chunks in zip(*map(shares, resamples(answers.samples, seed)), strict=True)]
    right, balanced, area = (float(share[0]) for share in shares(np.ones((1, len(answers.samples)))))
    several = answers.truths.any(axis=0).sum() >= _SEVERAL
    groups = _groups(answers, np.ones(len(answers.samples), bool))
    whole = estimate(right, drawn[0], groups)
    if whole is None:
        message = f"the source {name!r} has no images"
        raise ValueError(message)
    return SourceMetrics(
        source=name,
        images=len(answers.samples),
        groups=groups,
        accuracy=whole,
        balanced_accuracy=estimate(balanced, drawn[1]) if several else None,
        roc_auc=estimate(area, drawn[2]) if several else None,
    )

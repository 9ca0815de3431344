"""What a classifier is worth: its temperature, fitted on validation, and its figures on the test part, with intervals.

Every figure is computed from one weight per image, all ones for the figure itself. The bootstrap draws whole groups
(patients, backgrounds) with replacement, so a resample is nothing but other weights, and many are computed at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.bundle.calibration import probabilities
from services.bundle.manifest import Calibration, Evaluation, LabelMetrics, Metric, SourceMetrics
from training.datasets import Images, Sample

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]

BINS = 15
"""Equal-width bins of the top probability, as in Guo et al. 2017."""

TEMPERATURES = (1.0, 10.0)
"""Between these a fitted temperature lies."""

RESAMPLES = 1000
"""How often the bootstrap draws."""

_AT_ONCE = 50
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True)
class Answers:
    """What a classifier said of labelled images.

    Attributes:
        logits: float64 [n, labels].
        classes: int64 [n], the truth, as positions in the labels.
        samples: the n images.
    """

    logits: Floats
    classes: Classes
    samples: tuple[Sample, ...]


def answer(model: Any, images: Images, batch_size: int = 64) -> Answers:
    """Ask a Keras classifier about many images, in batches.

    Args:
        model: RGB float32 [batch, height, width, 3] in 0..255 -> logits [batch, labels].
        images: uint8 [n, height, width, 3] with their classes.
        batch_size: images per call.
    """
    starts = range(0, len(images.pixels), batch_size)
    batches = (images.pixels[start : start + batch_size].astype(np.float32) for start in starts)
    logits = np.concatenate([np.asarray(model.predict_on_batch(batch), np.float64) for batch in batches])
    return Answers(logits, images.classes, images.samples)


# ---------------------------------------------------------------- temperature


def fit_temperature(logits: Floats, classes: Classes) -> float:
    """The temperature that minimises the negative log likelihood (Guo et al. 2017, arXiv:1706.04599, section 4.2).

    The likelihood is convex in 1/T, hence has one valley in log T, which a golden-section search closes in on. T stays
    between 1 and 10: a bundle is never made surer than its network is, because the same images chose the checkpoint,
    so that few or none of their answers are wrong and the likelihood would rise for ever as T falls.

    Args:
        logits: [n, labels], of the validation part.
        classes: int64 [n], the truth.

    Returns:
        T, by which logits are divided before the softmax; above 1 the classifier was too sure of itself.
    """

    def loss(log_temperature: float) -> float:
        calibrated = probabilities(logits, Calibration(temperature=float(np.exp(log_temperature))))
        return float(log_loss(calibrated, classes).mean())

    low, high = np.log(TEMPERATURES)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    loss_left, loss_right = loss(left), loss(right)
    while high - low > 1e-6:  # noqa: PLR2004
        if loss_left <= loss_right:
            high, right, loss_right = right, left, loss_left
            left = high - _GOLDEN * (high - low)
            loss_left = loss(left)
        else:
            low, left, loss_left = left, right, loss_right
            right = low + _GOLDEN * (high - low)
            loss_right = loss(right)
    return float(np.exp((low + high) / 2))


# ---------------------------------------------------------------- figures of weighted images


def log_loss(calibrated: Floats, classes: Classes) -> Floats:
    """Negative natural logarithm of the probability of the truth, float64 [n], for probabilities [n, labels]."""
    truth = calibrated[np.arange(len(classes)), classes]
    losses: Floats = -np.log(np.maximum(truth, np.finfo(np.float64).tiny))
    return losses


def confusions(predicted: Classes, classes: Classes, labels: int, weights: Floats) -> Floats:
    """Weighted confusion matrices.

    Args:
        predicted: int64 [n].
        classes: int64 [n], the truth.
        labels: how many there are.
        weights: [resamples, n].

    Returns:
        float64 [resamples, labels, labels]; row = truth, column = prediction.
    """
    cells = np.eye(labels**2)[classes * labels + predicted]
    matrices: Floats = (weights @ cells).reshape(-1, labels, labels)
    return matrices


def calibration_error(calibrated: Floats, classes: Classes, weights: Floats) -> Floats:
    """Expected calibration error: how far accuracy is from the top probability, averaged over bins by their weight.

    Guo et al. 2017, equation 3, with 15 bins (low, high] of equal width.

    Args:
        calibrated: probabilities [n, labels].
        classes: int64 [n], the truth.
        weights: [resamples, n].

    Returns:
        float64 [resamples], in 0..1.
    """
    top = calibrated.max(axis=1)
    gaps = (calibrated.argmax(axis=1) == classes) - top
    per_bin = weights @ (np.eye(BINS)[_bins(top)] * gaps[:, None])
    errors: Floats = np.abs(per_bin).sum(axis=1) / weights.sum(axis=1)
    return errors


def roc_auc(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    """Area under the ROC curve, by ranks (Mann & Whitney 1947): ties count one half.

    Args:
        scores: [n], higher for the positive.
        positive: bool [n], the truth.
        weights: [resamples, n].

    Returns:
        float64 [resamples], in 0..1; NaN where there is no positive or no negative.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    ordered = weights[:, order]
    positives = np.add.reduceat(ordered * positive[order], starts, axis=1)
    negatives = np.add.reduceat(ordered * ~positive[order], starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return _ratio((positives * below).sum(axis=1), pairs)


def _figures(answers: Answers, calibration: Calibration, weights: Floats) -> dict[str, Floats]:
    raw = probabilities(answers.logits, Calibration(temperature=1.0))
    calibrated = probabilities(answers.logits, calibration)
    labels = calibrated.shape[1]
    counts = confusions(calibrated.argmax(axis=1), answers.classes, labels, weights)
    right, truths, answered = np.diagonal(counts, axis1=1, axis2=2), counts.sum(axis=2), counts.sum(axis=1)
    areas = [roc_auc(calibrated[:, label], answers.classes == label, weights) for label in range(labels)]
    total = weights.sum(axis=1)
    return {
        "accuracy": right.sum(axis=1) / total,
        "balanced_accuracy": _mean(_ratio(right, truths)),
        "macro_f1": _mean(_ratio(2 * right, truths + answered)),
        "macro_roc_auc": _mean(np.stack(areas, axis=1)),
        "expected_calibration_error": calibration_error(calibrated, answers.classes, weights),
        "ece_uncalibrated": calibration_error(raw, answers.classes, weights),
        "negative_log_likelihood": weights @ log_loss(calibrated, answers.classes) / total,
    }


def _ratio(part: Floats, whole: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    ratios: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return ratios


def _mean(values: Floats) -> Floats:
    """Over the labels for which the figure is defined; a resample may lack a rare label."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0).sum(axis=1), defined.sum(axis=1).astype(np.float64))


def _bins(top: Floats) -> Classes:
    return np.clip(np.ceil(top * BINS).astype(np.int64) - 1, 0, BINS - 1)


# ---------------------------------------------------------------- the evaluation of a bundle


def evaluate(answers: Answers, labels: Sequence[str], calibration: Calibration, seed: int) -> Evaluation:
    """Every figure of the test part, each with its 95 % interval over groups (percentile bootstrap, Efron 1979).

    Args:
        answers: of the classifier as it will be served.
        labels: in the order of the logits.
        calibration: fitted on other images.
        seed: of the resampling.
    """
    predicted = answers.logits.argmax(axis=1)
    counts = confusions(predicted, answers.classes, len(labels), np.ones((1, len(predicted))))[0].astype(int)
    return Evaluation(
        metrics=_metrics(answers, calibration, seed),
        per_label=tuple(_label_metrics(label, counts, number) for number, label in enumerate(labels)),
        per_source=_sources(answers, predicted),
        confusion=tuple(tuple(int(count) for count in row) for row in counts),
    )


def _metrics(answers: Answers, calibration: Calibration, seed: int) -> tuple[Metric, ...]:
    values = _figures(answers, calibration, np.ones((1, len(answers.classes))))
    drawn = [_figures(answers, calibration, weights) for weights in _resamples(answers.samples, seed)]
    metrics = []
    for name, value in values.items():
        spread = np.concatenate([figures[name] for figures in drawn])
        low, high = np.nanpercentile(spread, (2.5, 97.5))
        # Resampling pushes a calibration error upwards, at times past the figure itself; an interval holds its figure.
        figure = float(value[0])
        metrics.append(Metric(name=name, value=figure, low=min(float(low), figure), high=max(float(high), figure)))
    return tuple(metrics)


def _resamples(samples: Sequence[Sample], seed: int) -> Iterator[Floats]:
    """Weights [resamples, n] of groups drawn with replacement, a few resamples at a time to spare memory."""
    names, group_of_image = np.unique([sample.group for sample in samples], return_inverse=True)
    random = np.random.default_rng(seed)
    even = np.full(len(names), 1 / len(names))
    for _ in range(0, RESAMPLES, _AT_ONCE):
        yield random.multinomial(len(names), even, size=_AT_ONCE)[:, group_of_image].astype(np.float64)


def _label_metrics(label: str, counts: NDArray[np.int_], number: int) -> LabelMetrics:
    right, truths, answered = int(counts[number, number]), int(counts[number].sum()), int(counts[:, number].sum())
    return LabelMetrics(
        label=label,
        support=truths,
        precision=right / answered if answered else None,
        recall=right / truths if truths else None,
        f1=2 * right / (truths + answered) if truths + answered else None,
    )


def _sources(answers: Answers, predicted: Classes) -> tuple[SourceMetrics, ...]:
    names = np.array([sample.source for sample in answers.samples])
    groups = np.array([sample.group for sample in answers.samples])
    right = predicted == answers.classes
    return tuple(
        SourceMetrics(
            source=str(name),
            images=int((names == name).sum()),
            groups=len(np.unique(groups[names == name])),
            accuracy=float(right[names == name].mean()),
        )
        for name in np.unique(names)
    )


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often the classifier was right, by how sure it was: float64 [bins], NaN where a bin is empty.

    Attributes:
        images: how many per bin.
    """

    confidence: Floats
    accuracy: Floats
    images: Floats


def reliability(answers: Answers, calibration: Calibration) -> Reliability:
    """The points of a reliability diagram (Guo et al. 2017, figure 1), over the bins of `calibration_error`."""
    calibrated = probabilities(answers.logits, calibration)
    top = calibrated.max(axis=1)
    members = np.eye(BINS)[_bins(top)]
    images = members.sum(axis=0)
    right = (calibrated.argmax(axis=1) == answers.classes).astype(np.float64)
    return Reliability(_ratio(top @ members, images), _ratio(right @ members, images), images)

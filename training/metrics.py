"""Figures of weighted images, many sets of weights at once.

Throughout, `weights` is float64 [resamples, images], all ones for the figures themselves, and a figure is NaN in a
resample that lacks what it needs. Where an image has one label, the answer is the most probable one; where it may have
several, each label of a probability of at least one half.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.bundle.calibration import PRESENT, probabilities
from services.bundle.manifest import Calibration
from training.answers import Answers

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Activation = Literal["softmax", "sigmoid"]

BINS = 15
"""Equal-width bins of a probability, as in Guo et al. 2017."""

TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_precision": "Precision, mean over labels",
    "macro_recall": "Recall (sensitivity), mean over labels",
    "macro_specificity": "Specificity, mean over labels",
    "macro_f1": "F1, mean over labels",
    "weighted_f1": "F1, labels weighted by their images",
    "macro_roc_auc": "ROC AUC, one label against the rest, mean over labels",
    "macro_average_precision": "Average precision, mean over labels",
    "expected_calibration_error": "Expected calibration error, 15 bins",
    "ece_uncalibrated": "The same before calibration",
    "negative_log_likelihood": "Negative log likelihood",
    "brier_score": "Brier score",
}
"""What people call the overall figures, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Every figure of some answers.

    Attributes:
        overall: by name, float64 [resamples].
        per_label: by name, float64 [resamples, labels], each label against the rest.
    """

    overall: dict[str, Floats]
    per_label: dict[str, Floats]


def figures(answers: Answers, calibration: Calibration, weights: Floats) -> Figures:
    """Compute every figure.

    A mean over labels leaves out those for which the figure is undefined; a label that has images but is never
    predicted counts with a precision of zero.

    Args:
        answers: of n images.
        calibration: fitted on other images.
        weights: [resamples, n].
    """
    calibrated = probabilities(answers.logits, calibration)
    raw = calibration.model_copy(update={"temperature": 1.0})
    decided = decide(calibrated, calibration.activation)
    counts = Counts.of(decided, answers.truths, weights)
    ranked = [areas(calibrated[:, n], answers.truths[:, n], weights) for n in range(calibrated.shape[1])]
    roc_auc, average_precision = (np.stack(columns, axis=1) for columns in zip(*ranked, strict=True))
    support, total = counts.found + counts.missed, weights.sum(axis=1)
    never_predicted = np.where((support > 0) & np.isnan(counts.precision), 0, counts.precision)
    overall = {
        "accuracy": accuracy(decided, answers.truths, weights),
        "balanced_accuracy": balanced_accuracy(counts, calibration.activation),
        "macro_precision": mean(never_predicted),
        "macro_recall": mean(counts.recall),
        "macro_specificity": mean(counts.specificity),
        "macro_f1": mean(counts.f1),
        "weighted_f1": ratio((np.where(support > 0, counts.f1, 0) * support).sum(axis=1), support.sum(axis=1)),
        "macro_roc_auc": mean(roc_auc),
        "macro_average_precision": mean(average_precision),
        "expected_calibration_error": calibration_error(answers, calibration, weights),
        "ece_uncalibrated": calibration_error(answers, raw, weights),
        "negative_log_likelihood": weights @ log_loss(answers, calibration) / total,
        "brier_score": weights @ brier(answers, calibration) / total,
    }
    per_label = {
        "precision": counts.precision,
        "recall": counts.recall,
        "specificity": counts.specificity,
        "f1": counts.f1,
        "roc_auc": roc_auc,
        "average_precision": average_precision,
    }
    return Figures(overall, per_label)


# ---------------------------------------------------------------- right and wrong


def decide(calibrated: Floats, activation: Activation) -> Bools:
    """Which labels an answer names: bool [n, labels], of probabilities [n, labels]."""
    if activation == "sigmoid":
        return calibrated >= PRESENT
    named: Bools = np.arange(calibrated.shape[1]) == calibrated.argmax(axis=1)[:, None]
    return named


@dataclass(frozen=True, slots=True)
class Counts:
    """Weights of the images that have a label or not, and were given it or not: float64 [resamples, labels] each."""

    found: Floats
    missed: Floats
    invented: Floats
    rejected: Floats

    @classmethod
    def of(cls, decided: Bools, truths: Bools, weights: Floats) -> "Counts":
        """Count answers bool [n, labels] against truths bool [n, labels]."""
        cells = (decided & truths, ~decided & truths, decided & ~truths, ~decided & ~truths)
        return cls(*(weights @ cell.astype(np.float64) for cell in cells))

    @property
    def precision(self) -> Floats:
        """Right among those that were given the label: the positive predictive value."""
        return ratio(self.found, self.found + self.invented)

    @property
    def recall(self) -> Floats:
        """Found among those that have the label: the sensitivity."""
        return ratio(self.found, self.found + self.missed)

    @property
    def specificity(self) -> Floats:
        """Rejected among those that have it not."""
        return ratio(self.rejected, self.rejected + self.invented)

    @property
    def f1(self) -> Floats:
        """Harmonic mean of precision and recall."""
        return ratio(2 * self.found, 2 * self.found + self.missed + self.invented)


def accuracy(decided: Bools, truths: Bools, weights: Floats) -> Floats:
    """Share of images of which every label is right, float64 [resamples]."""
    shares: Floats = weights @ (decided == truths).all(axis=1) / weights.sum(axis=1)
    return shares


def balanced_accuracy(counts: Counts, activation: Activation) -> Floats:
    """Mean recall over the labels (Brodersen et al. 2010), float64 [resamples].

    Where an image may have several labels, each is a question by itself, with two classes: mean of the recall and the
    specificity of each label, then over the labels.
    """
    if activation == "sigmoid":
        return mean((counts.recall + counts.specificity) / 2)
    return mean(counts.recall)


def confusion(decided: Bools, truths: Bools) -> NDArray[np.int64]:
    """Count images with one label each: int64 [labels, labels]; row = truth, column = answer."""
    counts: NDArray[np.int64] = truths.T.astype(np.int64) @ decided.astype(np.int64)
    return counts


# ---------------------------------------------------------------- ranking


def areas(scores: Floats, positive: Bools, weights: Floats) -> tuple[Floats, Floats]:
    """Area under the ROC curve, and average precision.

    The first by ranks (Mann & Whitney 1947): ties count one half. The second is the precision averaged over the
    positives, each at the threshold that just finds it, without interpolation; it estimates the area under the
    precision-recall curve (Boyd et al. 2013).

    Args:
        scores: [n], higher for the positive.
        positive: bool [n], the truth.
        weights: [resamples, n].

    Returns:
        float64 [resamples] each, in 0..1; NaN where there is no positive or no negative.
    """
    positives, negatives = _falling(scores, positive, weights)
    found = np.cumsum(positives, axis=1)
    with_them = found + np.cumsum(negatives, axis=1)
    precision = np.divide(found, with_them, out=np.zeros_like(found), where=with_them > 0)
    all_positives, all_negatives = found[:, -1], with_them[:, -1] - found[:, -1]
    # What stands above a negative, and half of what stands beside it.
    above = (negatives * (found - positives / 2)).sum(axis=1)
    averaged = (positives * precision).sum(axis=1)
    return (
        ratio(above, all_positives * all_negatives),
        ratio(averaged, np.where(all_negatives > 0, all_positives, 0)),
    )


def _falling(scores: Floats, positive: Bools, weights: Floats) -> tuple[Floats, Floats]:
    """Weights of the positives and of the negatives at each distinct score, from the highest to the lowest."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.diff(-scores[order], prepend=-np.inf))
    ordered, truths = weights[:, order], positive[order]
    positives, negatives = ordered * truths, ordered * ~truths
    if len(starts) == len(scores):
        return positives, negatives
    return np.add.reduceat(positives, starts, axis=1), np.add.reduceat(negatives, starts, axis=1)


# ---------------------------------------------------------------- probabilities


def calibration_error(answers: Answers, calibration: Calibration, weights: Floats) -> Floats:
    """Expected calibration error: how far accuracy is from the stated probability, averaged over bins by their weight.

    Guo et al. 2017, equation 3, with 15 bins (low, high] of equal width. Where an image has one label, of the answer's
    probability; where it may have several, of every label's probability, all pooled.

    Args:
        answers: of n images.
        calibration: turns their logits into probabilities.
        weights: [resamples, n].

    Returns:
        float64 [resamples], in 0..1.
    """
    stated, right = statements(answers, calibration)
    bins = np.arange(BINS) == bin_of(stated)[..., None]
    per_bin = weights @ (bins * (right - stated)[..., None]).sum(axis=1)
    errors: Floats = np.abs(per_bin).sum(axis=1) / (weights.sum(axis=1) * stated.shape[1])
    return errors


def statements(answers: Answers, calibration: Calibration) -> tuple[Floats, Bools]:
    """Probabilities that can turn out right or wrong, and whether they did: float64 and bool [n, k].

    Where an image has one label k is 1: the probability of the answer. Where it may have several, of each label.
    """
    calibrated = probabilities(answers.logits, calibration)
    if calibration.activation == "sigmoid":
        return calibrated, answers.truths
    right = calibrated.argmax(axis=1) == answers.classes
    return calibrated.max(axis=1, keepdims=True), right[:, None]


def bin_of(stated: Floats) -> NDArray[np.int64]:
    """Which of the BINS a probability lies in; they are closed above."""
    numbers: NDArray[np.int64] = np.clip(np.ceil(stated * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return numbers


def log_loss(answers: Answers, calibration: Calibration) -> Floats:
    """Negative natural logarithm of the probability of the truth, float64 [n]; for several labels their mean."""
    if calibration.activation == "sigmoid":
        # The probability of an absent label's absence is that of the negated logit.
        towards = np.where(answers.truths, answers.logits, -answers.logits)
        truth = probabilities(towards, calibration)
    else:
        calibrated = probabilities(answers.logits, calibration)
        truth = np.take_along_axis(calibrated, answers.classes[:, None], axis=1)
    losses: Floats = -np.log(np.maximum(truth, np.finfo(np.float64).tiny)).mean(axis=1)
    return losses


def brier(answers: Answers, calibration: Calibration) -> Floats:
    """Squared distance of the probabilities from the truth (Brier 1950), float64 [n], in 0..1.

    Where an image has one label, half of the sum over the labels: with two labels it is the usual binary score. Where
    it may have several, the mean over the labels.
    """
    squares = (probabilities(answers.logits, calibration) - answers.truths) ** 2
    scores: Floats = squares.mean(axis=1) if calibration.activation == "sigmoid" else squares.sum(axis=1) / 2
    return scores


# ---------------------------------------------------------------- arithmetic


def ratio(part: Floats, whole: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    ratios: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return ratios


def mean(values: Floats) -> Floats:
    """Of [resamples, labels] over the labels for which the figure is defined; a resample may lack a rare label."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0).sum(axis=1), defined.sum(axis=1).astype(np.float64))

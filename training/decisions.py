"""Operating points and prediction sets: chosen on validation, measured on test."""

from collections.abc import Sequence

import numpy as np

from services.bundle.calibration import prediction_set, probabilities
from services.bundle.decision import OperatingPoint, PointName, PredictionSets
from services.bundle.evaluation import Estimate
from services.bundle.manifest import Calibration
from training.answers import Answers
from training.bootstrap import estimate, resamples
from training.metrics import Bools, Floats, ratio

SENSITIVITY = 0.95
"""Of the positive validation images that rule-out finds, at least."""

SPECIFICITY = 0.95
"""Of the negative validation images that rule-in leaves alone, at least."""

COVERAGE = 0.9
"""The share of prediction sets that hold the truth, as promised."""


# ---------------------------------------------------------------- operating points


def operating_points(
    validation: Answers, test: Answers, labels: Sequence[str], positive: str, calibration: Calibration, seed: int
) -> tuple[OperatingPoint, ...]:
    """Rule-out, balanced and rule-in, with rising thresholds.

    Args:
        validation: choose the thresholds.
        test: measure them.
        labels: two, in the order of the logits.
        positive: one of them.
        calibration: of the bundle.
        seed: of the intervals.
    """
    place = list(labels).index(positive)
    chances, truths = probabilities(validation.logits, calibration)[:, place], validation.truths[:, place]
    asked = probabilities(test.logits, calibration)[:, place]
    policies: dict[PointName, str] = {
        "rule_out": f"It finds at least {100 * SENSITIVITY:.0f} % of the positive validation images. Of the thresholds "
        "that just keep this promise and that of rule-in it is the lower, so that what lies between stays open.",
        "balanced": "The threshold with the highest sum of sensitivity and specificity on validation (Youden 1950).",
        "rule_in": f"It leaves alone at least {100 * SPECIFICITY:.0f} % of the negative validation images. Of the "
        "thresholds that just keep this promise and that of rule-out it is the higher.",
    }
    thresholds = choose_thresholds(chances, truths)
    points = []
    for name, policy in policies.items():
        called = asked >= thresholds[name]
        points.append(
            OperatingPoint(
                name=name,
                label=positive,
                threshold=thresholds[name],
                policy=policy,
                sensitivity=_share(called, test.truths[:, place], test, seed),
                specificity=_share(~called, ~test.truths[:, place], test, seed),
            )
        )
    return tuple(points)


def choose_thresholds(chances: Floats, positive: Bools) -> dict[PointName, float]:
    """Thresholds that rise from rule-out to rule-in.

    Args:
        chances: of the positive label, float64 [n], in 0..1.
        positive: the truth, bool [n]; both kinds occur.
    """
    # Between two neighbouring probabilities every threshold decides alike; the middle leaves both as much room.
    found = np.unique(chances)
    cuts = np.concatenate([[0.0], (found[1:] + found[:-1]) / 2, [1.0]])
    called = chances[None, :] >= cuts[:, None]
    sensitivity = (called & positive).sum(axis=1) / positive.sum()
    specificity = (~called & ~positive).sum(axis=1) / (~positive).sum()
    sums = sensitivity + specificity
    best = np.flatnonzero(sums >= sums.max() - 1e-12)
    balanced = float(cuts[best[len(best) // 2]])
    rule_out = float(cuts[np.flatnonzero(sensitivity >= SENSITIVITY)[-1]])
    rule_in = float(cuts[np.flatnonzero(specificity >= SPECIFICITY)[0]])
    # Those of a good classifier cross: then each keeps the other's promise as well as its own, and more of it.
    low, high = min(rule_out, rule_in), max(rule_out, rule_in)
    return {"rule_out": min(low, balanced), "balanced": balanced, "rule_in": max(high, balanced)}


# ---------------------------------------------------------------- prediction sets


def prediction_sets(validation: Answers, test: Answers, calibration: Calibration, seed: int) -> PredictionSets:
    """Sets of labels by split conformal prediction (Sadinle, Lei & Wasserman 2019, arXiv:1609.00451).

    The threshold is the k-th smallest probability of the truth among n validation images, k = floor((n + 1)(1 - 0.9)):
    for images like these the truth reaches it nine times in ten. It is never above 0.1: a classifier that is right more
    often than promised would else leave out labels that it gives a fair chance, and be silent of its own doubt.

    Args:
        validation: choose the threshold.
        test: measure it.
        calibration: of a softmax.
        seed: of the intervals.
    """
    chances = probabilities(validation.logits, calibration)
    truth = np.sort(chances[np.arange(len(chances)), validation.classes])
    rank = int(np.floor((len(truth) + 1) * (1 - COVERAGE)))
    conformal = float(truth[rank - 1]) if rank else 0.0
    threshold = min(conformal, 1 - COVERAGE)
    chosen = prediction_set(probabilities(test.logits, calibration), threshold)
    everyone = np.ones(len(chosen), bool)
    return PredictionSets(
        promised=COVERAGE,
        threshold=threshold,
        coverage=_share(np.any(chosen & test.truths, axis=1), everyone, test, seed),
        mean_size=float(chosen.sum(axis=1).mean()),
        single=_share(chosen.sum(axis=1) == 1, everyone, test, seed),
    )


def _share(met: Bools, among: Bools, answers: Answers, seed: int) -> Estimate:
    """The share of some images that meet a condition, with its interval over groups."""
    groups = len({sample.group for sample, taken in zip(answers.samples, among, strict=True) if taken})
    hits, whole = (met & among).astype(np.float64), among.astype(np.float64)
    drawn = [ratio(weights @ hits, weights @ whole) for weights in resamples(answers.samples, seed)]
    found = estimate(float(hits.sum() / whole.sum()), np.concatenate(drawn), groups)
    if found is None:
        message = "there is no image to measure on"
        raise ValueError(message)
    return found

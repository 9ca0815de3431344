"""The points of the diagrams: ROC, precision-recall and reliability."""

from dataclasses import dataclass

import numpy as np

from services.bundle.manifest import Calibration
from training.answers import Answers
from training.metrics import BINS, Bools, Floats, bin_of, ratio, statements


@dataclass(frozen=True, slots=True)
class Operating:
    """What every threshold gives, from the strictest to the one that lets all through: float64 [thresholds] each.

    Attributes:
        recall: share of the positives that reach the threshold; the sensitivity.
        fallout: share of the negatives that reach it; one minus the specificity.
        precision: share of positives among all that reach it.
    """

    recall: Floats
    fallout: Floats
    precision: Floats


def operating(scores: Floats, positive: Bools) -> Operating:
    """What every threshold of some scores gives; ties pass or fail together.

    Args:
        scores: [n], higher for the positive.
        positive: bool [n], the truth; holds both kinds.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=np.inf))
    found = np.cumsum(positive[order])[ends]
    taken = ends + 1
    return Operating(
        recall=found / positive.sum(),
        fallout=(taken - found) / (~positive).sum(),
        precision=found / taken,
    )


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often a statement was right, by how probable it was said to be: float64 [bins], NaN where a bin is empty.

    Attributes:
        stated: mean probability.
        observed: share that was right.
        count: how many statements.
    """

    stated: Floats
    observed: Floats
    count: Floats


def reliability(answers: Answers, calibration: Calibration) -> Reliability:
    """The points of a reliability diagram (Guo et al. 2017, figure 1), over the bins of the calibration error."""
    cells, turned_out = statements(answers, calibration)
    stated, right = cells.ravel(), turned_out.ravel()
    members = (np.arange(BINS) == bin_of(stated)[:, None]).astype(np.float64)
    count = members.sum(axis=0)
    return Reliability(ratio(stated @ members, count), ratio(right @ members, count), count)

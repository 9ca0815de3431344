"""Whether one bundle is better than another on the same images: paired differences, and tests of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from services.bundle.calibration import probabilities
from services.bundle.evaluation import Estimate
from services.bundle.fields import Count, Frozen, Sentence, Share
from services.bundle.manifest import Calibration
from training.answers import Answers
from training.bootstrap import estimate, swaps
from training.evaluation import Measured
from training.metrics import Bools, Counts, Floats, accuracy, areas, balanced_accuracy, decide, log_loss, mean

COMPARED = ("accuracy", "balanced_accuracy", "macro_roc_auc", "negative_log_likelihood")
"""The figures whose differences are tested."""

_ROUNDING = 1e-9


class Difference(Estimate):
    """How much higher a figure is than that of the reference, with its 95 % interval.

    Attributes:
        p_value: two-sided, by swapping the answers of whole groups.
        corrected: for as many comparisons as there are, by Holm.
    """

    figure: str
    p_value: Share
    corrected: Share


class McNemar(Frozen):
    """McNemar's exact test of accuracy. It takes images for independent, which those of one group are not.

    Attributes:
        only_reference: images that the reference alone got right.
        only_other: images that the other alone got right.
        p_value: two-sided.
        corrected: for as many comparisons as there are, by Holm.
    """

    only_reference: Count
    only_other: Count
    p_value: Share
    corrected: Share


_Test = TypeVar("_Test", Difference, McNemar)


class Versus(Frozen):
    """One bundle against the reference."""

    name: Sentence
    differences: tuple[Difference, ...]
    mcnemar: McNemar


class Comparison(Frozen):
    """Several bundles against one of them, on the same images."""

    reference: Sentence
    others: tuple[Versus, ...]


@dataclass(frozen=True, slots=True)
class Contender:
    """A bundle that is compared.

    Attributes:
        answers: to the same images as the others', with the labels in the same order.
        measured: of these answers, with the same seed as the others'.
    """

    answers: Answers
    calibration: Calibration
    measured: Measured

    @property
    def right(self) -> Bools:
        """Which images were answered right in every label, bool [n]."""
        calibrated = probabilities(self.answers.logits, self.calibration)
        decided = decide(calibrated, self.calibration.activation)
        right: Bools = (decided == self.answers.truths).all(axis=1)
        return right


def compare(contenders: Mapping[str, Contender], seed: int) -> Comparison:
    """Test every bundle against the first.

    Differences are bootstrapped over groups in pairs: each resample measures both bundles on the same draw, so what
    makes images hard for both cancels out. P-values are of a permutation test over groups, which holds for any number
    of them, and are corrected over the bundles, for each figure by itself.

    Args:
        contenders: by what to call them; at least two.
        seed: of the permutations.
    """
    reference, *others = contenders
    pairs = [(contenders[reference], contenders[name]) for name in others]
    tested = [_differences(*pair, seed) for pair in pairs]
    # The figures of a column are one family of tests, and so are McNemar's.
    columns = [_corrected(list(column)) for column in zip(*tested, strict=True)]
    mcnemars = _corrected([_mcnemar(first.right, second.right) for first, second in pairs])
    return Comparison(
        reference=reference,
        others=tuple(
            Versus(name=name, differences=tuple(column[number] for column in columns), mcnemar=mcnemars[number])
            for number, name in enumerate(others)
        ),
    )


# ---------------------------------------------------------------- figures


def _differences(reference: Contender, other: Contender, seed: int) -> list[Difference]:
    p_values = permutation_p_values(reference, other, seed)
    ours, theirs = reference.measured, other.measured
    found = {
        name: estimate(
            float((theirs.figures.overall[name] - ours.figures.overall[name])[0]),
            theirs.drawn.overall[name] - ours.drawn.overall[name],
        )
        for name in COMPARED
    }
    # An area that these images do not give is left out.
    return [
        Difference(figure=name, **dict(estimated), p_value=p_values[name], corrected=p_values[name])
        for name, estimated in found.items()
        if estimated is not None
    ]


def permutation_p_values(reference: Contender, other: Contender, seed: int) -> dict[str, float]:
    """Two-sided p-values of no difference, by figure, in a paired permutation test (Good 2005, section 3.5).

    If two bundles are alike, nothing is changed by swapping their answers to a group. So the difference is set beside
    those that arise when each group's answers are swapped by the toss of a coin. Its own toss is counted among them,
    so that no p-value is zero.

    Args:
        reference: one bundle.
        other: another, on the same images.
        seed: of the tosses.

    Returns:
        NaN for a figure that these images do not give.
    """
    scaled = [some.answers.logits / some.calibration.temperature for some in (reference, other)]
    truths, samples = reference.answers.truths, reference.answers.samples
    # Both bundles' answers in one row, of which weights pick one or the other.
    both = Answers(np.concatenate(scaled), np.concatenate([truths, truths]), samples + samples)
    plain = Calibration(temperature=1.0, activation=reference.calibration.activation)
    straight = np.repeat([[0.0, 1.0]], len(samples), axis=1)
    observed = _change(both, plain, straight)
    tossed = [_change(both, plain, np.hstack([swapped, 1 - swapped])) for swapped in swaps(samples, seed)]
    return {name: _rank(np.concatenate([change[name] for change in tossed]), observed[name][0]) for name in COMPARED}


def _change(both: Answers, calibration: Calibration, second: Floats) -> dict[str, Floats]:
    """The figures of the answers that weights [some, 2n] pick, minus those of the others."""
    calibrated = probabilities(both.logits, calibration)
    decided = decide(calibrated, calibration.activation)
    losses = log_loss(both, calibration)

    def four(weights: Floats) -> dict[str, Floats]:
        counts = Counts.of(decided, both.truths, weights)
        curves = [areas(calibrated[:, n], both.truths[:, n], weights)[0] for n in range(calibrated.shape[1])]
        return {
            "accuracy": accuracy(decided, both.truths, weights),
            "balanced_accuracy": balanced_accuracy(counts, calibration.activation),
            "macro_roc_auc": mean(np.stack(curves, axis=1)),
            "negative_log_likelihood": weights @ losses / weights.sum(axis=1),
        }

    ours, theirs = four(second), four(1 - second)
    return {name: ours[name] - theirs[name] for name in COMPARED}


def _rank(tossed: Floats, observed: float) -> float:
    if np.isnan(observed):
        return float("nan")
    # Equal differences come out of sums in another order.
    as_large = int((np.abs(tossed) >= abs(observed) - _ROUNDING).sum())
    return (as_large + 1) / (len(tossed) + 1)


# ---------------------------------------------------------------- images


def _mcnemar(reference: Bools, other: Bools) -> McNemar:
    only_reference, only_other = int((reference & ~other).sum()), int((other & ~reference).sum())
    p_value = mcnemar_p_value(only_reference, only_other)
    return McNemar(only_reference=only_reference, only_other=only_other, p_value=p_value, corrected=p_value)


def mcnemar_p_value(first: int, second: int) -> float:
    """Two-sided exact p-value of McNemar's test (Dietterich 1998): the binomial of one half.

    Args:
        first: images that only one of two classifiers got right.
        second: images that only the other got right.
    """
    discordant, fewer = first + second, min(first, second)
    term = cumulated = 1
    for number in range(1, fewer + 1):
        term = term * (discordant - number + 1) // number
        cumulated += term
    # In whole numbers, so that nothing underflows however many images there are.
    return min(1.0, 2 * cumulated / (1 << discordant))


# ---------------------------------------------------------------- several tests


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm 1979): no false alarm at all with the probability that a level says."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    raised = np.minimum(1, np.maximum.accumulate(factors * np.asarray(p_values)[order]))
    corrected = np.empty(len(p_values))
    corrected[order] = raised
    return [float(p_value) for p_value in corrected]


def _corrected(tests: list[_Test]) -> list[_Test]:
    raised = holm([test.p_value for test in tests])
    return [test.model_copy(update={"corrected": p_value}) for test, p_value in zip(tests, raised, strict=True)]

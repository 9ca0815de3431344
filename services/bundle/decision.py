"""What turns probabilities into an outcome: operating points of a positive finding, and prediction sets."""

from typing import Literal

from services.bundle.evaluation import Estimate
from services.bundle.fields import Frozen, Label, Number, Sentence, Share

PointName = Literal["rule_out", "balanced", "rule_in"]


class OperatingPoint(Frozen):
    """A threshold on the probability of the positive label, chosen on validation and measured on test.

    Attributes:
        label: the positive one.
        threshold: from this probability on the answer is positive.
        policy: how the threshold was chosen.
        sensitivity: share of the positive test images at or above the threshold.
        specificity: share of the negative test images below it.
    """

    name: PointName
    label: Label
    threshold: Share
    policy: Sentence
    sensitivity: Estimate
    specificity: Estimate


class PredictionSets(Frozen):
    """Sets of labels that hold the truth as often as promised (split conformal prediction).

    Attributes:
        promised: the share of images like those of validation whose set holds the truth.
        threshold: each label of at least this probability is in the set, and the likeliest always.
        coverage: share of the test images whose set holds the truth.
        mean_size: labels per set, over the test images.
        single: share of the test images whose set is one label.
    """

    promised: Share
    threshold: Share
    coverage: Estimate
    mean_size: Number
    single: Estimate

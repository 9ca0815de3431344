"""Decisions: operating points with their predictive values, and prediction sets."""

from services.bundle.calibration import predictive_values
from services.bundle.decision import OperatingPoint
from services.bundle.manifest import Manifest
from services.bundle.task import Task
from training.markdown import bullets, table
from training.sections.estimates import decimals, percent, short

PREVALENCES = (0.01, 0.1, 0.5)
"""At which predictive values are printed."""

_NAMES = {"rule_out": "rule-out", "balanced": "balanced", "rule_in": "rule-in"}
_PURPOSES = {
    "rule_out": "to set the negative aside: few of the positive lie below it, though many of the negative lie above it",
    "balanced": "for a yes or no that weighs sensitivity and specificity alike",
    "rule_in": "to act on the positive: few of the negative reach it, though many of the positive miss it",
}


def operating_points(manifest: Manifest, task: Task) -> str:
    """Thresholds of the positive finding, what each is for, and what its answers are worth."""
    points = manifest.operating_points
    if not points:
        why = "None were chosen" if task.positive else "The task has no positive finding"
        return f"There are none. {why}."
    title = next(entry.title for entry in task.labels if entry.label == points[0].label)
    rows = [
        (_NAMES[p.name], f"{p.threshold:.4g}", p.policy, short(p.sensitivity), short(p.specificity)) for p in points
    ]
    header = ("operating point", "threshold", "policy", "test sensitivity", "test specificity")
    shares = [f"{percent(prevalence)}" for prevalence in PREVALENCES]
    return "\n\n".join(
        (
            (
                f"From a threshold on, the probability of {title} counts as positive. The thresholds were chosen on "
                "validation; sensitivity and specificity are those of the test part, with 95 % intervals, and may be "
                "lower than the policy asked for."
            ),
            table(header, rows),
            bullets(f"{_NAMES[point.name].capitalize()}: {_PURPOSES[point.name]}." for point in points),
            (
                f"How likely an answer is right depends on how common {title} is among those who are asked about. By "
                "Bayes' theorem from the figures above, a positive answer is right with the first probability "
                "(positive predictive value), a negative one with the second (negative predictive value):"
            ),
            table(("operating point", *(f"where {share} have it" for share in shares)), map(_values, points)),
        )
    )


def _values(point: OperatingPoint) -> list[str]:
    sensitivity, specificity = point.sensitivity.value, point.specificity.value
    pairs = (predictive_values(sensitivity, specificity, prevalence) for prevalence in PREVALENCES)
    return [_NAMES[point.name], *(" / ".join(map(decimals, pair)) for pair in pairs)]


def prediction_sets(manifest: Manifest) -> str:
    """How often the set of labels holds the truth, and how many it holds."""
    sets = manifest.prediction_sets
    if sets is None:
        if manifest.operating_points:
            return "There are none: the operating points take their place."
        several = manifest.calibration.activation == "sigmoid"
        return "There are none: an image may have several labels." if several else "There are none."
    rows = [
        ("promised coverage", percent(sets.promised)),
        ("measured coverage", short(sets.coverage)),
        ("labels per set, mean", f"{sets.mean_size:.3f}"),
        ("share of sets of one label", short(sets.single)),
    ]
    return (
        "Beside each answer stands a set of labels: every one of a probability of at least "
        f"{sets.threshold:.4g}, and always the likeliest (split conformal prediction, Vovk et al. 2005). The threshold "
        "was chosen on validation so that the set holds the truth as often as promised, on images like those; on "
        "images from elsewhere nothing is promised. Measured on the test part:\n\n"
        f"{table(('', ''), rows)}"
    )

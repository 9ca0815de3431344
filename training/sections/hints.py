"""Hints: what they did to the answers of validation images."""

from services.bundle.hints import RULE
from services.bundle.manifest import Manifest
from training.markdown import table
from training.sections.estimates import percent, short


def hints(manifest: Manifest) -> str:
    """What a right hint gives and a wrong one costs."""
    effects = manifest.hints
    rows = [
        (effect.title, *(short(figure) for figure in (effect.alone, effect.right, effect.wrong, effect.misleading)))
        for effect in effects
    ]
    header = ("the validation images", "no hint", "a right hint", "a wrong hint", "the most misleading hint")
    return (
        f"A hint multiplies the odds of the label that it names by {RULE.ratio:g}; where the image alone is "
        f"{percent(RULE.confident)} sure of another label, it does not count. Accuracy on {effects[0].images} "
        "validation images, as they are and spoilt, since a network that is always right leaves a hint nothing to "
        f"mend:\n\n{table(header, rows)}"
    )

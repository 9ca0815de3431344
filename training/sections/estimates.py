"""Figures as the card writes them."""

from services.bundle.evaluation import Estimate

NOTHING = "-"
"""Stands where a figure does not exist."""


def interval(estimate: Estimate) -> str:
    """A figure in a sentence."""
    return f"{estimate.value:.4f} (95 % interval {estimate.low:.4f} to {estimate.high:.4f})"


def short(estimate: Estimate | None) -> str:
    """A figure with its interval in a cell."""
    if estimate is None:
        return NOTHING
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def decimals(value: float | None) -> str:
    """A figure without an interval in a cell; what is short of one never looks like it."""
    if value is None:
        return NOTHING
    return ">0.999" if value < 1 and f"{value:.3f}" == "1.000" else f"{value:.3f}"


def percent(share: float) -> str:
    """A share of images; what is short of all or above none never looks like them."""
    rounded = f"{share:.1%}".removesuffix("%")
    if share < 1 and rounded == "100.0":
        return "more than 99.9 %"
    if share > 0 and rounded == "0.0":
        return "less than 0.1 %"
    return f"{rounded.removesuffix('.0')} %"


def points(change: float) -> str:
    """A change of a share in points of a hundred."""
    return f"{100 * change:.1f}" if round(100 * change, 1) else "0.0"

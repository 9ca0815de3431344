"""Figures are written so that nothing short of all looks like all."""

import pytest

from services.bundle.evaluation import Estimate
from training.sections.estimates import decimals, interval, percent, points, short


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.98, "98 %"),
        (0.96875, "96.9 %"),
        (0.9999, "more than 99.9 %"),
        (0.0002, "less than 0.1 %"),
        (1 - 0.95, "5 %"),
    ],
)
def test_shares(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(("change", "text"), [(-0.0214, "-2.1"), (0.0, "0.0"), (-0.0001, "0.0"), (0.01, "1.0")])
def test_points(change: float, text: str) -> None:
    assert points(change) == text


def test_figures_carry_their_intervals() -> None:
    figure = Estimate(value=0.75, low=0.5, high=0.875)
    assert interval(figure) == "0.7500 (95 % interval 0.5000 to 0.8750)"
    assert short(figure) == "0.750 (0.500 to 0.875)"
    assert short(None) == decimals(None) == "-"
    assert decimals(0.1236) == "0.124"
    assert (decimals(0.9996), decimals(1.0), decimals(0.9994)) == (">0.999", "1.000", "0.999")

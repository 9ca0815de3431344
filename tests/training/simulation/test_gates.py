"""Gates: their shares are those of the events that they hold."""

import numpy as np
import pytest

from training.simulation.events import specimen
from training.simulation.gates import Cross, Region, gates, percent
from training.simulation.outlines import SQUARE, blob, placed

EVENLY = np.stack(np.meshgrid(np.linspace(0, 1, 201), np.linspace(0, 1, 201)), axis=-1).reshape(-1, 2)


def test_the_quadrants_hold_every_event_once() -> None:
    shares = Cross(0.3, 0.6, numbered=True).shares(EVENLY)
    assert shares == pytest.approx([0.3 * 0.4, 0.7 * 0.4, 0.7 * 0.6, 0.3 * 0.6], abs=0.01)
    assert sum(shares) == pytest.approx(1)


def test_a_region_holds_what_lies_within_its_line() -> None:
    assert Region(placed(SQUARE, (0.5, 0.4), (0.2, 0.1)), "").share(EVENLY) == pytest.approx(0.08, abs=0.005)
    circle = placed(blob(np.random.default_rng(0), 0, 1), (0.5, 0.5), (0.3, 0.3))
    assert Region(circle, "").share(EVENLY) == pytest.approx(np.pi * 0.09, rel=0.02)


def test_gates_are_drawn_around_events() -> None:
    rng = np.random.default_rng(1)
    drawn = [(gate, shown) for shown in (specimen(rng, 500) for _ in range(40)) for gate in gates(rng, shown.events)]
    regions = [(gate, shown) for gate, shown in drawn if isinstance(gate, Region)]
    assert {type(gate) for gate, _ in drawn} == {Cross, Region}
    assert np.mean([gate.share(shown.events) > 0 for gate, shown in regions]) > 0.9
    assert all((gate.corners >= 0).all() and (gate.corners <= 1).all() for gate, _ in regions)


def test_a_share_is_written_as_a_percentage() -> None:
    assert {percent(np.random.default_rng(seed), 0.1234).rstrip(" %") for seed in range(30)} == {"12", "12.3", "12.34"}

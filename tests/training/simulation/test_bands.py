"""Bands of a gel: where they lie and how strong they are."""

import numpy as np
import pytest

from training.simulation.bands import Band, dirt, distorted, lanes, lay_band, lay_ladder, lay_row, lay_smear, strengths


def test_lanes_lie_side_by_side() -> None:
    places = lanes(np.random.default_rng(0), 10, 110, 10)
    assert len(places) == 10
    assert places.centres == pytest.approx(np.arange(15, 110, 10), abs=1.5)


def test_a_band_is_darkest_at_its_centre_and_bends_downwards() -> None:
    density = np.zeros((60, 80), np.float32)
    lay_band(density, Band(40, 20, 15, 2, bow=6), 0.8)
    assert density.argmax() == 20 * 80 + 40
    assert density.max() == pytest.approx(0.8)
    assert density[:, 52].argmax() == pytest.approx(20 + 6 * (12 / 15) ** 2, abs=1)
    assert density[20, 5] == 0


def test_a_tail_points_upwards() -> None:
    density = np.zeros((60, 40), np.float32)
    lay_band(density, Band(20, 40, 10, 2, tail=0.3), 1)
    assert density[:34].sum() > 5 * density[47:].sum()


def test_a_band_outside_is_left_out() -> None:
    density = np.zeros((20, 20), np.float32)
    for x, y in ((-90, 5), (5, -90), (200, 5), (5, 200)):
        lay_band(density, Band(x, y, 5, 1), 1)
    assert not density.any()


def test_a_row_follows_its_amounts() -> None:
    rng, density = np.random.default_rng(2), np.zeros((50, 200), np.float32)
    places = lanes(rng, 0, 200, 4)
    lay_row(rng, density, places, 25, 3, [1, 0, 0.5, 0])
    seen = [density[:, int(x) - 8 : int(x) + 8].max() for x in places.centres]
    assert seen[0] > 1.5 * seen[2] > 0
    assert seen[1] < 0.05 < seen[2]


def test_a_ladder_has_rungs_where_it_says() -> None:
    rng, density = np.random.default_rng(3), np.zeros((300, 40), np.float32)
    rungs = lay_ladder(rng, density, 20, 30, (20, 280))
    assert rungs[0] == pytest.approx(20)
    assert rungs[-1] == pytest.approx(280)
    assert all(density[round(y), 20] > 0.3 for y in rungs)
    gaps = np.diff(rungs)
    assert gaps.max() > 1.4 * gaps.min()


def test_a_smear_keeps_to_its_lane() -> None:
    density = np.zeros((100, 60), np.float32)
    lay_smear(np.random.default_rng(4), density, 30, 20, (0, 100), 0.5)
    assert density[:, 30].mean() > 0.05
    assert not density[:, :15].any()
    assert not density[:, 45:].any()


def test_amounts_come_in_several_patterns() -> None:
    drawn = [strengths(np.random.default_rng(seed), 8) for seed in range(40)]
    spreads = [amounts.std() / amounts.mean() for amounts in drawn]
    assert min(spreads) < 0.2
    assert max(spreads) > 0.8
    assert all((amounts >= 0).all() for amounts in drawn)


def test_a_distortion_of_nothing_leaves_the_gel() -> None:
    rng = np.random.default_rng(5)
    density = rng.random((40, 50)).astype(np.float32)
    assert distorted(rng, density, 0).tolist() == density.tolist()
    assert distorted(rng, density, 5).tolist() != density.tolist()


def test_some_are_clean_and_some_are_dirty() -> None:
    spots = [dirt(np.random.default_rng(seed), (60, 60)).max() for seed in range(40)]
    assert 0 in spots
    assert max(spots) > 0.3

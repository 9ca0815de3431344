"""Resamples draw whole groups, and intervals leave out what is undefined."""

import numpy as np
import pytest

from tests.training.answering import samples
from training import bootstrap
from training.bootstrap import RESAMPLES, estimate, resamples, swaps


def drawn(groups: list[object], seed: int = 1) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.concatenate(list(resamples(samples(groups), seed)))


def test_a_resample_draws_as_many_groups_as_there_are() -> None:
    weights = drawn(["a", "b", "b", "c", "b"])
    assert weights.shape == (RESAMPLES, 5)
    np.testing.assert_array_equal(weights[:, 1], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 1], weights[:, 4])
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    # Each group once on average; drawn with replacement, it is often absent.
    assert weights.mean(axis=0) == pytest.approx(np.ones(5), abs=0.1)
    assert (weights[:, 0] == 0).mean() == pytest.approx((2 / 3) ** 3, abs=0.05)


def test_a_seed_repeats_the_draws() -> None:
    np.testing.assert_array_equal(drawn([*range(9)]), drawn([*range(9)]))
    assert not np.array_equal(drawn([*range(9)]), drawn([*range(9)], seed=2))


def test_many_images_are_drawn_a_few_resamples_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn([*range(9)])
    monkeypatch.setattr(bootstrap, "_MOST_NUMBERS", 9 * 7)
    chunks = list(resamples(samples([*range(9)]), 1))
    assert [len(chunk) for chunk in chunks] == [7] * 142 + [6]
    np.testing.assert_array_equal(np.concatenate(chunks), whole)


def test_swaps_are_tosses_of_a_coin_for_each_group() -> None:
    tossed = np.concatenate(list(swaps(samples(["a", "b", "b"]), 1)))
    assert tossed.shape == (RESAMPLES, 3)
    assert set(np.unique(tossed)) == {0, 1}
    np.testing.assert_array_equal(tossed[:, 1], tossed[:, 2])
    assert tossed.mean(axis=0) == pytest.approx(np.full(3, 0.5), abs=0.06)
    assert (tossed[:, 0] == tossed[:, 1]).mean() == pytest.approx(0.5, abs=0.06)


def test_an_interval_is_of_the_defined_resamples() -> None:
    spread = np.concatenate([np.arange(1001) / 1000, np.full(500, np.nan)])
    found = estimate(0.5, spread)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.025, 0.975))
    assert estimate(float("nan"), spread) is None


def test_an_interval_holds_its_figure() -> None:
    below, above = estimate(0.1, np.full(5, 0.2)), estimate(0.3, np.full(5, 0.2))
    assert below is not None
    assert above is not None
    assert (below.low, below.high) == (0.1, 0.2)
    assert (above.low, above.high) == (0.2, 0.3)


def test_a_share_that_was_never_wrong_is_not_certain() -> None:
    perfect, never = estimate(1.0, np.ones(9), groups=60), estimate(0.0, np.zeros(9), groups=60)
    assert perfect is not None
    assert never is not None
    assert (perfect.low, perfect.high) == (0.95, 1)
    assert (never.low, never.high) == (0, 0.05)
    alone = estimate(1.0, np.ones(9), groups=2)
    assert alone is not None
    assert (alone.low, alone.high) == (0, 1)


def test_only_a_share_of_images_has_room_for_what_was_not_seen() -> None:
    area, spread, same = (
        estimate(1.0, np.ones(9)),
        estimate(1.0, np.array([0.9, 1.0] * 9), 60),
        estimate(0.5, np.full(9, 0.5), 60),
    )
    assert area is not None
    assert spread is not None
    assert same is not None
    assert (area.low, area.high) == (1, 1)
    assert (spread.low, spread.high) == (0.9, 1)
    assert (same.low, same.high) == (0.5, 0.5)

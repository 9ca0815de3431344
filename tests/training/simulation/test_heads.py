"""A slice of a head looks like one: bone around brain, in grey, never the same twice."""

import numpy as np
import pytest

from training.simulation.heads import slice_of_head


@pytest.mark.parametrize("seed", range(12))
def test_a_bright_ring_lies_around_a_darker_inside_on_black(seed: int) -> None:
    picture = np.asarray(slice_of_head(np.random.default_rng(seed))).astype(int)
    assert picture.shape == (256, 256, 3)
    assert not np.ptp(picture, axis=2).any()
    grey = picture[..., 0]
    assert (grey > 235).mean() > 0.01
    assert grey[:6, :6].mean() < 30
    inside = grey[96:160, 96:160]
    assert 30 < inside.mean() < 200
    # From the middle outwards there is brain, then bone, then air.
    ray = grey[128, 128:]
    assert ray.argmax() > 30
    assert ray[-3:].max() < 60


def test_a_seed_draws_the_same() -> None:
    first, again, other = (np.asarray(slice_of_head(np.random.default_rng(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)

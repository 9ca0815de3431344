"""Fields of noise: what is computed quickly is what the long way gives."""

import math

import numpy as np
import pytest

from training.simulation.textures import (
    blur,
    cells,
    fractal,
    is_dark,
    mix,
    noise,
    plain,
    relief,
    smooth,
    tint,
    unit,
    warp,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_noise_is_smooth_within_a_cell_and_independent_beyond(rng: np.random.Generator) -> None:
    field = noise(rng, (200, 200), 20)
    assert field.shape == (200, 200)
    assert 0.5 < field.std() < 1.2
    near = np.corrcoef(field[:, :-2].ravel(), field[:, 2:].ravel())[0, 1]
    far = np.corrcoef(field[:100].ravel(), field[100:].ravel())[0, 1]
    assert near > 0.97
    assert abs(far) < 0.3


def test_noise_may_be_drawn_out_to_one_side(rng: np.random.Generator) -> None:
    field = noise(rng, (120, 120), (4, 60))
    down, across = np.abs(np.diff(field, axis=0)).mean(), np.abs(np.diff(field, axis=1)).mean()
    assert down > 5 * across


def test_octaves_add_detail(rng: np.random.Generator) -> None:
    rough, fine = (fractal(np.random.default_rng(1), (100, 100), 40, octaves) for octaves in (1, 5))
    assert np.abs(np.diff(fine)).mean() > 1.4 * np.abs(np.diff(rough)).mean()
    assert np.isfinite(fractal(rng, (30, 30), 3, 9)).all()


def test_a_blurred_point_is_the_gaussian() -> None:
    field = np.zeros((61, 61), np.float32)
    field[30, 30] = 1
    seen, sigma = blur(field, 3), 3
    assert seen.sum() == pytest.approx(1, abs=1e-4)
    assert seen[30, 30] == pytest.approx(1 / (2 * math.pi * sigma**2), rel=1e-3)
    assert seen[30, 36] / seen[30, 30] == pytest.approx(math.exp(-2), rel=1e-3)


def test_a_blur_does_not_darken_the_edges() -> None:
    assert blur(np.full((20, 30), 0.7, np.float32), 4) == pytest.approx(0.7, abs=1e-5)


def test_cells_belong_to_the_nearest_of_their_points(rng: np.random.Generator) -> None:
    nearest, gap, owner = cells(rng, (90, 70), 15)
    # The long way: a cell's point lies where the distance is least; cells that touch the border may have it outside.
    border = {*owner[0].tolist(), *owner[-1].tolist(), *owner[:, 0].tolist(), *owner[:, -1].tolist()}
    inner = sorted({*owner.ravel().tolist()} - border)
    assert len(inner) > 5
    places = [int(np.argmin(np.where(owner == cell, nearest, np.inf))) for cell in inner]
    points = [divmod(place, owner.shape[1]) for place in places]
    for cell, point in zip(inner, points, strict=True):
        rows, columns = np.nonzero(owner == cell)
        assert nearest[rows, columns] == pytest.approx(np.hypot(rows - point[0], columns - point[1]), abs=1.5)
    assert (gap >= 0).all()
    edge = owner[:, 1:] != owner[:, :-1]
    assert gap[:, 1:][edge].mean() < gap.mean() / 2


def test_a_warp_takes_pixels_from_elsewhere_and_repeats_the_edge() -> None:
    field = np.arange(20, dtype=np.float32).reshape(4, 5)
    ones, none = np.ones((4, 5), np.float32), np.zeros((4, 5), np.float32)
    assert warp(field, ones, none).tolist() == [*field[1:].tolist(), field[-1].tolist()]
    assert warp(field, none, -ones)[:, 0].tolist() == field[:, 0].tolist()


def test_a_step_runs_both_ways() -> None:
    field = np.asarray([[0, 0.5, 1]], np.float32)
    assert smooth(field, 0.2, 0.8).tolist() == [[0, pytest.approx(0.5), 1]]
    assert smooth(field, 0.8, 0.2).tolist() == [[1, pytest.approx(0.5), 0]]


def test_a_ramp_has_even_steps() -> None:
    shades = tint(np.asarray([[0, 0.25, 1]], np.float32), ((0, 0, 0), (1, 0, 0), (1, 1, 1)))
    assert shades[0].tolist() == [[0, 0, 0], [0.5, 0, 0], [1, 1, 1]]


def test_a_flat_field_stays_finite() -> None:
    assert (unit(np.full((3, 3), 4, np.float32)) == 0).all()


def test_a_share_covers_a_picture() -> None:
    half = mix(plain((2, 2), (0, 0, 0)), (1, 0.5, 0), np.full((2, 2), 0.5, np.float32))
    assert half[0, 0].tolist() == [0.5, 0.25, 0]
    assert is_dark(half)


def test_a_slope_towards_the_light_is_bright() -> None:
    ramp = np.tile(np.arange(5, dtype=np.float32), (5, 1))
    assert relief(ramp, 0, 2) == pytest.approx(2)
    assert relief(ramp, math.pi, 2) == pytest.approx(-2)

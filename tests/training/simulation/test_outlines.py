"""Round things: where they lie, how large they are, and what happens at the edge of a picture."""

import math

import numpy as np
import pytest

from training.simulation.outlines import add, blob, crowd, disc, distance, paint, placed, raise_to, scattered


def test_a_disc_has_its_radius() -> None:
    mask = disc(distance(np.random.default_rng(0), 10, rough=0), 0.1)
    assert mask.sum() == pytest.approx(math.pi * 100, rel=0.03)


def test_a_long_disc_has_the_same_area_and_lies_along_its_angle() -> None:
    mask = disc(distance(np.random.default_rng(0), 10, rough=0, long=4, angle=0), 0.1)
    assert mask.sum() == pytest.approx(math.pi * 100, rel=0.05)
    rows, columns = np.nonzero(mask > 0.5)
    assert np.ptp(columns) == pytest.approx(4 * np.ptp(rows), rel=0.1)


@pytest.mark.parametrize("centre", [(-3, 5), (5, -3), (22, 5), (5, 12), (-90, -90), (200, 3)])
def test_what_lies_outside_is_cut_off(centre: tuple[float, float]) -> None:
    field, stamp = np.zeros((10, 20), np.float32), np.ones((7, 7), np.float32)
    add(field, stamp, centre)
    x, y = centre
    wanted = np.zeros((10, 20), np.float32)
    for row in range(10):
        for column in range(20):
            wanted[row, column] = abs(row - y) <= 3 and abs(column - x) <= 3
    assert field.tolist() == wanted.tolist()


def test_the_higher_one_wins() -> None:
    field = np.full((5, 5), 0.4, np.float32)
    raise_to(field, np.ones((3, 3), np.float32), (2, 2), 0.3)
    assert (field == np.float32(0.4)).all()
    raise_to(field, np.ones((3, 3), np.float32), (2, 2), 0.9)
    assert field[2, 2] == np.float32(0.9)
    assert field[0, 0] == np.float32(0.4)


def test_paint_covers_by_its_share() -> None:
    pixels = np.zeros((5, 5, 3), np.float32)
    paint(pixels, np.full((3, 3), 0.5, np.float32), (2, 2), (1, 0.5, 0))
    assert pixels[2, 2].tolist() == [0.5, 0.25, 0]
    assert not pixels[0].any()


def test_scattered_things_keep_apart_and_within() -> None:
    places = np.asarray(list(scattered(np.random.default_rng(1), (100, 200), 400, 15, 10)))
    away = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    assert 20 < len(places) < 400
    assert away[~np.eye(len(places), dtype=bool)].min() >= 15
    assert (places >= 10).all()
    assert (places[:, 0] <= 190).all()
    assert (places[:, 1] <= 90).all()


def test_a_crowd_covers_its_share() -> None:
    assert crowd((100, 200), 10, 0.5) * math.pi * 100 == pytest.approx(10_000, rel=0.02)
    assert crowd((10, 10), 50, 0.1) == 1


def test_an_outline_is_scaled_turned_and_moved() -> None:
    circle = placed(blob(np.random.default_rng(0), 0, 1), (5, 7), (2, 1), math.pi / 2)
    assert circle.mean(axis=0) == pytest.approx([5, 7], abs=1e-5)
    assert np.ptp(circle, axis=0) == pytest.approx([2, 4], rel=0.01)

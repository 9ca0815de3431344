"""How well one clue tells the class, without mistaking a group's own images for knowledge."""

import pytest

from training.shortcuts import told_by


def alone(count: int) -> list[str]:
    """Every image its own group."""
    return [f"g{number}" for number in range(count)]


def test_a_clue_that_goes_with_the_class_tells_all() -> None:
    assert told_by(["x", "x", "y", "y"], ["a", "a", "b", "b"], alone(4)) == 1


def test_a_clue_that_is_the_same_everywhere_tells_nothing() -> None:
    classes = ["a"] * 20 + ["b"] * 5 + ["c"] * 10
    assert told_by(["x"] * 35, classes, alone(35)) == pytest.approx(1 / 3)


def test_a_clue_of_one_image_alone_tells_nothing() -> None:
    assert told_by(list(range(30)), ["a", "b", "c"] * 10, alone(30)) == pytest.approx(1 / 3)


def test_the_images_of_one_group_tell_nothing_about_each_other() -> None:
    clue = ["x"] * 10 + ["y"] * 10
    classes = ["a"] * 10 + ["b"] * 10
    assert told_by(clue, classes, ["g"] * 10 + ["h"] * 10) == pytest.approx(1 / 2)
    assert told_by(clue, classes, alone(20)) == 1


def test_classes_count_the_same_whatever_their_size() -> None:
    # x holds nine of ten of a and all of b; for their sizes b is commoner there.
    clue = ["x"] * 90 + ["y"] * 10 + ["x"] * 10
    classes = ["a"] * 100 + ["b"] * 10
    assert told_by(clue, classes, alone(110)) == pytest.approx((0.1 + 1) / 2)


def test_the_tuberculosis_films_by_their_hospital() -> None:
    # Counts of a real set, of which most sources hold one class.
    counts = {("p", "tb"): 1207, ("r", "tb"): 564, ("p", "normal"): 280, ("c", "normal"): 1499}
    clue = [source for (source, _), count in counts.items() for _ in range(count)]
    classes = [label for (_, label), count in counts.items() for _ in range(count)]
    assert told_by(clue, classes, alone(len(clue))) == pytest.approx((1 + 1499 / 1779) / 2)

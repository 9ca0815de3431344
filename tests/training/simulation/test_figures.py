"""Every drawing of a figure: a picture of its own for each seed, the same for the same one."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from training.simulation.dice import Rng
from training.simulation.figures import FIGURES, draw
from training.simulation.reproduction import LEAST, MOST

Drawing = Callable[[Rng], Image.Image]

# What a montage draws is drawn by others; all montages are one function, so one of them is enough.
EACH = {f"{drawing.__module__}.{drawing.__qualname__}": drawing for several in FIGURES.values() for drawing in several}


def test_the_labels_are_those_of_the_task() -> None:
    assert list(FIGURES) == ["Blot_Gel", "FACS", "Macroscopy", "Microscopy", "None_of_the_above"]


def test_no_drawing_shows_two_classes() -> None:
    for drawing in EACH.values():
        assert len([label for label in FIGURES if drawing in FIGURES[label]]) == 1


def test_what_is_easily_taken_for_a_plot_of_cells_or_a_blot_is_among_the_others() -> None:
    names = [drawing.__qualname__ for drawing in FIGURES["None_of_the_above"]]
    assert names.count("scatter") >= 5
    assert {"chart", "figure", "heat_map", "bar_code", "matrix_code", "page"} <= set(names)


@pytest.mark.parametrize("drawing", EACH.values(), ids=EACH.keys())
def test_a_drawing_follows_from_its_random_numbers(drawing: Drawing) -> None:
    first, again, other = (drawing(np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert first.mode == "RGB"
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    for image in (first, other):
        assert LEAST <= max(image.size) <= MOST
        assert np.asarray(image.convert("L"), float).std() > 2


@pytest.mark.parametrize("label", FIGURES)
def test_pictures_of_a_class_differ_in_size_and_keep_to_the_bounds(label: str) -> None:
    sizes = [draw(label, np.random.default_rng([3, turn])).size for turn in range(12)]
    assert all(LEAST <= max(size) <= MOST and min(size) >= 24 for size in sizes)
    assert len(set(sizes)) > 8


def test_blots_are_long_and_square_and_tall() -> None:
    sizes = [draw("Blot_Gel", np.random.default_rng([4, turn])).size for turn in range(40)]
    aspects = [width / height for width, height in sizes]
    assert min(aspects) < 1
    assert max(aspects) > 3

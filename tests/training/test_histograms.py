"""The plots of an inspection: drawn from its figures, for one class or many, always in the same bytes."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.test_inspection import FILES, inspect, write
from training.folders import Sample
from training.histograms import classes, colours, plots, sizes
from training.inspection import Class, Inspection, Shades


@pytest.fixture
def found(tmp_path: Path) -> Inspection:
    return inspect(write(tmp_path, FILES))


def pixels(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def colour_of(png: bytes, colour: tuple[int, int, int]) -> int:
    """How many pixels have this very colour."""
    return int((pixels(png) == colour).all(axis=-1).sum())


RED, GREEN, BLUE, INK, ORANGE, GREY = (
    (0xB3, 0x26, 0x1E),
    (0x3A, 0x7D, 0x44),
    (0x2F, 0x6F, 0x9F),
    (0x1F, 0x29, 0x33),
    (0xC0, 0x56, 0x21),
    (0x9A, 0xA5, 0xB1),
)


def test_every_plot_is_a_small_png_and_the_same_again(found: Inspection) -> None:
    drawn = plots(found)
    assert sorted(drawn) == ["classes.png", "colours.png", "sizes.png"]
    for name, png in drawn.items():
        assert len(png) < 60_000, name
        assert pixels(png).std() > 5, name
        assert b"matplotlib" not in png
    assert plots(found) == drawn


def test_bars_are_as_long_as_the_images_are_many(found: Inspection) -> None:
    more = replace(found, classes=(replace(found.classes[0], images=8, sources={"drawn": 8}), found.classes[1]))
    equal, uneven = colour_of(classes(found), BLUE), colour_of(classes(more), BLUE)
    assert uneven / equal == pytest.approx(3 / 4, abs=0.03)


def test_bars_are_stacked_by_source_and_rare_sources_share_a_colour(found: Inspection) -> None:
    assert colour_of(classes(found), ORANGE) == 0
    samples = tuple(Sample(f"{n}.png", ("a",), str(n), f"s{n % 9}") for n in range(100))
    sources = {f"s{n}": 12 if n == 0 else 11 for n in range(9)}
    many = replace(found, folder=replace(found.folder, samples=samples), classes=(Class("a", 100, 100, sources, None),))
    drawn = classes(many)
    # s0 is the commonest; s7 and s8 have no colour of their own.
    assert colour_of(drawn, GREY) / colour_of(drawn, ORANGE) == pytest.approx(2, abs=0.2)


def test_curves_are_red_green_and_blue_or_one(found: Inspection) -> None:
    drawn = colours(found)
    assert all(colour_of(drawn, colour) > 100 for colour in (RED, GREEN, BLUE))
    shades = Shades(("grey",), (128.0,), (1.0,), ((1 / 256,) * 256,))
    grey = colours(replace(found, classes=tuple(replace(item, shades=shades) for item in found.classes)))
    assert not any(colour_of(grey, colour) for colour in (RED, GREEN, BLUE))
    assert colour_of(grey, INK) > 100


def test_a_class_without_colours_has_no_panel(found: Inspection) -> None:
    one = replace(found, classes=(found.classes[0], replace(found.classes[1], shades=None)))
    assert pixels(colours(one)).shape[1] < pixels(colours(found)).shape[1]


def test_more_classes_than_a_plot_can_hold_are_cut(found: Inspection) -> None:
    few, many = (
        replace(
            found, classes=tuple(replace(found.classes[0], label=f"class {n:03} $", images=n) for n in range(count))
        )
        for count in (60, 500)
    )
    assert pixels(classes(few)).shape[0] == pytest.approx(pixels(classes(many)).shape[0], abs=2)
    assert max(pixels(colours(many)).shape) < 3000
    assert classes(few) != classes(many)


def test_rare_sizes_are_lighter_than_common_ones(found: Inspection) -> None:
    def darkest(count: int) -> int:
        rare = [replace(found.looks[0], width=100 + n, height=400) for n in range(0, 100, 10)]
        common = [replace(found.looks[0], width=400, height=100)] * count
        drawn = pixels(sizes(replace(found, looks=(*rare, *common)))).astype(int).sum(axis=-1)
        height, width = drawn.shape
        # Where only the rare sizes are drawn: below the title, right of the axis.
        return int(drawn[height // 9 : height // 4, width // 4 : width // 2].min())

    assert darkest(500) > darkest(1) + 100


def test_one_image_can_be_drawn(found: Inspection) -> None:
    assert pixels(sizes(replace(found, looks=found.looks[:1]))).std() > 5

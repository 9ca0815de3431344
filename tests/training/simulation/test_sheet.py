"""A sheet: what is drawn lies where it should, in the pixels of the finished picture."""

import numpy as np
import pytest
from PIL import Image

from training.simulation.sheet import FONTS, Sheet, frame, picture, scale_bar, sheet_of


def dark(sheet: Sheet) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.nonzero(np.asarray(sheet.finished().convert("L")) < 128)
    return rows, columns


def test_a_box_lies_where_it_should_whichever_corner_is_given() -> None:
    pictures = []
    for corner, size in (((10, 20), (30, 15)), ((40, 35), (-30, -15))):
        sheet = Sheet((60, 80))
        sheet.box(corner, size, "black")
        rows, columns = dark(sheet)
        assert (columns.min(), rows.min()) == (10, 20)
        assert (columns.max(), rows.max()) == (pytest.approx(40, abs=1), pytest.approx(35, abs=1))
        pictures.append(sheet.finished().tobytes())
    assert pictures[0] == pictures[1]


def test_a_line_has_its_width() -> None:
    sheet = Sheet((40, 60))
    sheet.line([(0, 20), (60, 20)], "black", 5)
    rows, _ = dark(sheet)
    assert np.ptp(rows) + 1 == pytest.approx(5, abs=1)
    assert rows.mean() == pytest.approx(19.5, abs=0.6)


def test_dashes_leave_gaps() -> None:
    sheet = Sheet((10, 100))
    sheet.dashes((0, 5), (100, 5), "black", 2, 5)
    ink = np.asarray(sheet.finished().convert("L"))[5] < 128
    assert 8 <= np.abs(np.diff(ink.astype(int))).sum() // 2 <= 11


@pytest.mark.parametrize("font", sorted(set(FONTS)))
def test_words_are_held_by_their_anchor(font: str) -> None:
    sheet = Sheet((60, 120), font=font)
    sheet.words((60, 30), "Gate 12", 14, anchor="mm")
    rows, columns = dark(sheet)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(30, abs=4)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(60, abs=3)


def test_turned_words_are_as_high_as_they_were_wide() -> None:
    extents = []
    for turned in (0, 90):
        sheet = Sheet((120, 120))
        sheet.words((60, 60), "upright", 14, anchor="mm", turned=turned)
        rows, columns = dark(sheet)
        extents.append((np.ptp(rows), np.ptp(columns)))
    assert extents[0] == pytest.approx(extents[1][::-1], abs=2)


def test_what_is_beyond_black_and_white_is_clipped() -> None:
    image = picture(np.asarray([[[-1, 0.5, 2]]], np.float32))
    assert image.getpixel((0, 0)) == (0, 128, 255)


def test_a_sheet_of_a_picture_shows_it() -> None:
    original = picture(np.random.default_rng(0).random((30, 50, 1), np.float32).repeat(3, -1))
    assert np.asarray(sheet_of(Image.new("RGB", (50, 30), "#336699")).finished())[10, 10].tolist() == [0x33, 0x66, 0x99]
    assert sheet_of(original).finished().size == original.size


def test_a_bar_changes_only_what_is_below() -> None:
    for seed in range(20):
        image = scale_bar(np.random.default_rng(seed), Image.new("RGB", (300, 200), "#808080"), ("µm",), "white")
        pixels = np.asarray(image.convert("L"))
        assert (pixels > 200).sum() > 30
        assert (pixels[:150] == 128).all()


def test_frames_keep_to_their_bounds() -> None:
    shapes = [frame(np.random.default_rng(seed), 0.5, 4) for seed in range(200)]
    aspects = [width / height for height, width in shapes]
    assert min(aspects) < 0.6
    assert max(aspects) > 3.3
    assert all(0.49 < aspect < 4.1 for aspect in aspects)
    assert all(200 <= max(shape) <= 420 for shape in shapes)

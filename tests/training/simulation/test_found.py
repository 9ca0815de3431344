"""Views of pictures that others have published: as many as asked for, whole or in parts, and a picture one group."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.errors import ImagesInvalid
from training.simulation.found import Found, views


def picture(path: Path, wide: int, tall: int, mode: str = "RGB") -> Path:
    """A slope of grey from left to right, so that a view tells how much of the picture it shows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.tile(np.linspace(0, 255, wide).astype(np.uint8), (tall, 1))
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def look(root: Path, count: int = 100, seed: int = 1) -> list[tuple[str, Image.Image]]:
    return [(path, view) for path, _, view in views(Found("scene", root, count), seed)]


def span(view: Image.Image) -> float:
    """The share of the slope that a view shows."""
    low, high = view.convert("L").getextrema()
    assert isinstance(low, int)
    assert isinstance(high, int)
    return (high - low) / 255


def test_a_small_picture_is_shown_whole_and_once(tmp_path: Path) -> None:
    picture(tmp_path / "deep" / "down" / "chart.png", 640, 480)
    ((path, view),) = look(tmp_path)
    assert path == "deep/down/chart.png"
    assert view.size == (384, 288)
    assert span(view) > 0.98


def test_of_a_large_picture_parts_are_shown_too(tmp_path: Path) -> None:
    picture(tmp_path / "scene.jpg", 1600, 900)
    shown = look(tmp_path)
    assert [path for path, _ in shown] == ["scene.jpg"] * 4
    spans = sorted(span(view) for _, view in shown)
    assert spans[-1] > 0.98
    assert 0.2 < spans[0] <= spans[-2] < 0.65
    assert all(max(view.size) == 384 for _, view in shown)


def test_no_more_than_asked_for_and_others_with_another_seed(tmp_path: Path) -> None:
    for number in range(30):
        picture(tmp_path / f"{number:02}.png", 240, 200)
    first, other = look(tmp_path, 12, 1), look(tmp_path, 12, 2)
    assert len({path for path, _ in first}) == 12
    assert [path for path, _ in look(tmp_path, 12, 1)] == [path for path, _ in first]
    assert [path for path, _ in other] != [path for path, _ in first]
    assert len(look(tmp_path)) == 30


def test_what_is_transparent_or_grey_is_shown_in_colour(tmp_path: Path) -> None:
    picture(tmp_path / "clear.png", 300, 200, "RGBA")
    picture(tmp_path / "grey.png", 300, 200, "L")
    assert [view.mode for _, view in look(tmp_path)] == ["RGB", "RGB"]


def test_icons_and_what_is_no_picture_are_passed_over(tmp_path: Path) -> None:
    picture(tmp_path / "icon.png", 64, 400)
    picture(tmp_path / "chart.png", 200, 200)
    (tmp_path / "broken.png").write_bytes((tmp_path / "chart.png").read_bytes()[:80])
    (tmp_path / "page.html").write_text("<p>charts</p>")
    assert [path for path, _ in look(tmp_path)] == ["chart.png"]


def test_a_folder_without_a_picture_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "icon.png", 64, 64)
    with pytest.raises(ImagesInvalid, match="no picture of at least 200 pixels"):
        look(tmp_path)

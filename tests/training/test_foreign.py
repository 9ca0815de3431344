"""Images of other kinds: drawn the same every time, turned the right way, and taken evenly of a folder's sources."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.bundle.manifest import Preprocessing
from services.bundle.preprocessing import prepare
from tests.bundles import PREPROCESSING, draw
from tests.training.conftest import draw_images
from training import foreign
from training.errors import ImagesInvalid
from training.foreign import Kind, altered, made, of_folder

WIDE = PREPROCESSING.model_copy(update={"height": 32, "width": 48, "colour": "grey"})


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw a handful of each."""
    monkeypatch.setattr(foreign, "COUNT", 6)


def own(preprocessing: Preprocessing, count: int = 5) -> np.ndarray:
    return np.stack([prepare(draw(number % 3, number), preprocessing) for number in range(count)])


# ---------------------------------------------------------------- drawn


@pytest.mark.usefixtures("few")
def test_seven_kinds_are_drawn_as_the_model_takes_them() -> None:
    kinds = list(made(WIDE, seed=1))
    assert [kind.name for kind in kinds] == [
        "noise",
        "blank pictures",
        "charts, drawn",
        "pages of text and tables, drawn",
        "CT slices of the head, drawn",
        "blots, cytometry, organisms and micrographs, drawn",
        "landscapes, streets and still lifes, drawn",
    ]
    for kind in kinds:
        assert not kind.near
        assert kind.family == kind.name
        assert kind.shown is not None
        assert kind.pixels.shape == kind.shown.shape == (6, 32, 48, 3)
        pixels = np.concatenate([kind.pixels[:], kind.shown[:]])
        assert pixels.dtype == np.uint8
        # The model is shown grey, and no two pictures are the same but for blank ones.
        assert (np.ptp(pixels, axis=-1) == 0).all()
        assert kind.name == "blank pictures" or len({picture.tobytes() for picture in pixels}) == 12


@pytest.mark.usefixtures("few")
def test_what_is_familiar_is_not_drawn() -> None:
    every = list(made(PREPROCESSING, seed=1))
    known = list(made(PREPROCESSING, seed=1, familiar=("heads", "charts")))
    assert [kind.name for kind in known] == [
        kind.name for kind in every if kind.name not in {"charts, drawn", "CT slices of the head, drawn"}
    ]
    same = {kind.name: kind.pixels[:] for kind in every}
    for kind in known:
        np.testing.assert_array_equal(kind.pixels[:], same[kind.name])


@pytest.mark.usefixtures("few")
def test_what_they_are_called_is_what_they_are() -> None:
    large = PREPROCESSING.model_copy(update={"height": 256, "width": 256})
    noise, blank, charts, pages, heads, *_ = (kind.pixels[:].astype(int) for kind in made(large, seed=2))
    assert (np.ptp(blank, axis=(1, 2, 3)) == 0).all()
    assert len(np.unique(blank)) > 1
    # Neighbours in noise have nothing to do with each other.
    for picture in noise:
        assert abs(np.corrcoef(picture[:, :-1, 0].ravel(), picture[:, 1:, 0].ravel())[0, 1]) < 0.05
    assert {bool(np.ptp(picture, axis=-1).any()) for picture in noise} == {True, False}
    # Ink on paper, which most of a page is.
    for picture in (*charts, *pages):
        assert picture.max() > 200
        assert picture.min() < 150
    assert np.mean(pages > 200) > 0.4
    # A bright ring around a darker inside, on black.
    for picture in heads[..., 0]:
        assert picture[:8].mean() < 30
        assert (picture > 240).mean() > 0.02
        assert 30 < picture[100:160, 100:160].mean() < 200


@pytest.mark.usefixtures("few")
def test_a_seed_draws_the_same_and_more_begin_with_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    first = {kind.name: kind.pixels[:] for kind in made(PREPROCESSING, seed=1)}
    monkeypatch.setattr(foreign, "COUNT", 3)
    for kind in made(PREPROCESSING, seed=1):
        np.testing.assert_array_equal(kind.pixels[:], first[kind.name][:3])
    others = {kind.name: kind.pixels[:] for kind in made(PREPROCESSING, seed=2)}
    assert all(not np.array_equal(others[name], first[name][:3]) for name in first if name != "blank pictures")


# ---------------------------------------------------------------- the model's own, changed


def test_own_images_are_inverted_and_turned() -> None:
    images = own(PREPROCESSING)
    inverted, turned, upside_down = altered(images, PREPROCESSING, seed=1)
    assert all(kind.near for kind in (inverted, turned, upside_down))
    np.testing.assert_array_equal(inverted.pixels[:], 255 - images)
    np.testing.assert_array_equal(upside_down.pixels[:], images[:, ::-1, ::-1])
    np.testing.assert_array_equal(turned.pixels[:], np.rot90(images, axes=(1, 2)))
    assert [kind.name for kind in (inverted, turned, upside_down)] == [
        "own test images, inverted",
        "own test images, turned by 90 degrees",
        "own test images, upside down",
    ]


def test_a_turned_image_is_fitted_into_an_input_that_is_not_square() -> None:
    images = own(WIDE)
    _, turned, _ = altered(images, WIDE, seed=1)
    assert turned.pixels.shape == images.shape
    # It stands upright between two bars.
    np.testing.assert_array_equal(turned.pixels[:][:, :, :13], WIDE.pad)
    np.testing.assert_array_equal(turned.pixels[:][:, :, -13:], WIDE.pad)
    assert (turned.pixels[:][:, :, 14:-14] != WIDE.pad).mean() > 0.5


def test_of_many_own_images_some_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "MOST", 4)
    images = own(PREPROCESSING, 12)
    (first, *_), (again, *_), (other, *_) = (list(altered(images, PREPROCESSING, seed=seed)) for seed in (1, 1, 2))
    assert len(first.pixels) == 4
    np.testing.assert_array_equal(first.pixels[:], again.pixels[:])
    assert not np.array_equal(first.pixels[:], other.pixels[:])


# ---------------------------------------------------------------- another task's folder


def named(kinds: list[Kind]) -> dict[str, int]:
    return {kind.name: len(kind.pixels) for kind in kinds}


def test_a_near_folder_is_measured_as_a_whole_and_by_source(tmp_path: Path) -> None:
    folder = draw_images(tmp_path / "others", each=4)
    kinds = list(of_folder(folder, PREPROCESSING, 1, near=True))
    assert named(kinds) == {"others": 12, "others: source 0": 6, "others: source 1": 6}
    assert all(kind.near for kind in kinds)
    # The detector is to know nothing of it.
    assert all(kind.shown is None for kind in kinds)
    assert {kind.family for kind in kinds} == {"others"}
    whole, *parts = (kind.pixels[:] for kind in kinds)
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    expected = prepare(draw(0, 0), PREPROCESSING)
    assert any(np.array_equal(picture, expected) for picture in parts[0])
    assert not any(np.array_equal(picture, expected) for picture in parts[1])


def test_of_a_foreign_folder_other_groups_are_shown_than_are_measured(tmp_path: Path) -> None:
    folder = draw_images(tmp_path / "others", each=8)
    whole, *parts = of_folder(folder, PREPROCESSING, 1, near=False)
    assert [kind.name for kind in parts] == ["others: source 0", "others: source 1"]
    assert all(kind.shown is None for kind in parts)
    assert whole.shown is not None
    seen, measured = ({picture.tobytes() for picture in pixels[:]} for pixels in (whole.shown, whole.pixels))
    assert not seen & measured
    assert len(seen | measured) == 24
    groups: dict[str, list[bytes]] = {}
    with (folder / "index.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            picture = prepare(np.asarray(Image.open(folder / row["path"]).convert("RGB")), PREPROCESSING)
            groups.setdefault(f"{row['source']}/{row['group']}", []).append(picture.tobytes())
    assert max(map(len, groups.values())) > 1
    for pictures in groups.values():
        assert set(pictures) <= seen or set(pictures) <= measured


def test_a_folder_of_one_source_is_one_kind(tmp_path: Path) -> None:
    folder = draw_images(tmp_path / "others", each=4, index=False)
    (kind,) = of_folder(folder, PREPROCESSING, 1, near=True)
    assert (kind.name, kind.near, len(kind.pixels)) == ("others", True, 12)
    (kind,) = of_folder(folder, PREPROCESSING, 1, near=False)
    assert kind.shown is not None
    assert (len(kind.pixels), len(kind.shown)) == (6, 6)


def test_of_a_large_folder_each_source_gives_as_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = draw_images(tmp_path / "others", each=4)
    index = folder / "index.csv"
    # A third source of a single image, which is measured and not shown.
    index.write_text(index.read_text().replace("disc-0,source 0", "disc-0,rare", 1))
    monkeypatch.setattr(foreign, "MOST", 9)
    kinds = list(of_folder(folder, PREPROCESSING, 1, near=True))
    assert named(kinds) == {"others": 7, "others: rare": 1, "others: source 0": 3, "others: source 1": 3}
    again = list(of_folder(folder, PREPROCESSING, 1, near=True))
    np.testing.assert_array_equal(kinds[0].pixels[:], again[0].pixels[:])
    strange = list(of_folder(folder, PREPROCESSING, 1, near=False))
    assert named(strange)["others: rare"] == 1
    assert strange[0].shown is not None
    assert 2 <= len(strange[0].shown) <= 6
    # However many sources there are, each is looked at.
    monkeypatch.setattr(foreign, "MOST", 2)
    assert named(list(of_folder(folder, PREPROCESSING, 1, near=True)))["others"] == 3


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImagesInvalid, match="nowhere is not a folder"):
        list(of_folder(tmp_path / "nowhere", PREPROCESSING, 1, near=False))
    folder = draw_images(tmp_path / "others", each=2)
    (folder / "disc/001.png").write_bytes(b"no image")
    with pytest.raises(ImagesInvalid, match=r"disc/001\.png: "):
        list(of_folder(folder, PREPROCESSING, 1, near=False))

"""Copies are found also when they were altered; what only resembles is not taken for one."""

import io
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.training.pictures import paint
from training.duplicates import SIDE, blocks, clusters, flat, near_copies, thumbnail

COUNT = 40

Pixels = NDArray[np.uint8]


def thumbnails(pictures: Iterable[Pixels]) -> Pixels:
    return np.stack([thumbnail(picture) for picture in pictures])


def pairs(pictures: Iterable[Pixels]) -> list[list[int]]:
    found: list[list[int]] = near_copies(thumbnails(pictures)).tolist()
    return found


def jpeg(picture: Pixels, quality: int = 30) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def resized(picture: Pixels, factor: float) -> Pixels:
    height, width = picture.shape[:2]
    return np.asarray(Image.fromarray(picture).resize((round(width * factor), round(height * factor))))


def brighter(picture: Pixels, factor: float) -> Pixels:
    return np.asarray(np.clip(picture * factor, 0, 255), np.uint8)


def with_disc(picture: Pixels, across: int, radius: int = 4) -> Pixels:
    down, right = np.mgrid[: picture.shape[0], : picture.shape[1]]
    inside = np.hypot(down - 45, right - across) < radius
    drawn = picture.copy()
    drawn[inside] = 250
    return drawn


ALTERED: dict[str, Callable[[Pixels], Pixels]] = {
    "recompressed": jpeg,
    "smaller": lambda picture: resized(picture, 0.5),
    "larger": lambda picture: resized(picture, 2.5),
    "brighter": lambda picture: brighter(picture, 1.1),
    "darker": lambda picture: brighter(picture, 0.9),
    "less contrast": lambda picture: (picture // 2 + 60).astype(np.uint8),
    "without colours": lambda picture: np.asarray(Image.fromarray(picture).convert("L")),
    "all of these": lambda picture: jpeg(resized(brighter(picture, 1.1), 0.7)),
    "mirrored": lambda picture: picture[:, ::-1],
    "trimmed evenly": lambda picture: picture[1:-1, 2:-2],
    "trimmed at the right and the bottom": lambda picture: picture[:-3, :-4],
    "trimmed at the left and the top": lambda picture: picture[3:, 4:],
}


@pytest.mark.parametrize("how", ALTERED)
def test_an_altered_copy_is_paired_with_its_picture_and_with_no_other(how: str) -> None:
    pictures = [paint(seed) for seed in range(COUNT)]
    copies = [ALTERED[how](picture) for picture in pictures]
    assert pairs([*pictures, *copies]) == [[number, COUNT + number] for number in range(COUNT)]


@pytest.mark.parametrize(
    "alter",
    [
        lambda picture: picture[::-1],
        lambda picture: np.asarray(Image.fromarray(picture).rotate(10)),
        lambda picture: picture[15:, 20:],
        lambda picture: 255 - picture,
    ],
    ids=["upside down", "turned", "a third trimmed", "negative"],
)
def test_what_is_altered_more_is_not_found(alter: Callable[[Pixels], Pixels]) -> None:
    pictures = [paint(seed) for seed in range(COUNT)]
    assert pairs([*pictures, *(alter(picture) for picture in pictures)]) == []


def test_pictures_of_one_scene_with_another_thing_in_it_are_not_copies() -> None:
    scene = paint(0)
    discs = [with_disc(scene, across) for across in (20, 45, 70, 95)]
    assert pairs(discs) == []
    assert pairs([100 + disc // 10 for disc in discs]) == []
    # It is the thing that makes the difference.
    assert pairs([with_disc(scene, 45), jpeg(with_disc(scene, 45)), with_disc(scene, 95)]) == [[0, 1]]


def test_a_bright_frame_does_not_make_copies_of_what_is_in_it() -> None:
    pictures = [paint(seed, grey=True) // 2 for seed in range(8)]
    for picture in pictures:
        picture[:6], picture[-6:], picture[:, :6], picture[:, -6:] = 255, 255, 255, 255
    assert pairs(pictures) == []


def test_flat_pictures_are_told_and_never_paired() -> None:
    random = np.random.default_rng(0)
    shades = [np.full((60, 80), level, np.uint8) for level in (0, 0, 128, 255)]
    noisy = [np.clip(random.normal(128, 2, (300, 400, 3)), 0, 255).astype(np.uint8) for _ in range(4)]
    drawn = [paint(1), paint(1)]
    assert flat(thumbnails([*shades, *noisy, *drawn])).tolist() == [True] * 8 + [False] * 2
    assert pairs([*shades, *noisy, *drawn]) == [[8, 9]]
    assert pairs(shades) == []


def test_noise_alone_makes_no_copies() -> None:
    random = np.random.default_rng(0)
    assert pairs([random.integers(0, 256, (64, 64), np.uint8) for _ in range(50)]) == []


def test_pairs_do_not_depend_on_the_order() -> None:
    pictures = [paint(seed) for seed in (0, 1, 2)] + [jpeg(paint(1)), paint(0)[1:-1, 2:-2], paint(2)[:, ::-1]]
    assert pairs(pictures) == [[0, 4], [1, 3], [2, 5]]
    assert pairs(pictures[::-1]) == [[0, 3], [1, 5], [2, 4]]


def test_one_picture_has_no_copy() -> None:
    assert near_copies(thumbnails([paint(0)])).shape == (0, 2)


def test_many_copies_of_one_picture_are_one_cluster_and_not_all_pairs() -> None:
    random = np.random.default_rng(0)
    picture = thumbnail(paint(0)).astype(float)
    many = np.clip(picture + random.normal(0, 2, (700, SIDE, SIDE)), 0, 255).astype(np.uint8)
    others = thumbnails(paint(seed) for seed in range(1, 20))
    found = near_copies(np.concatenate([others, many]))
    assert len(found) <= 700 * 64
    assert clusters(719, found.tolist()) == (tuple(range(19, 719)),)


@pytest.mark.parametrize("count", [1, 512, 513])
def test_a_progress_bar_sees_every_block(count: int) -> None:
    seen: list[Any] = []

    def watch(steps: Iterable[Any]) -> Iterable[Any]:
        for step in steps:
            seen.append(step)
            yield step

    pictures = np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE), np.uint8)
    near_copies(pictures, watch)
    assert len(seen) == blocks(count)


def test_a_thumbnail_is_grey_and_square_and_the_same_for_grey_saved_as_colour() -> None:
    grey = paint(0, grey=True)
    small = thumbnail(grey)
    assert small.shape == (SIDE, SIDE)
    assert small.dtype == np.uint8
    np.testing.assert_array_equal(thumbnail(np.stack([grey] * 3, axis=-1)), small)


def test_a_copy_of_a_copy_is_a_copy() -> None:
    assert clusters(7, [(5, 6), (0, 2), (4, 2)]) == ((0, 2, 4), (5, 6))
    assert clusters(3, [(2, 1), (1, 0), (0, 0)]) == ((0, 1, 2),)
    assert clusters(3, []) == ()

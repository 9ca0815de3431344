"""Images are decoded as serving decodes them, kept where they fit, and told apart from what serving would refuse."""

from pathlib import Path

import numpy as np
import pytest

from services.bundle.preprocessing import prepare
from services.imaging import decode
from tests.bundles import PREPROCESSING, draw, encode
from tests.training.conftest import draw_images
from training.errors import ImagesInvalid
from training.folders import Sample, read_folder
from training.images import load_images, truths_of


def test_images_are_decoded_as_serving_does(tmp_path: Path) -> None:
    root = draw_images(tmp_path / "images", each=4)
    (root / "disc" / "000.png").write_bytes(encode(draw(0, width=400, height=300), "JPEG"))
    folder = read_folder(root)
    seen = []

    def watch(decoded: object) -> object:
        for tensor in decoded:  # type: ignore[attr-defined]
            seen.append(tensor.shape)
            yield tensor

    images = load_images(folder, folder.samples, PREPROCESSING, watch)  # type: ignore[arg-type]
    assert images.pixels.shape == (12, 32, 32, 3)
    assert isinstance(images.pixels, np.ndarray)
    assert images.classes.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert images.truths.sum(axis=1).tolist() == [1] * 12
    assert seen == [(32, 32, 3)] * 12
    for sample, tensor in zip(images.samples, images.pixels, strict=True):
        raster = decode((root / sample.path).read_bytes(), max_pixels=10**6, shrink_to=32)
        np.testing.assert_array_equal(tensor, prepare(raster.pixels, PREPROCESSING))


@pytest.mark.parametrize("room", [0, None])
@pytest.mark.parametrize("content", [b"", b"not an image", encode(draw(0))[:200]])
def test_an_image_that_serving_would_refuse_is_named(content: bytes, room: int | None, tmp_path: Path) -> None:
    root = draw_images(tmp_path / "images", each=4)
    (root / "square" / "003.png").write_bytes(content)
    folder = read_folder(root)
    with pytest.raises(ImagesInvalid, match=r"^square/003.png: ."):
        load_images(folder, folder.samples, PREPROCESSING, room=room)


def test_images_that_do_not_fit_are_decoded_when_they_are_asked_for(tmp_path: Path) -> None:
    folder = read_folder(draw_images(tmp_path / "images", each=4))
    kept, asked = (load_images(folder, folder.samples, PREPROCESSING, room=room) for room in (12 * 32 * 32 * 3, 0))
    assert isinstance(kept.pixels, np.ndarray)
    assert not isinstance(asked.pixels, np.ndarray)
    assert asked.pixels.shape == kept.pixels.shape
    assert len(asked.pixels) == 12
    for chosen in (slice(2, 5), slice(0, 100), np.array([3, 0, 3]), np.array([11])):
        np.testing.assert_array_equal(asked.pixels[chosen], kept.pixels[chosen])
    # Decoded anew each time: what is on the disk now is what is given.
    (tmp_path / "images" / "disc" / "000.png").write_bytes(b"")
    with pytest.raises(ImagesInvalid, match=r"^disc/000.png: ."):
        asked.pixels[np.array([0])]


def test_truths_of_images_with_one_label_several_or_none() -> None:
    samples = [Sample(str(n), labels, "g", "s") for n, labels in enumerate([("a",), ("b", "c"), ()])]
    assert truths_of(samples, ("a", "b", "c")).tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]
    assert truths_of([], ("a", "b")).shape == (0, 2)

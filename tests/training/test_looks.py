"""What the serving code makes of each file, and its own sentence where it refuses one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.errors import SightlineError
from services.imaging import Pixels, decode
from tests.bundles import encode
from tests.training.pictures import paint
from training.duplicates import thumbnail
from training.folders import Folder, Sample
from training.looks import Kind, Look, Refused, look_at

MAX_PIXELS = 50_000


def looks(root: Path, *names: str) -> list[Look | Refused]:
    """What is seen of these files of a folder."""
    samples = tuple(Sample(name, ("a",), name, "drawn") for name in names)
    folder = Folder(root, samples, ("a", "b"), grouped=False, multilabel=False, sha256="")
    seen = list(look_at(folder, MAX_PIXELS))
    assert [one.sample for one in seen] == list(samples)
    return seen


def look(root: Path, name: str) -> Look:
    (seen,) = looks(root, name)
    assert isinstance(seen, Look)
    return seen


def save(root: Path, name: str, pixels: Pixels, **options: Any) -> None:
    Image.fromarray(pixels).save(root / name, **options)


def test_kinds_are_told_by_content_and_pixels(tmp_path: Path) -> None:
    colour, grey = paint(0), paint(0, grey=True)
    save(tmp_path, "colour.png", colour)
    save(tmp_path, "a jpeg.png", colour, format="JPEG")
    save(tmp_path, "grey.png", grey)
    save(tmp_path, "grey.webp", grey, quality=60)
    save(tmp_path, "grey.jpg", np.stack([grey] * 3, axis=-1))
    save(tmp_path, "deep.png", grey.astype(np.uint16) * 16)
    save(tmp_path, "clear.png", np.dstack([colour, np.full(grey.shape, 128, np.uint8)]))
    assert [
        look(tmp_path, name).kind for name in ("colour.png", "a jpeg.png", "grey.png", "grey.webp", "grey.jpg")
    ] == [
        Kind("image/png", "colour", "8"),
        Kind("image/jpeg", "colour", "8"),
        Kind("image/png", "grey", "8"),
        Kind("image/webp", "grey saved as colour", "8"),
        Kind("image/jpeg", "grey saved as colour", "8"),
    ]
    assert look(tmp_path, "deep.png").kind == Kind("image/png", "grey", "more than 8")
    assert look(tmp_path, "clear.png").kind == Kind("image/png", "colour", "8")


def test_one_coloured_pixel_is_a_colour(tmp_path: Path) -> None:
    pixels = np.stack([paint(0, grey=True)] * 3, axis=-1)
    pixels[3, 4] = 100, 102, 100
    save(tmp_path, "grey.png", pixels)
    pixels[3, 4] = 100, 103, 100
    save(tmp_path, "colour.png", pixels)
    assert look(tmp_path, "grey.png").kind.colour == "grey saved as colour"
    assert look(tmp_path, "colour.png").kind.colour == "colour"


def test_sizes_are_of_the_upright_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path, "lying.jpg", paint(0, width=120, height=90), exif=exif)
    seen = look(tmp_path, "lying.jpg")
    assert (seen.width, seen.height) == (90, 120)


def test_shades_are_shares_of_the_pixels(tmp_path: Path) -> None:
    pixels = paint(0)
    save(tmp_path, "colour.png", pixels)
    save(tmp_path, "grey.png", pixels[..., 1])
    shades = look(tmp_path, "colour.png").shades
    for channel in range(3):
        expected = np.bincount(pixels[..., channel].ravel(), minlength=256) / (120 * 90)
        np.testing.assert_allclose(shades[channel], expected, atol=1e-7)
    grey = look(tmp_path, "grey.png").shades
    assert grey.shape == (3, 256)
    np.testing.assert_array_equal(grey[0], grey[2])
    np.testing.assert_array_equal(grey[0], shades[1])


def test_deep_images_are_shown_in_their_window(tmp_path: Path) -> None:
    grey = paint(0, grey=True)
    save(tmp_path, "deep.png", 30_000 + grey.astype(np.uint16))
    seen = look(tmp_path, "deep.png")
    assert seen.shades[0, 0] > 0
    assert seen.shades[0, 255] > 0
    assert float(seen.thumbnail.std()) > float(thumbnail(grey).std())


def test_digests_tell_equal_files_and_equal_pixels(tmp_path: Path) -> None:
    save(tmp_path, "one.png", paint(0))
    save(tmp_path, "same.png", paint(0))
    save(tmp_path, "other.bmp", paint(0))
    save(tmp_path, "turned.png", paint(0).transpose(1, 0, 2).reshape(90, 120, 3))
    save(tmp_path, "reshaped.png", paint(0).reshape(120, 90, 3))
    one, same, other, turned, reshaped = (
        look(tmp_path, name) for name in ("one.png", "same.png", "other.bmp", "turned.png", "reshaped.png")
    )
    assert one.file_sha256 == same.file_sha256 != other.file_sha256
    assert one.pixels_sha256 == same.pixels_sha256 == other.pixels_sha256
    assert one.pixels_sha256 not in {turned.pixels_sha256, reshaped.pixels_sha256}


@pytest.mark.parametrize(
    "content",
    [b"", b"not an image", encode(paint(0))[:500], encode(paint(0, width=300, height=200)), encode(paint(0), "GIF")],
    ids=["empty", "text", "torn", "too large", "of another type"],
)
def test_what_serving_refuses_is_refused_with_its_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    save(tmp_path, "good.png", paint(0))
    bad, good = looks(tmp_path, "bad.png", "good.png")
    with pytest.raises(SightlineError) as refused:
        decode(content, max_pixels=MAX_PIXELS)
    assert isinstance(bad, Refused)
    assert bad.reason == str(refused.value)
    assert isinstance(good, Look)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    assert looks(tmp_path, "folder.png", "gone.png") == [
        Refused(Sample("folder.png", ("a",), "folder.png", "drawn"), "Is a directory."),
        Refused(Sample("gone.png", ("a",), "gone.png", "drawn"), "No such file or directory."),
    ]

"""A glance at a folder: sizes, colours, and what DICOM headers call the images."""

from pathlib import Path

import numpy as np
import pytest

from tests.bundles import draw, encode
from tests.training.conftest import draw_images
from tests.training.heads import draw_heads, slice_of
from training.errors import ImagesInvalid
from training.folders import read_folder
from training.glance import Glance, glance_at


def test_images_are_looked_at(tmp_path: Path) -> None:
    images = draw_images(tmp_path / "images")
    # Longer edges of 48 pixels but for a few.
    (images / "disc" / "000.png").write_bytes(encode(draw(0, width=900, height=700)))
    assert glance_at(read_folder(images)) == Glance(edge=48, grey=False)
    for path in images.glob("*/*.png"):
        path.write_bytes(encode(np.repeat(draw(0)[..., :1], 3, axis=2) if "disc" in path.parts else draw(0)[..., 0]))
    assert glance_at(read_folder(images)) == Glance(edge=48, grey=True)


def test_headers_say_what_kinds_of_image_there_are(tmp_path: Path) -> None:
    root = draw_heads(tmp_path / "heads", studies=2)
    assert glance_at(read_folder(root)) == Glance(64, grey=True, modalities=("CT",), body_parts=("HEAD",))
    (root / "bleed" / "a.png").write_bytes(encode(draw(0)))
    (root / "bleed" / "b.dcm").write_bytes(slice_of(0, 0, bleed=True, Modality="MR", BodyPartExamined="SCHMIDT"))
    seen = glance_at(read_folder(root))
    assert (seen.grey, seen.modalities, seen.body_parts) == (False, ("CT", "MR"), ("HEAD",))


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    images = draw_images(tmp_path / "images")
    (images / "disc" / "000.png").write_bytes(b"")
    with pytest.raises(ImagesInvalid, match=r"disc/000\.png: The file is empty"):
        glance_at(read_folder(images))

"""One look at each image, through the serving code: how it is stored, its shades, and what copies are told by."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.errors import SightlineError
from services.imaging import Pixels, decode, stretch
from training.duplicates import thumbnail
from training.folders import Folder, Sample

LEVELS = 256
"""Shades of a channel."""

Colour = Literal["colour", "grey", "grey saved as colour"]

_WINDOW = (0.5, 99.5)  # percentiles, for images of more than 8 bits
# What a lossy file makes of grey: its channels differ by as many levels.
_GREY = 2


@dataclass(frozen=True, slots=True)
class Kind:
    """How an image is stored: its media type by content, whether it has colours, and how many bits a channel has."""

    media_type: str
    colour: Colour
    bits: Literal["8", "more than 8"]


@dataclass(frozen=True, slots=True)
class Look:
    """What the decoder made of one image.

    Attributes:
        sample: the image.
        kind: how it is stored.
        width: pixels across, upright.
        height: pixels down, upright.
        file_sha256: of the file.
        pixels_sha256: of the decoded pixels, their shape and type.
        shades: float32 [3, LEVELS], the share of its pixels that have each level of red, green and blue.
        thumbnail: of training.duplicates.
    """

    sample: Sample
    kind: Kind
    width: int
    height: int
    file_sha256: str
    pixels_sha256: str
    shades: NDArray[np.float32]
    thumbnail: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Refused:
    """An image that neither training nor serving can use, and the sentence that says why."""

    sample: Sample
    reason: str


def look_at(folder: Folder, max_pixels: int) -> Iterator[Look | Refused]:
    """Decode every image of a folder, in parallel, in its order.

    Args:
        folder: that was read.
        max_pixels: the most pixels that an image's header may declare.
    """
    with ThreadPoolExecutor(os.cpu_count(), "reader") as pool:
        yield from pool.map(lambda sample: _look(folder.root, sample, max_pixels), folder.samples)


def _look(root: Path, sample: Sample, max_pixels: int) -> Look | Refused:
    try:
        content = (root / sample.path).read_bytes()
        raster = decode(content, max_pixels=max_pixels)
    except OSError as unreadable:
        return Refused(sample, f"{unreadable.strerror}.")
    except SightlineError as refused:
        return Refused(sample, str(refused))
    shown = stretch(raster.pixels, *_WINDOW) if raster.deep else raster.pixels
    height, width = shown.shape[:2]
    return Look(
        sample,
        Kind(raster.media_type, _colour(shown), "more than 8" if raster.deep else "8"),
        width,
        height,
        hashlib.sha256(content).hexdigest(),
        _digest(raster.pixels),
        _shades(shown),
        thumbnail(shown),
    )


def _colour(pixels: Pixels) -> Colour:
    if pixels.ndim == 2:  # noqa: PLR2004 - height and width, no channels
        return "grey"
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return "grey saved as colour" if spread.max() <= _GREY else "colour"


def _digest(pixels: Pixels) -> str:
    digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _shades(pixels: Pixels) -> NDArray[np.float32]:
    counts = np.array(Image.fromarray(pixels).histogram(), np.float32).reshape(-1, LEVELS)
    return np.broadcast_to(counts / np.float32(pixels.shape[0] * pixels.shape[1]), (3, LEVELS))

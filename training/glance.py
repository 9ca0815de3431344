"""A glance: what a sample of a folder's images looks like, and what their DICOM headers call them."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from services.errors import SightlineError
from services.imaging import Raster, decode
from training.errors import ImagesInvalid
from training.folders import Folder

_LOOKED_AT = 64
_MAX_PIXELS = 100_000_000


@dataclass(frozen=True, slots=True)
class Glance:
    """What a sample of the images looks like.

    Attributes:
        edge: the median of the longer edges, in pixels.
        grey: whether none of them holds a colour.
        modalities: the standard's terms for the kinds of image that DICOM headers name, sorted.
        body_parts: likewise for the parts of the body.
    """

    edge: int
    grey: bool
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()


def glance_at(folder: Folder) -> Glance:
    """Decode some images, evenly spread over the folder.

    Raises:
        ImagesInvalid: one that serving would refuse; the message names the file.
    """
    step = -(-len(folder.samples) // _LOOKED_AT)
    rasters = [_open(folder, sample.path) for sample in folder.samples[::step]]
    return Glance(
        edge=statistics.median_low([max(raster.width, raster.height) for raster in rasters]),
        grey=all(_is_grey(raster) for raster in rasters),
        modalities=_named(raster.modality for raster in rasters),
        body_parts=_named(raster.body_part for raster in rasters),
    )


def _open(folder: Folder, path: str) -> Raster:
    try:
        return decode((folder.root / path).read_bytes(), max_pixels=_MAX_PIXELS, shrink_to=_LOOKED_AT)
    except (OSError, SightlineError) as refused:
        message = f"{path}: {refused}"
        raise ImagesInvalid(message) from refused


def _is_grey(raster: Raster) -> bool:
    return raster.pixels.ndim < 3 or bool((raster.pixels == raster.pixels[..., :1]).all())  # noqa: PLR2004 - a colour axis


def _named(terms: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({term for term in terms if term is not None}))

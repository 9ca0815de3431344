"""Pictures that others have published, as photographs and charts in packages, as views of one label."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from services.errors import SightlineError
from services.imaging import decode
from services.settings import Settings
from training.errors import ImagesInvalid
from training.simulation.dice import Rng, between

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_MAX_PIXELS: int = Settings.model_fields["max_pixels"].default
# An icon or a formula is no picture that somebody asks about.
_LEAST = 200
# Only of a large picture is a part still a picture.
_LARGE = 900
_PARTS = 3
_LONGEST = 384


@dataclass(frozen=True, slots=True)
class Found:
    """A folder of pictures that all show the same label, whatever is in its sub-folders.

    Attributes:
        label: that they are images of.
        root: the folder; its name is part of what index.csv says of where they come from.
        most: as many views of them are taken at most.
    """

    label: str
    root: Path
    most: int

    @property
    def source(self) -> str:
        """What index.csv says of where the pictures come from."""
        return f"found:{self.root.name}"


def views(found: Found, seed: int) -> Iterator[tuple[str, Rng, Image.Image]]:
    """The picture as a whole and parts of it where it is large, of as many pictures as are needed, in random order.

    Args:
        found: the folder.
        seed: of the choice.

    Yields:
        The file that a view is of, random numbers for what else is decided of it, and the view, at most 384 pixels
        long.

    Raises:
        ImagesInvalid: there is no picture of at least 200 pixels that the service would take.
    """
    files = sorted(path for path in found.root.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    wanted = [(path, part) for path in files for part in range(_PARTS + 1)]
    rng = np.random.default_rng([seed, *found.source.encode()])
    rng.shuffle(wanted)
    given = 0
    for path, part in wanted:
        if given == found.most:
            return
        picture = _picture(path)
        if picture is None or (part and min(picture.size) < _LARGE):
            continue
        given += 1
        view = _part(rng, picture) if part else picture
        view.thumbnail((_LONGEST, _LONGEST))
        yield path.relative_to(found.root).as_posix(), rng, view
    if not given:
        message = f"{found.root} holds no picture of at least {_LEAST} pixels that the service would take."
        raise ImagesInvalid(message)


def _picture(path: Path) -> Image.Image | None:
    try:
        pixels = decode(path.read_bytes(), max_pixels=_MAX_PIXELS).pixels
    except SightlineError:
        return None
    return Image.fromarray(pixels).convert("RGB") if min(pixels.shape[:2]) >= _LEAST else None


def _part(rng: Rng, picture: Image.Image) -> Image.Image:
    share = between(rng, 0.25, 0.6)
    wide, tall = round(picture.width * share), round(picture.height * share)
    left, top = int(rng.integers(picture.width - wide + 1)), int(rng.integers(picture.height - tall + 1))
    return picture.crop((left, top, left + wide, top + tall))

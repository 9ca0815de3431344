"""Decoded images: through the serving code, in parallel, kept in memory where they fit and decoded anew where not."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.bundle.manifest import Preprocessing
from services.bundle.preprocessing import prepare
from services.errors import SightlineError
from services.imaging import decode
from services.settings import Settings
from training.errors import ImagesInvalid
from training.folders import Folder, Sample

# What the service takes unless an operator says otherwise: nothing is learnt of images that nobody may ask about.
_MAX_PIXELS: int = Settings.model_fields["max_pixels"].default
# Of the memory that is free when images are loaded; the rest is for the training itself.
_SHARE_OF_MEMORY = 0.5

Tensor = NDArray[np.uint8]
Watch = Callable[[Iterable[Tensor]], Iterable[Tensor]]
"""Passes on what it is given, one at a time."""

Bar = Callable[[str, int], Watch]
"""Makes a progress bar of a text and a number."""


class Pixels(Protocol):
    """What batches are cut from: an array, or something that decodes when it is asked."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, height, width, 3)."""

    def __len__(self) -> int:
        """How many images."""

    def __getitem__(self, chosen: Any) -> Tensor:
        """Uint8 [m, height, width, 3] for a slice or an array of m whole numbers."""


@dataclass(frozen=True, slots=True)
class Images:
    """Images as the network takes them, with what they show.

    Attributes:
        pixels: uint8 [n, height, width, 3].
        truths: bool [n, labels].
        samples: the n images.
    """

    pixels: Pixels
    truths: NDArray[np.bool_]
    samples: tuple[Sample, ...]

    @property
    def classes(self) -> NDArray[np.int64]:
        """int64 [n], the number of the label of images that have one."""
        return classes_of(self.truths)


def load_images(
    folder: Folder,
    samples: Sequence[Sample],
    preprocessing: Preprocessing,
    watch: Watch = iter,
    *,
    room: int | None = None,
) -> Images:
    """Decode and preprocess every image once, in parallel, exactly as serving does.

    Images that would fill more than half of the free memory are not kept but decoded again for each batch; all are
    decoded once in any case, so that a damaged one shows before hours of training and not after them.

    Args:
        folder: that the samples are of.
        samples: in the order that the images will have.
        preprocessing: from the recipe.
        watch: passes on what it is given, one image at a time; a progress bar fits here.
        room: bytes that the images may fill; None is half of what is free.

    Raises:
        ImagesInvalid: an image that serving would refuse; the message names the file.
    """
    decoder = _Decoder(folder.root, tuple(samples), preprocessing)
    fits = decoder.size <= (_free_memory() * _SHARE_OF_MEMORY if room is None else room)
    kept = np.empty(decoder.shape, np.uint8) if fits else None
    for index, tensor in enumerate(watch(decoder.all())):
        if kept is not None:
            kept[index] = tensor
    return Images(decoder if kept is None else kept, truths_of(samples, folder.labels), tuple(samples))


def truths_of(samples: Sequence[Sample], labels: Sequence[str]) -> NDArray[np.bool_]:
    """Which label each image has, bool [n, labels]."""
    return np.array([[label in sample.labels for label in labels] for sample in samples], bool).reshape(-1, len(labels))


def classes_of(truths: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The truth bool [n, labels] as positions in the labels, int64 [n], where each image has one."""
    classes: NDArray[np.int64] = truths.argmax(axis=1)
    return classes


class _Decoder:
    """Decodes images when they are asked for, as many at once as there are cores."""

    def __init__(self, root: Path, samples: tuple[Sample, ...], preprocessing: Preprocessing) -> None:
        self._root, self._samples, self._preprocessing = root, samples, preprocessing
        self._pool = ThreadPoolExecutor(os.cpu_count(), "decoder")

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self._samples), self._preprocessing.height, self._preprocessing.width, 3)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, chosen: Any) -> Tensor:
        indices = np.arange(len(self))[chosen]
        return np.stack(list(self._pool.map(self._load, indices.tolist())))

    def all(self) -> Iterable[Tensor]:
        return self._pool.map(self._load, range(len(self)))

    def _load(self, index: int) -> Tensor:
        path = self._samples[index].path
        try:
            content = (self._root / path).read_bytes()
            shrink_to = max(self._preprocessing.height, self._preprocessing.width)
            window = self._preprocessing.window
            raster = decode(content, max_pixels=_MAX_PIXELS, shrink_to=shrink_to, window=window)
            return prepare(raster.pixels, self._preprocessing)
        except (OSError, SightlineError) as refused:
            message = f"{path}: {refused}"
            raise ImagesInvalid(message) from refused


def _free_memory() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

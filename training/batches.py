"""Images to batches: shuffled in an order that belongs to the seed and the epoch, with rare labels made up for."""

import math
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from training.images import Images

Balance = Literal["none", "class_weights", "oversample", "sources"]

_MOST = 10
_ALL_ALIKE: Mapping[str, float] = MappingProxyType({})


def label_weights(images: Images) -> NDArray[np.float64]:
    """Weigh each image by the inverse frequency of its rarest label, float64 [n]; the weights average to one.

    An image without any label counts as one of a label of its own.
    """
    truths = np.concatenate([images.truths, ~images.truths.any(axis=1, keepdims=True)], axis=1)
    rarity = 1 / np.maximum(truths.sum(axis=0), 1)
    weights = np.where(truths, rarity, 0).max(axis=1)
    average: NDArray[np.float64] = weights / weights.mean()
    return average


def even_chances(images: Images, counts_as: Mapping[str, float] = _ALL_ALIKE) -> NDArray[np.float64]:
    """Chances float64 [n] to be drawn: even among labels, then their sources, then groups, then images of a group.

    So neither a large source of one label nor a picture with many near copies is what an epoch is made of. Nor is a
    handful of pictures: a source weighs at most `_MOST` times as much as its share of the label's images.

    Args:
        images: of the training part.
        counts_as: as how many sources a source counts among those of a label; one where nothing is said.
    """
    samples = images.samples
    held = Counter((sample.labels, sample.source) for sample in samples)
    of_label = _by_label(held)
    counted = {place: counts_as.get(place[1], 1.0) for place in held}
    sources = _by_label(counted)
    weights = {
        (labels, source): min(counted[labels, source] / sources[labels], _MOST * count / of_label[labels])
        for (labels, source), count in held.items()
    }
    whole = _by_label(weights)
    groups = Counter(place for place, _ in {((sample.labels, sample.source), sample.group) for sample in samples})
    copies = Counter((sample.labels, sample.source, sample.group) for sample in samples)
    shares = (
        weights[sample.labels, sample.source]
        / (whole[sample.labels] * groups[sample.labels, sample.source])
        / copies[sample.labels, sample.source, sample.group]
        for sample in samples
    )
    return np.fromiter(shares, np.float64, len(samples)) / len(of_label)


def _by_label(of_place: Mapping[tuple[tuple[str, ...], str], float]) -> Mapping[tuple[str, ...], float]:
    """Sums over the sources of each label, of what each label has in each source."""
    sums: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for (labels, _), amount in of_place.items():
        sums[labels] += amount
    return sums


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of uint8 pixels [b, height, width, 3], float32 truths [b, labels] and float32 weights [b].

    Args:
        images: of which batches are cut.
        batch_size: images per batch.
        seed: of the order; None keeps that of the images.
        balance: "class_weights" weighs images of rare labels more; "oversample" draws them more often, "sources" as
            `even_chances` says, both as many images an epoch as there are.
        epoch: the number of epochs that are done already, so that a training that goes on has the order that it would
            have had.
        counts_as: of `even_chances`.
    """

    def __init__(
        self,
        images: Images,
        batch_size: int,
        seed: int | None = None,
        balance: Balance = "none",
        epoch: int = 0,
        counts_as: Mapping[str, float] = _ALL_ALIKE,
    ) -> None:
        # Where images are decoded for each batch, the next ones are decoded while the device is busy.
        super().__init__(workers=2 if not isinstance(images.pixels, np.ndarray) else 1, max_queue_size=os.cpu_count())
        self._images = images
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = epoch
        self._weights = label_weights(images) if balance == "class_weights" else np.ones(len(images.truths))
        self._chances = _chances(images, balance, counts_as)
        self._order = self._shuffled()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[Any, Any, Any]:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        truths = self._images.truths[chosen].astype(np.float32)
        return self._images.pixels[chosen], truths, self._weights[chosen].astype(np.float32)

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch."""
        self._epoch += 1
        self._order = self._shuffled()

    def _shuffled(self) -> NDArray[np.int64]:
        count = len(self._images.truths)
        if self._seed is None:
            return np.arange(count)
        random = np.random.default_rng((self._seed, self._epoch))
        if self._chances is None:
            return random.permutation(count)
        return random.choice(count, count, p=self._chances)


def _chances(images: Images, balance: Balance, counts_as: Mapping[str, float]) -> NDArray[np.float64] | None:
    if balance == "sources":
        return even_chances(images, counts_as)
    if balance == "oversample":
        weights = label_weights(images)
        chances: NDArray[np.float64] = weights / weights.sum()
        return chances
    return None

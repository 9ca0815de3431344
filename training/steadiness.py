"""Steadiness: whether a classifier keeps its answers when the same pictures arrive as other people would send them."""

import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
from PIL import Image

from services.bundle.calibration import probabilities
from services.bundle.evaluation import Estimate, Variant
from services.bundle.manifest import Calibration, Preprocessing
from services.bundle.outputs import served
from services.bundle.preprocessing import prepare
from services.errors import SightlineError
from services.imaging import Raster, decode, stretch
from services.settings import Settings
from training.answers import Answers
from training.bootstrap import estimate, resamples
from training.errors import ImagesInvalid
from training.folders import Folder, Sample
from training.images import Bar, Tensor
from training.metrics import Bools, Floats, decide
from training.novelty import Fitted
from training.variants import VARIANTS

# The frame that a variant draws may make of the largest picture that the service takes one that it would not.
_MAX_PIXELS: int = 2 * Settings.model_fields["max_pixels"].default
_AT_ONCE = 64  # tensors that the network is asked about
_AHEAD = 8  # pictures whose variants are made meanwhile, 14 tensors each
_OWN = 0  # place of the picture's own file among its variants


def measure_steadiness(
    classifier: Any,
    folder: Folder,
    preprocessing: Preprocessing,
    calibration: Calibration,
    plain: Answers,
    seed: int,
    bar: Bar,
    detector: Fitted | None = None,
) -> tuple[Variant, ...]:
    """Ask a classifier about every variant of labelled pictures, each taken as an upload would be.

    An answer is the most probable label or, where an image may have several, each of at least one half; it is right
    and unchanged only as a whole. Intervals are of the same draws as those of training.evaluation.

    Args:
        classifier: of services.bundle.architectures.build, with the weights that are served.
        folder: that the pictures are in.
        preprocessing: of the classifier.
        calibration: of the classifier.
        plain: what the classifier said of the pictures' own files.
        seed: of the intervals.
        bar: makes a progress bar of a name and a number of pictures.
        detector: of foreign images, which reads the classifier's features; None where there is none.

    Returns:
        One for each of training.variants.VARIANTS, in their order.

    Raises:
        ImagesInvalid: a picture that cannot be read, or that serving would refuse.
        ValueError: there are no pictures.
    """
    count = len(plain.samples)
    if not count:
        message = "there is no image to measure on"
        raise ValueError(message)
    watch = bar(f"Asking about {count} images in {len(VARIANTS)} variants", count)
    logits, foreign = _ask(classifier, watch(_pictures(folder.root, plain.samples, preprocessing)), plain, detector)
    chances = [probabilities(some, calibration) for some in logits]
    decided = np.stack([decide(some, calibration.activation) for some in chances])
    kept = (decided == decided[_OWN]).all(axis=2).mean(axis=1)
    shifts = [float(np.abs(some - chances[_OWN]).max()) for some in chances]
    right = (decided == plain.truths).all(axis=2)
    shares, accuracies = right.mean(axis=1), _accuracies(right, plain.samples, seed)
    return tuple(
        Variant(
            name=variant.name,
            title=variant.title,
            images=count,
            accuracy=accuracies[number],
            change=float(shares[number] - shares[_OWN]),
            unchanged=float(kept[number]),
            largest_shift=shifts[number],
            refused=None if detector is None else float(foreign[number].mean()),
        )
        for number, variant in enumerate(VARIANTS, start=_OWN + 1)
    )


def worst(variants: Sequence[Variant]) -> Variant:
    """The variant that costs most accuracy; of several, the one that changes most answers.

    Raises:
        ValueError: there are none.
    """
    return min(variants, key=lambda variant: (variant.change, variant.unchanged))


def _accuracies(right: Bools, samples: Sequence[Sample], seed: int) -> list[Estimate]:
    """Of each of the variants, bool [variants, n]; all are resampled by the same draws."""
    chunks = (weights @ right.T / weights.sum(axis=1, keepdims=True) for weights in resamples(samples, seed))
    drawn, groups = np.concatenate(list(chunks)), len({sample.group for sample in samples})
    # A share of some images is a number.
    return [cast("Estimate", estimate(float(own.mean()), drawn[:, n], groups)) for n, own in enumerate(right)]


# ---------------------------------------------------------------- answers


@dataclass(frozen=True, slots=True)
class _Row:
    """What the network is asked once: one picture's variants that are the same tensor.

    Attributes:
        picture: its number.
        variants: their numbers; _OWN is the file as it is.
        tensor: uint8 [height, width, 3].
    """

    picture: int
    variants: list[int]
    tensor: Tensor


def _ask(classifier: Any, pictures: Iterable[Tensor], plain: Answers, detector: Fitted | None) -> tuple[Floats, Bools]:
    """Logits float64 [1 + variants, n, labels], and which are foreign, bool [1 + variants, n]."""
    outputs = {"logits": classifier.output}
    if detector is not None:
        outputs["features"] = served(classifier).output["features"]
    model = keras.Model(classifier.input, outputs)
    logits = np.repeat(plain.logits[np.newaxis], 1 + len(VARIANTS), axis=0)
    foreign = np.zeros(logits.shape[:2], bool)
    # What the file itself is answered is known; only the detector has not seen it.
    rows = (row for row in _rows(pictures) if detector is not None or _OWN not in row.variants)
    while some := list(itertools.islice(rows, _AT_ONCE)):
        found = model.predict_on_batch(np.stack([row.tensor for row in some]).astype(np.float32))
        strange = np.zeros(len(some), bool) if detector is None else detector.refused(found["features"])
        for place, row in enumerate(some):
            foreign[row.variants, row.picture] = strange[place]
            if _OWN not in row.variants:
                logits[row.variants, row.picture] = found["logits"][place]
    return logits, foreign


def _rows(pictures: Iterable[Tensor]) -> Iterator[_Row]:
    for number, tensors in enumerate(pictures):
        alike: dict[bytes, _Row] = {}
        for variant, tensor in enumerate(tensors):
            alike.setdefault(tensor.tobytes(), _Row(number, [], tensor)).variants.append(variant)
        yield from alike.values()


# ---------------------------------------------------------------- pictures


def _pictures(root: Path, samples: Sequence[Sample], preprocessing: Preprocessing) -> Iterator[Tensor]:
    """Each picture in its own file and in every variant, uint8 [1 + variants, height, width, 3]."""
    ahead: deque[Future[Tensor]] = deque()
    with ThreadPoolExecutor(os.cpu_count(), "variants") as pool:
        for sample in samples:
            ahead.append(pool.submit(_arrived, root, sample, preprocessing))
            # Not all at once, as `map` would: the network may be slower than the pool, and memory would fill up.
            if len(ahead) > _AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _arrived(root: Path, sample: Sample, preprocessing: Preprocessing) -> Tensor:
    try:
        content = (root / sample.path).read_bytes()
        own = _taken(content, preprocessing)
        shrunk = own.pixels.shape[0] * own.pixels.shape[1] < own.width * own.height
        pixels = decode(content, max_pixels=_MAX_PIXELS).pixels if shrunk else own.pixels  # only a JPEG is shrunk
        if pixels.dtype != np.uint8:
            pixels = stretch(pixels, *preprocessing.window_percentiles)
        picture = Image.fromarray(pixels)
        rasters = (own, *(_taken(variant.write(picture), preprocessing) for variant in VARIANTS))
        return np.stack([prepare(raster.pixels, preprocessing) for raster in rasters])
    except (OSError, SightlineError) as refused:
        message = f"{sample.path}: {refused}"
        raise ImagesInvalid(message) from refused


def _taken(content: bytes, preprocessing: Preprocessing) -> Raster:
    """Decode as an upload is decoded."""
    shrink_to = max(preprocessing.height, preprocessing.width)
    return decode(content, max_pixels=_MAX_PIXELS, shrink_to=shrink_to, window=preprocessing.window)

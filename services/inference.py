"""Image bytes in, Prediction out: the deep verb that composes imaging, preprocessing, network and calibration."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio
import anyio.to_thread
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.bundle.calibration import PRESENT, probabilities
from services.bundle.manifest import Manifest
from services.bundle.preprocessing import prepare
from services.errors import Overloaded
from services.imaging import decode
from services.shelf import Live

_NONE_PRESENT = "No label reached a probability of one half."


@dataclass(frozen=True, slots=True)
class Finding:
    """The label that the model names first, with its calibrated probability."""

    label: str
    title: str
    probability: float


@dataclass(frozen=True, slots=True)
class LabelProbability:
    """One label's calibrated probability."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Novelty:
    """How unlike its training images a bundle's detector finds the image; above the threshold it is foreign."""

    score: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds that one prediction took."""

    decode: float
    queue: float
    network: float
    total: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """One image's answer.

    Attributes:
        finding: None unless the outcome is "finding".
        probabilities: every label, highest first. They sum to one where an image has one label; where it may have
            several, each stands for itself.
        prediction_set: where an image may have several labels, all that are more likely present than not, highest
            first; None where the bundle has no means for it, as are `novelty` and `saliency`.
        reason: why the outcome is not a finding.
        notes: what a reader should know of the image.
        preview: JPEG of what the model saw, where it was asked for.
    """

    outcome: Literal["finding", "uncertain", "not_applicable"]
    finding: Finding | None
    probabilities: tuple[LabelProbability, ...]
    prediction_set: tuple[str, ...] | None
    novelty: Novelty | None
    reason: str | None
    suggested_tasks: tuple[str, ...]
    notes: tuple[str, ...]
    saliency: None
    timing: Timing
    preview: bytes | None


class Predictor:
    """Answers images with live bundles, as many at once as there are cores, with a bounded queue before them.

    Args:
        concurrency: predictions that run at once.
        queue_limit: predictions that may wait.
        max_pixels: the most pixels that an image's header may declare.
    """

    def __init__(self, *, concurrency: int, queue_limit: int, max_pixels: int) -> None:
        self._concurrency, self._capacity = concurrency, concurrency + queue_limit
        self._max_pixels = max_pixels
        self._admitted = 0
        self._limiter: anyio.CapacityLimiter | None = None

    def require_room(self, images: int = 1) -> None:
        """Refuse before a body is read what could not be answered after it.

        Raises:
            Overloaded: as many predictions are waiting as may wait.
        """
        if self._admitted + images > self._capacity:
            message = f"{self._admitted} images are being answered or waiting; please try again."
            raise Overloaded(message, retry_after=1)

    @contextmanager
    def admission(self, images: int) -> Iterator[None]:
        """Hold places in the queue for so many images.

        Raises:
            Overloaded: there are not as many places.
        """
        # The event loop alone runs this, so counting needs no lock.
        self.require_room(images)
        self._admitted += images
        try:
            yield
        finally:
            self._admitted -= images

    async def predict(self, live: Live, image: Path, *, preview: bool = False) -> Prediction:
        """Answer one image in a worker thread.

        Args:
            live: the bundle that answers, of `Registry.live`; it stays loaded while it is held here.
            image: an upload.
            preview: whether to give back what the model saw.

        Raises:
            UnsupportedImage, TooManyPixels, TooManyFrames, UndecodableImage: as services.imaging.decode.
        """
        # Made here, because a limiter belongs to the event loop that runs it.
        self._limiter = self._limiter or anyio.CapacityLimiter(self._concurrency)
        arrived = time.perf_counter()
        return await anyio.to_thread.run_sync(self._predict, live, image, preview, arrived, limiter=self._limiter)

    def _predict(self, live: Live, image: Path, preview: bool, arrived: float) -> Prediction:  # noqa: FBT001 - called by position through run_sync
        started = time.perf_counter()
        preprocessing = live.manifest.preprocessing
        raster = decode(
            image.read_bytes(),
            max_pixels=self._max_pixels,
            shrink_to=max(preprocessing.height, preprocessing.width),
        )
        tensor = prepare(raster.pixels, preprocessing)
        decoded = time.perf_counter()
        logits = live.network.logits(tensor)
        finished = time.perf_counter()
        timing = Timing(
            decode=_milliseconds(started, decoded),
            queue=_milliseconds(arrived, started),
            network=_milliseconds(decoded, finished),
            total=_milliseconds(arrived, finished),
        )
        ranked = _ranked(logits, live.manifest)
        first = ranked[0]
        present = _present(ranked) if live.multilabel else None
        # Labels that need not be there may all be absent; of those that exclude each other one is always the likeliest.
        finding = None if present == () else Finding(first.label, live.titles[first.label], first.probability)
        return Prediction(
            outcome="finding" if finding else "uncertain",
            finding=finding,
            probabilities=ranked,
            prediction_set=present,
            novelty=None,
            reason=None if finding else _NONE_PRESENT,
            suggested_tasks=(),
            notes=_notes(live, deep=raster.deep),
            saliency=None,
            timing=timing,
            preview=_as_jpeg(tensor) if preview else None,
        )


def _ranked(logits: NDArray[np.float32], manifest: Manifest) -> tuple[LabelProbability, ...]:
    pairs = zip(manifest.labels, probabilities(logits, manifest.calibration).tolist(), strict=True)
    return tuple(LabelProbability(*pair) for pair in sorted(pairs, key=lambda pair: -pair[1]))


def _present(ranked: tuple[LabelProbability, ...]) -> tuple[str, ...]:
    return tuple(entry.label for entry in ranked if entry.probability >= PRESENT)


def _as_jpeg(tensor: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(tensor).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _notes(live: Live, *, deep: bool) -> tuple[str, ...]:
    if not deep:
        return ()
    low, high = live.manifest.preprocessing.window_percentiles
    return (f"The image has more than 8 bits; its {low:g}th to {high:g}th percentile was shown to the model.",)


def _milliseconds(start: float, end: float) -> float:
    return round((end - start) * 1000, 2)

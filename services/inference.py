"""Image bytes in, Prediction out: the deep verb that composes imaging, preprocessing, network and conclusion."""

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services import quality
from services.bundle.calibration import probabilities
from services.bundle.hints import hintable, take_hint
from services.bundle.overlay import overlay
from services.bundle.preprocessing import prepare
from services.errors import MalformedRequest, Overloaded, WrongModality
from services.imaging import Raster, decode
from services.modality import require_modality
from services.outcome import Outcome, conclude
from services.prediction import (
    Finding,
    Foreignness,
    LabelProbability,
    Prediction,
    Question,
    Saliency,
    Timing,
)
from services.shelf import Live

_MOST_SUGGESTED = 3
_BLANK = "The image is nearly blank, so there is nothing to answer."


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

    async def predict(
        self, live: Live, image: Path, question: Question | None = None, others: Sequence[Live] = ()
    ) -> Prediction:
        """Answer one image in a worker thread.

        Args:
            live: the bundle that answers, of `Registry.live`; it stays loaded while it is held here.
            image: an upload.
            question: what is asked beside the answer.
            others: bundles of other tasks, which may know what an image is that this one does not.

        Raises:
            UnsupportedImage, TooManyPixels, TooManyFrames, UndecodableImage: as services.imaging.decode.
            WrongModality: a DICOM file that is of another kind than the task's.
            MalformedRequest: the question does not fit the task.
        """
        # Made here, because a limiter belongs to the event loop that runs it.
        self._limiter = self._limiter or anyio.CapacityLimiter(self._concurrency)
        arrived = time.perf_counter()
        return await anyio.to_thread.run_sync(
            self._predict, live, image, question or Question(), others, arrived, limiter=self._limiter
        )

    def _predict(
        self, live: Live, image: Path, question: Question, others: Sequence[Live], arrived: float
    ) -> Prediction:
        started = time.perf_counter()
        _require_sense(live, question)
        preprocessing = live.manifest.preprocessing
        raster = decode(
            image.read_bytes(),
            max_pixels=self._max_pixels,
            shrink_to=max(preprocessing.height, preprocessing.width),
            frame=question.frame,
            window=preprocessing.window,
        )
        told = require_modality(raster, live.task.title, live.task.dicom.modalities, live.task.dicom.body_parts)
        tensor = prepare(raster.pixels, preprocessing)
        decoded = time.perf_counter()
        answer = live.network.answer(tensor, saliency=question.saliency)
        finished = time.perf_counter()
        chances = probabilities(answer.logits, live.manifest.calibration)
        novelty = _novelty(live, answer.features)
        notes = (*raster.notes, *told, *quality.notes(raster, preprocessing))
        # A model never names what is not there, whatever its detector makes of an empty picture.
        blank = quality.blank(tensor, preprocessing)
        if blank or (novelty is not None and novelty.foreign):
            suggested = () if blank else _suggested(raster, others)
            reason = _BLANK if blank else _foreign(live, suggested)
            outcome, kind = Outcome(None, None, reason=reason), "not_applicable"
            notes = (*notes, *(() if blank else _inverted(live, tensor)))
            maps = None
        else:
            suggested, maps = (), answer.saliency
            if question.hint:
                hinted = take_hint(question.hint, live.task.labels, live.manifest.labels, chances)
                chances, notes = hinted.probabilities, (*notes, hinted.note)
            outcome = conclude(chances, live.manifest, live.titles, question.operating_point)
            kind = "uncertain" if outcome.label is None else "finding"
        ranked = _ranked(chances, live)
        return Prediction(
            outcome=kind,  # type: ignore[arg-type]
            finding=_finding(outcome, ranked, live),
            probabilities=ranked,
            prediction_set=outcome.labels,
            operating_points=outcome.points,
            novelty=novelty,
            reason=outcome.reason,
            suggested_tasks=tuple(other.manifest.task for other in suggested),
            notes=notes,
            saliency=None if maps is None else _saliency(live, tensor, maps, outcome.label or ranked[0].label),
            timing=_timing(arrived, started, decoded, finished),
            preview=_encoded(tensor, "JPEG", quality=85) if question.preview else None,
        )


def _require_sense(live: Live, question: Question) -> None:
    """Refuse before any work what the task has no means for."""
    if question.operating_point is not None and not live.manifest.operating_points:
        message = f"The task {live.task.title} has no operating points; leave out operating_point."
        raise MalformedRequest(message)
    if question.hint and (live.multilabel or not hintable(live.task.labels)):
        message = f"The task {live.task.title} takes no hints; leave out hint."
        raise MalformedRequest(message)


def _ranked(chances: NDArray[np.float64], live: Live) -> tuple[LabelProbability, ...]:
    pairs = zip(live.manifest.labels, chances.tolist(), strict=True)
    return tuple(LabelProbability(*pair) for pair in sorted(pairs, key=lambda pair: -pair[1]))


def _finding(outcome: Outcome, ranked: tuple[LabelProbability, ...], live: Live) -> Finding | None:
    if outcome.label is None:
        return None
    chance = next(entry.probability for entry in ranked if entry.label == outcome.label)
    return Finding(outcome.label, live.titles[outcome.label], chance)


# ---------------------------------------------------------------- foreign images


def _novelty(live: Live, features: NDArray[np.float32]) -> Foreignness | None:
    if live.detector is None or live.manifest.novelty is None:
        return None
    return Foreignness(float(live.detector.scores(features[np.newaxis])[0]), live.manifest.novelty.threshold)


def _suggested(raster: Raster, others: Sequence[Live]) -> tuple[Live, ...]:
    """The bundles that take the image for one of theirs, the surest first.

    Only a foreign image costs these further runs. Pixels that were shrunk while decoding are at least twice as large
    as the first network wanted them, which is enough to tell the kind of a picture.
    """
    found = []
    for other in others:
        if not _takes(other, raster):
            continue
        answer = other.network.answer(prepare(raster.pixels, other.manifest.preprocessing))
        novelty = _novelty(other, answer.features)
        if novelty is not None and not novelty.foreign:
            found.append((novelty.score / novelty.threshold, other))
    found.sort(key=lambda pair: pair[0])
    return tuple(other for _, other in found[:_MOST_SUGGESTED])


def _takes(live: Live, raster: Raster) -> bool:
    """Whether a task would not refuse the file by its header."""
    try:
        require_modality(raster, live.task.title, live.task.dicom.modalities, live.task.dicom.body_parts)
    except WrongModality:
        return False
    return True


def _foreign(live: Live, suggested: Sequence[Live]) -> str:
    reason = f"This does not look like the pictures that the model knows: it wants {live.task.picture}."
    if not suggested:
        return reason
    picture = suggested[0].task.picture
    alike = " or ".join(other.task.title for other in suggested if other.task.picture == picture)
    if picture == live.task.picture:
        return f"This is not quite what the model knows, although it looks like {picture}: try {alike}."
    return f"{reason} It looks like {picture}: try {alike}."


def _inverted(live: Live, tensor: NDArray[np.uint8]) -> tuple[str, ...]:
    novelty = _novelty(live, live.network.answer(255 - tensor).features)
    if novelty is None or novelty.foreign:
        return ()
    return ("The image is probably inverted: its negative looks like what the model knows.",)


# ---------------------------------------------------------------- what goes with the answer


def _saliency(live: Live, tensor: NDArray[np.uint8], maps: NDArray[np.float32], label: str) -> Saliency:
    values = maps[live.manifest.labels.index(label)]
    return Saliency(label, values, _encoded(overlay(tensor, values), "PNG"))


def _encoded(pixels: NDArray[np.uint8], kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def _timing(arrived: float, started: float, decoded: float, finished: float) -> Timing:
    return Timing(
        decode=_milliseconds(started, decoded),
        queue=_milliseconds(arrived, started),
        network=_milliseconds(decoded, finished),
        total=_milliseconds(arrived, finished),
    )


def _milliseconds(start: float, end: float) -> float:
    return round((end - start) * 1000, 2)

"""The images in a request, and their answers: the one way from a body to predictions, for programs and people."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fastapi import Request
from starlette.datastructures import UploadFile

from routers.dependencies import Services
from routers.questions import Asked
from services.errors import MalformedRequest, SightlineError, TooManyImages, UnsupportedImage
from services.imaging import MEDIA_TYPES
from services.inference import Predictor
from services.prediction import Prediction, Question
from services.settings import Settings
from services.shelf import Live
from services.uploads import Uploads

_CHUNK = 256 * 1024
_RAW = {*MEDIA_TYPES, "application/octet-stream"}
_MOST_FIELDS = 8


@dataclass(frozen=True, slots=True)
class Answered:
    """One image of a request and what came of it."""

    filename: str | None
    result: Prediction | SightlineError


@dataclass(frozen=True, slots=True)
class Respondent:
    """What answers the images that are sent to one task: its bundle, those of the other tasks, and what runs them."""

    live: Live
    others: tuple[Live, ...]
    predictor: Predictor
    uploads: Uploads
    settings: Settings

    @classmethod
    def of(cls, services: Services, task: str, version: int | None = None) -> Self:
        """For a task, or for a loaded version of it.

        Raises:
            UnknownTask, UnknownVersion, NotReady: as Registry.live.
        """
        registry = services.registry
        live, others = registry.live(task, version), registry.others(task)
        return cls(live, others, services.predictor, services.uploads, services.settings)

    async def answer(self, request: Request, asked: Asked, *, preview: bool = False) -> tuple[Asked, list[Answered]]:
        """Read every image of a request and answer each; one bad image does not spoil the others.

        Args:
            request: whose body holds the images.
            asked: in the query string.
            preview: whether to give back what the model saw.

        Returns:
            What is asked in the query string and the form together, and the answers in the order of the images.

        Raises:
            MalformedRequest: no image in it, or a field that makes no sense.
            UnsupportedImage: a body of another type.
            TooManyBytes, TooManyImages: beyond the limits.
            Overloaded: no room in the queue; decided before the body is read where the queue is already full.
        """
        self.predictor.require_room()
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            async with request.form(max_files=self.settings.max_images + 1, max_fields=_MOST_FIELDS) as form:
                files = [part for part in form.getlist("image") if isinstance(part, UploadFile) and part.filename]
                if not files:
                    message = "Choose an image first: the form field named image holds no file."
                    raise MalformedRequest(message)
                if len(files) > self.settings.max_images:
                    message = f"At most {self.settings.max_images} images may be sent at once."
                    raise TooManyImages(message)
                asked = asked.completed(form)
                sources = [(file.filename, _chunks(file)) for file in files]
                return asked, await self._answer(sources, asked.question(preview=preview))
        if kind in _RAW:
            return asked, await self._answer([(None, request.stream())], asked.question(preview=preview))
        accepted = ", ".join(sorted(MEDIA_TYPES))
        message = f"Send multipart/form-data with a file field named image, or an image as the whole body ({accepted})."
        raise UnsupportedImage(message)

    async def answer_one(self, image: Path, question: Question) -> Prediction:
        """Answer a file that lies here already."""
        with self.predictor.admission(1):
            return await self.predictor.predict(self.live, image, question, self.others)

    async def _answer(
        self, sources: Sequence[tuple[str | None, AsyncIterable[bytes]]], question: Question
    ) -> list[Answered]:
        async with AsyncExitStack() as stack:
            kept: list[Path | SightlineError] = []
            for _, chunks in sources:
                try:
                    kept.append(await stack.enter_async_context(self.uploads.keep(chunks)))
                except SightlineError as refused:
                    kept.append(refused)
            with self.predictor.admission(len(sources)):
                results = await asyncio.gather(*(self._predict(path, question) for path in kept))
        return [Answered(filename, result) for (filename, _), result in zip(sources, results, strict=True)]

    async def _predict(self, image: Path | SightlineError, question: Question) -> Prediction | SightlineError:
        if isinstance(image, SightlineError):
            return image
        try:
            return await self.predictor.predict(self.live, image, question, self.others)
        except SightlineError as refused:
            return refused


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(_CHUNK):
        yield chunk

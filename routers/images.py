"""The images in a request, and their answers: the one way from a body to predictions, for programs and people."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request
from starlette.datastructures import UploadFile

from services.errors import MalformedRequest, SightlineError, TooManyImages, UnsupportedImage
from services.imaging import MEDIA_TYPES
from services.inference import Prediction, Predictor
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


async def answer_images(
    request: Request, live: Live, predictor: Predictor, uploads: Uploads, settings: Settings, *, preview: bool = False
) -> list[Answered]:
    """Read every image of a request and answer each; one bad image does not spoil the others.

    Raises:
        MalformedRequest: no image in it.
        UnsupportedImage: a body of another type.
        TooManyBytes, TooManyImages: beyond the limits.
        Overloaded: no room in the queue; decided before the body is read where the queue is already full.
    """
    predictor.require_room()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with request.form(max_files=settings.max_images + 1, max_fields=_MOST_FIELDS) as form:
            files = [part for part in form.getlist("image") if isinstance(part, UploadFile) and part.filename]
            if not files:
                message = "Choose an image first: the form field named image holds no file."
                raise MalformedRequest(message)
            if len(files) > settings.max_images:
                message = f"At most {settings.max_images} images may be sent at once."
                raise TooManyImages(message)
            sources = [(file.filename, _chunks(file)) for file in files]
            return await _answer(sources, live, predictor, uploads, preview=preview)
    if kind in _RAW:
        return await _answer([(None, request.stream())], live, predictor, uploads, preview=preview)
    accepted = ", ".join(sorted(MEDIA_TYPES))
    message = f"Send multipart/form-data with a file field named image, or an image as the whole body ({accepted})."
    raise UnsupportedImage(message)


async def _answer(
    sources: Sequence[tuple[str | None, AsyncIterable[bytes]]],
    live: Live,
    predictor: Predictor,
    uploads: Uploads,
    *,
    preview: bool,
) -> list[Answered]:
    async with AsyncExitStack() as stack:
        kept: list[Path | SightlineError] = []
        for _, chunks in sources:
            try:
                kept.append(await stack.enter_async_context(uploads.keep(chunks)))
            except SightlineError as refused:
                kept.append(refused)
        with predictor.admission(len(sources)):
            results = await asyncio.gather(*(_predict(live, predictor, path, preview=preview) for path in kept))
    return [Answered(filename, result) for (filename, _), result in zip(sources, results, strict=True)]


async def _predict(
    live: Live, predictor: Predictor, image: Path | SightlineError, *, preview: bool
) -> Prediction | SightlineError:
    if isinstance(image, SightlineError):
        return image
    try:
        return await predictor.predict(live, image, preview=preview)
    except SightlineError as refused:
        return refused


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(_CHUNK):
        yield chunk

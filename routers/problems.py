"""One failure, two faces: the table of error classes, rendered as application/problem+json or as a page."""

import logging
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException

from routers.access import request_id, standing_headers
from services import errors

_log = logging.getLogger(__name__)

TABLE: dict[type[errors.SightlineError], tuple[int, str, str]] = {
    errors.MalformedRequest: (400, "malformed-request", "The request cannot be understood"),
    errors.AccessRefused: (403, "access-refused", "Access refused"),
    errors.Unauthenticated: (401, "unauthenticated", "Key needed"),
    errors.NotFound: (404, "not-found", "Not found"),
    errors.UnknownTask: (404, "unknown-task", "No such task"),
    errors.UnknownVersion: (404, "unknown-version", "No such version"),
    errors.UnknownPage: (404, "unknown-page", "No such page"),
    errors.MethodNotAllowed: (405, "method-not-allowed", "Method not allowed"),
    errors.TooLarge: (413, "too-large", "Too large"),
    errors.TooManyBytes: (413, "too-many-bytes", "The file is too large"),
    errors.TooManyPixels: (413, "too-many-pixels", "The image has too many pixels"),
    errors.TooManyFrames: (413, "too-many-frames", "The file holds more than one image"),
    errors.TooManyImages: (413, "too-many-images", "Too many images at once"),
    errors.UnsupportedImage: (415, "unsupported-image", "Not an accepted image type"),
    errors.UndecodableImage: (422, "undecodable-image", "The image cannot be read"),
    errors.WrongModality: (422, "wrong-modality", "Not an image for this task"),
    errors.Overloaded: (429, "overloaded", "Busy"),
    errors.NotReady: (503, "not-ready", "Not ready yet"),
    errors.BundleRefused: (500, "internal", "Something went wrong"),
    errors.SightlineError: (500, "internal", "Something went wrong"),
}
"""Error class to status, slug and title; a class without a row takes that of its nearest ancestor."""

_INTERNAL = "The failure was recorded under this request id; nothing that you sent was kept."


@dataclass(frozen=True, slots=True)
class Problem:
    """A failure as RFC 9457 has it, plus the id under which the log knows it."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str


def templates() -> Jinja2Templates:
    """The page templates; a name that a page does not get is an error, not an empty string."""
    folder = Path(__file__).resolve().parent.parent / "templates"
    return Jinja2Templates(
        env=Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    )


def problem_of(error: errors.SightlineError, request: Request) -> Problem:
    """Look an error up in the table by its class, nearest ancestor first."""
    row = next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)
    status, slug, title = row
    detail = _INTERNAL if status == HTTPStatus.INTERNAL_SERVER_ERROR else str(error)
    return Problem(f"/problems/{slug}", title, status, detail, request_id(request))


def handle_problems(app: FastAPI) -> None:
    """Make `app` answer every failure from the table."""
    page = templates()

    def render(request: Request, error: errors.SightlineError, headers: dict[str, str] | None = None) -> Response:
        problem = problem_of(error, request)
        headers = dict(headers or {})
        retry_after = getattr(error, "retry_after", None)
        if retry_after is not None:
            headers["Retry-After"] = str(retry_after)
        if isinstance(error, errors.Unauthenticated):
            headers["WWW-Authenticate"] = "Bearer"
        if wants_page(request):
            return page.TemplateResponse(request, "error.html", {"problem": problem}, problem.status, headers=headers)
        return JSONResponse(asdict(problem), problem.status, headers=headers, media_type="application/problem+json")

    async def domain(request: Request, error: Exception) -> Response:
        assert isinstance(error, errors.SightlineError)  # noqa: S101 - for mypy; registered for this class alone
        if isinstance(error, errors.BundleRefused):
            _log.error("request %s: a bundle's refusal reached a request", request_id(request), exc_info=error)
        return render(request, error)

    async def routing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - as above
        return render(request, _translated(error), dict(error.headers or {}))

    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
        first: dict[str, Any] = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return render(request, errors.MalformedRequest(f"{where}: {first['msg']}."))

    async def unforeseen(request: Request, error: Exception) -> Response:
        _log.error("request %s failed", request_id(request), exc_info=error)
        # This answer is made outside every middleware, so it brings the standing headers itself.
        return render(request, errors.SightlineError(), standing_headers(request.scope))

    app.add_exception_handler(errors.SightlineError, domain)
    app.add_exception_handler(HTTPException, routing)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(Exception, unforeseen)


def wants_page(request: Request) -> bool:
    """Whether a person's browser asked: by path first, so that an API path never answers with HTML."""
    if request.url.path.startswith(("/api/", "/livez", "/readyz", "/openapi")):
        return False
    return "text/html" in request.headers.get("accept", "")


def _translated(error: HTTPException) -> errors.SightlineError:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return errors.UnknownPage("Nothing answers at this address.")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return errors.MethodNotAllowed("This address answers other methods only.")
    if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return errors.MalformedRequest(str(error.detail))
    return errors.SightlineError()

"""Who may do what, how much may be sent, and the headers that every answer carries."""

import hmac
import ipaddress
import logging
import secrets
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from routers.dependencies import SettingsDep
from services.errors import AccessRefused, TooManyBytes, Unauthenticated

_POLICY = (
    "default-src 'none'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# Swagger UI draws its icons as data and sets style attributes.
_DOCS_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def request_id(request: Request) -> str:
    """The id that this request has in the log and in its answer; given by us, never by the client."""
    given: str = request.scope["sightline.request_id"]
    return given


RequestId = Annotated[str, Depends(request_id)]
"""The request's id, as a named type that a route asks for."""


def _require_operator(request: Request, settings: SettingsDep) -> None:
    if settings.operator_key is None:
        host = request.client.host if request.client else ""
        if _is_this_machine(host):
            return
        message = "Only this machine may do this, as the service was given no operator key."
        raise AccessRefused(message)
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    expected = settings.operator_key.get_secret_value()
    if scheme.lower() != "bearer" or not hmac.compare_digest(key.encode(), expected.encode()):
        message = "This needs the operator's key as a bearer token."
        raise Unauthenticated(message)


Operator = Depends(_require_operator)
"""Lets an operator in: with the configured key, or from this machine where none is configured."""


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def keep_queries_out_of_the_log() -> None:
    """Let the server's access log name paths without their query strings: a hint is nobody's to keep."""
    logging.getLogger("uvicorn.access").addFilter(_without_query)


def _without_query(record: logging.LogRecord) -> bool:
    # uvicorn's arguments are client, method, path with query string, HTTP version and status; in a path "?" is quoted.
    if isinstance(record.args, tuple):
        record.args = tuple(
            each.partition("?")[0] if isinstance(each, str) and each.startswith("/") else each for each in record.args
        )
    return True


class Envelope:
    """ASGI middleware: gives each request an id, counts its bytes as they arrive, and sets the security headers.

    Args:
        app: what it wraps.
        max_bytes: the most bytes that a whole request body may have.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app, self._max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["sightline.request_id"] = secrets.token_hex(8)
        await self._app(scope, self._counted(scope, receive), _with_headers(scope, send))

    def _counted(self, scope: Scope, receive: Receive) -> Receive:
        declared = Headers(scope=scope).get("content-length", "0")
        total = int(declared) if declared.isascii() and declared.isdigit() else 0
        refused = total > self._max_bytes
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            if refused:
                raise TooManyBytes(self._message())
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                raise TooManyBytes(self._message())
            return message

        return counting

    def _message(self) -> str:
        return f"The request is larger than {self._max_bytes / 2**20:g} MiB."


def standing_headers(scope: Scope) -> dict[str, str]:
    """The headers that every answer to this request carries."""
    path: str = scope["path"]
    headers = {
        "X-Request-Id": scope["sightline.request_id"],
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Content-Security-Policy": _DOCS_POLICY if path.startswith("/docs") else _POLICY,
    }
    # Answers are about one person's image; only the stylesheet and the script may be kept.
    return headers if path.startswith("/static/") else headers | {"Cache-Control": "no-store"}


def _with_headers(scope: Scope, send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(standing_headers(scope))
        await send(message)

    return sending

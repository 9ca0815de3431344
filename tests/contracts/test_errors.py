"""Every error class has a row, a page and a JSON face, and says nothing that it must not."""

import json
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from routers.access import Envelope
from routers.problems import TABLE, handle_problems
from services import errors


def tree(kind: type[errors.SightlineError]) -> Iterator[type[errors.SightlineError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


EVERY = [kind for kind in tree(errors.SightlineError) if not kind.__name__.startswith("_")]


def raised(kind: type[errors.SightlineError], accept: str) -> tuple[int, dict[str, str], str]:
    app = FastAPI()
    app.add_middleware(Envelope, max_bytes=100)
    handle_problems(app)

    @app.get("/")
    def fail() -> None:
        if issubclass(kind, errors.Overloaded | errors.NotReady):
            raise kind("A sentence.", retry_after=7)
        raise kind("A sentence.")

    with TestClient(app) as client:
        response = client.get("/", headers={"accept": accept})
    return response.status_code, dict(response.headers), response.text


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_error_has_a_row_or_an_ancestors_that_is_not_the_roots(kind: type[errors.SightlineError]) -> None:
    nearest = next(ancestor for ancestor in kind.__mro__ if ancestor in TABLE)
    assert kind is errors.SightlineError or nearest is not errors.SightlineError


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_error_has_two_faces_of_one_problem(kind: type[errors.SightlineError]) -> None:
    status, headers, body = raised(kind, "application/json")
    page_status, page_headers, page = raised(kind, "text/html")
    problem = json.loads(body)
    assert status == page_status == problem["status"]
    assert headers["content-type"] == "application/problem+json"
    assert page_headers["content-type"].startswith("text/html")
    assert problem["title"] in page
    assert headers["x-request-id"] == problem["request_id"]
    assert ("A sentence." in body) == ("A sentence." in page) == (status != 500)


def test_errors_that_time_may_heal_say_when() -> None:
    for kind, status in ((errors.Overloaded, 429), (errors.NotReady, 503)):
        answered, headers, _ = raised(kind, "application/json")
        assert (answered, headers["retry-after"]) == (status, "7")


def test_each_row_has_a_slug_of_its_own_but_the_silent_ones() -> None:
    slugs = [slug for status, slug, _ in TABLE.values() if status != 500]
    assert len(set(slugs)) == len(slugs)

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from main import create_app
from routers.dependencies import Services
from services.inference import Predictor
from services.network import Network
from services.settings import Settings
from tests.bundles import draw, encode
from tests.conftest import wait_until_ready
from tests.networks import FailingNetwork, WaitingNetwork, put_in_place

URL = "/api/v1/tasks/shapes/predictions"


def endless(limit: int) -> Iterator[bytes]:
    for _ in range(limit // 65536):
        yield b"x" * 65536


def test_a_chunked_body_is_counted_as_it_arrives(client: TestClient) -> None:
    response = client.post(URL, content=endless(2**23), headers={"content-type": "image/png"})
    assert response.status_code == 413
    assert response.json()["type"] == "/problems/too-many-bytes"


def test_a_chunked_form_is_counted_as_it_arrives(client: TestClient) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'

    def body() -> Iterator[bytes]:
        yield head
        yield from endless(2**23)

    response = client.post(URL, content=body(), headers={"content-type": "multipart/form-data; boundary=x"})
    assert response.status_code == 413


def test_a_declared_length_beyond_the_limit_is_refused_before_the_body_comes(server: str) -> None:
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 99999999\r\n\r\n".encode()
        )
        assert connection.recv(64).startswith(b"HTTP/1.1 413")


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for path in ("/", "/livez", "/docs", "/static/style.css", "/nothing", "/api/v1/tasks"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert len(headers["x-request-id"]) == 16
    assert "cache-control" not in client.get("/static/style.css").headers
    assert client.get("/api/v1/tasks").headers["cache-control"] == "no-store"


def test_the_clients_own_request_id_is_not_taken_over(client: TestClient) -> None:
    assert client.get("/livez", headers={"x-request-id": "mine"}).headers["x-request-id"] != "mine"


def test_an_unforeseen_failure_says_nothing_but_its_id_and_keeps_nothing(settings: Settings) -> None:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        wait_until_ready(client)
        put_in_place(client, FailingNetwork())
        for accept in ("application/json", "text/html"):
            path = URL if accept == "application/json" else "/tasks/shapes"
            response = client.post(path, files={"image": encode(draw(0))}, headers={"accept": accept})
            assert response.status_code == 500
            assert "secret" not in response.text
            assert "RuntimeError" not in response.text
            assert response.headers["x-request-id"] in response.text
            assert "content-security-policy" in response.headers
        assert list(settings.uploads.iterdir()) == []


def predictor(client: TestClient) -> Predictor:
    services: Services = client.app.state.services  # type: ignore[attr-defined]
    return services.predictor


def live_network(client: TestClient) -> Network:
    network: Network = client.app.state.services.registry.live("shapes").network  # type: ignore[attr-defined]
    return network


def test_a_full_queue_is_answered_429_and_those_in_it_are_served(settings: Settings) -> None:
    narrow = settings.model_copy(update={"concurrency": 1, "queue_limit": 1})
    with TestClient(create_app(narrow)) as client, ThreadPoolExecutor(2) as pool:
        wait_until_ready(client)
        slow = WaitingNetwork(live_network(client))
        put_in_place(client, slow)
        first = pool.submit(client.post, URL, files={"image": encode(draw(0))})
        assert slow.entered.acquire(timeout=10)
        second = pool.submit(client.post, URL, files={"image": encode(draw(1))})
        try:
            deadline = time.monotonic() + 10
            while predictor(client)._admitted < 2:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            response = client.post(URL, content=b"never read", headers={"content-type": "image/png"})
        finally:
            slow.go.set()
        assert response.status_code == 429
        assert response.json()["type"] == "/problems/overloaded"
        assert int(response.headers["retry-after"]) >= 1
        assert (first.result().status_code, second.result().status_code) == (200, 200)


@pytest.mark.parametrize("path", ["/uploads/", "/uploads/x.upload", "/static/../uploads/x", "/static/%2e%2e/main.py"])
def test_no_address_leads_to_uploads_or_code(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404

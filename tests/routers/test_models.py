from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from main import create_app
from services.settings import Settings


def test_every_version_is_listed_with_the_fields_of_the_wire(client: TestClient) -> None:
    (model,) = client.get("/api/v1/models").json()["models"]
    assert list(model) == ["task", "version", "state", "reason", "digest", "since"]
    assert (model["task"], model["version"], model["state"], model["reason"]) == ("shapes", 1, "live", None)


def test_a_reload_answers_when_the_store_has_been_read(settings: Settings, drop: Callable[[int], Path]) -> None:
    quiet = settings.model_copy(update={"poll_seconds": 3600.0})
    with TestClient(create_app(quiet), client=("127.0.0.1", 1)) as client:
        client.post("/api/v1/models/reload")
        drop(2)
        versions: list[dict[str, Any]] = client.post("/api/v1/models/reload").json()["models"]
    assert [(model["version"], model["state"]) for model in versions] == [(2, "live"), (1, "standby")]


def test_without_a_key_only_this_machine_may_reload(settings: Settings) -> None:
    with TestClient(create_app(settings), client=("192.0.2.7", 1)) as client:
        response = client.post("/api/v1/models/reload")
    assert response.status_code == 403
    assert response.json()["type"] == "/problems/access-refused"


def test_with_a_key_everyone_needs_it(settings: Settings) -> None:
    keyed = Settings(**{**settings.model_dump(), "operator_key": "correct horse"})
    with TestClient(create_app(keyed), client=("127.0.0.1", 1)) as client:
        assert client.post("/api/v1/models/reload").status_code == 401
        wrong = client.post("/api/v1/models/reload", headers={"authorization": "Bearer wrong"})
        assert wrong.status_code == 401
        assert wrong.headers["www-authenticate"] == "Bearer"
        right = client.post("/api/v1/models/reload", headers={"authorization": "Bearer correct horse"})
        assert right.status_code == 200

import html
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
from starlette.testclient import TestClient

from main import create_app
from services.settings import Settings
from tests import spoiling
from tests.bundles import draw, encode, publish_tiny


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


def assert_quarantined_while_the_old_one_answers(client: TestClient, reason: str) -> None:
    deadline = time.monotonic() + 60
    while (newest := client.get("/api/v1/models").json()["models"][0])["state"] != "quarantined":
        assert time.monotonic() < deadline, newest
        answer = client.post("/api/v1/tasks/shapes/predictions", files={"image": encode(draw(1))})
        assert answer.json()["model"]["version"] == 1
    assert newest["version"] == 2
    assert reason in newest["reason"]
    answer = client.post("/api/v1/tasks/shapes/predictions", files={"image": encode(draw(1))})
    assert (answer.status_code, answer.json()["model"]["version"]) == (200, 1)
    assert client.get("/readyz").status_code == 200
    assert newest["reason"] in html.unescape(client.get("/models", headers={"accept": "text/html"}).text)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoiling.truncated, "incomplete or another file"),
        (spoiling.tampered, "sha-256 differs"),
        (spoiling.without_weights, "model.weights.h5 is missing"),
    ],
)
def test_a_spoilt_bundle_is_quarantined_by_the_running_service(
    client: TestClient, shapes: Path, store: Path, tmp_path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    folder = shutil.copytree(shapes / "shapes" / "2", tmp_path / "2")
    spoil(folder)
    folder.rename(store / "shapes" / "2")
    assert_quarantined_while_the_old_one_answers(client, reason)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (spoiling.wrong_shape, "has the shape"),
        (spoiling.external_link, "is a link"),
        (spoiling.not_a_number, "NaN or infinite"),
    ],
)
def test_hostile_weights_are_quarantined_by_the_running_service(
    client: TestClient, store: Path, damage: Callable[[h5py.File], None], reason: str
) -> None:
    publish_tiny(store, seed=2, damage=damage)
    assert_quarantined_while_the_old_one_answers(client, reason)

"""A service on the tasks of tests.evidence, started once for all that ask it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from main import create_app
from services.settings import Settings
from tests.conftest import wait_until_ready
from tests.evidence import publish_anything, publish_chest, publish_pills


@pytest.fixture(scope="session")
def wary(tmp_path_factory: pytest.TempPathFactory, graphs: Path) -> Iterator[TestClient]:
    """A started service whose models have everything that a manifest can hold."""
    root = tmp_path_factory.mktemp("wary")
    for publish in (publish_chest, publish_pills, publish_anything):
        publish(root)
    settings = Settings(model_store=root, graph_cache=graphs, uploads=tmp_path_factory.mktemp("uploads"), concurrency=2)
    with TestClient(create_app(settings), client=("127.0.0.1", 50000)) as client:
        # Two graphs are compiled first, which takes a while where other tests run at the same time.
        wait_until_ready(client, 240)
        yield client

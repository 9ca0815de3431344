"""Real tiny bundles, compiled once per run, and the places that tests put them in."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
import uvicorn
from starlette.testclient import TestClient

from main import create_app
from services.bundle.store import Store
from services.compiler import Compiler
from services.registry import Registry
from services.settings import Settings
from tests.bundles import publish_tiny


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compile cache of the whole run: a bundle is compiled once, however many tests load it."""
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with three versions of the task "shapes"; do not write to it, take `store`."""
    root = tmp_path_factory.mktemp("shapes")
    for seed in (1, 2, 3):
        publish_tiny(root, seed=seed)
    return root


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a task whose images may show several shapes, or none; do not write to it, take `several`."""
    root = tmp_path_factory.mktemp("mixed")
    publish_tiny(root, "mixed", seed=1, activation="sigmoid")
    return root


@pytest.fixture
def store(tmp_path: Path, shapes: Path) -> Path:
    """A store of one's own with version 1 of "shapes"."""
    root = tmp_path / "model_store"
    (root / "shapes").mkdir(parents=True)
    shutil.copy(shapes / "shapes" / "task.toml", root / "shapes")
    shutil.copytree(shapes / "shapes" / "1", root / "shapes" / "1")
    return root


@pytest.fixture
def several(mixed: Path, store: Path) -> str:
    """The name of a task in `store` whose images may show several shapes, or none."""
    shutil.copytree(mixed / "mixed", store / "mixed")
    return "mixed"


@pytest.fixture
def drop(shapes: Path, store: Path) -> Callable[[int], Path]:
    """Drop a version of "shapes" into the store, as training does: whole, by renaming."""

    def dropping(version: int) -> Path:
        incoming = store / "shapes" / f".incoming-{version}"
        shutil.copytree(shapes / "shapes" / str(version), incoming)
        return incoming.rename(store / "shapes" / str(version))

    return dropping


@pytest.fixture
def compiler(graphs: Path) -> Iterator[Compiler]:
    """A compiler on the run's cache."""
    compiler = Compiler(graphs, seconds=120, memory_mb=8192)
    yield compiler
    compiler.close()


@pytest.fixture
def registry(store: Path, compiler: Compiler) -> Registry:
    """A registry of `store` that has scanned it."""
    registry = Registry(Store(store), compiler, standby=1)
    registry.scan()
    return registry


@pytest.fixture
def settings(store: Path, graphs: Path, tmp_path: Path) -> Settings:
    """Settings of a service on `store`."""
    return Settings(
        model_store=store,
        graph_cache=graphs,
        uploads=tmp_path / "uploads",
        concurrency=2,
        poll_seconds=0.2,
        max_upload_bytes=2**20,
        max_request_bytes=4 * 2**20,
        max_images=4,
        max_pixels=4_000_000,
    )


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A started service that is ready."""
    with TestClient(create_app(settings), client=("127.0.0.1", 50000)) as client:
        wait_until_ready(client)
        yield client


@pytest.fixture
def server(settings: Settings) -> Iterator[str]:
    """The address of a real server on a socket, ready."""
    config = uvicorn.Config(create_app(settings), port=0, log_level="warning", ws="none")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not running.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        port = running.servers[0].sockets[0].getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        with httpx2.Client(base_url=address) as client:
            wait_until_ready(client)
        yield address
    finally:
        running.should_exit = True
        thread.join(30)


def wait_until_ready(client: httpx2.Client, seconds: float = 240) -> None:
    """Wait for /readyz to say yes, asking ever less often: while bundles are compiled, asking takes their time."""
    deadline, pause = time.monotonic() + seconds, 0.02
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline, client.get("/readyz").text
        time.sleep(pause)
        pause = min(2 * pause, 0.5)

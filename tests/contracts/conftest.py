"""The compile cache of the committed bundles."""

import fcntl
import os
from pathlib import Path

import pytest

from services.bundle.store import Store
from services.compiler import Compiler
from services.registry import Registry

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def committed_graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One full cache for all processes of a run: these bundles are the slowest to compile, and none is forgotten."""
    own = tmp_path_factory.getbasetemp()
    cache = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "committed-graphs"
    cache.mkdir(exist_ok=True)
    # Whoever comes second waits here, and finds the cache full.
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        Registry(Store(ROOT / "model_store"), Compiler(cache, seconds=300, memory_mb=8192), standby=100).scan()
    return cache

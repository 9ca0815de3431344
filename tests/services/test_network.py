from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from services.bundle.preprocessing import prepare
from services.errors import CompileFailed
from services.network import Network, give_back_memory
from services.registry import Registry
from tests.bundles import draw


def test_runs_at_once_give_what_runs_one_by_one_give(registry: Registry) -> None:
    live = registry.live("shapes")
    tensors = [prepare(draw(number % 3, seed=number), live.manifest.preprocessing) for number in range(60)]
    alone = [live.network.logits(tensor) for tensor in tensors]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(live.network.logits, tensors))
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x08" * 400])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(content)
    with pytest.raises(CompileFailed):
        Network(path)


def test_a_graph_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileFailed):
        Network(tmp_path / "nothing.onnx")


def test_memory_can_be_given_back_at_any_time(registry: Registry) -> None:
    live = registry.live("shapes")
    tensor = prepare(draw(0), live.manifest.preprocessing)
    before = live.network.logits(tensor)
    give_back_memory()
    np.testing.assert_array_equal(live.network.logits(tensor), before)

"""torch's file format, read without torch and without running what a pickle asks for."""

import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from training.errors import WeightsUnavailable
from training.statedict import read_state_dict

HEADER = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))


def part(value: object) -> bytes:
    """The pickle of a plain value, without the marks of its beginning and end."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(
    key: str, size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0, storage: str = "FloatStorage"
) -> bytes:
    """What torch writes for a tensor: a call of _rebuild_tensor_v2 on a storage that comes later in the file."""
    pid = b"(" + part("storage") + f"ctorch\n{storage}\n".encode() + part(key) + part("cpu") + part(6) + b"NtQ"
    arguments = b"(" + pid + part(offset) + part(size) + part(stride) + b"\x89ccollections\nOrderedDict\n)Rt"
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"


def state_file(entries: dict[str, bytes], storages: dict[str, NDArray[Any]]) -> bytes:
    items = b"".join(part(name) + entry for name, entry in entries.items())
    state = b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u."
    numbers = b"".join(struct.pack("<q", len(array)) + array.tobytes() for array in storages.values())
    return HEADER + state + pickle.dumps(list(storages), 2) + numbers


SIX = np.arange(6, dtype=np.float32)


def test_a_state_dict_is_read_without_torch() -> None:
    entries = {
        "rows": tensor("1", (2, 3), (3, 1)),
        "transposed": tensor("1", (3, 2), (1, 3)),
        "tail": tensor("1", (2,), (1,), offset=4),
        "counts": tensor("2", (2,), (1,), storage="LongStorage"),
        "batches": tensor("2", (), (), storage="LongStorage"),
    }
    state = read_state_dict(state_file(entries, {"1": SIX, "2": np.array([7, 8], np.int64)}))
    np.testing.assert_array_equal(state["rows"], SIX.reshape(2, 3))
    np.testing.assert_array_equal(state["transposed"], SIX.reshape(2, 3).T)
    np.testing.assert_array_equal(state["tail"], [4, 5])
    np.testing.assert_array_equal(state["counts"], [7, 8])
    assert state["rows"].dtype == np.float32
    # Scalars count batches and are no weights.
    assert "batches" not in state


@pytest.mark.parametrize("place", ["header", "state", "argument"])
def test_a_pickle_that_names_a_function_runs_nothing(place: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    call = b"cposix\nsystem\n(" + part(f"touch {trace}") + b"tR"
    # The same bytes do run where nobody minds them: otherwise this test would prove nothing.
    pickle.loads(b"\x80\x02" + call + b".")  # noqa: S301
    assert trace.exists()
    trace.unlink()
    content = {
        "header": b"\x80\x02" + call + b".",
        "state": HEADER + b"\x80\x02" + call + b".",
        "argument": state_file({"a": call}, {"1": SIX}),
    }[place]
    with pytest.raises(WeightsUnavailable, match=r"cannot be read: refused posix.system"):
        read_state_dict(content)
    assert not trace.exists()


@pytest.mark.parametrize("name", ["builtins\neval", "torch\nload", "torch._utils\n_rebuild_qtensor", "os\nsystem"])
def test_only_the_names_of_a_state_dict_are_known(name: str) -> None:
    with pytest.raises(WeightsUnavailable, match="refused"):
        read_state_dict(f"c{name}\n.".encode())


@pytest.mark.parametrize(
    "entry",
    [
        tensor("1", (7,), (1,)),
        tensor("1", (2,), (6,)),
        tensor("1", (2,), (1,), offset=5),
        tensor("1", (2,), (1,), offset=-1),
        tensor("1", (2,), (-1,), offset=3),
        tensor("1", (2**40, 2**40), (0, 2**30)),
        tensor("1", (2, 3), (1,)),
        tensor("9", (2,), (1,)),
        part("not a tensor"),
    ],
)
def test_a_tensor_beyond_its_storage_is_refused(entry: bytes) -> None:
    with pytest.raises(WeightsUnavailable, match="cannot be read"):
        read_state_dict(state_file({"a": entry}, {"1": SIX}))


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.97])
def test_a_torn_file_is_refused(share: float) -> None:
    content = state_file({"a": tensor("1", (2, 3), (3, 1))}, {"1": SIX})
    with pytest.raises(WeightsUnavailable, match="cannot be read"):
        read_state_dict(content[: int(len(content) * share)])


def test_another_pickle_is_refused() -> None:
    with pytest.raises(WeightsUnavailable, match="not a state dict of torch"):
        read_state_dict(pickle.dumps(1, 2) * 3)

"""torch's state dicts, read without torch and without running what a pickle asks for."""

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import WeightsUnavailable

StateDict = dict[str, NDArray[Any]]

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class _Tensor:
    """A tensor whose numbers come later in the file."""

    def __init__(self, storage: tuple[str, str], offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def fill(self, numbers: NDArray[Any]) -> NDArray[Any]:
        # A view by strides reaches wherever the file says; beyond the storage lies other memory.
        last = self.offset + sum((count - 1) * step for count, step in zip(self.size, self.stride, strict=True))
        if min(self.offset, *self.size, *self.stride) < 0 or last >= len(numbers):
            message = "a tensor reaches beyond its storage"
            raise ValueError(message)
        strides = [step * numbers.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.size, strides).copy()


# What the unpickler, and the shapes of what it unpickled, let escape on a torn or hostile file.
_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    struct.error,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
)
_DTYPES: dict[str, type] = {"FloatStorage": np.float32, "LongStorage": np.int64}


class _Restricted(pickle.Unpickler):
    """Knows the four names of a state dict and refuses every other, so no code of the file can run."""

    _allowed: dict[tuple[str, str], Callable[..., Any]] = {  # noqa: RUF012
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, size, stride, *_: _Tensor(
            storage, offset, size, stride
        ),
    }

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _DTYPES:
            return name
        if (module, name) in self._allowed:
            return self._allowed[module, name]
        message = f"refused {module}.{name}"
        raise pickle.UnpicklingError(message)

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        return pid[2], pid[1]


def read_state_dict(content: bytes) -> StateDict:
    """Read a state dict of torch's file format before 1.6, without torch and without running pickled code.

    Raises:
        WeightsUnavailable: not such a file, or one that asks for more than arrays.
    """
    file = io.BytesIO(content)
    try:
        header = [_Restricted(file).load() for _ in range(3)]
        if header[:2] != [_MAGIC, _PROTOCOL]:
            message = "The file is not a state dict of torch."
            raise WeightsUnavailable(message)
        lazy: dict[str, _Tensor] = _Restricted(file).load()
        keys = _Restricted(file).load()
        dtypes = dict(tensor.storage for tensor in lazy.values())
        storages = {}
        for key in keys:
            (count,) = struct.unpack("<Q", file.read(8))
            dtype = np.dtype(_DTYPES[dtypes[key]])
            storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
        return {name: tensor.fill(storages[tensor.storage[0]]) for name, tensor in lazy.items() if tensor.size}
    except _BROKEN as broken:
        message = f"The weights file cannot be read: {broken}"
        raise WeightsUnavailable(message) from broken

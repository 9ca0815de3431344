"""The weights file: an HDF5 file that holds arrays and nothing else.

HDF5 can link to other files, map storage onto them, compress bombs and hold objects. A bundle needs none of this, so
whatever is not a plain group or a contiguous half-precision array is refused before a number is read. The parser
itself is native code: serving calls this room only in the compiler's child process.
"""

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from services.errors import WeightsInvalid

Shapes = dict[str, tuple[int, ...]]

_MOST_OBJECTS = 20_000
_DEEPEST = 12
# What HDF5 writes about each array besides its numbers.
_PER_ARRAY = 2048


def inspect(content: bytes) -> Shapes:
    """Check that a weights file holds plain arrays of finite half-precision numbers, and nothing else.

    Args:
        content: the whole file.

    Returns:
        Shape of each array by its path.

    Raises:
        WeightsInvalid: not HDF5; soft, external or repeated links; external, virtual, compressed or unwritten
            storage; another type than float16; attributes; NaN or infinity.
    """
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            found = dict(_datasets(file))
            for path, dataset in found.items():
                if not np.isfinite(dataset[()]).all():
                    message = f"weights: {path} holds NaN or infinite values"
                    raise WeightsInvalid(message)
            return {path: tuple(dataset.shape) for path, dataset in found.items()}
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError) as broken:
        message = "weights: not a readable HDF5 file"
        raise WeightsInvalid(message) from broken


def require(found: Shapes, expected: Shapes) -> None:
    """Refuse weights whose arrays are not exactly those of the architecture.

    Raises:
        WeightsInvalid: an array is missing, surplus or of another shape.
    """
    for path in sorted(expected.keys() - found.keys()):
        message = f"weights: {path} is missing; the architecture has it"
        raise WeightsInvalid(message)
    for path in sorted(found.keys() - expected.keys()):
        message = f"weights: {path[:120]} is not part of the architecture"
        raise WeightsInvalid(message)
    for path, shape in expected.items():
        if found[path] != shape:
            message = f"weights: {path} has the shape {found[path]}, the architecture wants {shape}"
            raise WeightsInvalid(message)


def reserve(path: Path, model: Any, copies: int = 1) -> None:
    """Make sure that a Keras model's weights, and its optimizer's, can be written to a file.

    HDF5 that meets a full disk takes the whole process down with it.

    Args:
        path: the file; overwritten by zeros.
        model: whose weights will go there.
        copies: how many times their size is needed.

    Raises:
        OSError: they cannot; the file is then removed.
    """
    arrays = [*model.weights, *(model.optimizer.variables if getattr(model, "optimizer", None) else ())]
    # Four bytes per number: weights and optimizers are kept in single precision, whatever the graph computes in.
    size = sum(4 * math.prod(array.shape) + _PER_ARRAY for array in arrays)
    try:
        with path.open("wb") as file:
            file.write(bytes(size * copies))
    except OSError as full:
        path.unlink(missing_ok=True)
        raise OSError(full.errno, full.strerror, str(path)) from full


def halve(source: Path, target: Path) -> None:
    """Rewrite a Keras weights file in half precision, without attributes, so that `inspect` accepts it.

    Raises:
        WeightsInvalid: a number does not fit half precision.
    """
    with h5py.File(source, "r") as full, h5py.File(target, "w") as half:

        def copy(path: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                half.require_group(path)
                return
            with np.errstate(over="ignore", invalid="ignore"):
                numbers = _halved(item[()])
            if not np.isfinite(numbers).all():
                message = f"weights: {path} does not fit half precision"
                raise WeightsInvalid(message)
            half.create_dataset(path, data=numbers)

        full.visititems(copy)


def _halved(numbers: NDArray[Any]) -> NDArray[np.float16]:
    """Round to half precision so that what goes into each output keeps its sum.

    Rounding to nearest lets the errors of a kernel add up to a shift of its output, since activations after a ReLU are
    positive on average. Here each error is carried on to the next weight of the same output (error diffusion, Floyd &
    Steinberg 1976, in one dimension), so that the sum is off by half a unit of one weight at most.
    """
    if numbers.ndim < 2:  # noqa: PLR2004
        return numbers.astype(np.float16)
    # The last axis counts the outputs; in a depthwise kernel the one before it does.
    depthwise = numbers.ndim == 4 and numbers.shape[3] == 1  # noqa: PLR2004
    into = numbers.reshape(-1, numbers.shape[2] if depthwise else numbers.shape[-1]).astype(np.float64)
    halved = np.empty(into.shape, np.float16)
    carried = np.zeros(into.shape[1])
    for row, wanted in enumerate(into):
        halved[row] = wanted + carried
        carried += wanted - halved[row]
    return halved.reshape(numbers.shape)


def layout(path: Path) -> Shapes:
    """Shapes by path of a weights file that we have just written ourselves."""
    shapes: Shapes = {}
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda name, item: shapes.update({name: tuple(item.shape)}) if isinstance(item, h5py.Dataset) else None
        )
    return shapes


def _datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    seen: set[int] = set()
    waiting: list[tuple[str, h5py.Group]] = [("", file)]
    while waiting:
        prefix, group = waiting.pop()
        _refuse_attributes(prefix, group)
        for name in group:
            path = f"{prefix}{name}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                message = f"weights: {path[:120]} is a link; only arrays stored in the file itself are read"
                raise WeightsInvalid(message)
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen or len(seen) > _MOST_OBJECTS or path.count("/") > _DEEPEST:
                message = f"weights: {path[:120]} is stored twice, too deep, or one of too many objects"
                raise WeightsInvalid(message)
            seen.add(address)
            if isinstance(item, h5py.Group):
                waiting.append((f"{path}/", item))
            else:
                _refuse_unplain(path, item)
                yield path, item


def _refuse_attributes(path: str, item: h5py.Group | h5py.Dataset) -> None:
    if len(item.attrs):
        message = f"weights: {path[:120] or '/'} carries attributes; weights have none"
        raise WeightsInvalid(message)


def _refuse_unplain(path: str, item: object) -> None:
    if not isinstance(item, h5py.Dataset):
        message = f"weights: {path[:120]} is neither a group nor an array"
        raise WeightsInvalid(message)
    _refuse_attributes(path, item)
    created = item.id.get_create_plist()
    checks = {
        "is stored in another file": created.get_external_count() == 0,
        "is a virtual array": not item.is_virtual,
        "is not stored contiguously": created.get_layout() in {h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT},
        "is compressed or filtered": created.get_nfilters() == 0,
        "is not half precision": item.dtype == np.float16,
        "declares more numbers than the file holds": item.id.get_storage_size() == item.size * item.dtype.itemsize,
    }
    failed = [text for text, holds in checks.items() if not holds]
    if failed:
        message = f"weights: {path[:120]} {failed[0]}"
        raise WeightsInvalid(message)

"""Files that are there whole or not at all, and room for them on the disk."""

import math
import os
from pathlib import Path
from typing import Any

# What HDF5 writes about each array besides its numbers.
_PER_ARRAY = 2048


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


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a process that is killed meanwhile leaves the old one, or none.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    incoming = path.with_name(f"incoming.{path.name}")
    try:
        with incoming.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        incoming.replace(path)
    except OSError as failed:
        incoming.unlink(missing_ok=True)
        raise OSError(failed.errno, failed.strerror, str(path)) from failed

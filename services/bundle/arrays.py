"""Plain arrays out of an .npz file that is not trusted."""

import io
import tokenize
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.errors import ManifestInvalid

# What zipfile, zlib and numpy raise over bytes that nobody who means well has written.
_BROKEN = (
    OSError,
    ValueError,
    LookupError,
    EOFError,
    TypeError,
    SyntaxError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_arrays(content: bytes, file: str, names: tuple[str, ...], limit: int) -> tuple[NDArray[Any], ...]:
    """Read arrays by name; nothing in the file is ever run.

    Args:
        content: of the file.
        file: its name, for the reason of a refusal.
        names: of the arrays.
        limit: the most bytes that the whole file may unpack to.

    Raises:
        ManifestInvalid: no such file, arrays missing, pickled objects, or more than the limit.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > limit:
                message = f"{file} unpacks to more than {limit} bytes"
                raise ManifestInvalid(message)
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = tuple(stored[name] for name in names)
    except _BROKEN as broken:
        message = f"{file} cannot be read"
        raise ManifestInvalid(message) from broken
    # A member that is no array comes back as its bytes.
    if not all(isinstance(array, np.ndarray) for array in arrays):
        message = f"{file} cannot be read"
        raise ManifestInvalid(message)
    return arrays

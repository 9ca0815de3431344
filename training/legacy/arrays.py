"""The arrays of a legacy file: which layer each belongs to, and its numbers, read without HDF5 from where they lie."""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import IO

import numpy as np
from numpy.typing import NDArray

from training.legacy.contents import Stored
from training.legacy.description import short
from training.legacy.refusal import refuse

Floats = NDArray[np.float32]
Place = tuple[str, ...]

MOST_NUMBERS = 2**28
"""Numbers that are read of one file."""

_TYPES = {"<f4", ">f4", "<f2", ">f2"}


def assign(arrays: Iterable[Stored], places: Collection[Place]) -> Mapping[Place, Mapping[str, Stored]]:
    """Sort arrays by the layer that they belong to and the name of the variable that they hold.

    A layer has a group of its own. A model within a model has one group, in which the names of its layers stand before
    the names of the variables.

    Args:
        arrays: as the file lists them.
        places: of the layers, as calls have them.

    Raises:
        Refused: an array that belongs to no layer, or to several, or one too many of a variable.
    """
    sorted_arrays: dict[Place, dict[str, Stored]] = {}
    for array in arrays:
        owner, _, variable = array.name.rpartition("/")
        variable = variable.partition(":")[0]
        own = sorted_arrays.setdefault(_place(array.layer, owner, places), {})
        if variable in own:
            refuse(f"its weight {short(array.name)} is there twice")
        own[variable] = array
    return sorted_arrays


def _place(layer: str, owner: str, places: Collection[Place]) -> Place:
    if (layer,) in places:
        return (layer,)
    # The name of a layer may end like another's: the longest that fits is meant.
    fitting = [(_fit(place, owner), place) for place in places if place[0] == layer]
    best = max((fit for fit, _ in fitting), default=0)
    chosen = [place for fit, place in fitting if fit == best]
    if not best or len(chosen) != 1:
        refuse(f"its weights {short(f'{layer}/{owner}')} belong to no layer of its description, or to several")
    return chosen[0]


def _fit(place: Place, owner: str) -> int:
    """How much of a place the name of an array spells out; 0 if it names another layer."""
    ends = ["/".join(place[start:]) for start in range(len(place))]
    spelled = max((len(end) for end in ends if owner == end or owner.endswith(f"/{end}")), default=0)
    # Of a layer, and a layer of the same name one model further in, the first is meant by nothing but its name.
    return 2 * spelled + (spelled > 0 and owner in ends[:2])


class Reader:
    """Reads arrays from an opened file.

    Args:
        file: read from anywhere; what HDF5 is, it does not know.
        size: of the file in bytes.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size
        self._left = MOST_NUMBERS

    def read(self, array: Stored) -> Floats:
        """The numbers of one array, in single precision.

        Raises:
            Refused: of another type; outside the file; NaN or infinite; too many in all.
        """
        name, count = short(array.name), math.prod(array.shape)
        self._left -= count
        if array.dtype not in _TYPES:
            refuse(f"its weight {name} is of the type {short(array.dtype)}; single and half precision are read")
        dtype = np.dtype(array.dtype)
        if self._left < 0 or array.offset + count * dtype.itemsize > self._size:
            refuse(f"its weight {name} is larger than the file, or the weights are too many")
        self._file.seek(array.offset)
        numbers = np.frombuffer(self._file.read(count * dtype.itemsize), dtype).reshape(array.shape)
        if not np.isfinite(numbers).all():
            refuse(f"its weight {name} holds NaN or infinite values")
        return numbers.astype(np.float32)

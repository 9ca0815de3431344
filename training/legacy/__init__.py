"""Legacy Keras files of whole models, read as data: no code of theirs is ever made into an object."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.bundle.graph import Layer
from training.errors import LegacyInvalid
from training.legacy.arrays import Place, Reader, assign
from training.legacy.calls import unfold
from training.legacy.description import image_shape, read_description
from training.legacy.inspection import inspect
from training.legacy.refusal import Refused, refuse
from training.legacy.rows import Ending, Weights, lay_out
from training.legacy.translation import KNOWN

MOST_BYTES = 4 * 2**30
"""Length of a file; the state of an optimizer may be twice as long as the weights."""


@dataclass(frozen=True, slots=True)
class Legacy:
    """A model that was read from a legacy file.

    Attributes:
        file: its name.
        keras_version: of the program that wrote it, or "".
        image: height, width and channels of the input; None where the file leaves it open.
        layers: rows; what the first of them are given is IMAGE, and the last gives the output before `ending`.
        weights: float32 arrays of each layer that has some, by its name and by that of the variable in Keras 3.
        ending: what turns the output into probabilities.
    """

    file: str
    sha256: str
    keras_version: str
    image: tuple[int | None, int | None, int | None]
    layers: tuple[Layer, ...]
    weights: Mapping[str, Weights]
    ending: Ending


def read_legacy(path: Path) -> Legacy:
    """Read a whole model that Keras 2 or 3 saved as .h5.

    The file is parsed as HDF5 in a child process with limits; its description of layers is read as JSON, and only
    layers on a list are taken over; its arrays are read as plain numbers.

    Raises:
        LegacyInvalid: not such a file, or one with something that is not rebuilt; the message names it.
        OSError: the file cannot be read.
    """
    if path.exists() and not path.is_file():
        message = f"{path} is not a file."
        raise LegacyInvalid(message)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            if size > MOST_BYTES:
                refuse(f"it is longer than {MOST_BYTES} bytes")
            contents = inspect(file)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            model = read_description(contents.description, KNOWN)
            calls, output = unfold(model)
            owned, reader = assign(contents.arrays, {call.place for call in calls}), Reader(file, size)

            def read(place: Place, unwanted: frozenset[str]) -> Weights:
                stored = owned.get(place, {})
                return {variable: reader.read(stored[variable]) for variable in stored.keys() - unwanted}

            rows = lay_out(calls, output, read, keras_2=not contents.keras_version.startswith("3"))
            image = image_shape(model)
        except Refused as refused:
            message = f"{path.name} cannot be imported: {refused}."
            raise LegacyInvalid(message) from refused
    # The name of a file need not be text; the manifest's is.
    name = path.name.encode("utf-8", "replace").decode("utf-8")
    return Legacy(name, digest, contents.keras_version, image, rows.layers, rows.weights, rows.ending)

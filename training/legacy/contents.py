"""What a legacy Keras file says of itself: its description of layers, and where in the file each array lies.

HDF5 can link to other files, map storage onto them, compress bombs and hold objects; its parser is native code that a
broken file can confuse. So it runs in a child process, which is the only one to open the file as HDF5 and which reads
no array: the parent reads plain numbers from the places that it is told.
"""

from collections.abc import Iterator
from typing import IO, Annotated, Any

import h5py
from pydantic import Field

from services.bundle.fields import Frozen
from training.legacy.refusal import refuse

MOST_DESCRIPTION = 8 * 2**20
"""Bytes of the description of layers."""

_MOST_NAMES = 10_000
_LONGEST_NAME = 512
_CHUNKS = 100


class Stored(Frozen):
    """One array in the file.

    Attributes:
        layer: the name of the top-level layer whose group lists it.
        name: as the group lists it, such as "dense/kernel:0".
        dtype: as NumPy writes it, such as "<f4".
        offset: of its first byte in the file; its numbers follow each other.
    """

    layer: str
    name: str
    shape: tuple[Annotated[int, Field(ge=0)], ...]
    dtype: str
    offset: Annotated[int, Field(ge=0)]


class Contents(Frozen):
    """What the child tells.

    Attributes:
        description: JSON; nobody has looked into it yet.
    """

    keras_version: str
    description: str
    arrays: tuple[Stored, ...]


def look(file: IO[bytes]) -> Contents:
    """Read the description and the places of the arrays.

    Raises:
        Refused: not HDF5, not a whole model, or stored in another way than Keras stores it.
    """
    try:
        with h5py.File(file, "r") as opened:
            if opened.userblock_size:
                refuse("it does not begin as Keras begins a file")
            description = _text(opened, "model_config", MOST_DESCRIPTION)
            if description is None:
                refuse(
                    "it holds weights and no description of layers; a whole model, as `model.save` writes it, has one"
                )
            weights = _follow(opened, "model_weights", h5py.Group)
            version = _text(opened, "keras_version", _LONGEST_NAME) or _text(weights, "keras_version", _LONGEST_NAME)
            return Contents(keras_version=version or "", description=description, arrays=tuple(_arrays(weights)))
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, OverflowError):
        refuse("it is not an HDF5 file, or a broken one")


def _arrays(weights: h5py.Group) -> Iterator[Stored]:
    left = _MOST_NAMES
    own = "top_level_model_weights"
    if weights.id.links.exists(own.encode()) and _names(_follow(weights, own, h5py.Group), "weight_names", left):
        refuse("it holds weights that belong to no layer")
    for layer in _names(weights, "layer_names", left):
        group = _follow(weights, layer, h5py.Group)
        for name in _names(group, "weight_names", left):
            left -= 1
            dataset = _follow(group, name, h5py.Dataset)
            yield Stored(
                layer=layer,
                name=name,
                shape=tuple(dataset.shape),
                dtype=dataset.dtype.str,
                offset=_offset(name, dataset),
            )


def _follow(group: h5py.Group, path: str, kind: type[Any]) -> Any:
    """Go down a path by hard links alone."""
    parts = path.split("/")
    item: Any = group
    for depth, part in enumerate(parts, start=1):
        wanted = kind if depth == len(parts) else h5py.Group
        links, name = item.id.links, part.encode()
        if part in {"", ".", ".."} or not links.exists(name):
            refuse(f"{path[:120]} is missing from it")
        if links.get_info(name).type != h5py.h5l.TYPE_HARD:
            refuse(f"{path[:120]} is a link in it; only what the file itself holds is read")
        item = item[part]
        if not isinstance(item, wanted):
            refuse(f"{path[:120]} is not what Keras stores under this name")
    return item


def _offset(name: str, dataset: h5py.Dataset) -> int:
    created = dataset.id.get_create_plist()
    offset = dataset.id.get_offset()
    checks = {
        "is stored in another file": created.get_external_count() == 0,
        "is a virtual array": not dataset.is_virtual,
        "is compressed or filtered": created.get_nfilters() == 0,
        "is not stored in one piece": created.get_layout() == h5py.h5d.CONTIGUOUS,
        "holds no plain numbers": dataset.dtype.kind in "fiu",
        "declares more numbers than the file holds": dataset.id.get_storage_size()
        == dataset.size * dataset.dtype.itemsize,
    }
    failed = [text for text, holds in checks.items() if not holds]
    if failed or offset is None:
        refuse(f"its array {name[:120]} {failed[0] if failed else 'was never written'}")
    return int(offset)


# ---------------------------------------------------------------- attributes


def _names(group: h5py.Group, attribute: str, most: int) -> tuple[str, ...]:
    """A list of names; Keras cuts one that is too long for HDF5 into numbered pieces."""
    if attribute in group.attrs:
        return _list(group, attribute, most)
    names: tuple[str, ...] = ()
    for number in range(_CHUNKS):
        if f"{attribute}{number}" not in group.attrs:
            break
        names += _list(group, f"{attribute}{number}", most - len(names))
    if not names:
        refuse(f"the attribute {attribute} is missing from it")
    return names


def _list(group: h5py.Group, attribute: str, most: int) -> tuple[str, ...]:
    told = group.attrs.get_id(attribute)
    count = told.shape[0] if told.shape is not None and len(told.shape) == 1 else None
    # An empty list has no type of its own; Keras stores it as numbers.
    if count == 0:
        return ()
    if count is None or count > most or not _is_text(told.dtype) or told.dtype.itemsize > _LONGEST_NAME:
        refuse(f"the attribute {attribute} is no list of at most {most} names")
    names = tuple(_decoded(name) for name in group.attrs[attribute])
    if max(map(len, names)) > _LONGEST_NAME:
        refuse(f"the attribute {attribute} holds a name of more than {_LONGEST_NAME} letters")
    return names


def _text(group: h5py.Group, attribute: str, most: int) -> str | None:
    if attribute not in group.attrs:
        return None
    told = group.attrs.get_id(attribute)
    if told.shape != () or not _is_text(told.dtype) or told.dtype.itemsize > most:
        refuse(f"the attribute {attribute} is no text of at most {most} bytes")
    text = _decoded(group.attrs[attribute])
    if len(text) > most:
        refuse(f"the attribute {attribute} is longer than {most} bytes")
    return text


def _is_text(dtype: Any) -> bool:
    return h5py.check_string_dtype(dtype) is not None


def _decoded(text: str | bytes) -> str:
    return text.decode("utf-8") if isinstance(text, bytes) else str(text)

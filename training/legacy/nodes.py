"""What a layer of a Functional model is applied to: nodes as Keras 2 and as Keras 3 write them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from training.legacy.description import MOST_LAYERS, Entry, config_of, is_number, kind_of, numbers, short
from training.legacy.refusal import refuse

_KEYWORDS = 4  # Of an entry of Keras 2: name, node, tensor, keywords.
_READ = {"y", "bias", "slice_spec", "name", "data_format"}
_ELLIPSIS = "__ellipsis__"
_REVERSED = {"start": None, "stop": None, "step": -1}


class Reference(NamedTuple):
    """One of the applications of a layer."""

    layer: str
    number: int


@dataclass(frozen=True, slots=True)
class Constant:
    """What an operator has beside a tensor: one number, or one per channel."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Pick:
    """What is taken of a tensor: one channel, or with None all of them in reverse order."""

    channel: int | None


Operand = Reference | Constant | Pick


def nodes_of(entry: Entry) -> list[tuple[Operand, ...]]:
    """What a layer is applied to, once per application: other layers, constants, picked channels.

    Raises:
        Refused: it is not written as Keras writes it.
    """
    written = entry.get("inbound_nodes")
    if not isinstance(written, list) or len(written) > MOST_LAYERS:
        refuse("its description holds a layer without inputs")
    # Keras 3 notes of each augmentation that it works in training by default; when a model answers it does not.
    idle = {"training"} if kind_of(entry).startswith("Random") else set()
    return [tuple(_of_keras_3(node, idle) if isinstance(node, dict) else _of_keras_2(node, idle)) for node in written]


def only(written: Any) -> Reference:
    """The one input or output of a model; Keras 3 leaves out the outer list where there is but one.

    Raises:
        Refused: there are several, or none.
    """
    match written:
        case [[_, _, _] as reference] | ([str(), _, _] as reference):
            pass
        case _:
            count = len(written) if isinstance(written, Sequence | Mapping) else 0
            refuse(f"it has a model of {count} inputs or outputs, where one image gives one answer")
    return _reference(reference)


def _of_keras_2(node: Any, idle: set[str]) -> Iterator[Operand]:
    """`[["conv", 0, 0, {}], …]`, or one such entry alone, whose keywords may hold an operator's other operand."""
    if not isinstance(node, list) or not node:
        refuse("its description holds a node that is no list")
    for entry in [node] if isinstance(node[0], str) else node:
        if not isinstance(entry, list) or len(entry) not in {_KEYWORDS - 1, _KEYWORDS}:
            refuse("its description holds a node of another shape")
        constant = entry[0] == "_CONSTANT_VALUE" and is_number(entry[2])
        yield Constant((float(entry[2]),)) if constant else _reference(entry[:3])
        keywords = entry[3] if len(entry) == _KEYWORDS else {}
        _refuse_keywords(keywords, _READ | idle)
        if keywords.get("data_format", "NHWC") != "NHWC":
            refuse("a layer of it does not have its channels last")
        for name in ("y", "bias", "slice_spec"):
            if keywords.get(name) is not None:
                yield _operand(keywords[name])


def _of_keras_3(node: Mapping[str, Any], idle: set[str]) -> Iterator[Operand]:
    """`{"args": […], "kwargs": {}}`, in which tensors are mappings with a history."""
    given = node.get("args")
    _refuse_keywords(node.get("kwargs", {}), idle)
    if not isinstance(given, list):
        refuse("its description holds a node of another shape")
    for argument in given:
        picks = isinstance(argument, list) and any(_class(each) == _ELLIPSIS for each in argument)
        for each in argument if isinstance(argument, list) and not picks else [argument]:
            yield _operand(each)


def _operand(written: Any) -> Operand:
    """A number, an array of numbers, a slice, or a tensor as either Keras writes it."""
    if is_number(written):
        return Constant((float(written),))
    if _class(written) == "__keras_tensor__":
        return _reference(config_of(written).get("keras_history"))
    match written:
        case [{"class_name": "__ellipsis__"}, int(channel)] if channel >= 0:
            return Pick(channel)
        case [{"class_name": "__ellipsis__"}, dict(cut)] if cut == _REVERSED:
            return Pick(None)
        case [str(), _, _]:
            return _reference(written)
        case _:
            values = numbers(written)
    if not values or not all(is_number(value) for value in values):
        refuse(f"a layer of it is applied to {short(written)}, which is neither a tensor nor numbers")
    return Constant(tuple(float(value) for value in values))


def _class(written: Any) -> Any:
    return written.get("class_name") if isinstance(written, dict) else None


def _refuse_keywords(keywords: Any, read: set[str]) -> None:
    if not isinstance(keywords, dict):
        refuse("its description holds keywords that are no mapping")
    # Neither changes an answer, unless a layer is told to behave as in training.
    unset = {key for key in ("training", "mask") if not keywords.get(key)}
    odd = [key for key in keywords if key not in read | unset]
    if odd:
        refuse(f"a layer of it is called with {short(odd[0])}, which is not rebuilt")


def _reference(written: Any) -> Reference:
    match written:
        case [str(name), int(number), 0] if number >= 0:
            pass
        case _:
            refuse(f"its description refers to {short(written)}, which is no layer's only output")
    return Reference(name, number)

"""A description of layers to a list of calls: nested models opened, in an order in which they can be computed."""

import graphlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from training.legacy.description import INPUT, MODELS, Entry, config_of, kind_of, layers_of, name_of, short
from training.legacy.nodes import Constant, Operand, Pick, Reference, nodes_of, only
from training.legacy.refusal import refuse

IMAGE = -1
"""The number of what comes before the first call: the model's input."""

_Node = tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One application of one layer.

    Attributes:
        place: names of the models that hold the layer, outermost first, and its own.
        kind: its class.
        config: as its class describes itself; nobody has looked into it yet.
        operands: what it is applied to: numbers (int) of earlier calls, or IMAGE, with constants and picks.
    """

    place: tuple[str, ...]
    kind: str
    config: Mapping[str, Any]
    operands: tuple[int | Constant | Pick, ...]

    @property
    def title(self) -> str:
        """How a message calls it."""
        return f"{short('/'.join(self.place))} ({self.kind})"


def unfold(model: Entry) -> tuple[tuple[Call, ...], int]:
    """The calls of a model, each using earlier ones alone, and the number of the one that gives the output.

    Raises:
        Refused: several inputs or outputs; a circle; a layer that is not there.
    """
    unfolding = _Unfolding()
    output = unfolding.open(model, (), IMAGE)
    return tuple(unfolding.calls), output


class _Unfolding:
    def __init__(self) -> None:
        self.calls: list[Call] = []

    def open(self, model: Entry, place: tuple[str, ...], source: int) -> int:
        """Add the calls of a model that is applied to `source`; the number of the call that gives its output."""
        if kind_of(model) != "Sequential":
            return self._open_functional(model, place, source)
        for entry in layers_of(model):
            if kind_of(entry) != INPUT:
                source = self._apply(entry, place, (source,))
        return source

    def _apply(self, entry: Entry, place: tuple[str, ...], operands: tuple[int | Constant | Pick, ...]) -> int:
        inner, kind = (*place, name_of(entry)), kind_of(entry)
        if kind not in MODELS:
            self.calls.append(Call(inner, kind, config_of(entry), operands))
            return len(self.calls) - 1
        if len(operands) != 1 or not isinstance(operands[0], int):
            refuse(f"it applies the model {short(inner[-1])} to more than one input")
        return self.open(entry, inner, operands[0])

    def _open_functional(self, model: Entry, place: tuple[str, ...], source: int) -> int:
        entries = {name_of(entry): entry for entry in layers_of(model)}
        if len(entries) != len(layers_of(model)):
            refuse("two layers of it have the same name")
        begin, end = (only(config_of(model).get(which)) for which in ("input_layers", "output_layers"))
        if [name for name, entry in entries.items() if kind_of(entry) == INPUT] != [begin.layer]:
            refuse("it has a model of several inputs, where one image gives one answer")
        nodes = {key: node for name, entry in entries.items() for key, node in _applications(name, entry)}
        numbers = {Reference(begin.layer, 0): source}
        for key in _ordered(nodes, numbers.keys(), entries):
            if key not in numbers:
                operands = tuple(
                    numbers[_meant(each, entries)] if isinstance(each, Reference) else each for each in nodes[key]
                )
                numbers[key] = self._apply(entries[key.layer], place, operands)
        if _meant(end, entries) not in numbers:
            refuse("nothing gives its output")
        return numbers[_meant(end, entries)]


def _applications(name: str, entry: Entry) -> Iterator[tuple[Reference, _Node]]:
    if kind_of(entry) == INPUT:
        return
    nodes = nodes_of(entry)
    if kind_of(entry) in MODELS and len(nodes) != 1:
        refuse(f"it uses the model {short(name)} {len(nodes)} times")
    for number, node in enumerate(nodes):
        yield Reference(name, number), node


def _ordered(
    nodes: Mapping[Reference, _Node], given: Iterable[Reference], entries: Mapping[str, Entry]
) -> Iterator[Reference]:
    sorter: graphlib.TopologicalSorter[Reference] = graphlib.TopologicalSorter()
    known = set(given)
    for key, node in nodes.items():
        feeding = [_meant(each, entries) for each in node if isinstance(each, Reference)]
        if not feeding or any(each not in nodes and each not in known for each in feeding):
            refuse(f"nothing feeds its layer {short(key.layer)}")
        sorter.add(key, *feeding)
    try:
        yield from sorter.static_order()
    except graphlib.CycleError:
        refuse("its layers feed each other in a circle")


def _meant(reference: Reference, entries: Mapping[str, Entry]) -> Reference:
    """The application that a reference means.

    A model that is used as a layer has an application from before it was used, which is not written down but may be
    counted: by Keras 2 everywhere, by Keras 3 at the output alone. Such a model is used once, so there is no doubt.
    """
    name, number = reference
    if name not in entries:
        refuse(f"there is no layer {short(name)} in it")
    if kind_of(entries[name]) in MODELS | {INPUT} and number in {0, 1}:
        return Reference(name, 0)
    return reference

"""Calls to rows: what only training wants left out, names that rows may have, the end cut off before its function."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from services.bundle.fields import first_error
from services.bundle.graph import IMAGE as IMAGE_NAME
from services.bundle.graph import LOGITS, Layer
from training.legacy.arrays import Floats, Place
from training.legacy.calls import IMAGE, Call
from training.legacy.channels import is_pick, order_of
from training.legacy.description import short
from training.legacy.refusal import refuse
from training.legacy.translation import LAST_AXIS, NORMALIZATION, PICK, STACK, fields, function, is_identity, normalised

Ending = Literal["softmax", "sigmoid", "linear"]
Weights = Mapping[str, Floats]
Read = Callable[[Place, frozenset[str]], Weights]
"""The arrays of a layer, but for the variables that are not wanted."""

CHANNELS, SCALING, OUTPUT = "channels", "scaling", "output"
"""Names of rows that an import adds before and after a model's own."""

FEATURES, POOLED, HIDDEN = "features", "pooled", "hidden"
"""Names of the rows before the last one, where a graph can be explained."""

_RESERVED = {IMAGE_NAME, CHANNELS, SCALING, OUTPUT, FEATURES, POOLED, HIDDEN, LOGITS}
_LONGEST_NAME = 56
_ENDINGS: dict[str, Ending] = {"softmax": "softmax", "sigmoid": "sigmoid", "linear": "linear"}
_LAYER: TypeAdapter[Any] = TypeAdapter(Layer)
# How many images the moments are of.
_UNWANTED = {NORMALIZATION: frozenset({"count"})}
# Keras 3 calls it what every convolution calls its own.
_RENAMED = {"DepthwiseConv2D": {"depthwise_kernel": "kernel"}}


@dataclass(frozen=True, slots=True)
class Rows:
    """A model as rows.

    Attributes:
        layers: the last one gives the model's output, but for the function at its end.
        weights: arrays of each layer that has some, by its name and by that of the variable.
        ending: the function at the end.
    """

    layers: tuple[Layer, ...]
    weights: Mapping[str, Weights]
    ending: Ending


def lay_out(calls: tuple[Call, ...], output: int, read: Read, *, keras_2: bool) -> Rows:
    """Turn the calls that an output needs into rows.

    Args:
        calls: each uses earlier ones alone.
        output: number of the call that gives the output.
        read: gives the arrays of a layer.
        keras_2: whether the file was written before Keras 3.

    Raises:
        Refused: a layer that cannot be said as a row, or is used twice and has weights; an end of another kind.
    """
    last, ending, stripped = _end(calls, output, keras_2=keras_2)
    needed = _needed(calls, last)
    names: dict[int, str] = {IMAGE: IMAGE_NAME}
    layers: list[Layer] = []
    weights: dict[str, Weights] = {}
    for number in needed:
        call = stripped if number == last else calls[number]
        if is_identity(call):
            names[number] = _named(_source(call), names)
            continue
        if is_pick(call):
            continue
        arrays = read(call.place, _UNWANTED.get(call.kind, frozenset()))
        names[number], known = _name(call, set(names.values())), names.copy()
        layers.append(_row(call, names[number], _said(call, calls, arrays, known, keras_2=keras_2)))
        if arrays and call.kind != NORMALIZATION:
            renamed = _RENAMED.get(call.kind, {})
            weights[names[number]] = {renamed.get(variable, variable): array for variable, array in arrays.items()}
    _refuse_shared([calls[number] for number in needed if names.get(number, IMAGE_NAME) in weights])
    return Rows(tuple(layers), weights, ending)


def _said(
    call: Call, calls: tuple[Call, ...], arrays: Weights, names: Mapping[int, str], *, keras_2: bool
) -> dict[str, Any]:
    if call.kind in {PICK, STACK}:
        source, order = order_of(call, calls)
        if call.kind == PICK and _named(source, names) != IMAGE_NAME:
            refuse(f"its layer {call.title} turns round the channels of something else than the image")
        return {"kind": "Channels", "order": order, "inputs": (_named(source, names),)}
    said = normalised(call, arrays) if call.kind == NORMALIZATION else fields(call, keras_2=keras_2)
    return said | {"inputs": tuple(_named(each, names) for each in call.operands if isinstance(each, int))}


def _named(number: int, names: Mapping[int, str]) -> str:
    if number not in names:
        refuse("it takes one channel of an image alone, which is not rebuilt")
    return names[number]


def _row(call: Call, name: str, said: dict[str, Any]) -> Layer:
    try:
        layer: Layer = _LAYER.validate_python({**said, "name": name})
    except ValidationError as invalid:
        refuse(f"its layer {call.title} is not rebuilt with {first_error(invalid)}")
    return layer


def _end(calls: tuple[Call, ...], output: int, *, keras_2: bool) -> tuple[int, Ending, Call]:
    """The call before the function at the end, that function, and the call without it."""
    last = _before_identities(calls, output)
    call = calls[last]
    if call.kind in {"Activation", "Softmax"}:
        if call.config.get("axis", -1) not in LAST_AXIS:
            refuse(f"its layer {call.title} does not compare labels")
        ending = "softmax" if call.kind == "Softmax" else function(call.config, keras_2=keras_2)
        last = _before_identities(calls, _source(call))
        return last, _ending(ending), calls[last]
    ending = function(call.config, keras_2=keras_2) if "activation" in call.config else "linear"
    config = {**call.config, "activation": "linear"} if "activation" in call.config else call.config
    return last, _ending(ending), Call(call.place, call.kind, config, call.operands)


def _ending(name: str) -> Ending:
    ending = _ENDINGS.get(name)
    if ending is None:
        refuse(f"it ends in {short(name)}, where softmax, sigmoid or nothing makes probabilities of logits")
    return ending


def _before_identities(calls: tuple[Call, ...], number: int) -> int:
    while number != IMAGE and is_identity(calls[number]):
        number = _source(calls[number])
    if number == IMAGE:
        refuse("it has no layer that does anything")
    return number


def _source(call: Call) -> int:
    source = call.operands[0]
    if len(call.operands) != 1 or not isinstance(source, int):
        refuse(f"its layer {call.title} takes more than one input")
    return source


def _needed(calls: tuple[Call, ...], last: int) -> list[int]:
    needed, waiting = {last}, [last]
    while waiting:
        for each in calls[waiting.pop()].operands:
            if isinstance(each, int) and each != IMAGE and each not in needed:
                needed.add(each)
                waiting.append(each)
    return sorted(needed)


def _name(call: Call, taken: set[str]) -> str:
    plain = re.sub(r"[^A-Za-z0-9]+", "_", call.place[-1]).strip("_")[:_LONGEST_NAME] or "layer"
    plain = f"{plain}_layer" if plain in _RESERVED else plain
    name, count = plain, 1
    while name in taken:
        count += 1
        name = f"{plain}_{count}"
    return name


def _refuse_shared(calls: list[Call]) -> None:
    shared = [place for place, count in Counter(call.place for call in calls).items() if count > 1]
    if shared:
        refuse(f"it uses the weights of its layer {short('/'.join(shared[0]))} more than once")

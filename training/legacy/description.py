"""The words of a description of layers: entries with a class, a name and a configuration, in models within models.

Keras 2 and Keras 3 write the same things differently, and both are read. Everything is data; a class is a word to be
found on a list, never something to be looked up in a module.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from training.legacy.refusal import refuse

Entry = Mapping[str, Any]
"""A layer or a model, as a checked mapping of JSON."""

MODELS = frozenset({"Sequential", "Functional", "Model"})
INPUT = "InputLayer"
MOST_LAYERS = 2000

_DEEPEST = 8
_MOST_TOLD = 8
_LONGEST = 60
_LARGEST = 1e30
_KERAS = {"keras", "tf_keras", "tensorflow", "builtins"}
# Operators on tensors, by the names that Keras 2 gives to them; those of Keras 3 are their own.
_OPERATORS = {
    "__operators__.add": "Add",
    "math.add": "Add",
    "math.multiply": "Multiply",
    "math.subtract": "Subtract",
    "math.truediv": "TrueDivide",
    "nn.bias_add": "Add",
    "__operators__.getitem": "GetItem",
}


def read_description(text: str, known: frozenset[str]) -> Entry:
    """Parse a description of layers and look at every class that it names.

    Args:
        text: JSON, as Keras writes it.
        known: the classes of layers that can be taken over.

    Returns:
        The outermost model.

    Raises:
        Refused: not such a description, or a layer of another class.
    """
    try:
        model = json.loads(text)
    except (ValueError, RecursionError):
        refuse("its description of layers is not JSON, or too deep")
    strangers = []
    for number, entry in enumerate(_leaves(model, 0)):
        if number >= MOST_LAYERS:
            refuse(f"it has more than {MOST_LAYERS} layers")
        if kind_of(entry) not in known or _foreign(entry):
            strangers.append(f"{short(name_of(entry))} ({short(kind_of(entry))})")
    if strangers:
        more = f" and {len(strangers) - _MOST_TOLD} more" if len(strangers) > _MOST_TOLD else ""
        refuse(f"it has layers that are not on the list of what is rebuilt: {', '.join(strangers[:_MOST_TOLD])}{more}")
    return model  # type: ignore[no-any-return]


def short(text: object) -> str:
    """What a message may quote of a file."""
    quoted = str(text)
    return quoted if len(quoted) <= _LONGEST else f"{quoted[:_LONGEST]}…"


def is_number(value: object) -> bool:
    """Whether a value of JSON is a number that computing may be done with."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def numbers(written: Any) -> tuple[Any, ...]:
    """One value of JSON, or a list of them that may be wrapped as an array, in a tuple; they may be anything."""
    if isinstance(written, dict) and isinstance(written.get("config"), dict):
        written = written["config"].get("value")
    while isinstance(written, list) and len(written) == 1 and isinstance(written[0], list):
        written = written[0]
    return tuple(written) if isinstance(written, list) else (written,)


def layers_of(model: Any) -> list[Any]:
    """The entries of a model.

    Raises:
        Refused: not a model, or one without layers.
    """
    if kind_of(model) not in MODELS:
        refuse(f"it holds a {short(kind_of(model))}, which is neither a Sequential nor a Functional model")
    config = model.get("config")
    # Before Keras 2.2.3 the configuration of a Sequential was the list itself.
    layers = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(layers, list) or not layers:
        refuse("its description holds a model without layers")
    return layers


def kind_of(entry: Any) -> str:
    """The class of an entry; an operator by its name in Keras 3.

    Raises:
        Refused: it has none.
    """
    kind = entry.get("class_name") if isinstance(entry, dict) else None
    if not isinstance(kind, str):
        refuse("its description holds a layer without a class")
    if kind in {"TFOpLambda", "SlicingOpLambda"}:
        function = config_of(entry).get("function")
        return _OPERATORS.get(function, f"{kind} {function}") if isinstance(function, str) else kind
    return kind


def config_of(entry: Any) -> Mapping[str, Any]:
    """The configuration of an entry.

    Raises:
        Refused: it has none.
    """
    config = entry.get("config")
    if not isinstance(config, dict):
        refuse("its description holds a layer without a configuration")
    return config


def name_of(entry: Any) -> str:
    """The name of an entry.

    Raises:
        Refused: it has none.
    """
    name = entry.get("name", config_of(entry).get("name"))
    if not isinstance(name, str) or not name:
        refuse("its description holds a layer without a name")
    return name


def image_shape(model: Entry) -> tuple[int | None, int | None, int | None]:
    """Height, width and channels of a model's input; None where the description leaves it open.

    Raises:
        Refused: the input is no image with its channels last.
    """
    declared = _declared(model)
    match [None, None, None, None] if declared is None else declared:
        case [_, int() | None as height, int() | None as width, int() | None as channels]:
            pass
        case _:
            refuse(f"its input has the shape {short(declared)}, where an image has height, width and channels")
    return height, width, channels


def _declared(model: Any) -> Any:
    entries = layers_of(model)
    if kind_of(model) != "Sequential":
        return next((_shape_in(config_of(entry)) for entry in entries if kind_of(entry) == INPUT), None)
    first = entries[0]
    inner = _declared(first) if kind_of(first) in MODELS else _shape_in(config_of(first))
    return inner if inner is not None or isinstance(model["config"], list) else _shape_in(model["config"])


def _shape_in(config: Mapping[str, Any]) -> Any:
    names = ("batch_shape", "batch_input_shape", "build_input_shape")
    return next((config[name] for name in names if config.get(name) is not None), None)


def _leaves(model: Any, depth: int) -> Iterator[Any]:
    if depth > _DEEPEST:
        refuse(f"its models are nested more than {_DEEPEST} deep")
    for entry in layers_of(model):
        kind = kind_of(entry)
        if kind in MODELS and not _foreign(entry):
            yield from _leaves(entry, depth + 1)
        elif kind != INPUT or _foreign(entry):
            yield entry


def _foreign(entry: Entry) -> bool:
    """Whether somebody else's class bears the name of one of Keras's."""
    module, registered = entry.get("module"), entry.get("registered_name")
    theirs = module is not None and (not isinstance(module, str) or module.split(".")[0] not in _KERAS)
    return theirs or registered not in (None, entry["class_name"])

"""A model of a legacy file, and what a person says about it, to a graph from RGB in 0..255 to logits."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError

from services.bundle.fields import first_error
from services.bundle.graph import (
    IMAGE,
    LOGITS,
    BatchNormalization,
    Channels,
    Dense,
    GlobalPooling,
    Layer,
    LayerGraph,
    Rescaling,
)
from services.bundle.layers import Shape, Traced, build_layers, trace
from services.errors import ManifestInvalid
from training.errors import LegacyInvalid
from training.legacy import Legacy
from training.legacy.arrays import Floats
from training.legacy.conventions import Conventions, Scaling
from training.legacy.description import short
from training.legacy.refusal import Refused, refuse
from training.legacy.rows import CHANNELS, FEATURES, HIDDEN, OUTPUT, POOLED, SCALING, Weights

_RGB = 3
_BGR = (2, 1, 0)
_LARGEST_MOMENT = 2.0**14  # A quarter of the largest number in half precision.
# Per channel: what is multiplied by, what is added. The moments are those of keras.applications' preprocess_input,
# in the order in which its modes have the channels: blue, green, red for "caffe", red, green, blue for "torch".
_CAFFE_MEAN = (103.939, 116.779, 123.68)
_TORCH_MEAN, _TORCH_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_FACTORS: dict[Scaling, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "0..1": ((1 / 255,), (0.0,)),
    "-1..1": ((1 / 127.5,), (-1.0,)),
    "caffe": ((1.0,), tuple(-mean for mean in _CAFFE_MEAN)),
    "torch": (
        tuple(1 / (255 * deviation) for deviation in _TORCH_DEVIATION),
        tuple(-mean / deviation for mean, deviation in zip(_TORCH_MEAN, _TORCH_DEVIATION, strict=True)),
    ),
}


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A graph and its weights.

    Attributes:
        model: Keras, in single precision: RGB [batch, height, width, 3] in 0..255 -> logits [batch, labels].
        size: height and width in pixels.
        activation: that makes probabilities of the logits.
        notes: what the person should know, in sentences.
    """

    described: LayerGraph
    model: Any
    size: tuple[int, int]
    activation: Literal["softmax", "sigmoid"]
    notes: tuple[str, ...]


def rebuild(legacy: Legacy, told: Conventions) -> Rebuilt:
    """Build the graph of a legacy model and put its weights into it.

    The graph ends before the function that made probabilities. A single output z becomes the logits 0 and z, whose
    softmax is sigmoid(z) for the second label.

    Raises:
        LegacyInvalid: what was said contradicts the file or itself; layers or weights that do not fit together.
    """
    try:
        size = _size(legacy, told)
        layers, weights = _tamed(_fed(_front(legacy, told), legacy.layers), legacy.weights)
        names = _names(layers)
        layers = [_renamed(layer, names) for layer in layers]
        weights = {names.get(name, name): arrays for name, arrays in weights.items()}
        traced = trace(LayerGraph(layers=tuple(layers)), size)
        _require_weights(traced, weights)
        activation = _activation(legacy, told, traced.outputs[LOGITS])
        if traced.outputs[LOGITS] == (1,):
            layers, weights = _two_logits(layers, weights)
        described = LayerGraph(layers=tuple(layers))
        model = build_layers(described, size, len(told.labels))
    except ValidationError as invalid:
        message = f"{legacy.file} cannot be imported: {first_error(invalid)}."
        raise LegacyInvalid(message) from invalid
    except (ManifestInvalid, Refused) as refused:
        message = f"{legacy.file} cannot be imported: {refused}."
        raise LegacyInvalid(message) from refused
    for name, arrays in weights.items():
        layer = model.get_layer(name)
        layer.set_weights([arrays[variable.name] for variable in layer.weights])
    return Rebuilt(described, model, size, activation, _notes(legacy, told, traced.outputs[LOGITS]))


# ---------------------------------------------------------------- the input


def _size(legacy: Legacy, told: Conventions) -> tuple[int, int]:
    height, width, _ = legacy.image
    if height is None or width is None:
        if told.size is None:
            refuse("it takes images of any size; say with --size which size it was trained on")
        return told.size
    if told.size is not None and told.size != (height, width):
        refuse(f"it takes images of {height} x {width} pixels, not of {told.size[0]} x {told.size[1]}")
    return height, width


def _front(legacy: Legacy, told: Conventions) -> list[Layer]:
    """What brings RGB in 0..255 to what the model was given."""
    channels = legacy.image[2] or _RGB
    if channels not in {1, _RGB}:
        refuse(f"it takes images of {channels} channels, which are neither grey nor colour")
    if channels == 1 and told.colour != "grey":
        refuse(f"it takes grey images, not {told.colour}")
    if channels == 1 and told.scaling in {"caffe", "torch"}:
        refuse(f"the scaling {told.scaling} is for colour, and it takes grey images")
    if told.scaling == "inside" and not _scales(legacy):
        refuse("its first layer scales nothing; say with --scaling what was done to the pixels before")
    front: list[Layer] = []
    # preprocess_input of the mode "caffe" turns round what it is given, whatever that was.
    turned = (told.colour == "bgr") != (told.scaling == "caffe")
    if channels == 1 or turned:
        order = (0,) if channels == 1 else _BGR
        front.append(Channels(name=CHANNELS, inputs=(IMAGE,), kind="Channels", order=order))
    if told.scaling in _FACTORS:
        scale, offset = _FACTORS[told.scaling]
        source = front[-1].name if front else IMAGE
        front.append(Rescaling(name=SCALING, inputs=(source,), kind="Rescaling", scale=scale, offset=offset))
    return front


def _fed(front: list[Layer], layers: tuple[Layer, ...]) -> list[Layer]:
    names = {IMAGE: front[-1].name} if front else {}
    return [*front, *(_renamed(layer, names) for layer in layers)]


def _renamed(layer: Layer, names: Mapping[str, str]) -> Layer:
    inputs = tuple(names.get(name, name) for name in layer.inputs)
    return layer.model_copy(update={"name": names.get(layer.name, layer.name), "inputs": inputs})


def _scales(legacy: Legacy) -> bool:
    ordered = {layer.name for layer in legacy.layers if isinstance(layer, Channels) and IMAGE in layer.inputs}
    return any(isinstance(layer, Rescaling) and {IMAGE, *ordered} & {*layer.inputs} for layer in legacy.layers)


# ---------------------------------------------------------------- the output


def _activation(legacy: Legacy, told: Conventions, outputs: Shape) -> Literal["softmax", "sigmoid"]:
    labels = len(told.labels)
    if len(outputs) != 1:
        refuse(f"it ends in the shape {outputs}, where each label has one number")
    if outputs == (1,):
        if legacy.ending == "softmax" or told.multilabel:
            refuse("it has one output, which can only be the probability of the second of two labels")
        if labels != 2:  # noqa: PLR2004
            refuse(f"it has one output, so it tells two labels apart, not {labels}; name first what 0 means")
        return "softmax"
    if outputs[0] != labels:
        refuse(f"it has {outputs[0]} outputs, and {labels} labels are named")
    if told.multilabel and legacy.ending == "softmax":
        refuse("its softmax gives each image one label; --multilabel contradicts it")
    if legacy.ending == "sigmoid" and not told.multilabel:
        refuse("it ends in one sigmoid per label; say with --multilabel that an image may have several labels")
    return "sigmoid" if told.multilabel else "softmax"


def _two_logits(layers: list[Layer], weights: Mapping[str, Weights]) -> tuple[list[Layer], Mapping[str, Weights]]:
    """The one output z becomes 0 and z: by zeros in a last Dense, or by another Dense after whatever is last."""
    *before, last = layers
    if isinstance(last, Dense) and last.activation == "linear":
        wider = {
            name: np.concatenate([np.zeros_like(array), array], axis=-1) for name, array in weights[LOGITS].items()
        }
        return [*before, last.model_copy(update={"units": 2})], {**weights, LOGITS: wider}
    renamed = {OUTPUT if name == LOGITS else name: arrays for name, arrays in weights.items()}
    renamed[LOGITS] = {"kernel": np.array([[0.0, 1.0]], np.float32)}
    added = Dense(name=LOGITS, inputs=(OUTPUT,), kind="Dense", units=2, bias=False, activation="linear")
    return [*before, _renamed(last, {LOGITS: OUTPUT}), added], renamed


def _names(layers: list[Layer]) -> dict[str, str]:
    """New names for the last layers: the very last is LOGITS, and an end like an Architecture's is called like one."""
    found = {layer.name: layer for layer in layers}
    uses = Counter(name for layer in layers for name in layer.inputs)
    last = layers[-1]
    names, source = {last.name: LOGITS}, found.get(last.inputs[0])
    if isinstance(source, Dense) and source.activation == "relu" and uses[source.name] == 1:
        names[source.name], source = HIDDEN, found.get(source.inputs[0])
    features = None if source is None else found.get(source.inputs[0])
    alike = (
        isinstance(last, Dense)
        and last.activation == "linear"
        and isinstance(source, GlobalPooling)
        and source.kind == "GlobalAveragePooling2D"
        and not source.keepdims
        and features is not None
        and uses[source.name] == uses[features.name] == 1
    )
    if not alike or source is None or features is None:
        return {last.name: LOGITS}
    return names | {source.name: POOLED, features.name: FEATURES}


# ---------------------------------------------------------------- weights and notes


def _tamed(layers: list[Layer], weights: Mapping[str, Weights]) -> tuple[list[Layer], Mapping[str, Weights]]:
    """Divide what goes into a batch normalisation whose moments do not fit half precision, and its moments with it.

    After a convolution of pixels in 0..255 a variance may be a million; a power of two rounds nothing.
    """
    tamed: list[Layer] = []
    taken, changed = {layer.name for layer in layers}, dict(weights)
    for layer in layers:
        moments = weights.get(layer.name, {})
        halvings = max((_halvings(name, array) for name, array in moments.items()), default=0)
        if not isinstance(layer, BatchNormalization) or not halvings:
            tamed.append(layer)
            continue
        by = 2.0**-halvings
        before = next(name for number in count() if (name := f"divided_{number}") not in taken)
        taken.add(before)
        tamed.append(Rescaling(name=before, inputs=layer.inputs, kind="Rescaling", scale=(by,), offset=(0.0,)))
        tamed.append(layer.model_copy(update={"inputs": (before,), "epsilon": layer.epsilon * by**2}))
        factors = {"moving_mean": np.float32(by), "moving_variance": np.float32(by**2)}
        changed[layer.name] = {name: array * factors.get(name, np.float32(1)) for name, array in moments.items()}
    return tamed, changed


def _halvings(name: str, moments: Floats) -> int:
    """How often what goes in has to be halved for its moments to be small."""
    power = {"moving_mean": 1, "moving_variance": 2}.get(name)
    largest = float(np.abs(moments).max(initial=0))
    return 0 if power is None or largest <= _LARGEST_MOMENT else math.ceil(math.log2(largest / _LARGEST_MOMENT) / power)


def _require_weights(traced: Traced, weights: Mapping[str, Weights]) -> None:
    """Exactly the variables that the layers have, each of exactly its shape."""
    for name in sorted(weights.keys() | traced.weights.keys()):
        wanted = traced.weights.get(name, {})
        given = {variable: array.shape for variable, array in weights.get(name, {}).items()}
        if given != wanted:
            refuse(f"the layer {name} has the weights {_listed(given)}; its description wants {_listed(wanted)}")


def _listed(shapes: Mapping[str, Shape]) -> str:
    return ", ".join(f"{short(name)} {shape}" for name, shape in sorted(shapes.items())) or "none"


def _notes(legacy: Legacy, told: Conventions, outputs: Shape) -> tuple[str, ...]:
    notes = {
        "It ends without softmax or sigmoid: its outputs are taken for logits.": legacy.ending == "linear",
        f"It has one output: 0 is taken for {told.labels[0]}, 1 for {told.labels[-1]}.": outputs == (1,),
        "It scales its input itself; the scaling that was asked for comes on top of that.": _scales(legacy)
        and told.scaling in _FACTORS,
    }
    return tuple(note for note, holds in notes.items() if holds)

"""A list of layers to a Keras graph: one way to build each kind of row, and its shapes known before it is built."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import keras
from keras import layers

from services.bundle import graph
from services.bundle.graph import IMAGE, LOGITS, LayerGraph
from services.errors import ManifestInvalid

MOST_PARAMETERS = 2**28
"""Numbers that a graph's weights may have: in half precision what a weights file may hold."""

MOST_FEATURES = 2**26
"""Numbers that one layer may give for one image."""

Shape = tuple[int, ...]

_PICTURE = 3  # Height, width, channels; no shape here counts the batch.
_ELEMENTWISE = (graph.BatchNormalization, graph.Activation, graph.ReLU, graph.Rescaling)
_SPATIAL = (
    graph.Conv2D,
    graph.DepthwiseConv2D,
    graph.SeparableConv2D,
    graph.Pooling,
    graph.GlobalPooling,
    graph.ZeroPadding2D,
)


@dataclass(frozen=True, slots=True)
class Traced:
    """The shapes of a graph, without the batch.

    Attributes:
        outputs: what each layer gives, by its name.
        weights: shapes of the variables of each layer that has some, by its name and theirs, as Keras names them.
    """

    outputs: Mapping[str, Shape]
    weights: Mapping[str, Mapping[str, Shape]]


def build_layers(described: LayerGraph, shape: tuple[int | None, int | None], outputs: int) -> Any:
    """Build the graph of a list of layers with fresh weights.

    Args:
        described: from the manifest.
        shape: height and width in pixels; neither may be open, since a list of layers may flatten.
        outputs: number of labels.

    Returns:
        keras.Model: RGB float32 [batch, height, width, 3] in 0..255 -> float32 logits [batch, outputs].

    Raises:
        ManifestInvalid: as `trace`, or the graph gives another number of logits.
    """
    height, width = shape
    if height is None or width is None:
        message = "an imported graph has a fixed size"
        raise ManifestInvalid(message)
    given = trace(described, (height, width)).outputs[LOGITS]
    if given != (outputs,):
        message = f"the graph gives logits of the shape {given}; its labels are {outputs}"
        raise ManifestInvalid(message)
    tensors = {IMAGE: keras.Input((height, width, 3), name=IMAGE)}
    for layer in described.layers:
        sources = [tensors[name] for name in layer.inputs]
        tensors[layer.name] = _keras(layer)(sources if len(sources) > 1 else sources[0])
    return keras.Model(tensors[IMAGE], tensors[LOGITS], name="imported")


def trace(described: LayerGraph, size: tuple[int, int]) -> Traced:
    """The shapes of a graph, computed without making a single weight.

    Args:
        described: the layers.
        size: height and width of the image in pixels.

    Raises:
        ManifestInvalid: layers do not fit together, or the graph is larger than MOST_PARAMETERS or MOST_FEATURES allow.
    """
    outputs: dict[str, Shape] = {IMAGE: (*size, 3)}
    weights: dict[str, Mapping[str, Shape]] = {}
    parameters = 0
    for layer in described.layers:
        given = [outputs[name] for name in layer.inputs]
        _require_fit(layer, given)
        wanted = _variables(layer, given[0])
        parameters += sum(math.prod(shape) for shape in wanted.values())
        if parameters > MOST_PARAMETERS:
            message = f"the graph has more than {MOST_PARAMETERS} parameters, from the layer {layer.name} on"
            raise ManifestInvalid(message)
        if wanted:
            weights[layer.name] = wanted
        outputs[layer.name] = _output(layer, given)
    return Traced(MappingProxyType(outputs), MappingProxyType(weights))


# ---------------------------------------------------------------- shapes


def _require_fit(layer: graph.Layer, given: list[Shape]) -> None:
    rank, channels = len(given[0]), given[0][-1]
    match layer:
        case graph.BatchNormalization():
            fits, wanted = layer.axis in {-1, rank}, "the last axis, of channels"
        case graph.Concatenate():
            fits = layer.axis in {-1, rank} and len({shape[:-1] for shape in given}) == 1
            wanted = "the last axis, and shapes that are alike in all others"
        case graph.Merging():
            ranks, sides = {len(shape) for shape in given}, zip(*given, strict=False)
            fits = len(ranks) == 1 and all(len({*each} - {1}) <= 1 for each in sides)
            wanted = "shapes that are alike"
        case graph.Channels():
            fits, wanted = max(layer.order) < channels, f"{max(layer.order) + 1} channels or more"
        case graph.Rescaling():
            fits = {len(layer.scale), len(layer.offset)} <= {1, channels}
            wanted = "as many channels as it has factors"
        case graph.Conv2D():
            fits = channels % layer.groups == 0 and layer.filters % layer.groups == 0
            wanted = f"channels and filters that {layer.groups} groups divide"
        case graph.Reshape():
            fits, wanted = math.prod(layer.target) == math.prod(given[0]), f"{math.prod(layer.target)} numbers"
        case _:
            fits, wanted = True, ""
    if isinstance(layer, _SPATIAL) and rank != _PICTURE:
        fits, wanted = False, "height, width and channels"
    if not fits:
        shapes = ", ".join(str(shape) for shape in given)
        message = f"the layer {layer.name} ({layer.kind}) wants {wanted}; it is given the shape {shapes}"
        raise ManifestInvalid(message)


def _output(layer: graph.Layer, given: list[Shape]) -> Shape:
    if isinstance(layer, _ELEMENTWISE):
        return given[0]
    batched = [(None, *shape) for shape in given]
    try:
        shape = _keras(layer).compute_output_shape(batched if len(batched) > 1 else batched[0])
    except ValueError as misfit:
        shapes = ", ".join(str(shape) for shape in given)
        message = f"the layer {layer.name} ({layer.kind}) cannot take the shape {shapes}"
        raise ManifestInvalid(message) from misfit
    output = tuple(int(side) for side in shape[1:])
    if min(output, default=0) < 1 or math.prod(output) > MOST_FEATURES:
        message = f"the layer {layer.name} ({layer.kind}) would give the shape {output}"
        raise ManifestInvalid(message)
    return output


def _variables(layer: graph.Layer, given: Shape) -> dict[str, Shape]:
    channels = given[-1]
    match layer:
        case graph.Conv2D():
            shapes = {"kernel": (*layer.kernel, channels // layer.groups, layer.filters), "bias": (layer.filters,)}
        case graph.DepthwiseConv2D():
            shapes = {
                "kernel": (*layer.kernel, channels, layer.multiplier),
                "bias": (channels * layer.multiplier,),
            }
        case graph.SeparableConv2D():
            shapes = {
                "depthwise_kernel": (*layer.kernel, channels, layer.multiplier),
                "pointwise_kernel": (1, 1, channels * layer.multiplier, layer.filters),
                "bias": (layer.filters,),
            }
        case graph.Dense():
            shapes = {"kernel": (channels, layer.units), "bias": (layer.units,)}
        case graph.BatchNormalization():
            kept = {"gamma": layer.scale, "beta": layer.center, "moving_mean": True, "moving_variance": True}
            return {name: (channels,) for name, wanted in kept.items() if wanted}
        case _:
            return {}
    return shapes if layer.bias else {name: shape for name, shape in shapes.items() if name != "bias"}


# ---------------------------------------------------------------- Keras's layers


class _Channels(layers.Layer):  # type: ignore[misc]
    """Picks and orders channels; holds no weights."""

    def __init__(self, order: tuple[int, ...], **named: Any) -> None:
        super().__init__(**named)
        self._order = order

    def call(self, x: Any) -> Any:
        return keras.ops.take(x, self._order, axis=-1)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*shape[:-1], len(self._order))


class _SpelledConv2D(layers.Conv2D):  # type: ignore[misc]
    """Conv2D of several groups or dilated with padding, in small operations that tf2onnx 1.17 writes down rightly.

    Keras on TensorFlow compiles groups into something that is no ONNX, and tf2onnx forgets the padding of a dilated
    convolution that comes after another padding.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        padding = self.padding
        if padding == "same" and max(self.dilation_rate) > 1:
            # What is dilated has no strides, so what comes out is as large as what went in.
            padding = "valid"
            total = [rate * (side - 1) for rate, side in zip(self.dilation_rate, self.kernel_size, strict=True)]
            inputs = keras.ops.pad(inputs, [(0, 0), *((each // 2, each - each // 2) for each in total), (0, 0)])
        parts, kernels = (keras.ops.split(each, self.groups, axis=-1) for each in (inputs, kernel))
        convolved = [
            keras.ops.conv(part, own, strides=self.strides, padding=padding, dilation_rate=self.dilation_rate)
            for part, own in zip(parts, kernels, strict=True)
        ]
        return keras.ops.concatenate(convolved, axis=-1)


_KINDS: dict[str, Any] = {
    "Channels": _Channels,
    "Rescaling": layers.Rescaling,
    "Conv2D": layers.Conv2D,
    "DepthwiseConv2D": layers.DepthwiseConv2D,
    "SeparableConv2D": layers.SeparableConv2D,
    "BatchNormalization": layers.BatchNormalization,
    "Activation": layers.Activation,
    "ReLU": layers.ReLU,
    "MaxPooling2D": layers.MaxPooling2D,
    "AveragePooling2D": layers.AveragePooling2D,
    "GlobalAveragePooling2D": layers.GlobalAveragePooling2D,
    "GlobalMaxPooling2D": layers.GlobalMaxPooling2D,
    "ZeroPadding2D": layers.ZeroPadding2D,
    "Flatten": layers.Flatten,
    "Reshape": layers.Reshape,
    "Dense": layers.Dense,
    "Add": layers.Add,
    "Multiply": layers.Multiply,
    "Concatenate": layers.Concatenate,
}

# What Keras calls a field of a row, where it has another name for it.
_ARGUMENTS = {
    "kernel": "kernel_size",
    "dilation": "dilation_rate",
    "multiplier": "depth_multiplier",
    "bias": "use_bias",
    "function": "activation",
    "maximum": "max_value",
    "pool": "pool_size",
    "target": "target_shape",
}


def _keras(layer: graph.Layer) -> Any:
    # The axis is the last, as it is for Keras where nothing else is said.
    arguments = {_ARGUMENTS.get(field, field): each for field, each in layer if field not in {"kind", "inputs", "axis"}}
    if isinstance(layer, graph.Rescaling):
        # One number stays one, so that it may scale any shape.
        arguments |= {name: arguments[name][0] for name in ("scale", "offset") if len(arguments[name]) == 1}
    spelled = isinstance(layer, graph.Conv2D) and (layer.groups > 1 or max(layer.dilation) > 1)
    return (_SpelledConv2D if spelled else _KINDS[layer.kind])(**arguments, dtype="float32")

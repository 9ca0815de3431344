"""Which graph a bundle's weights belong to, described as data: a row of BACKBONES under a head, or a list of layers.

A description never names code. It is read by `services.bundle.architectures.build`, which knows what each word means.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from services.bundle.fields import Frozen

IMAGE, LOGITS = "image", "logits"
"""What a list of layers begins from, and the name of its last layer."""


def _equal(sides: tuple[int, int]) -> tuple[int, int]:
    if sides[0] != sides[1]:
        message = "the two strides of a depthwise convolution are equal"
        raise ValueError(message)
    return sides


LayerName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$", max_length=64)]
Units = Annotated[int, Field(ge=1, le=8192)]
Side = Annotated[int, Field(ge=1, le=64)]
Pair = tuple[Side, Side]
Equal = Annotated[Pair, AfterValidator(_equal)]
Padding = Literal["valid", "same"]
Function = Literal[
    "linear",
    "relu",
    "relu6",
    "elu",
    "selu",
    "gelu",
    "silu",
    "tanh",
    "sigmoid",
    "softplus",
    "hard_sigmoid",
    "hard_silu",
]
Factor = Annotated[float, Field(ge=-1e6, le=1e6)]
Factors = Annotated[tuple[Factor, ...], Field(min_length=1, max_length=8192)]
Margins = tuple[Annotated[int, Field(ge=0, le=64)], Annotated[int, Field(ge=0, le=64)]]
# Checked against the rank of what comes in: whichever way it is counted, it has to be the last.
Axis = Annotated[int, Field(ge=-1, le=3)]


class Architecture(Frozen):
    """A backbone, global average pooling, and a head.

    Attributes:
        backbone: a row of architectures.BACKBONES.
        filters: of each block, for the backbone that is built from them ("convnet"); empty for every other.
        hidden: units of each Dense+ReLU layer between pooling and logits; none or one.
    """

    backbone: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=64)]
    filters: Annotated[tuple[Annotated[int, Field(ge=4, le=512)], ...], Field(max_length=6)]
    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(max_length=1)]

    @model_validator(mode="after")
    def _filters_belong_to_the_convnet(self) -> "Architecture":
        if (self.backbone == "convnet") != bool(self.filters):
            message = "filters are for the backbone convnet, which needs them, and for no other"
            raise ValueError(message)
        return self


# ---------------------------------------------------------------- the kinds of layer, as Keras defines them


class _Layer(Frozen):
    """One layer: a row of a list.

    Attributes:
        inputs: names of earlier rows, or IMAGE.
    """

    name: LayerName
    inputs: tuple[LayerName]


class _Joint(Frozen):
    """A layer that joins what several others give."""

    name: LayerName
    inputs: Annotated[tuple[LayerName, ...], Field(min_length=2, max_length=64)]


class Channels(_Layer):
    """Picks and orders channels: (0,) of a grey picture, (2, 1, 0) for blue, green, red."""

    kind: Literal["Channels"]
    order: Annotated[tuple[Annotated[int, Field(ge=0, le=2)], ...], Field(min_length=1, max_length=3)]


class Rescaling(_Layer):
    """Multiplies by `scale` and adds `offset`; each holds one number, or one per channel."""

    kind: Literal["Rescaling"]
    scale: Factors
    offset: Factors


class Conv2D(_Layer):
    """A convolution."""

    kind: Literal["Conv2D"]
    filters: Units
    kernel: Pair
    strides: Pair
    padding: Padding
    dilation: Pair
    groups: Units
    bias: bool
    activation: Function


class DepthwiseConv2D(_Layer):
    """A convolution of each channel by itself, `multiplier` times."""

    kind: Literal["DepthwiseConv2D"]
    kernel: Pair
    strides: Equal
    padding: Padding
    dilation: Pair
    multiplier: Side
    bias: bool
    activation: Function


class SeparableConv2D(_Layer):
    """A depthwise convolution, then a pointwise one."""

    kind: Literal["SeparableConv2D"]
    filters: Units
    kernel: Pair
    strides: Equal
    padding: Padding
    dilation: Pair
    multiplier: Side
    bias: bool
    activation: Function


class BatchNormalization(_Layer):
    """Normalisation by the moments that training kept."""

    kind: Literal["BatchNormalization"]
    axis: Axis
    epsilon: Annotated[float, Field(ge=0, le=1)]
    center: bool
    scale: bool


class Activation(_Layer):
    """A function of each number."""

    kind: Literal["Activation"]
    function: Function


class ReLU(_Layer):
    """A rectifier, with Keras's bends in it."""

    kind: Literal["ReLU"]
    maximum: Annotated[float, Field(ge=0, le=1e6)] | None
    negative_slope: Annotated[float, Field(ge=0, le=1e6)]
    threshold: Annotated[float, Field(ge=0, le=1e6)]


class Pooling(_Layer):
    """The largest number, or the mean, of each window."""

    kind: Literal["MaxPooling2D", "AveragePooling2D"]
    pool: Pair
    strides: Pair
    padding: Padding


class GlobalPooling(_Layer):
    """The mean, or the largest number, of each channel."""

    kind: Literal["GlobalAveragePooling2D", "GlobalMaxPooling2D"]
    keepdims: bool


class ZeroPadding2D(_Layer):
    """Zeros around a feature map: (top, bottom), (left, right)."""

    kind: Literal["ZeroPadding2D"]
    padding: tuple[Margins, Margins]


class Flatten(_Layer):
    """All numbers in one row."""

    kind: Literal["Flatten"]


class Reshape(_Layer):
    """The same numbers in another shape, which leaves out the batch."""

    kind: Literal["Reshape"]
    target: Annotated[tuple[Annotated[int, Field(ge=1, le=2**24)], ...], Field(min_length=1, max_length=3)]


class Dense(_Layer):
    """A fully connected layer."""

    kind: Literal["Dense"]
    units: Units
    bias: bool
    activation: Function


class Merging(_Joint):
    """The sum, or the product, number by number."""

    kind: Literal["Add", "Multiply"]


class Concatenate(_Joint):
    """Channels after channels."""

    kind: Literal["Concatenate"]
    axis: Axis


Layer = Annotated[
    Channels
    | Rescaling
    | Conv2D
    | DepthwiseConv2D
    | SeparableConv2D
    | BatchNormalization
    | Activation
    | ReLU
    | Pooling
    | GlobalPooling
    | ZeroPadding2D
    | Flatten
    | Reshape
    | Dense
    | Merging
    | Concatenate,
    Field(discriminator="kind"),
]


class LayerGraph(Frozen):
    """Layers, each fed by earlier ones; from IMAGE, which is RGB float [batch, h, w, 3] in 0..255, to LOGITS.

    Where the last rows are named features, pooled (global average pooling of it), hidden (Dense+ReLU; may be absent)
    and logits (Dense), the graph ends as an Architecture does, and can be explained as one can.
    """

    layers: Annotated[tuple[Layer, ...], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _one_way_from_image_to_logits(self) -> "LayerGraph":
        known, used = {IMAGE}, set[str]()
        for layer in self.layers:
            unknown = [name for name in layer.inputs if name not in known]
            if unknown:
                message = f"the layer {layer.name} takes {unknown[0]}, which no earlier layer gives"
                raise ValueError(message)
            if layer.name in known:
                message = f"two layers have the name {layer.name}"
                raise ValueError(message)
            known.add(layer.name)
            used.update(layer.inputs)
        if self.layers[-1].name != LOGITS:
            message = f"the last layer is {self.layers[-1].name}, not {LOGITS}"
            raise ValueError(message)
        idle = sorted(known - used - {LOGITS})
        if idle:
            message = f"nothing takes what {idle[0]} gives"
            raise ValueError(message)
        return self


def _kind_of_description(described: object) -> str:
    layered = "layers" in described if isinstance(described, dict) else isinstance(described, LayerGraph)
    return "layers" if layered else "backbone"


Description = Annotated[
    Annotated[Architecture, Tag("backbone")] | Annotated[LayerGraph, Tag("layers")],
    Discriminator(_kind_of_description),
]

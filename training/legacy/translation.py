"""One layer of a legacy file to the fields of a row of services.bundle.graph: the list of what is rebuilt.

What a row says is checked by the row; here words are only put in other places, with Keras's defaults where a
description leaves something out.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.legacy.calls import Call
from training.legacy.description import is_number, numbers, short
from training.legacy.nodes import Constant
from training.legacy.refusal import refuse

Config = Mapping[str, Any]
Fields = dict[str, Any]

TRAINING_ONLY = frozenset(
    {
        *("Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization"),
        *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness"),
        *("RandomHeight", "RandomWidth", "RandomShear", "RandomHue", "RandomSaturation", "RandomSharpness"),
        *("RandomColorJitter", "RandomErasing", "RandomGaussianBlur", "RandomPerspective", "Identity"),
    }
)
"""Layers that pass their input on when a model answers."""

LAST_AXIS = (None, -1, 1, 3, [-1], [1], [3])
"""How the last axis may be written; where it is not the last, shapes will not fit."""

_SMALLEST_DEVIATION = 1e-7  # keras.config.epsilon(), which Normalization divides by at least.


def function(config: Config, *, keras_2: bool) -> str:
    """The name of a layer's activation, as Keras 3 calls it; "linear" where it has none.

    Raises:
        Refused: it is not one by name, or means something else in Keras 2 than now.
    """
    written = config.get("activation") or "linear"
    if not isinstance(written, str):
        refuse(f"its layer {short(config.get('name'))} has an activation that is not Keras's own")
    if keras_2 and written.startswith("hard_"):
        refuse(f"its layer {short(config.get('name'))} has the activation {written}, which was another in Keras 2")
    return {"swish": "silu", "hard_swish": "hard_silu"}.get(written, written)


def is_identity(call: Call) -> bool:
    """Whether a call passes its input on."""
    linear = call.kind == "Activation" and call.config.get("activation") in (None, "linear")
    return call.kind in TRAINING_ONLY or linear


def fields(call: Call, *, keras_2: bool) -> Fields:
    """What a row says beyond its name and its inputs.

    Raises:
        Refused: something that the row has no word for.
    """
    if call.config.get("data_format") not in (None, "channels_last"):
        refuse(f"its layer {call.title} does not have its channels last")
    constants = [each for each in call.operands if isinstance(each, Constant)]
    if constants:
        return _scaled(call, constants[0].values)
    given = dict(call.config)
    if call.kind in _WITH_ACTIVATION:
        given["activation"] = function(given, keras_2=keras_2)
    return {"kind": call.kind} | _KINDS[call.kind](given)


# ---------------------------------------------------------------- layers with weights


def _conv(config: Config) -> Fields:
    return _window(config) | {"filters": config.get("filters"), "groups": config.get("groups", 1)}


def _depthwise(config: Config) -> Fields:
    return _window(config) | {"multiplier": config.get("depth_multiplier", 1)}


def _separable(config: Config) -> Fields:
    return _depthwise(config) | {"filters": config.get("filters")}


def _window(config: Config) -> Fields:
    return {
        "kernel": _pair(config.get("kernel_size")),
        "strides": _pair(config.get("strides", 1)),
        "padding": config.get("padding", "valid"),
        "dilation": _pair(config.get("dilation_rate", 1)),
        "bias": config.get("use_bias", True),
        "activation": config["activation"],
    }


def _dense(config: Config) -> Fields:
    bias, activation = config.get("use_bias", True), config["activation"]
    return {"units": config.get("units"), "bias": bias, "activation": activation}


def _batch_normalization(config: Config) -> Fields:
    if config.get("renorm") or config.get("virtual_batch_size"):
        refuse(f"its layer {short(config.get('name'))} renormalises batches, which is not rebuilt")
    return {
        "kind": "BatchNormalization",
        "axis": _axis(config.get("axis", -1)),
        "epsilon": config.get("epsilon", 1e-3),
        "center": config.get("center", True),
        "scale": config.get("scale", True),
    }


def normalised(call: Call, stored: Mapping[str, NDArray[np.float32]]) -> Fields:
    """Normalization by a mean and a variance that are weights, or constants of the description, as a rescaling.

    Raises:
        Refused: not along the channels, inverted, or without both.
    """
    config = call.config
    if config.get("axis", -1) not in LAST_AXIS or config.get("invert"):
        refuse(f"its layer {call.title} does not normalise channels")
    if config.get("mean") is None:
        if not {"mean", "variance"} <= stored.keys() or stored["mean"].shape != stored["variance"].shape:
            refuse(f"its layer {call.title} has no mean and variance")
        mean, variance = stored["mean"].ravel().astype(float), stored["variance"].ravel().astype(float)
    else:
        given = [numbers(config.get(name)) for name in ("mean", "variance")]
        if not all(is_number(each) for values in given for each in values):
            refuse(f"its layer {call.title} has a mean and a variance that are no numbers")
        mean, variance = (np.array(values, float) for values in given)
    if mean.shape != variance.shape or (variance < 0).any():
        refuse(f"its layer {call.title} has no mean and variance of one shape")
    scale = 1 / np.maximum(np.sqrt(variance), _SMALLEST_DEVIATION)
    return {"kind": "Rescaling", "scale": tuple(scale.tolist()), "offset": tuple((-mean * scale).tolist())}


# ---------------------------------------------------------------- layers without


def _activation(config: Config) -> Fields:
    return {"kind": "Activation", "function": config["activation"]}


def _softmax(config: Config) -> Fields:
    refuse(f"its layer {short(config.get('name'))} is a softmax that is not at its end")


def _relu(config: Config) -> Fields:
    return {
        "maximum": config.get("max_value"),
        "negative_slope": config.get("negative_slope") or 0.0,
        "threshold": config.get("threshold") or 0.0,
    }


def _leaky_relu(config: Config) -> Fields:
    slope = config.get("negative_slope", config.get("alpha", 0.3))
    return {"kind": "ReLU", "maximum": None, "negative_slope": slope, "threshold": 0.0}


def _elu(config: Config) -> Fields:
    if config.get("alpha", 1.0) != 1:
        refuse(f"its layer {short(config.get('name'))} is an ELU with an alpha other than 1")
    return {"kind": "Activation", "function": "elu"}


def _pooling(config: Config) -> Fields:
    pool = config.get("pool_size", 2)
    strides = pool if config.get("strides") is None else config["strides"]
    return {"pool": _pair(pool), "strides": _pair(strides), "padding": config.get("padding", "valid")}


def _global_pooling(config: Config) -> Fields:
    return {"keepdims": config.get("keepdims", False)}


def _padding(config: Config) -> Fields:
    written = config.get("padding", 1)
    down, across = written if isinstance(written, list) and len(written) == 2 else (written, written)  # noqa: PLR2004
    return {"padding": (_pair(down), _pair(across))}


def _rescaling(config: Config) -> Fields:
    return {"scale": numbers(config.get("scale")), "offset": numbers(config.get("offset", 0.0))}


def _reshape(config: Config) -> Fields:
    target = config.get("target_shape")
    if target == [-1]:
        return {"kind": "Flatten"}
    return {"target": tuple(target) if isinstance(target, list) else target}


def _concatenate(config: Config) -> Fields:
    return {"axis": _axis(config.get("axis", -1))}


def _nothing(_: Config) -> Fields:
    return {}


def _scaled(call: Call, by: tuple[float, ...]) -> Fields:
    """A tensor and a constant, joined by an operator."""
    first = isinstance(call.operands[0], Constant)
    negative = tuple(-value for value in by)
    factors: dict[tuple[str, bool], tuple[tuple[float, ...], tuple[float, ...]]] = {
        ("Add", False): ((1.0,), by),
        ("Add", True): ((1.0,), by),
        ("Multiply", False): (by, (0.0,)),
        ("Multiply", True): (by, (0.0,)),
        ("Subtract", False): ((1.0,), negative),
        ("Subtract", True): ((-1.0,), by),
    }
    if all(by):
        factors["TrueDivide", False] = (tuple(1 / value for value in by), (0.0,))
    if len(call.operands) != 2 or (call.kind, first) not in factors:  # noqa: PLR2004
        refuse(f"its layer {call.title} is applied to constants in a way that is not rebuilt")
    scale, offset = factors[call.kind, first]
    return {"kind": "Rescaling", "scale": scale, "offset": offset}


def _operator(config: Config) -> Fields:
    refuse(f"its layer {short(config.get('name'))} joins two tensors in a way that is not rebuilt")


_WITH_ACTIVATION = {"Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense", "Activation"}

_KINDS: Mapping[str, Callable[[Config], Fields]] = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "BatchNormalization": _batch_normalization,
    "BatchNormalizationV1": _batch_normalization,
    "BatchNormalizationV2": _batch_normalization,
    "Dense": _dense,
    "Activation": _activation,
    "Softmax": _softmax,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "MaxPooling2D": _pooling,
    "AveragePooling2D": _pooling,
    "GlobalAveragePooling2D": _global_pooling,
    "GlobalMaxPooling2D": _global_pooling,
    "ZeroPadding2D": _padding,
    "Flatten": _nothing,
    "Reshape": _reshape,
    "Rescaling": _rescaling,
    "Add": _nothing,
    "Multiply": _nothing,
    "Subtract": _operator,
    "TrueDivide": _operator,
    "Concatenate": _concatenate,
}

NORMALIZATION, PICK, STACK = "Normalization", "GetItem", "Stack"
KNOWN = frozenset(_KINDS) | TRAINING_ONLY | {NORMALIZATION, PICK, STACK}
"""Every class that may stand in a description."""


# ---------------------------------------------------------------- words to values


def _pair(written: Any) -> Any:
    # Anything but one or two numbers stays what it is, and the row refuses it.
    return tuple(written) if isinstance(written, list) else (written, written)


def _axis(written: Any) -> Any:
    return written[0] if isinstance(written, list) and len(written) == 1 else written

"""Keras's own networks, each with the input scaling that its ImageNet weights were trained with."""

import re
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

Draw = Callable[[Any], Any]
"""RGB float [batch, h, w, 3] in 0..255 -> float of another scaling, or feature map [batch, h', w', channels]."""

_SCALING = "input_scaling"
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels in 0..1, RGB
_MEAN_BGR = (103.939, 116.779, 123.68)  # of ImageNet's pixels in 0..255


def centred_bgr(image: Any) -> Any:
    """Scale as Caffe did: channels in the order blue, green, red, minus ImageNet's mean, not divided."""
    offset = [-mean for mean in _MEAN_BGR]
    scaling = layers.Rescaling([1.0] * 3, offset=offset, dtype="float32", name=_SCALING)
    return scaling(keras.ops.take(image, [2, 1, 0], axis=-1))


def standardised(image: Any) -> Any:
    """Scale as torch does: minus ImageNet's mean, divided by its deviation, per channel."""
    scale = [1 / (255 * deviation) for deviation in _DEVIATION]
    offset = [-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)]
    return layers.Rescaling(scale, offset=offset, dtype="float32", name=_SCALING)(image)


def signed(image: Any) -> Any:
    """Scale as TensorFlow does: to -1..1."""
    return layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32", name=_SCALING)(image)


def drawn(application: Callable[..., Any], scaling: Draw) -> Draw:
    """Draw a network of keras.applications as Keras does, on a scaled input.

    Args:
        application: a function of keras.applications.
        scaling: what its ImageNet weights expect of an input.
    """

    def draw(image: Any) -> Any:
        model = application(include_top=False, weights=None, input_tensor=scaling(image))
        _name_by_block(model.layers)
        return model.output

    return draw


def redrawn(application: Callable[..., Any], scaling: Draw) -> Draw:
    """Draw a network of keras.applications whose first layer scales, or whose padding depends on the size.

    Keras pads these networks by a layer whose width it settles when the graph is drawn: as "same" would for the sides
    that the image then has, and as for even ones where they are open. A graph that was trained with open sides would
    give other features than one that is served with fixed ones; "same" gives both the former. Its scaling is replaced
    by ours, which holds no weights.

    Args:
        application: a function of keras.applications.
        scaling: what its ImageNet weights expect of an input.
    """

    def draw(image: Any) -> Any:
        model = application(include_top=False, weights=None, input_tensor=scaling(keras.Input((None, None, 3))))
        return keras.models.clone_model(model, clone_function=_redrawn, input_tensors=[image]).output

    return draw


# The first convolution and the first block of MobileNetV3, whose names begin as those of its last ones do.
_STEM, _UNNUMBERED = re.compile(r"^conv(_bn)?$"), re.compile(r"^expanded_conv_(?!\d)")


def _redrawn(layer: Any) -> Any:
    if not isinstance(layer, layers.Layer):
        return layer
    scales = isinstance(layer, layers.Rescaling | layers.Normalization) and layer.name != _SCALING
    if scales or isinstance(layer, layers.ZeroPadding2D):
        return layers.Identity(name=layer.name)
    settings = layer.get_config()
    settings["name"] = _UNNUMBERED.sub(r"expanded_conv_0_", _STEM.sub(r"stem_\g<0>", layer.name))
    if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D) and max(layer.strides) > 1:
        settings["padding"] = "same"
    return type(layer).from_config(settings)


_NAMELESS = re.compile(r"(?:conv2d|(batch_normalization))(?:_\d+)?")
_ENDS_A_BLOCK = re.compile(r"(mixed_[567][ab]|block\d+_\d+)(?:_mixed)?")


def _name_by_block(drawn: list[Any]) -> None:
    """Name the layers of InceptionResNetV2 that Keras only numbers, and numbers on from whatever was drawn before."""
    waiting: list[Any] = []
    for layer in drawn:
        if _NAMELESS.fullmatch(layer.name):
            waiting.append(layer)
        elif found := _ENDS_A_BLOCK.fullmatch(layer.name):
            block = "stem" if found[1] == "mixed_5b" else found[1]
            for number, nameless in enumerate(waiting):
                kind = "bn" if isinstance(nameless, layers.BatchNormalization) else "conv"
                nameless.name = f"{block}_{number:02}_{kind}"
            waiting.clear()

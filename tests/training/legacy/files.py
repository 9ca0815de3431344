"""Legacy files as Keras 3 writes them, as Keras 2 wrote them, and models to put into them.

path = save(everything(), tmp_path / "model.h5")
as_keras_2(path)                                    # the same model, in the words of Keras 2.10
rewrite(path, lambda model: model["config"]["layers"].pop())
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

_OPERATORS = {
    "Add": "__operators__.add",
    "Multiply": "math.multiply",
    "Subtract": "math.subtract",
    "TrueDivide": "math.truediv",
}


def save(model: Any, path: Path) -> Path:
    """Write a whole model as Keras 3 writes .h5, whose warning that this is legacy is the point here."""
    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        model.save(path)
    finally:
        logging.getLogger("absl").setLevel(logging.NOTSET)
    return path


def rewrite(path: Path, change: Callable[[Any], object]) -> Path:
    """Change the description of layers of a file in place; what `change` returns takes its place unless it is None."""
    with h5py.File(path, "r+") as file:
        model = json.loads(file.attrs["model_config"])
        changed = change(model)
        file.attrs["model_config"] = json.dumps(model if changed is None else changed)
    return path


def stir(model: Any, seed: int = 0) -> Any:
    """Random weights through which a signal passes."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        shape = tuple(variable.shape)
        if "variance" in variable.name or "gamma" in variable.name:
            value = random.uniform(0.7, 1.4, shape)
        elif len(shape) > 1:
            inputs = np.prod(shape[:2]) if shape[-1] == 1 and len(shape) == 4 else np.prod(shape[:-1])
            value = random.normal(0, np.sqrt(2 / inputs), shape)
        else:
            value = random.normal(0, 0.1, shape)
        variable.assign(value)
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
    return model


def pictures(shape: tuple[int, ...] = (32, 32, 3), count: int = 4) -> Pixels:
    """Random pixels in 0..255."""
    return np.random.default_rng(1).integers(0, 256, (count, *shape)).astype(np.float32)


# ---------------------------------------------------------------- models


def plain(labels: int = 3, activation: str = "softmax", shape: tuple[int | None, ...] = (32, 32, 3)) -> Any:
    """What a notebook of old holds: blocks of convolution and pooling, then dense layers."""
    return stir(
        keras.Sequential(
            [
                layers.Input(shape),
                layers.Conv2D(4, 3, activation="relu", padding="same"),
                layers.BatchNormalization(),
                layers.MaxPooling2D(4),
                layers.Conv2D(8, (3, 3), name="second conv.relu"),
                layers.Activation("relu"),
                layers.MaxPooling2D(),
                layers.Dropout(0.25),
                layers.Flatten(),
                layers.Dense(16, activation="relu", kernel_regularizer="l2"),
                layers.Dropout(0.5),
                layers.Dense(labels, activation=activation),
            ]
        )
    )


def everything(labels: int = 4) -> Any:
    """One layer or more of every kind that is rebuilt, in a graph with branches, and every kind that is dropped."""
    image = layers.Input((32, 32, 3))
    x = layers.RandomFlip("horizontal")(image)
    x = keras.Sequential([layers.RandomRotation(0.1), layers.RandomZoom(0.1)], name="augmentation")(x)
    x = layers.Rescaling(1 / 255)(x)
    x = layers.Normalization(name="moments")(x)
    x = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 0.5, 2.0])(x)
    x = layers.GaussianNoise(0.1)(x / 0.5 - 0.25)
    x = layers.ZeroPadding2D(((0, 1), (2, 1)))(x)
    x = layers.Conv2D(8, (5, 3), strides=(2, 1), activation="silu", name="features")(x)
    split = layers.LeakyReLU(negative_slope=0.2)(layers.BatchNormalization(scale=False, axis=3)(x))
    x = layers.SpatialDropout2D(0.1)(layers.Conv2D(8, 3, padding="same", groups=2, use_bias=False)(split))
    x = layers.ReLU(6.0)(layers.BatchNormalization(center=False)(x))
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="tanh")(x)
    x = layers.SeparableConv2D(8, 3, padding="same", dilation_rate=2, activation="elu")(x)
    x = layers.ELU()(layers.Conv2D(8, 3, padding="same", dilation_rate=(2, 1))(x))
    total = layers.Add()([x, split])
    x = layers.GlobalAveragePooling2D()(total)
    x = layers.Reshape((1, 1, 8))(x)
    x = layers.Dense(8)(layers.GaussianDropout(0.1)(x))
    x = layers.ReLU(6.0)(x + 3.0) * (1 / 6)
    x = layers.Concatenate()([layers.Multiply()([total, x]), split])
    x = layers.MaxPooling2D((2, 3), padding="same")(x)
    x = layers.AveragePooling2D(3, strides=1)(1.0 - x)
    left = layers.GlobalMaxPooling2D()(layers.Activation("gelu")(x))
    right = layers.Flatten()(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Concatenate(axis=1)([left, right])
    x = layers.BatchNormalization(axis=1)(x)
    x = layers.Dense(12, activation="selu")(layers.AlphaDropout(0.1)(x))
    return stir(keras.Model(image, layers.Softmax()(layers.Dense(labels, name="logits")(x))))


def transferred(labels: int = 1, *, nested: bool = True, base: Any = None) -> Any:
    """A pretrained model under a new head, as a layer of the new model or with its layers in it."""
    base = _small() if base is None else base
    base.trainable = False
    if not nested:
        x = layers.GlobalAveragePooling2D()(base.output)
        return stir(keras.Model(base.input, layers.Dense(labels, activation="softmax")(x)))
    image = layers.Input((32, 32, 3))
    x = base(keras.applications.mobilenet_v2.preprocess_input(image), training=False)
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    return stir(keras.Model(image, layers.Dense(labels, activation="sigmoid")(x)))


def _small() -> Any:
    """A base whose inner weights come in two lots, as Keras writes them: those that are trained, and moments."""
    image = layers.Input((32, 32, 3))
    x = layers.BatchNormalization(name="first_bn")(layers.Conv2D(6, 3, strides=2, name="first")(image))
    x = layers.DepthwiseConv2D(3, padding="same", name="second")(layers.ReLU(6.0)(x))
    return keras.Model(image, layers.ReLU(6.0)(layers.BatchNormalization(name="second_bn")(x)), name="base_1.0_32")


def mobilenet() -> Any:
    """The base of many a notebook."""
    return keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3), alpha=0.35)


def vgg16(labels: int = 2) -> Any:
    """VGG16 as the first layer of a Sequential."""
    base = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    base.trainable = False
    head = [layers.Flatten(), layers.Dense(8, activation="relu"), layers.Dense(labels, activation="softmax")]
    return stir(keras.Sequential([base, *head]))


# ---------------------------------------------------------------- in the words of Keras 2


def as_keras_2(path: Path) -> Path:
    """Rewrite a file of Keras 3 as Keras 2.10 would have written the same model."""
    with h5py.File(path, "r+") as file:
        model = json.loads(file.attrs["model_config"])
        depthwise = {entry["config"]["name"] for entry in _entries(model) if entry["class_name"] == "DepthwiseConv2D"}
        file.attrs["model_config"] = json.dumps(_model(model)).encode()
        file.attrs["keras_version"] = b"2.10.0"
        weights = file["model_weights"]
        weights.attrs["keras_version"] = b"2.10.0"
        del weights["top_level_model_weights"]
        for layer in weights.attrs["layer_names"]:
            group, names = weights[layer], []
            for name in group.attrs["weight_names"]:
                owner, _, variable = name.rpartition("/")
                renamed = variable == "kernel" and owner.rpartition("/")[2] in depthwise
                names.append(f"{owner}/{'depthwise_kernel' if renamed else variable}:0")
                group.move(name, names[-1])
            group.attrs["weight_names"] = np.array(names, "S") if names else []
    return path


def _entries(model: Any) -> list[Any]:
    inner = [entry for entry in model["config"]["layers"] if "layers" in entry["config"]]
    return [*model["config"]["layers"], *(each for entry in inner for each in _entries(entry))]


def _model(model: Any) -> Any:
    config = model["config"]
    models = {entry["name"] for entry in config["layers"] if "name" in entry and "layers" in entry["config"]}
    changed = {"name": config["name"], "layers": [_entry(entry, models) for entry in config["layers"]]}
    for which in ("input_layers", "output_layers"):
        if which in config:
            changed[which] = [config[which]]
    return model | {"config": changed}


def _entry(entry: Any, models: set[str]) -> Any:
    changed = _model(entry) if "layers" in entry["config"] else entry | {"config": _config(entry)}
    if "inbound_nodes" not in entry:
        return changed
    operator = entry["class_name"] in _OPERATORS and any(
        isinstance(each, float) for node in entry["inbound_nodes"] for each in node["args"]
    )
    if operator:
        changed["class_name"] = "TFOpLambda"
        changed["config"] = changed["config"] | {"function": _OPERATORS[entry["class_name"]]}
    return changed | {"inbound_nodes": [_node(node, models, operator=operator) for node in entry["inbound_nodes"]]}


def _config(entry: Any) -> Any:
    config = entry["config"] | {"dtype": "float32"}
    if "batch_shape" in config:
        config["batch_input_shape"] = config.pop("batch_shape")
    if entry["class_name"] == "LeakyReLU":
        config["alpha"] = config.pop("negative_slope")
    if entry["class_name"] == "BatchNormalization" and config["axis"] == -1:
        config["axis"] = [3]
    if config.get("activation") == "silu":
        config["activation"] = "swish"
    return config


def _node(node: Any, models: set[str], *, operator: bool) -> Any:
    tensors, constants = [], []
    for argument in node["args"]:
        for each in argument if isinstance(argument, list) else [argument]:
            if isinstance(each, dict):
                name, number, tensor = each["config"]["keras_history"]
                tensors.append([name, number + (name in models), tensor])
            else:
                constants.append(each)
    keywords = {key: value for key, value in node["kwargs"].items() if key != "mask"}
    if not operator:
        return [[*tensor, keywords] for tensor in tensors]
    if isinstance(node["args"][0], float):
        return ["_CONSTANT_VALUE", -1, constants[0], {"y": tensors[0], "name": None}]
    return [*tensors[0], {"y": constants[0], "name": None}]

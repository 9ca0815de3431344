"""Every kind of row is built as Keras defines it, in sizes that are known before anything is made."""

from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
import tf2onnx
from keras import layers
from pydantic import TypeAdapter

from services.bundle import weights
from services.bundle.graph import LayerGraph
from services.bundle.layers import MOST_FEATURES, build_layers, trace
from services.bundle.saliency import explainable
from services.errors import ManifestInvalid
from tests.layers import layer_graph

GRAPH = TypeAdapter(LayerGraph)
SIZE = (12, 10)

CONV = {"strides": (1, 1), "padding": "same", "dilation": (1, 1), "bias": True, "activation": "linear"}
FUNCTIONS = ("linear", "relu", "relu6", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "softplus", "hard_sigmoid")


def graph(*rows: dict[str, Any]) -> LayerGraph:
    """Rows one after the other, each fed by the one before it where it says nothing else; the last is the logits."""
    listed, before = [], "image"
    for number, row in enumerate(rows):
        name = row.get("name", "logits" if number == len(rows) - 1 else f"row{number}")
        listed.append({"inputs": (before,), "name": name} | row)
        before = name
    return GRAPH.validate_python({"layers": tuple(listed)})


def dense(units: int = 2, **changed: Any) -> dict[str, Any]:
    return {"kind": "Dense", "units": units, "bias": True, "activation": "linear"} | changed


def conv(filters: int = 4, **changed: Any) -> dict[str, Any]:
    return {"kind": "Conv2D", "filters": filters, "kernel": (3, 3), "groups": 1} | CONV | changed


def flat() -> dict[str, Any]:
    return {"kind": "Flatten"}


EVERY_KIND = graph(
    {"kind": "Channels", "order": (2, 1, 0)},
    {"kind": "Rescaling", "scale": (0.01, 0.02, 0.005), "offset": (-1.0,)},
    {"kind": "ZeroPadding2D", "padding": ((1, 2), (0, 3))},
    conv(8, kernel=(3, 5), dilation=(2, 1), activation="silu", name="split"),
    conv(8, groups=4, strides=(1, 1), bias=False),
    {"kind": "BatchNormalization", "axis": 3, "epsilon": 0.01, "center": True, "scale": True},
    {"kind": "ReLU", "maximum": 6.0, "negative_slope": 0.1, "threshold": 0.2},
    {"kind": "DepthwiseConv2D", "kernel": (3, 3), "multiplier": 2} | CONV | {"dilation": (2, 2)},
    {"kind": "SeparableConv2D", "filters": 8, "kernel": (3, 3), "multiplier": 2} | CONV | {"dilation": (2, 1)},
    {"kind": "BatchNormalization", "axis": -1, "epsilon": 0.001, "center": False, "scale": False, "name": "joined"},
    {"kind": "Add", "inputs": ("joined", "split"), "name": "sum"},
    {"kind": "GlobalAveragePooling2D", "keepdims": True},
    {"kind": "Activation", "function": "hard_sigmoid", "name": "excite"},
    {"kind": "Multiply", "inputs": ("sum", "excite"), "name": "squeezed"},
    {"kind": "Concatenate", "inputs": ("squeezed", "split"), "axis": 3},
    {"kind": "MaxPooling2D", "pool": (2, 2), "strides": (2, 2), "padding": "same"},
    {"kind": "AveragePooling2D", "pool": (3, 2), "strides": (1, 2), "padding": "valid", "name": "features"},
    {"kind": "Flatten"},
    {"kind": "Reshape", "target": (16, 18)},
    dense(3, activation="tanh"),
    {"kind": "Reshape", "target": (16, 1, 3)},
    {"kind": "GlobalMaxPooling2D", "keepdims": False},
    dense(4, bias=False),
)


def stirred(model: Any) -> Any:
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(0.2, 0.5, weight.shape) for weight in model.get_weights()])
    return model


def pictures(count: int = 3) -> Any:
    return np.random.default_rng(1).uniform(0, 255, (count, *SIZE, 3)).astype(np.float32)


def answers(model: Any, pixels: Any) -> Any:
    return np.asarray(keras.ops.convert_to_numpy(model(pixels, training=False)))


def by_hand() -> Any:
    """EVERY_KIND in Keras's own words."""
    image = keras.Input((*SIZE, 3))
    x = layers.Lambda(lambda x: keras.ops.flip(x, -1))(image)
    x = layers.Rescaling([0.01, 0.02, 0.005], -1.0)(x)
    x = layers.ZeroPadding2D(((1, 2), (0, 3)))(x)
    split = layers.Conv2D(8, (3, 5), padding="same", dilation_rate=(2, 1), activation="silu")(x)
    x = layers.Conv2D(8, 3, padding="same", groups=4, use_bias=False)(split)
    x = layers.BatchNormalization(epsilon=0.01)(x)
    x = layers.ReLU(6.0, 0.1, 0.2)(x)
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, dilation_rate=2)(x)
    x = layers.SeparableConv2D(8, 3, padding="same", depth_multiplier=2, dilation_rate=(2, 1))(x)
    x = layers.BatchNormalization(center=False, scale=False)(x)
    total = layers.Add()([x, split])
    x = layers.Activation("hard_sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(total))
    x = layers.Concatenate()([layers.Multiply()([total, x]), split])
    x = layers.MaxPooling2D(padding="same")(x)
    x = layers.AveragePooling2D((3, 2), (1, 2))(x)
    x = layers.Reshape((16, 18))(layers.Flatten()(x))
    x = layers.Reshape((16, 1, 3))(layers.Dense(3, activation="tanh")(x))
    return keras.Model(image, layers.Dense(4, use_bias=False)(layers.GlobalMaxPooling2D()(x)))


@pytest.fixture(scope="module")
def every_kind() -> Any:
    return stirred(build_layers(EVERY_KIND, SIZE, 4))


def test_each_kind_does_what_the_layer_of_its_name_does(every_kind: Any) -> None:
    logits = answers(every_kind, pictures())
    assert logits.std() > 0.1
    np.testing.assert_allclose(logits, answers(stirred(by_hand()), pictures()), rtol=1e-5)


def test_the_shapes_are_those_that_keras_makes(every_kind: Any) -> None:
    traced = trace(EVERY_KIND, SIZE)
    for row in EVERY_KIND.layers:
        layer = every_kind.get_layer(row.name)
        assert traced.outputs[row.name] == layer.output.shape[1:]
        made = {variable.name: tuple(variable.shape) for variable in layer.weights}
        assert traced.weights.get(row.name, {}) == made
        assert list(traced.weights.get(row.name, {})) == list(made)


def compiled(model: Any, pixels: Any) -> Any:
    @tf.function(input_signature=[tf.TensorSpec((1, *SIZE, 3), tf.float32, name="image")])  # type: ignore[untyped-decorator]
    def network(image: tf.Tensor) -> tf.Tensor:
        return model(image, training=False)

    proto, _ = tf2onnx.convert.from_function(network, network.input_signature, opset=18)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"image": picture[None]})[0] for picture in pixels])


def test_every_kind_compiles_to_the_same_answers(every_kind: Any) -> None:
    np.testing.assert_allclose(compiled(every_kind, pictures()), answers(every_kind, pictures()), rtol=1e-4)


@pytest.mark.parametrize(
    "row",
    [
        conv(4, groups=1, dilation=(2, 3)),
        conv(6, groups=3, dilation=(2, 1), kernel=(5, 3)),
        conv(6, groups=3, strides=(2, 3), kernel=(3, 5)),
        conv(6, groups=3, strides=(2, 1), padding="valid"),
        conv(4, dilation=(2, 2), kernel=(2, 4)),
        conv(4, dilation=(2, 2), padding="valid"),
    ],
)
def test_a_convolution_that_is_spelled_out_is_still_keras_own(row: dict[str, Any]) -> None:
    described = graph({"kind": "ZeroPadding2D", "padding": ((1, 0), (2, 1))}, row, flat())
    (count,) = trace(described, SIZE).outputs["logits"]
    model = stirred(build_layers(described, SIZE, count))
    own = layers.Conv2D(
        row["filters"],
        row["kernel"],
        row["strides"],
        row["padding"],
        dilation_rate=row["dilation"],
        groups=row["groups"],
        use_bias=row["bias"],
    )
    own(layers.ZeroPadding2D(((1, 0), (2, 1)))(pictures()))
    own.set_weights(model.get_weights())
    expected = own(layers.ZeroPadding2D(((1, 0), (2, 1)))(pictures())).numpy().reshape(3, -1)
    np.testing.assert_allclose(answers(model, pictures()), expected, rtol=1e-5)
    np.testing.assert_allclose(compiled(model, pictures()), expected, rtol=1e-5)


def test_the_weights_file_is_one_that_a_bundle_may_have(every_kind: Any, tmp_path: Any) -> None:
    full, half = tmp_path / "full.weights.h5", tmp_path / "half.weights.h5"
    every_kind.save_weights(full)
    weights.halve(full, half)
    weights.require(weights.inspect(half.read_bytes()), weights.layout(full))
    again = build_layers(EVERY_KIND, SIZE, 4)
    again.load_weights(half)
    np.testing.assert_allclose(answers(again, pictures()), answers(every_kind, pictures()), rtol=0.02)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_function_is_keras_own(function: str) -> None:
    described = graph({"kind": "Channels", "order": (1,)}, {"kind": "Activation", "function": function}, flat())
    pixels = np.random.default_rng(2).normal(0, 3, (1, 32, 32, 3)).astype(np.float32)
    expected = keras.activations.get(function)(keras.ops.convert_to_tensor(pixels[..., 1])).numpy().reshape(1, -1)
    np.testing.assert_allclose(answers(build_layers(described, (32, 32), 1024), pixels), expected, rtol=1e-6)


def test_an_end_like_an_architectures_can_be_explained() -> None:
    assert explainable(build_layers(layer_graph((4, 8), 3), (32, 32), 3))
    assert not explainable(build_layers(graph(conv(), flat(), dense()), (32, 32), 2))


# ---------------------------------------------------------------- what does not fit


HUGE = graph(conv(64), conv(8192, kernel=(64, 64)), flat(), dense())


@pytest.mark.parametrize(
    ("described", "size", "reason"),
    [
        (graph(dense(), conv(), flat()), (8, 8), "logits of the shape (256,); its labels are 2"),
        (graph(flat(), conv(), flat()), (8, 8), "row1 (Conv2D) wants height, width and channels; it is given the sh"),
        (graph(flat(), {"kind": "GlobalMaxPooling2D", "keepdims": False}), (8, 8), "wants height, width and channels"),
        (graph(conv(kernel=(9, 9), padding="valid"), flat(), dense()), (8, 8), "row0 (Conv2D)"),
        (graph({"kind": "MaxPooling2D", "pool": (9, 2), "strides": (2, 2), "padding": "valid"}), (8, 8), "MaxPooling"),
        (graph(conv(strides=(2, 2), dilation=(2, 2)), flat(), dense()), (8, 8), "cannot take the shape (8, 8, 3)"),
        (graph(conv(6, groups=2), flat(), dense()), (8, 8), "channels and filters that 2 groups divide"),
        (graph(conv(6), conv(9, groups=6), flat(), dense()), (8, 8), "channels and filters that 6 groups divide"),
        (graph(conv(1), {"kind": "Channels", "order": (2, 1, 0)}, flat(), dense()), (8, 8), "3 channels or more"),
        (graph({"kind": "Rescaling", "scale": (1.0, 2.0), "offset": (0.0,)}), (8, 8), "as many channels as"),
        (graph({"kind": "Reshape", "target": (191,)}, dense()), (8, 8), "wants 191 numbers"),
        (
            graph({"kind": "BatchNormalization", "axis": 1, "epsilon": 0.1, "center": True, "scale": True}),
            (8, 8),
            "wants the last axis, of channels",
        ),
        (
            graph(flat(), {"kind": "BatchNormalization", "axis": 3, "epsilon": 0.1, "center": True, "scale": True}),
            (8, 8),
            "wants the last axis, of channels",
        ),
        (graph(conv(), {"kind": "Concatenate", "inputs": ("image", "row0"), "axis": 2}), (8, 8), "the last axis"),
        (
            graph(conv(strides=(2, 2)), {"kind": "Concatenate", "inputs": ("image", "row0"), "axis": 3}),
            (8, 8),
            "shapes that are alike in all others; it is given the shape (8, 8, 3), (4, 4, 4)",
        ),
        (
            graph(conv(), {"kind": "Add", "inputs": ("image", "row0")}),
            (8, 8),
            "logits (Add) wants shapes that are alike",
        ),
        (graph(flat(), {"kind": "Add", "inputs": ("image", "row0")}), (8, 8), "logits (Add) wants shapes that are"),
        (HUGE, (8, 8), "more than 268435456 parameters, from the layer row1 on"),
        (graph(flat(), dense(4096), dense(8192), dense()), (1024, 1024), "more than 268435456 parameters"),
        (graph(conv(65), flat(), dense(1)), (1024, 1024), "would give the shape (1024, 1024, 65)"),
        (graph(flat(), dense()), (0, 8), "would give the shape (0,)"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_weight_is_made(
    described: LayerGraph, size: tuple[int, int], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*_: object, **__: object) -> None:
        raise AssertionError("a weight was made")

    monkeypatch.setattr(layers.Layer, "add_weight", made)
    with pytest.raises(ManifestInvalid) as refused:
        build_layers(described, size, 2)
    assert reason in str(refused.value)


def test_a_thousand_paddings_do_not_fill_the_memory() -> None:
    padding = {"kind": "ZeroPadding2D", "padding": ((64, 64), (64, 64))}
    with pytest.raises(ManifestInvalid, match="would give the shape") as refused:
        trace(graph(*[padding] * 998, flat(), dense()), (32, 32))
    height, width, channels = (int(side) for side in str(refused.value).rpartition("(")[2].rstrip(")").split(", "))
    assert MOST_FEATURES < height * width * channels < 2 * MOST_FEATURES


def test_a_list_of_layers_has_no_open_side() -> None:
    with pytest.raises(ManifestInvalid, match="fixed size"):
        build_layers(layer_graph((4,), 2), (None, 32), 2)

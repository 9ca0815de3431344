"""What a description may say: layers on a list, in a graph from one image to one answer; nothing in it is ever run."""

import copy
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from services.bundle.graph import Conv2D, Rescaling
from training.errors import LegacyInvalid
from training.legacy import read_legacy
from training.legacy.calls import unfold
from training.legacy.description import image_shape, read_description
from training.legacy.refusal import Refused
from training.legacy.rows import Rows, lay_out
from training.legacy.translation import KNOWN

from .files import plain, rewrite, save

Model = dict[str, Any]


def layer(kind: str, name: str, **config: Any) -> Model:
    return {"class_name": kind, "config": {"name": name} | config}


def sequential(*entries: Model, name: str = "model") -> Model:
    first = layer("InputLayer", "input", batch_input_shape=[None, 32, 32, 3])
    return {"class_name": "Sequential", "config": {"name": name, "layers": [first, *entries]}}


def dense(name: str = "dense", **config: Any) -> Model:
    return layer("Dense", name, **{"units": 2} | config)


def conv(name: str = "conv", **config: Any) -> Model:
    return layer("Conv2D", name, **{"filters": 4, "kernel_size": 3} | config)


def fed(entry: Model, *sources: Any, nodes: Any = None) -> Model:
    """A layer of a Functional model in the words of Keras 2."""
    inbound = [[[source, 0, 0, {}] for source in sources]] if sources else []
    return entry | {"name": entry["config"]["name"], "inbound_nodes": inbound if nodes is None else nodes}


def functional(*entries: Model, ends: Any = None, begins: Any = None, name: str = "model") -> Model:
    first = fed(layer("InputLayer", "input", batch_input_shape=[None, 32, 32, 3]))
    config = {
        "name": name,
        "layers": [first, *entries],
        "input_layers": [["input", 0, 0]] if begins is None else begins,
        "output_layers": [[entries[-1]["name"], 0, 0]] if ends is None else ends,
    }
    return {"class_name": "Functional", "config": config}


def rows(model: Any, *, keras_2: bool = True) -> Rows:
    """The rows of a description whose layers have no weights."""
    described = read_description(json.dumps(model), KNOWN)
    calls, output = unfold(described)
    image_shape(described)
    return lay_out(calls, output, lambda _place, _unwanted: {}, keras_2=keras_2)


def refused(model: Any, *, keras_2: bool = True) -> str:
    with pytest.raises(Refused) as error:
        rows(model, keras_2=keras_2)
    return str(error.value)


# ---------------------------------------------------------------- strangers


def test_a_lambda_is_refused_and_never_run(tmp_path: Path) -> None:
    """Its code, marshalled into the file by Keras itself, would leave a mark."""
    mark = tmp_path / "mark"
    place = str(mark)
    # Keras marshals what has no name.
    leave_mark = lambda x: (open(place, "w").close(), x)[1]  # type: ignore[func-returns-value]  # noqa: E731, PTH123
    code = layers.Lambda(leave_mark, name="innocent", output_shape=(32, 32, 3))
    model = keras.Sequential([layers.Input((32, 32, 3)), code, layers.Flatten(), layers.Dense(2)])
    path = save(model, tmp_path / "model.h5")
    mark.unlink(missing_ok=True)
    with pytest.raises(LegacyInvalid) as error:
        read_legacy(path)
    assert str(error.value) == (
        "model.h5 cannot be imported: it has layers that are not on the list of what is rebuilt: innocent (Lambda)."
    )
    assert not mark.exists()
    # The file does hold what it takes: Keras itself, told to trust it, runs it.
    with warnings.catch_warnings(action="ignore"):
        keras.models.load_model(path, compile=False, safe_mode=False)(np.zeros((1, 32, 32, 3), np.float32))
    assert mark.exists()


STRANGERS = [
    (layer("Lambda", "code", function=["4wEAAAA=", None, None]), "code (Lambda)"),
    (layer("Custom>Dense", "mine", units=2), "mine (Custom>Dense)"),
    (layer("TFOpLambda", "call", function="io.read_file"), "call (TFOpLambda io.read_file)"),
    (layer("TFOpLambda", "call", function=["io", "write_file"]), "call (TFOpLambda)"),
    (layer("os.system", "shell"), "shell (os.system)"),
    (layer("__import__", "shell"), "shell (__import__)"),
    (dense("shell") | {"module": "os"}, "shell (Dense)"),
    (dense("shell") | {"module": "subprocess", "registered_name": "Popen"}, "shell (Dense)"),
    (dense("shell") | {"module": "kerasx.layers"}, "shell (Dense)"),
    (dense("shell") | {"module": ["keras"]}, "shell (Dense)"),
    (dense("shell") | {"module": "keras.layers", "registered_name": "package>Dense"}, "shell (Dense)"),
    (layer("InputLayer", "shell") | {"module": "os"}, "shell (InputLayer)"),
    (layer("PReLU", "prelu"), "prelu (PReLU)"),
    (layer("MultiHeadAttention", "attention"), "attention (MultiHeadAttention)"),
    (layer("LSTM", "memory"), "memory (LSTM)"),
    (layer("TimeDistributed", "each", layer=dense()), "each (TimeDistributed)"),
]


@pytest.mark.parametrize(("entry", "told"), STRANGERS)
def test_a_layer_that_is_not_on_the_list_is_named(entry: Model, told: str) -> None:
    for model in (
        sequential(entry, dense()),
        sequential(sequential(sequential(entry, name="inner"), name="outer"), dense()),
        functional(fed(entry, "input"), fed(dense(), entry["config"]["name"])),
        functional(fed(functional(fed(entry, "input"), name="inner"), "input")),
    ):
        assert refused(model) == f"it has layers that are not on the list of what is rebuilt: {told}"


def test_all_strangers_are_named_until_there_are_too_many() -> None:
    many = [layer("Lambda", f"code{number}") for number in range(10)]
    assert refused(sequential(*many)).endswith("code6 (Lambda), code7 (Lambda) and 2 more")


def test_a_model_of_a_class_of_its_own_is_refused() -> None:
    for model in (
        sequential(dense()) | {"class_name": "MyModel"},
        sequential(dense()) | {"class_name": "Custom>Sequential"},
    ):
        assert "which is neither a Sequential nor a Functional model" in refused(model)
    assert "inner (MyModel)" in refused(sequential(sequential(name="inner") | {"class_name": "MyModel"}))
    assert "inner (Sequential)" in refused(sequential(sequential(name="inner") | {"module": "os"}))


# ---------------------------------------------------------------- shapes of JSON


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nonsense",
        "[" * 200_000,
        '{"class_name":' * 50_000,
        '{"class_name": "Sequential", "config": {"layers": [' * 3000,
        "9" * 10_000,
    ],
)
def test_what_is_no_json_or_too_deep_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="not JSON, or too deep"):
        read_description(text, KNOWN)


@pytest.mark.parametrize(
    "model",
    [
        *(None, 5, "Sequential", [], {}, {"class_name": "Sequential"}, {"class_name": ["Sequential"]}),
        {"class_name": "Sequential", "config": None},
        {"class_name": "Sequential", "config": {"layers": {}}},
        {"class_name": "Sequential", "config": {"layers": []}},
        {"class_name": "Functional", "config": []},
        sequential(),
        sequential({"class_name": "Dense"}),
        sequential({"class_name": "Dense", "config": []}),
        sequential({"class_name": "Dense", "config": {}}),
        sequential({"class_name": "Dense", "config": {"name": 5}}),
        sequential({"class_name": "Dense", "config": {"name": ""}}),
        sequential({"class_name": None, "config": {"name": "x"}}),
        sequential({"class_name": {"class_name": "Dense"}, "config": {"name": "x"}}),
        sequential([]),  # type: ignore[arg-type]
        sequential(None),  # type: ignore[arg-type]
        sequential(layer("Dropout", "nothing else")),
        sequential(layer("Activation", "softmax", activation="softmax")),
    ],
)
def test_json_that_is_no_model_is_refused(model: Any) -> None:
    assert refused(model)


def test_endless_models_are_refused_in_time() -> None:
    assert "more than 2000 layers" in refused(sequential(*[dense()] * 100_000))
    assert "is not rebuilt" in refused(sequential(*[dense(units=10**100)]))
    model = sequential(dense())
    for _ in range(9):
        model = sequential(model)
    assert "nested more than 8 deep" in refused(model)


def test_as_many_rows_as_a_graph_may_have_are_laid_out() -> None:
    assert len(rows(sequential(*[dense()] * 2000)).layers) == 2000


# ---------------------------------------------------------------- graphs


CONSTANT = [["input", 0, 0, {"y": 2.0, "name": None}]]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (functional(fed(conv("a"), "b"), fed(dense("b"), "a")), "its layers feed each other in a circle"),
        (functional(fed(conv("a"), "a")), "its layers feed each other in a circle"),
        (functional(fed(conv("a"), "input"), fed(dense("b"), "c")), "there is no layer c in it"),
        (functional(fed(conv("a"))), "nothing gives its output"),
        (functional(fed(conv("a")), fed(dense("b"), "a")), "nothing feeds its layer b"),
        (functional(fed(conv("a"), nodes=[[["input", 1, 0, {}]]]), begins=[["other", 0, 0]]), "several inputs"),
        (functional(fed(conv("a"), nodes=[[["a", 3, 0, {}]]])), "nothing feeds its layer a"),
        (functional(fed(conv("a"), nodes=[[["input", 2, 0, {}]]])), "nothing feeds its layer a"),
        (functional(fed(conv("a"), nodes=[[["input", 0, 1, {}]]])), "which is no layer's only output"),
        (functional(fed(conv("a"), nodes=[[["input", -1, 0, {}]]])), "which is no layer's only output"),
        (functional(fed(conv("a"), nodes=[[["input", 0]]])), "a node of another shape"),
        (functional(fed(conv("a"), nodes=[[]])), "a node that is no list"),
        (functional(fed(conv("a"), nodes="input")), "a layer without inputs"),
        (functional(fed(conv("a"), nodes=[[["input", 0, 0, {"training": True}]]])), "called with training, which is"),
        (functional(fed(conv("a"), nodes=[[["input", 0, 0, {"mask": ["b", 0, 0]}]]])), "called with mask, which is"),
        (functional(fed(conv("a"), nodes=[[["input", 0, 0, {"run": "x"}]]])), "called with run, which is not"),
        (functional(fed(conv("a"), nodes=[[["input", 0, 0, []]]])), "keywords that are no mapping"),
        (functional(fed(conv("a"), nodes=[{"args": "input"}])), "a node of another shape"),
        (functional(fed(conv("a"), nodes=[{"args": [{"class_name": "os"}]}])), "neither a tensor nor numbers"),
        (functional(fed(conv("a"), nodes=[{"args": [], "kwargs": {}}])), "nothing feeds its layer a"),
        (functional(fed(conv("a"), nodes=CONSTANT)), "a (Conv2D) is applied to constants in a way"),
        (functional(fed(layer("Subtract", "a"), "input", "input")), "a joins two tensors in a way that is not"),
        (
            functional(fed(layer("TrueDivide", "a"), nodes=[[["input", 0, 0, {"y": 0}]]])),
            "a (TrueDivide) is applied to constants in a way",
        ),
        (
            functional(fed(layer("TrueDivide", "a"), nodes=[["_CONSTANT_VALUE", -1, 1.0, {"y": ["input", 0, 0]}]])),
            "a (TrueDivide) is applied to constants in a way",
        ),
        (functional(fed(conv("a"), "input"), fed(conv("a"), "input")), "two layers of it have the same name"),
        (functional(fed(conv("a"), "input"), ends=[["a", 0, 0], ["input", 0, 0]]), "a model of 2 inputs or outputs"),
        (functional(fed(conv("a"), "input"), ends={"x": ["a", 0, 0]}), "a model of 1 inputs or outputs"),
        (functional(fed(conv("a"), "input"), ends=[["b", 0, 0]]), "there is no layer b in it"),
        (
            functional(fed(layer("InputLayer", "second")), fed(layer("Add", "a"), "input", "second")),
            "it has a model of several inputs",
        ),
        (
            functional(fed(sequential(conv(), name="inner"), nodes=[[["input", 0, 0, {}]], [["inner", 1, 0, {}]]])),
            "it uses the model inner 2 times",
        ),
        (functional(fed(sequential(conv(), name="inner"), "input", "input")), "applies the model inner to more than"),
        (functional(fed(layer("Dropout", "drop"), "input", "input"), fed(dense(), "drop")), "drop (Dropout) takes m"),
    ],
)
def test_a_graph_that_is_none_is_refused(model: Model, reason: str) -> None:
    assert reason in refused(model)


def test_nodes_may_be_counted_from_one_after_a_model() -> None:
    """Keras 2 counts the use from which the inner model was made."""
    inner = functional(fed(conv("inside"), "input"), name="inner")
    for number in (0, 1):
        after = fed(layer("Flatten", "flat"), nodes=[[["inner", number, 0, {}]]])
        found = rows(functional(fed(inner, "input"), after, fed(dense(), "flat")))
        assert [(row.name, row.inputs) for row in found.layers] == [
            ("inside", ("image",)),
            ("flat", ("inside",)),
            ("dense", ("flat",)),
        ]


def test_layers_may_stand_in_any_order() -> None:
    found = rows(
        functional(fed(dense("c"), "b"), fed(layer("Flatten", "b"), "a"), fed(conv("a"), "input"), ends=[["c", 0, 0]])
    )
    assert [row.name for row in found.layers] == ["a", "b", "c"]


def test_what_does_not_lead_to_the_answer_is_left_out() -> None:
    found = rows(functional(fed(conv("a"), "input"), fed(conv("b"), "a"), fed(dense("c"), "a")))
    assert [row.name for row in found.layers] == ["a", "c"]


def test_a_layer_without_weights_may_be_used_twice() -> None:
    twice = fed(layer("ReLU", "relu"), nodes=[[["a", 0, 0, {}]], [["b", 0, 0, {}]]])
    after = fed(dense("c"), nodes=[[["relu", 1, 0, {}]]])
    found = rows(functional(fed(conv("a"), "input"), twice, fed(conv("b"), "relu"), after))
    assert [(row.name, row.inputs[0]) for row in found.layers] == [
        ("a", "image"),
        ("relu", "a"),
        ("b", "relu"),
        ("relu_2", "b"),
        ("c", "relu_2"),
    ]


def test_a_layer_with_weights_may_not_be_used_twice() -> None:
    twice = fed(conv("a"), nodes=[[["input", 0, 0, {}]], [["a", 0, 0, {}]]])
    calls, output = unfold(read_description(json.dumps(functional(twice, ends=[["a", 1, 0]])), KNOWN))
    with pytest.raises(Refused, match="it uses the weights of its layer a more than once"):
        lay_out(calls, output, lambda *_: {"kernel": np.ones((3, 3, 3, 4), np.float32)}, keras_2=True)


def test_names_become_names_that_rows_may_have() -> None:
    found = rows(
        sequential(
            conv("conv2d/kernel"), conv("conv2d kernel"), conv("_"), conv("logits"), conv("é" * 200), conv("image")
        )
    )
    assert [row.name for row in found.layers] == [
        "conv2d_kernel",
        "conv2d_kernel_2",
        "layer",
        "logits_layer",
        "layer_2",
        "image_layer",
    ]
    assert max(len(row.name) for row in rows(sequential(*[conv("x" * 500)] * 3)).layers) <= 64


# ---------------------------------------------------------------- layers


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (conv(filters=-5), "conv (Conv2D) is not rebuilt with Conv2D.filters: Input should be greater than or equal"),
        (conv(filters=0), "filters"),
        (conv(filters=None), "filters: Input should be a valid integer"),
        (conv(filters="4"), "filters: Input should be a valid integer"),
        (conv(filters=10**30), "filters"),
        (conv(kernel_size=[3, 3, 3]), "kernel"),
        (conv(kernel_size=-1), "kernel"),
        (conv(kernel_size=[3, 10**9]), "kernel"),
        (conv(kernel_size={"a": 1}), "kernel"),
        (conv(strides=0), "strides"),
        (conv(padding="causal"), "padding"),
        (conv(dilation_rate=1e9), "dilation"),
        (conv(groups=0), "groups"),
        (conv(use_bias=1), "bias"),
        (conv(data_format="channels_first"), "conv (Conv2D) does not have its channels last"),
        (conv(data_format=["channels_last"]), "conv (Conv2D) does not have its channels last"),
        (conv(activation="mine"), "activation: Input should be 'linear'"),
        (conv(activation={"class_name": "function", "config": "os.system"}), "an activation that is not Keras's own"),
        (conv(activation=layer("LeakyReLU", "x")), "its layer conv has an activation that is not Keras's own"),
        (conv(activation="hard_sigmoid"), "has the activation hard_sigmoid, which was another in Keras 2"),
        (conv(activation="softmax"), "activation: Input should be 'linear'"),
        (layer("Activation", "act", activation=["relu"]), "has an activation that is not Keras's own"),
        (layer("Softmax", "soft"), "soft is a softmax that is not at its end"),
        (layer("DepthwiseConv2D", "dw", kernel_size=3, strides=[1, 2]), "the two strides of a depthwise convolution"),
        (layer("DepthwiseConv2D", "dw", kernel_size=3, depth_multiplier=0), "multiplier"),
        (layer("BatchNormalization", "bn", axis=[1, 2]), "axis"),
        (layer("BatchNormalization", "bn", epsilon="1"), "epsilon"),
        (layer("BatchNormalization", "bn", renorm=True), "bn renormalises batches, which is not rebuilt"),
        (layer("BatchNormalization", "bn", virtual_batch_size=8), "bn renormalises batches, which is not rebuilt"),
        (layer("ReLU", "relu", max_value=-1), "maximum"),
        (layer("LeakyReLU", "leaky", alpha="0.3"), "negative_slope"),
        (layer("ELU", "elu", alpha=0.5), "elu is an ELU with an alpha other than 1"),
        (layer("MaxPooling2D", "pool", pool_size=1000), "pool"),
        (layer("ZeroPadding2D", "pad", padding=[[0, 0], [0, -1]]), "padding"),
        (layer("ZeroPadding2D", "pad", padding=10**9), "padding"),
        (layer("Reshape", "shape", target_shape=[-1, 3]), "target"),
        (layer("Reshape", "shape", target_shape="flat"), "target"),
        (layer("Rescaling", "scale", scale="2"), "scale"),
        (layer("Rescaling", "scale", scale=[1.0, None]), "scale"),
        (layer("Rescaling", "scale", scale=float("nan")), "scale"),
        (layer("Rescaling", "scale", scale=1e300), "scale"),
        (layer("Normalization", "norm"), "norm (Normalization) has no mean and variance"),
        (layer("Normalization", "norm", mean=[0.0], variance=[-1.0]), "no mean and variance of one shape"),
        (layer("Normalization", "norm", mean=[0.0], variance=[1.0, 1.0]), "no mean and variance of one shape"),
        (layer("Normalization", "norm", mean=["0"], variance=["1"]), "a mean and a variance that are no numbers"),
        (layer("Normalization", "norm", mean=[10**400], variance=[1]), "a mean and a variance that are no numbers"),
        (layer("Normalization", "norm", mean=[0.0], variance=[1.0], axis=[1, 2]), "does not normalise channels"),
        (layer("Normalization", "norm", mean=[0.0], variance=[1.0], invert=True), "does not normalise channels"),
        (layer("GlobalAveragePooling2D", "gap", keepdims=1), "keepdims"),
        (layer("Concatenate", "cat"), "cat (Concatenate) is not rebuilt with Concatenate.inputs"),
        (layer("Add", "add"), "add (Add) is not rebuilt with Add.inputs"),
        (layer("GetItem", "item"), "it takes one channel of an image alone, which is not rebuilt"),
        (layer("Stack", "stack"), "slices or stacks something that is not rebuilt"),
    ],
)
def test_a_layer_that_says_something_else_is_refused(entry: Model, reason: str) -> None:
    assert reason in refused(sequential(entry, dense()))


@pytest.mark.parametrize("end", ["relu", "tanh", "mine"])
def test_an_end_that_gives_neither_logits_nor_probabilities_is_refused(end: str) -> None:
    expected = f"it ends in {end}, where softmax, sigmoid or nothing makes probabilities of logits"
    assert refused(sequential(dense(activation=end))) == expected
    assert refused(sequential(dense(), layer("Activation", "act", activation=end))) == expected


def test_a_softmax_over_places_is_refused() -> None:
    assert "soft (Softmax) does not compare labels" in refused(sequential(dense(), layer("Softmax", "soft", axis=2)))


@pytest.mark.parametrize("axis", [-1, 1, [1], [-1]])
def test_a_softmax_over_labels_is_an_end(axis: Any) -> None:
    assert rows(sequential(dense(), layer("Softmax", "soft", axis=axis))).ending == "softmax"


def test_keras_3_means_what_it_says_by_hard_functions() -> None:
    (row, _) = rows(sequential(conv(activation="hard_swish"), dense()), keras_2=False).layers
    assert isinstance(row, Conv2D)
    assert row.activation == "hard_silu"


def test_a_minus_one_reshapes_to_a_row() -> None:
    assert rows(sequential(layer("Reshape", "flat", target_shape=[-1]), dense())).layers[0].kind == "Flatten"


def test_constants_rescale() -> None:
    def applied(kind: str, *nodes: Any) -> Rescaling:
        (row, _) = rows(functional(fed(layer(kind, "op"), nodes=list(nodes)), fed(dense(), "op"))).layers
        assert isinstance(row, Rescaling)
        return row

    after = [["input", 0, 0, {"y": 4.0, "name": None}]]
    before = ["_CONSTANT_VALUE", -1, 4.0, {"y": ["input", 0, 0], "name": None}]
    keras_3 = {"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["input", 0, 0]}}, 4.0]}
    found = {
        (kind, place): (row.scale, row.offset)
        for kind in ("Add", "Multiply", "Subtract", "TrueDivide")
        for place, node in (("after", after), ("before", before), ("Keras 3", keras_3))
        if (kind, place) != ("TrueDivide", "before")
        for row in [applied(kind, node)]
    }
    assert found == {
        **{("Add", place): ((1.0,), (4.0,)) for place in ("after", "before", "Keras 3")},
        **{("Multiply", place): ((4.0,), (0.0,)) for place in ("after", "before", "Keras 3")},
        **{("Subtract", place): ((1.0,), (-4.0,)) for place in ("after", "Keras 3")},
        ("Subtract", "before"): ((-1.0,), (4.0,)),
        **{("TrueDivide", place): ((0.25,), (0.0,)) for place in ("after", "Keras 3")},
    }


def test_what_one_channel_is_taken_for_is_refused_unless_it_is_stacked() -> None:
    picked = fed(layer("GetItem", "one"), nodes=[_picked("input", 0)])
    assert "takes one channel of an image alone" in refused(functional(picked, fed(dense(), "one")))
    reversed_ = fed(layer("GetItem", "all"), nodes=[[["conv", 0, 0, {"slice_spec": _reverse()}]]])
    assert "turns round the channels of something else" in refused(
        functional(fed(conv(), "input"), reversed_, fed(dense(), "all"))
    )
    from_two = [
        fed(conv(), "input"),
        fed(layer("GetItem", "one"), nodes=[_picked("input", 0)]),
        fed(layer("GetItem", "two"), nodes=[_picked("conv", 1)]),
        fed(layer("Stack", "stack", axis=-1), "one", "two"),
        fed(dense(), "stack"),
    ]
    assert "stacks more than channels of one image" in refused(functional(*from_two))


def _picked(source: str, channel: int) -> Any:
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": [source, 0, 0]}}
    return {"args": [tensor, [{"class_name": "__ellipsis__", "config": {}}, channel]], "kwargs": {}}


def _reverse() -> Any:
    return [{"class_name": "__ellipsis__"}, {"start": None, "stop": None, "step": -1}]


# ---------------------------------------------------------------- the input


@pytest.mark.parametrize(
    ("shape", "expected"),
    [([None, 8, 9, 3], (8, 9, 3)), ([16, None, None, 1], (None, None, 1)), (None, (None, None, None))],
)
@pytest.mark.parametrize("place", ["input", "batch_shape", "first layer", "model", "inner"])
def test_the_size_of_the_image_is_found_where_keras_puts_it(place: str, shape: Any, expected: Any) -> None:
    model = sequential(conv(), dense())
    first, layers_ = model["config"]["layers"][0], model["config"]["layers"]
    match place:
        case "input":
            first["config"]["batch_input_shape"] = shape
        case "batch_shape":
            first["config"] = {"name": "input", "batch_shape": shape}
        case "first layer":
            model["config"]["layers"] = [conv(batch_input_shape=shape), dense()]
        case "model":
            model["config"] |= {"layers": layers_[1:], "build_input_shape": shape}
        case "inner":
            inner = functional(fed(conv("inside"), "input"))
            inner["config"]["layers"][0]["config"]["batch_input_shape"] = shape
            model["config"]["layers"] = [inner, dense()]
    assert image_shape(model) == expected


def test_a_sequential_of_the_earliest_kind_is_a_list() -> None:
    model = {"class_name": "Sequential", "config": [conv(batch_input_shape=[None, 8, 9, 3]), dense()]}
    assert image_shape(model) == (8, 9, 3)
    assert [row.name for row in rows(model).layers] == ["conv", "dense"]


@pytest.mark.parametrize("shape", [[None, 5], [None, 2, 3, 4, 5], "image", 7, [None, "8", 8, 3], {"a": 1}])
def test_an_input_that_is_no_image_is_refused(shape: Any) -> None:
    model = sequential(conv(), dense())
    model["config"]["layers"][0]["config"]["batch_input_shape"] = shape
    assert "where an image has height, width and channels" in refused(model)


# ---------------------------------------------------------------- the whole way


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda model: model["config"]["layers"].append(STRANGERS[0][0]), "code (Lambda)"),
        (lambda _: "Sequential", "a layer without a class"),
        (lambda model: model["config"]["layers"].pop() and None, "belong to no layer of its description"),
        (lambda model: model["config"]["layers"][-1]["config"].update(name="renamed"), "belong to no layer"),
        (lambda model: model["config"]["layers"][1]["config"].update(filters=2**40), "filters"),
    ],
)
def test_a_refusal_names_the_file(change: Callable[[Model], object], reason: str, tmp_path: Path) -> None:
    path = rewrite(save(plain(), tmp_path / "model.h5"), change)
    with pytest.raises(LegacyInvalid) as error:
        read_legacy(path)
    assert str(error.value).startswith("model.h5 cannot be imported: ")
    assert str(error.value).endswith(".")
    assert reason in str(error.value)


def test_reading_changes_nothing_in_a_description() -> None:
    model = functional(fed(conv(activation="swish"), "input"), fed(dense(activation="softmax"), "conv"))
    before = copy.deepcopy(model)
    rows(model)
    assert model == before

"""A rebuilt graph answers as the model did that was saved, and refuses what would make it answer otherwise."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from keras.applications import imagenet_utils
from numpy.typing import NDArray

from services.bundle.graph import LayerGraph
from services.bundle.saliency import explainable
from training.errors import LegacyInvalid
from training.legacy import Legacy, read_legacy
from training.legacy.conventions import Conventions
from training.rebuilding import Rebuilt, rebuild

from .legacy.files import as_keras_2, everything, mobilenet, pictures, plain, rewrite, save, stir, transferred, vgg16

Floats = NDArray[Any]

TOLD = Conventions(labels=("a", "b", "c"), scaling="0..1", colour="rgb", size=None, fit="stretch", multilabel=False)


def told(count: int = 3, **changed: Any) -> Conventions:
    return dataclasses.replace(TOLD, **{"labels": tuple("abcdefgh"[:count])} | changed)


def answers(model: Any, pixels: Floats) -> Floats:
    found: Floats = np.asarray(model(pixels, training=False), np.float64)
    return found


def softmax(logits: Floats) -> Floats:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares


def names(rebuilt: Rebuilt) -> list[str]:
    return [layer.name for layer in rebuilt.described.layers]


def require_spread(probabilities: Floats) -> None:
    """The pictures are told apart, so that agreement says something."""
    assert probabilities.std(axis=0).max() > 1e-3
    assert probabilities.max() < 1 - 1e-4


# ---------------------------------------------------------------- the same answers


@pytest.mark.parametrize(
    ("make", "count", "scaling", "written_by"),
    [
        (plain, 3, "0..1", "Keras 3"),
        (plain, 3, "0..1", "Keras 2"),
        (everything, 4, "inside", "Keras 3"),
        (everything, 4, "inside", "Keras 2"),
        (lambda: transferred(3, nested=False), 3, "-1..1", "Keras 3"),
        (lambda: transferred(3, nested=False), 3, "-1..1", "Keras 2"),
        (vgg16, 2, "0..1", "Keras 2"),
    ],
)
def test_the_probabilities_are_those_of_the_saved_model(
    make: Callable[[], Any], count: int, scaling: str, written_by: str, tmp_path: Path
) -> None:
    model = make()
    path = save(model, tmp_path / "model.h5")
    if written_by == "Keras 2":
        as_keras_2(path)
    scaled = {"0..1": pictures() / 255, "-1..1": pictures() / 127.5 - 1, "inside": pictures()}[scaling]
    legacy = read_legacy(path)
    rebuilt = rebuild(legacy, told(count, scaling=scaling))
    expected = answers(model, scaled)
    require_spread(expected)
    np.testing.assert_allclose(softmax(answers(rebuilt.model, pictures())), expected, atol=1e-5)
    assert rebuilt.activation == "softmax"
    assert rebuilt.notes == ()
    assert legacy.keras_version == ("2.10.0" if written_by == "Keras 2" else keras.__version__)


@pytest.mark.parametrize(("base", "written_by"), [(None, "Keras 3"), (None, "Keras 2"), (mobilenet, "Keras 2")])
def test_one_sigmoid_becomes_two_logits(base: Callable[[], Any] | None, written_by: str, tmp_path: Path) -> None:
    model = transferred(base=None if base is None else base())
    path = save(model, tmp_path / "model.h5")
    if written_by == "Keras 2":
        as_keras_2(path)
    rebuilt = rebuild(read_legacy(path), told(2, scaling="inside"))
    logits = answers(rebuilt.model, pictures())
    positive = answers(model, pictures())
    require_spread(positive)
    np.testing.assert_array_equal(logits[:, 0], 0)
    np.testing.assert_allclose(softmax(logits)[:, 1:], positive, atol=1e-5)
    assert rebuilt.activation == "softmax"
    assert rebuilt.notes == ("It has one output: 0 is taken for a, 1 for b.",)


def test_one_output_that_no_dense_gives_becomes_two_logits_too(tmp_path: Path) -> None:
    head = [layers.Conv2D(1, 3), layers.GlobalAveragePooling2D(), layers.Activation("sigmoid")]
    model = stir(keras.Sequential([layers.Input((32, 32, 3)), *head]))
    rebuilt = rebuild(read_legacy(save(model, tmp_path / "model.h5")), told(2))
    expected = answers(model, pictures() / 255)
    require_spread(expected)
    np.testing.assert_allclose(softmax(answers(rebuilt.model, pictures()))[:, 1:], expected, atol=1e-5)
    assert names(rebuilt)[-2:] == ["output", "logits"]


def test_a_head_of_several_sigmoids_is_for_several_labels(tmp_path: Path) -> None:
    model = plain(3, "sigmoid")
    legacy = read_legacy(save(model, tmp_path / "model.h5"))
    rebuilt = rebuild(legacy, told(multilabel=True))
    assert rebuilt.activation == "sigmoid"
    found = 1 / (1 + np.exp(-answers(rebuilt.model, pictures())))
    np.testing.assert_allclose(found, answers(model, pictures() / 255), atol=1e-5)
    with pytest.raises(LegacyInvalid, match="say with --multilabel that an image may have several labels"):
        rebuild(legacy, told())


@pytest.mark.parametrize("end", [list, lambda: [layers.Activation("linear"), layers.Dropout(0.1)]])
def test_an_end_without_a_function_is_taken_for_logits(end: Callable[[], list[Any]], tmp_path: Path) -> None:
    model = stir(keras.Sequential([layers.Input((32, 32, 3)), layers.Flatten(), layers.Dense(3), *end()]))
    legacy = read_legacy(save(model, tmp_path / "model.h5"))
    rebuilt = rebuild(legacy, told())
    np.testing.assert_allclose(answers(rebuilt.model, pictures()), answers(model, pictures() / 255), rtol=1e-4)
    assert rebuilt.notes == ("It ends without softmax or sigmoid: its outputs are taken for logits.",)
    assert rebuild(legacy, told(multilabel=True)).activation == "sigmoid"


def test_a_function_after_a_function_leaves_the_first(tmp_path: Path) -> None:
    head = [layers.Flatten(), layers.Dense(3, activation="relu"), layers.Dropout(0.2), layers.Activation("softmax")]
    model = stir(keras.Sequential([layers.Input((32, 32, 3)), *head]))
    rebuilt = rebuild(read_legacy(save(model, tmp_path / "model.h5")), told())
    logits = answers(rebuilt.model, pictures())
    assert logits.min() == 0
    np.testing.assert_allclose(softmax(logits), answers(model, pictures() / 255), atol=1e-5)


# ---------------------------------------------------------------- pixels


def raw(shape: tuple[int, ...] = (32, 32, 3)) -> Any:
    """A model that shows what pixels it is given."""
    return stir(keras.Sequential([layers.Input(shape), layers.Conv2D(4, 9), layers.Flatten(), layers.Dense(2)]))


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
@pytest.mark.parametrize("scaling", ["0..1", "-1..1", "caffe", "torch", "none"])
def test_pixels_are_prepared_as_they_were(scaling: str, colour: str, tmp_path: Path) -> None:
    given = pictures()[..., ::-1] if colour == "bgr" else pictures()
    prepared = {
        "0..1": lambda pixels: pixels / 255,
        "-1..1": lambda pixels: imagenet_utils.preprocess_input(pixels.copy(), mode="tf"),
        "caffe": lambda pixels: imagenet_utils.preprocess_input(pixels.copy(), mode="caffe"),
        "torch": lambda pixels: imagenet_utils.preprocess_input(pixels.copy(), mode="torch"),
        "none": lambda pixels: pixels,
    }[scaling](given)
    model = raw()
    rebuilt = rebuild(read_legacy(save(model, tmp_path / "model.h5")), told(2, scaling=scaling, colour=colour))
    expected = answers(model, prepared)
    np.testing.assert_allclose(answers(rebuilt.model, pictures()), expected, atol=1e-5 * np.abs(expected).max())


def test_a_model_of_grey_images_is_given_one_channel(tmp_path: Path) -> None:
    model = raw((32, 32, 1))
    legacy = read_legacy(save(model, tmp_path / "model.h5"))
    rebuilt = rebuild(legacy, told(2, colour="grey"))
    grey = pictures((32, 32, 1))
    np.testing.assert_allclose(
        answers(rebuilt.model, np.repeat(grey, 3, axis=-1)), answers(model, grey / 255), rtol=1e-4
    )
    for colour, scaling, reason in (("rgb", "0..1", "grey images, not rgb"), ("grey", "caffe", "caffe is for colour")):
        with pytest.raises(LegacyInvalid, match=reason):
            rebuild(legacy, told(2, colour=colour, scaling=scaling))


@pytest.mark.parametrize("reversed_by", ["slice", "stack"])
def test_the_preprocessing_of_caffe_may_be_in_the_model(reversed_by: str, tmp_path: Path) -> None:
    image = layers.Input((32, 32, 3))
    x = keras.applications.resnet50.preprocess_input(image)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 5, activation="relu")(x))
    model = stir(keras.Model(image, layers.Dense(2, activation="softmax")(x)))
    path = save(model, tmp_path / "model.h5")
    if reversed_by == "slice":
        rewrite(path, _sliced)
    rebuilt = rebuild(read_legacy(path), told(2, scaling="inside"))
    assert [layer.kind for layer in rebuilt.described.layers[:2]] == ["Channels", "Rescaling"]
    np.testing.assert_allclose(softmax(answers(rebuilt.model, pictures())), answers(model, pictures()), atol=1e-5)


def _sliced(model: Any) -> None:
    """As Keras 2 wrote `x[..., ::-1]` and the subtraction of the mean."""
    first, *_, added, conv, pooled, dense = model["config"]["layers"]
    operators: list[dict[str, Any]] = [
        {
            "class_name": "SlicingOpLambda",
            "config": {"name": "reversed", "function": "__operators__.getitem"},
            "inbound_nodes": [
                [
                    first["name"],
                    0,
                    0,
                    {"slice_spec": [{"class_name": "__ellipsis__"}, {"start": None, "stop": None, "step": -1}]},
                ]
            ],
        },
        {
            "class_name": "TFOpLambda",
            "config": {"name": added["name"], "function": "nn.bias_add"},
            "inbound_nodes": [["reversed", 0, 0, {"bias": [-103.939, -116.779, -123.68], "data_format": "NHWC"}]],
        },
    ]
    model["config"]["layers"] = [first, *operators, conv, pooled, dense]


def test_scaling_inside_is_believed_only_where_something_scales(tmp_path: Path) -> None:
    with pytest.raises(LegacyInvalid, match="its first layer scales nothing; say with --scaling"):
        rebuild(read_legacy(save(raw(), tmp_path / "model.h5")), told(2, scaling="inside"))


def test_scaling_on_top_of_the_models_own_is_mentioned(tmp_path: Path) -> None:
    legacy = read_legacy(save(everything(), tmp_path / "model.h5"))
    (note,) = rebuild(legacy, told(4)).notes
    assert note == "It scales its input itself; the scaling that was asked for comes on top of that."


# ---------------------------------------------------------------- size


def test_an_open_size_is_asked_for_and_a_given_one_is_kept(tmp_path: Path) -> None:
    head = [layers.Conv2D(4, 3, strides=2), layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    model = stir(keras.Sequential([layers.Input((None, None, 3)), *head]))
    legacy = read_legacy(save(model, tmp_path / "model.h5"))
    assert legacy.image == (None, None, 3)
    with pytest.raises(LegacyInvalid, match=r"model.h5 cannot be imported: it takes images of any size; say with --s"):
        rebuild(legacy, told())
    rebuilt = rebuild(legacy, told(size=(40, 48)))
    assert rebuilt.size == (40, 48)
    pixels = pictures((40, 48, 3))
    np.testing.assert_allclose(softmax(answers(rebuilt.model, pixels)), answers(model, pixels / 255), atol=1e-5)


def test_another_size_than_the_files_is_refused(tmp_path: Path) -> None:
    legacy = read_legacy(save(plain(), tmp_path / "model.h5"))
    assert rebuild(legacy, told(size=(32, 32))).size == (32, 32)
    with pytest.raises(LegacyInvalid, match="it takes images of 32 x 32 pixels, not of 64 x 32"):
        rebuild(legacy, told(size=(64, 32)))


# ---------------------------------------------------------------- ends


@pytest.fixture(scope="module")
def legacy_plain(tmp_path_factory: pytest.TempPathFactory) -> Legacy:
    return read_legacy(save(plain(), tmp_path_factory.mktemp("legacy") / "plain.h5"))


@pytest.mark.parametrize(
    ("labels", "ending", "changed", "reason"),
    [
        (3, "softmax", {"labels": ("a", "b")}, "it has 3 outputs, and 2 labels are named"),
        (3, "softmax", {"multilabel": True}, "its softmax gives each image one label; --multilabel contradicts it"),
        (1, "softmax", {"labels": ("a", "b")}, "it has one output, which can only be the probability of the second"),
        (1, "sigmoid", {"labels": ("a", "b"), "multilabel": True}, "it has one output, which can only be the probab"),
        (1, "sigmoid", {}, "it has one output, so it tells two labels apart, not 3; name first what 0 means"),
    ],
)
def test_outputs_that_are_not_the_labels_are_refused(
    labels: int, ending: str, changed: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    legacy = read_legacy(save(plain(labels, ending), tmp_path / "model.h5"))
    with pytest.raises(LegacyInvalid) as refused:
        rebuild(legacy, told(**changed))
    assert reason in str(refused.value)


def test_an_output_of_another_shape_is_refused(legacy_plain: Legacy) -> None:
    with pytest.raises(LegacyInvalid, match=r"it ends in the shape \(32, 32, 4\), where each label has one number"):
        rebuild(
            dataclasses.replace(
                legacy_plain,
                layers=legacy_plain.layers[:1],
                weights={legacy_plain.layers[0].name: legacy_plain.weights[legacy_plain.layers[0].name]},
            ),
            told(),
        )


def test_an_end_like_an_architectures_is_called_like_one(tmp_path: Path) -> None:
    """So that it can be explained; a layer that had such a name elsewhere gives it away."""
    rebuilt = rebuild(read_legacy(save(transferred(), tmp_path / "model.h5")), told(2, scaling="inside"))
    assert names(rebuilt)[-3:] == ["features", "pooled", "logits"]
    assert explainable(rebuilt.model)
    image = layers.Input((32, 32, 3))
    x = layers.Conv2D(4, 3, name="logits")(image)
    x = layers.Conv2D(4, 3, activation="relu", name="hidden")(x)
    x = layers.Dense(5, activation="relu", name="image")(layers.GlobalAveragePooling2D(name="features")(x))
    model = stir(keras.Model(image, layers.Dense(3, activation="softmax", name="pooled")(x)))
    rebuilt = rebuild(read_legacy(save(model, tmp_path / "model.h5")), told())
    assert names(rebuilt) == ["scaling", "logits_layer", "features", "pooled", "hidden", "logits"]
    assert explainable(rebuilt.model)
    np.testing.assert_allclose(softmax(answers(rebuilt.model, pictures())), answers(model, pictures() / 255), atol=1e-5)


def test_an_end_of_another_kind_is_not_called_like_an_architectures(legacy_plain: Legacy) -> None:
    rebuilt = rebuild(legacy_plain, told())
    assert names(rebuilt)[-1] == "logits"
    assert not {"features", "pooled", "hidden"} & set(names(rebuilt))
    assert not explainable(rebuilt.model)
    assert isinstance(rebuilt.described, LayerGraph)


# ---------------------------------------------------------------- weights


def damaged(legacy: Legacy, name: str, **arrays: Floats | None) -> Legacy:
    own = {**legacy.weights.get(name, {}), **arrays}
    kept = {variable: array for variable, array in own.items() if array is not None}
    return dataclasses.replace(legacy, weights={**legacy.weights, name: kept})


@pytest.mark.parametrize(
    ("name", "arrays", "reason"),
    [
        (
            "dense",
            {"kernel": None},
            r"the layer dense\S* has the weights bias (16,); its description wants bias (16,),",
        ),
        ("dense", {"bias": np.zeros(15, np.float32)}, "bias (15,), kernel (72, 16); its description wants bias (16,),"),
        ("dense", {"gain": np.zeros(16, np.float32)}, "bias (16,), gain (16,), kernel (72, 16); its description wants"),
        ("flatten", {"kernel": np.zeros(1, np.float32)}, "has the weights kernel (1,); its description wants none"),
        ("nowhere", {"kernel": np.zeros(1, np.float32)}, "the layer nowhere has the weights kernel (1,); its descr"),
        ("conv2d", {"kernel": np.zeros((3, 3, 4, 3), np.float32)}, "kernel (3, 3, 4, 3); its description wants bias"),
    ],
)
def test_weights_that_are_not_exactly_the_layers_are_refused(
    name: str, arrays: dict[str, Any], reason: str, legacy_plain: Legacy
) -> None:
    full = next((layer.name for layer in legacy_plain.layers if layer.name.startswith(name)), name)
    with pytest.raises(LegacyInvalid) as refused:
        rebuild(damaged(legacy_plain, full, **arrays), told())
    assert reason.replace(r"dense\S*", full) in str(refused.value)


def test_a_layer_without_its_weights_is_refused(legacy_plain: Legacy) -> None:
    missing = dict(list(legacy_plain.weights.items())[1:])
    with pytest.raises(LegacyInvalid, match="has the weights none; its description wants bias"):
        rebuild(dataclasses.replace(legacy_plain, weights=missing), told())


def test_moments_beyond_half_precision_are_divided_with_what_goes_in(tmp_path: Path) -> None:
    conv, normalise = layers.Conv2D(6, 3, strides=4), layers.BatchNormalization(epsilon=0.5)
    head = [conv, normalise, layers.Flatten(), layers.Dense(3, activation="softmax")]
    model = stir(keras.Sequential([layers.Input((32, 32, 3)), *head]))
    conv.set_weights([array * 20 for array in conv.get_weights()])
    given = answers(conv, pictures())
    moments = [given.mean(axis=(0, 1, 2)), given.var(axis=(0, 1, 2))]
    assert max(np.abs(each).max() for each in moments) > np.finfo(np.float16).max
    normalise.set_weights([np.ones(6), np.zeros(6), *moments])
    rebuilt = rebuild(read_legacy(save(model, tmp_path / "model.h5")), told(scaling="none"))
    assert max(float(np.abs(array).max()) for array in rebuilt.model.get_weights()) < 2**15
    expected = answers(model, pictures())
    require_spread(expected)
    np.testing.assert_allclose(softmax(answers(rebuilt.model, pictures())), expected, atol=1e-5)

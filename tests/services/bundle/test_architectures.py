"""Every backbone passes the same tests."""

import itertools
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from services.bundle import weights
from services.bundle.architectures import BACKBONES, build, head_layers, smallest_side
from services.bundle.graph import Architecture
from services.bundle.saliency import explained
from services.compiler.onnxgraph import to_onnx
from services.errors import ManifestInvalid
from services.network import UNSOUND

LABELS = 3
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
FILTERS = (4, 8, 8, 8)

Floats = NDArray[np.float32]


def architecture(backbone: str, hidden: tuple[int, ...] = (), filters: tuple[int, ...] = FILTERS) -> Architecture:
    return Architecture(backbone=backbone, filters=filters if backbone == "convnet" else (), hidden=hidden)


def pictures(count: int, height: int, width: int) -> Floats:
    return np.random.default_rng(0).uniform(0, 255, (count, height, width, 3)).astype(np.float32)


def answers(model: Any, pixels: Floats) -> Floats:
    return np.asarray(keras.ops.convert_to_numpy(model(pixels, training=False)))


def stir(model: Any, seed: int = 0) -> None:
    """Random weights through which a signal passes, with statistics of normalisation that are not the fresh ones."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        kernels = [weight for weight in layer.get_weights() if weight.ndim > 1]
        vectors = [weight for weight in layer.get_weights() if weight.ndim == 1]
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.8, 1.2, weight.shape) for weight in vectors])
        elif kernels:
            (kernel,) = kernels
            inputs = np.prod(kernel.shape[:2]) if "Depthwise" in type(layer).__name__ else np.prod(kernel.shape[:-1])
            stirred = random.standard_normal(kernel.shape, np.float32) * np.sqrt(2 / inputs, dtype=np.float32)
            layer.set_weights([stirred, *(random.normal(0, 0.1, weight.shape) for weight in vectors)])


PARAMETERS = {
    "convnet": 1_660,
    "vgg16": 14_714_688,
    "vgg19": 20_024_384,
    "resnet50": 23_587_712,
    "resnet50_v2": 23_564_800,
    "inception_resnet_v2": 54_336_736,
    # Without the seven figures of its own normalisation.
    "efficientnet_b0": 4_049_571 - 7,
    # Of 4.7, 5.4 and 6.1 million with the top (google's README of EfficientNet-Lite), 1000 x 1280 + 1000 are the top's.
    "efficientnet_lite0": 3_413_024,
    "efficientnet_lite1": 4_189_344,
    "efficientnet_lite2": 4_869_168,
    "mobilenet_v2": 2_257_984,
    "mobilenet_v3_small": 939_120,
    "mobilenet_v3_large": 2_996_352,
    "densenet121": 7_037_504,
}
"""Of each backbone without the top, as published."""


@dataclass(frozen=True)
class Built:
    """One row, built twice: with open sides as for training, and afresh from its weights file as for serving."""

    backbone: str
    trained: Any
    served: Any
    pixels: Floats
    logits: Floats


@pytest.fixture(scope="module", params=BACKBONES)
def built(request: pytest.FixtureRequest) -> Built:
    """Sides that become odd at every stage, where the padding of some networks depends on it."""
    described = architecture(request.param)
    edge = smallest_side(described)
    sides = (edge + 5, edge + 18) if edge < 64 else (edge, edge + 5)
    trained = build(described, (None, None), LABELS)
    stir(trained)
    kernel, bias = trained.get_layer("logits").get_weights()
    # Activations are positive on the whole, so something speaks for the first label.
    trained.get_layer("logits").set_weights([np.concatenate([np.abs(kernel[:, :1]), kernel[:, 1:]], axis=1), bias])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.weights.h5"
        trained.save_weights(file)
        served = build(described, sides, LABELS)
        served.load_weights(file)
    pixels = pictures(2, *sides)
    return Built(request.param, trained, served, pixels, answers(trained, pixels))


class TestEveryBackbone:
    def test_gives_one_logit_per_label(self, built: Built) -> None:
        assert built.logits.shape == (2, LABELS)
        assert built.logits.dtype == np.float32
        assert np.isfinite(built.logits).all()
        # Logits, not probabilities: nothing squashes them after the last dense layer.
        assert built.trained.layers[-1].activation is keras.activations.linear

    def test_has_as_many_weights_as_were_published(self, built: Built) -> None:
        head = built.trained.get_layer("logits").count_params()
        assert built.trained.count_params() - head == PARAMETERS[built.backbone]

    def test_tells_one_picture_from_another(self, built: Built) -> None:
        assert not np.allclose(built.logits[0], built.logits[1], rtol=1e-3)

    def test_names_its_feature_map(self, built: Built) -> None:
        features = built.served.get_layer("features").output
        assert len(features.shape) == 4
        assert features.shape[1] < built.pixels.shape[1]

    def test_each_layer_with_weights_belongs_to_one_block(self, built: Built) -> None:
        blocks = BACKBONES[built.backbone].blocks
        names = [layer.name for layer in built.trained.layers if layer.weights and layer.name != "logits"]
        owners = {name: [block for block in blocks if name.startswith(block)] for name in names}
        assert {name: owners[name] for name in names if len(owners[name]) != 1} == {}
        # From input to output, and each block names something; the convnet has as many as it has filters.
        found = [block for block, _ in itertools.groupby(owners[name][0] for name in names)]
        assert found == list(blocks[: len(FILTERS)] if built.backbone == "convnet" else blocks)

    def test_is_named_alike_however_often_it_is_built(self, built: Built) -> None:
        names = [[layer.name for layer in model.layers if layer.weights] for model in (built.trained, built.served)]
        assert names[0] == names[1]

    def test_reloads_to_the_same_logits_with_open_and_with_fixed_sides(self, built: Built) -> None:
        np.testing.assert_allclose(answers(built.served, built.pixels), built.logits, rtol=1e-5, atol=1e-5)

    def test_scales_its_input_as_keras_does(self, built: Built) -> None:
        application = BACKBONES[built.backbone].application
        if application is None:
            pytest.skip("not one of keras.applications; its scaling has its own test")
        raw = application(include_top=False, weights=None, input_shape=built.pixels.shape[1:])
        features = keras.Model(built.served.input, built.served.get_layer("features").output)
        mine = {layer: layer.get_weights() for layer in features.layers if layer.weights}
        theirs = [layer for layer in raw.layers if layer.weights]
        if built.backbone == "efficientnet_b0":
            # The one whose own graph normalises, by figures that come with its ImageNet weights.
            theirs.pop(0).load_own_variables({"0": MEAN, "1": np.square(DEVIATION), "2": 0})
        for layer, numbers in zip(theirs, mine.values(), strict=True):
            layer.set_weights(numbers)
        prepared = sys.modules[application.__module__].preprocess_input(built.pixels.copy())
        expected = answers(raw, prepared)
        difference = np.abs(answers(features, built.pixels) - expected).max()
        assert difference <= 1e-5 * np.abs(expected).max()

    def test_holds_no_weights_below_its_first_block(self, built: Built) -> None:
        first = next(layer for layer in built.trained.layers if layer.weights)
        assert first.name.startswith(BACKBONES[built.backbone].blocks[0])
        kernel = first.get_weights()[0]
        assert kernel.ndim == 4

    def test_compiles_to_the_same_answers_and_saliency(self, built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
        # Set to whatever, tf2onnx neither hides what fails nor copies the graph before each step.
        monkeypatch.setenv("TF2ONNX_CATCH_ERRORS", "FALSE")
        pixels = np.rint(built.pixels[:1]).astype(np.uint8)
        model = explained(built.served)
        graph = to_onnx(model, *pixels.shape[1:3])
        session = onnxruntime.InferenceSession(graph, disabled_optimizers=list(UNSOUND))
        logits, saliency = session.run(["logits", "saliency"], {"image": pixels})
        expected = {name: np.asarray(value) for name, value in model(pixels.astype(np.float32), training=False).items()}
        np.testing.assert_allclose(logits, expected["logits"], rtol=1e-4, atol=1e-4 * np.abs(logits).max())
        assert saliency.shape == (1, LABELS, *built.served.get_layer("features").output.shape[1:3])
        largest = expected["saliency"].max()
        assert largest > 0
        np.testing.assert_allclose(saliency, expected["saliency"], rtol=1e-4, atol=1e-4 * largest)

    def test_trains_a_step(self, built: Built) -> None:
        model, before = built.trained, built.trained.get_weights()
        model.compile(
            keras.optimizers.SGD(1e-3),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            run_eagerly=True,
        )
        try:
            loss = model.train_on_batch(built.pixels, np.arange(2))
            layers = [layer.name for layer in model.layers if layer.trainable_weights]
            after = [layer.get_weights()[0] for layer in model.layers if layer.trainable_weights]
        finally:
            model.set_weights(before)
        assert np.isfinite(loss)
        moved = [
            name
            for name, weight in zip(layers, after, strict=True)
            if not np.array_equal(weight, model.get_layer(name).get_weights()[0])
        ]
        # The gradient reaches the very first layer.
        assert layers[0] in moved
        assert len(moved) > 0.5 * len(layers)


def test_each_graph_is_offered_by_name() -> None:
    assert sorted(BACKBONES) == [
        "convnet",
        "densenet121",
        "efficientnet_b0",
        "efficientnet_lite0",
        "efficientnet_lite1",
        "efficientnet_lite2",
        "inception_resnet_v2",
        "mobilenet_v2",
        "mobilenet_v3_large",
        "mobilenet_v3_small",
        "resnet50",
        "resnet50_v2",
        "vgg16",
        "vgg19",
    ]


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_the_head_is_what_it_says(hidden: tuple[int, ...]) -> None:
    described = architecture("convnet", hidden)
    model = build(described, (64, 64), LABELS)
    names = [layer.name for layer in model.layers if layer.weights and not layer.name.startswith("block")]
    assert tuple(names) == head_layers(described)


def test_what_only_training_wants_holds_no_weights() -> None:
    described = architecture("convnet", (16,))
    plain = build(described, (64, 64), LABELS)
    dropping = build(described, (64, 64), LABELS, dropout=0.5, block_dropout=0.2, l2=1e-4)
    assert [layer.name for layer in dropping.layers if "dropout" in layer.name] == [
        *(f"block{number}_dropout" for number in range(1, 5)),
        "hidden_dropout",
        "logits_dropout",
    ]
    assert [weight.shape for weight in dropping.weights] == [weight.shape for weight in plain.weights]
    assert plain.losses == []


def test_l2_counts_the_squares_of_the_kernels() -> None:
    model = build(architecture("convnet", (16,)), (64, 64), LABELS, l2=0.01)
    stir(model)
    kernels = [weight for weight in model.get_weights() if weight.ndim > 1]
    assert len(kernels) == len(FILTERS) + 2
    expected = 0.01 * sum(float(np.square(kernel).sum()) for kernel in kernels)
    assert float(sum(keras.ops.convert_to_numpy(loss) for loss in model.losses)) == pytest.approx(expected, rel=1e-4)
    # Where the backbone comes with weights of its own, only the head is held back.
    transferred = build(architecture("mobilenet_v3_small"), (64, 64), LABELS, l2=0.01)
    assert len(transferred.losses) == 1


def test_a_convnet_has_a_block_for_each_of_its_filters() -> None:
    model = build(architecture("convnet", filters=(4, 6, 8, 10, 12, 14)), (64, 130), LABELS)
    assert [model.get_layer(f"block{number}_conv").filters for number in range(1, 7)] == [4, 6, 8, 10, 12, 14]
    assert model.get_layer("features").output.shape == (None, 1, 2, 14)
    names = {layer.name.partition("_")[0] + "_" for layer in model.layers if "_conv" in layer.name}
    assert names == set(BACKBONES["convnet"].blocks)


@pytest.mark.parametrize("backbone", ["convnet", "efficientnet_lite0", "mobilenet_v3_small"])
def test_survives_half_precision(backbone: str, tmp_path: Path) -> None:
    model, pixels = build(architecture(backbone), (64, 64), LABELS), pictures(2, 64, 64)
    stir(model)
    full, half = tmp_path / "full.weights.h5", tmp_path / "half.weights.h5"
    model.save_weights(full)
    weights.halve(full, half)
    weights.require(weights.inspect(half.read_bytes()), weights.layout(full))
    before = answers(model, pixels)
    model.load_weights(half)
    after = answers(model, pixels)
    assert not np.array_equal(after, before)
    np.testing.assert_allclose(after, before, rtol=0.02, atol=0.02 * np.abs(before).max())


@pytest.mark.parametrize(
    ("backbone", "expected"), [("efficientnet_lite0", (-127 / 128, 0, 1)), ("convnet", (-1, -0.5 / 127.5, 1))]
)
def test_our_own_scale_their_input(backbone: str, expected: tuple[float, ...]) -> None:
    model = build(architecture(backbone), (32, 32), LABELS)
    scaled = keras.Model(model.input, model.get_layer("input_scaling").output)
    pixels = np.zeros((1, 32, 32, 3), np.float32)
    pixels[0, :3, 0] = np.array([[0.0], [127.0], [255.0]])
    np.testing.assert_allclose(answers(scaled, pixels)[0, :3, 0], np.array(expected)[:, None] * np.ones(3), atol=1e-6)


def test_an_unknown_backbone_is_not_guessed() -> None:
    with pytest.raises(ManifestInvalid, match="the backbone resnet9000 is not one of convnet, densenet121, "):
        build(architecture("resnet9000"), (64, 64), LABELS)


@pytest.mark.parametrize(
    ("described", "shape", "smallest"),
    [
        (architecture("vgg16"), (31, 64), 32),
        (architecture("inception_resnet_v2"), (96, 74), 75),
        (architecture("convnet"), (24, 24), 32),
        (architecture("convnet", filters=(4,) * 6), (63, None), 64),
    ],
)
def test_an_image_that_is_too_small_is_refused(
    described: Architecture, shape: tuple[int, int | None], smallest: int
) -> None:
    assert smallest_side(described) == smallest
    with pytest.raises(ManifestInvalid, match=rf"wants images of at least {smallest} x {smallest} pixels, not"):
        build(described, shape, LABELS)

"""Every backbone passes the same tests."""

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from services.bundle import weights
from services.bundle.architectures import BACKBONES, build, head_layers
from services.bundle.manifest import Architecture

EDGE, LABELS = 64, 3


@functools.cache
def classifier(backbone: str) -> Any:
    """With random weights through which a signal passes although batch normalisation has seen no image."""
    model = build(Architecture(backbone=backbone, hidden=()), (EDGE, EDGE), LABELS)
    random = np.random.default_rng(0)
    for layer in model.layers:
        if "conv" in type(layer).__name__.lower():
            kernel, *bias = layer.get_weights()
            inputs = np.prod(kernel.shape[:2]) if "Depthwise" in type(layer).__name__ else np.prod(kernel.shape[:3])
            layer.set_weights([random.normal(0, np.sqrt(2 / inputs), kernel.shape), *bias])
    return model


def logits(model: Any, pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(keras.ops.convert_to_numpy(model(pixels, training=False)))


def pictures(count: int = 2, edge: int = EDGE) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).uniform(0, 255, (count, edge, edge, 3)).astype(np.float32)


@pytest.mark.parametrize("backbone", BACKBONES)
class TestEveryBackbone:
    def test_gives_one_logit_per_label(self, backbone: str) -> None:
        model = classifier(backbone)
        answers = logits(model, pictures(2))
        assert answers.shape == (2, LABELS)
        assert answers.dtype == np.float32
        assert np.isfinite(answers).all()
        # Logits, not probabilities: nothing squashes them after the last dense layer.
        assert model.layers[-1].activation is keras.activations.linear

    def test_tells_black_from_white(self, backbone: str) -> None:
        black, white = np.zeros((1, EDGE, EDGE, 3), np.float32), np.full((1, EDGE, EDGE, 3), 255, np.float32)
        assert not np.allclose(logits(classifier(backbone), black), logits(classifier(backbone), white), atol=1e-6)

    def test_names_its_feature_map(self, backbone: str) -> None:
        features = classifier(backbone).get_layer("features").output
        assert len(features.shape) == 4
        assert features.shape[1] < EDGE

    def test_has_every_block_that_it_names(self, backbone: str) -> None:
        layers = [layer for layer in classifier(backbone).layers if layer.weights]
        for block in BACKBONES[backbone].blocks:
            assert [layer for layer in layers if layer.name.startswith(block)], block
        below_the_head = [layer.name for layer in layers if layer.name not in {"hidden", "logits"}]
        strays = [name for name in below_the_head if not name.startswith(BACKBONES[backbone].blocks)]
        # EfficientNetB0 of Keras normalises by a layer with statistics, which belongs to no block.
        assert strays in ([], ["normalization"])

    def test_survives_half_precision(self, backbone: str, tmp_path: Path) -> None:
        model, full, half = classifier(backbone), tmp_path / "full.weights.h5", tmp_path / "half.weights.h5"
        model.save_weights(full)
        weights.halve(full, half)
        found = weights.inspect(half.read_bytes())
        weights.require(found, weights.layout(full))
        other = build(Architecture(backbone=backbone, hidden=()), (EDGE, EDGE), LABELS)
        before = logits(model, pictures())
        assert not np.allclose(logits(other, pictures()), before, rtol=0.02, atol=1e-6)
        other.load_weights(half)
        np.testing.assert_allclose(logits(other, pictures()), before, rtol=0.02, atol=0.02 * np.abs(before).max())


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_the_head_is_what_it_says(hidden: tuple[int, ...]) -> None:
    architecture = Architecture(backbone="convnet", hidden=hidden)
    model = build(architecture, (EDGE, EDGE), LABELS)
    names = [layer.name for layer in model.layers if layer.weights and not layer.name.startswith("block")]
    assert tuple(names) == head_layers(architecture)


def test_dropout_changes_training_and_no_weights(tmp_path: Path) -> None:
    architecture = Architecture(backbone="convnet", hidden=(16,))
    plain, dropping = (build(architecture, (EDGE, EDGE), LABELS, dropout=share) for share in (0.0, 0.5))
    for model, name in ((plain, "plain"), (dropping, "dropping")):
        model.save_weights(tmp_path / f"{name}.weights.h5")
    assert [layer.name for layer in dropping.layers if "dropout" in layer.name] == ["hidden_dropout", "logits_dropout"]
    shapes = [tuple(weight.shape) for weight in plain.weights]
    assert [tuple(weight.shape) for weight in dropping.weights] == shapes


def test_open_sides_take_any_size() -> None:
    model = build(Architecture(backbone="convnet", hidden=()), (None, None), LABELS)
    assert logits(model, pictures(1, 48)).shape == logits(model, pictures(1, 80)).shape == (1, LABELS)


def test_lite0_has_the_published_number_of_parameters() -> None:
    model = classifier("efficientnet_lite0")
    features = keras.Model(model.input, model.get_layer("features").output)
    # Published: 4.7 million, of which 1280 x 1000 + 1000 belong to the top.
    assert features.count_params() == pytest.approx(3.41e6, abs=0.005e6)


def test_normalisation_is_inside_the_graph() -> None:
    model = classifier("efficientnet_lite0")
    scaled = keras.Model(model.input, model.get_layer("rescaling").output)
    ends = np.array([0.0, 127.0, 255.0], np.float32).reshape(1, 1, 3, 1) * np.ones((1, EDGE, 1, 3), np.float32)
    ends = np.pad(ends, ((0, 0), (0, 0), (0, EDGE - 3), (0, 0)))
    np.testing.assert_allclose(logits(scaled, ends)[0, 0, :3, 0], [-127 / 128, 0, 1])


def test_an_unknown_backbone_is_not_guessed() -> None:
    with pytest.raises(KeyError):
        build(Architecture(backbone="resnet9000", hidden=()), (EDGE, EDGE), LABELS)

"""A compiled graph: the same answers from many threads, features and maps as Keras gives them, and no other file."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from services.bundle.architectures import build
from services.bundle.graph import Architecture
from services.bundle.outputs import served
from services.bundle.preprocessing import prepare
from services.compiler.onnxgraph import to_onnx
from services.errors import CompileFailed
from services.network import Network, give_back_memory
from services.registry import Registry
from tests.bundles import draw
from tests.gradcam import grad_cam, rank_correlation
from tests.services.bundle.test_architectures import stir

EDGE, LABELS = 96, 24
PICTURES = np.stack([draw(number % 3, number, width=EDGE, height=EDGE) for number in range(4)])


def test_runs_at_once_give_what_runs_one_by_one_give(registry: Registry) -> None:
    live = registry.live("shapes")
    tensors = [prepare(draw(number % 3, seed=number), live.manifest.preprocessing) for number in range(60)]
    alone = [live.network.logits(tensor) for tensor in tensors]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(live.network.logits, tensors))
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x08" * 400])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(content)
    with pytest.raises(CompileFailed):
        Network(path)


def test_a_graph_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileFailed):
        Network(tmp_path / "nothing.onnx")


def test_memory_can_be_given_back_at_any_time(registry: Registry) -> None:
    live = registry.live("shapes")
    tensor = prepare(draw(0), live.manifest.preprocessing)
    before = live.network.logits(tensor)
    give_back_memory()
    np.testing.assert_array_equal(live.network.logits(tensor), before)


# ---------------------------------------------------------------- features and maps


def network(model: Any, folder: Path) -> Network:
    path = folder / "graph.onnx"
    path.write_bytes(to_onnx(served(model), EDGE, EDGE))
    return Network(path)


@dataclass(frozen=True)
class Compiled:
    """A Keras classifier of 24 labels and the graph that was made of it."""

    model: Any
    network: Network

    def maps(self) -> NDArray[np.float32]:
        """What speaks for each label in each picture, float32 [4, 24, 12, 12]."""
        answers = [self.network.answer(tensor, saliency=True).saliency for tensor in PICTURES]
        return np.stack([each for each in answers if each is not None])


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """With a hidden layer in the head, whose mask each image has for itself."""
    model = build(Architecture(backbone="convnet", filters=(8, 16, 32), hidden=(16,)), (EDGE, EDGE), LABELS)
    stir(model)
    return Compiled(model, network(model, tmp_path_factory.mktemp("compiled")))


def test_the_graph_gives_what_keras_gives(compiled: Compiled) -> None:
    expected = {
        name: np.asarray(keras.ops.convert_to_numpy(tensor))
        for name, tensor in served(compiled.model)(PICTURES.astype(np.float32), training=False).items()
    }
    for number, tensor in enumerate(PICTURES):
        answer = compiled.network.answer(tensor, saliency=True)
        assert answer.saliency is not None
        for name, found in (("logits", answer.logits), ("features", answer.features), ("saliency", answer.saliency)):
            assert found.dtype == np.float32
            assert found.shape == expected[name].shape[1:]
            np.testing.assert_allclose(found, expected[name][number], rtol=1e-4, atol=1e-4 * np.ptp(expected[name]))


def test_saliency_is_what_autodiff_gives(compiled: Compiled) -> None:
    expected, found = grad_cam(compiled.model, PICTURES.astype(np.float32)), compiled.maps()
    assert found.shape == expected.shape == (4, LABELS, 12, 12)
    assert np.mean(expected.max(axis=(2, 3)) > 0) > 0.5
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.max())


def test_a_random_head_gives_unrelated_maps(compiled: Compiled, tmp_path: Path) -> None:
    """The sanity check of Adebayo et al. 2018 (arXiv:1810.03292) on what is served: each label is a head by itself."""
    other = keras.models.clone_model(compiled.model)
    other.set_weights(compiled.model.get_weights())
    random = np.random.default_rng(5)
    for name in ("hidden", "logits"):
        layer = other.get_layer(name)
        layer.set_weights([random.permutation(weight.ravel()).reshape(weight.shape) for weight in layer.get_weights()])
    mine, theirs = compiled.maps(), Compiled(other, network(other, tmp_path)).maps()
    assert rank_correlation(mine, compiled.maps()) == pytest.approx(1)
    assert abs(rank_correlation(mine, theirs)) < 0.25


def test_maps_are_given_only_where_they_are_asked_for(compiled: Compiled) -> None:
    plain, asked = (compiled.network.answer(PICTURES[0], saliency=wanted) for wanted in (False, True))
    assert plain.saliency is None
    assert asked.saliency is not None
    np.testing.assert_array_equal(plain.logits, asked.logits)
    np.testing.assert_array_equal(plain.features, asked.features)
    np.testing.assert_array_equal(compiled.network.logits(PICTURES[0]), plain.logits)


def test_an_architecture_without_maps_gives_none(tmp_path: Path) -> None:
    image = keras.Input((EDGE, EDGE, 3))
    pooled = keras.layers.GlobalMaxPooling2D()(keras.layers.Conv2D(4, 3, strides=4)(image))
    model = keras.Model(image, keras.layers.Dense(LABELS)(pooled))
    answer = network(model, tmp_path).answer(PICTURES[0], saliency=True)
    assert answer.saliency is None
    # The mean of its only maps, and what its head reads, which is their highest values.
    assert answer.features.shape == (4 + 4,)

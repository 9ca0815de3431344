"""What a compiled graph is kept under, and which manifests and weights become one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.bundle.classifier import load_classifier
from services.bundle.graph import Architecture, Description
from services.bundle.manifest import parse_manifest
from services.bundle.outputs import served
from services.bundle.preprocessing import prepare
from services.bundle.store import Bundle, Store
from services.compiler import Compiler, graph_key
from services.errors import BundleRefused, ManifestInvalid, WeightsInvalid
from services.network import Network
from tests.bundles import ARCHITECTURE, EDGE, PREPROCESSING, draw, publish_tiny
from tests.gradcam import grad_cam
from tests.layers import layer_graph
from tests.manifests import valid_manifest


def key(*path: str, value: Any = None) -> str:
    """The key of a valid manifest, with the field at `path` changed."""
    manifest = valid_manifest()
    parent: Any = manifest
    for part in path[:-1]:
        parent = parent[part]
    if path:
        assert parent[path[-1]] != value
        parent[path[-1]] = value
    if manifest["calibration"]["activation"] == "sigmoid":
        manifest["evaluation"]["confusion"] = manifest["prediction_sets"] = None
    return graph_key(parse_manifest(json.dumps(manifest).encode()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("weights", "sha256"), "f" * 64),
        (("architecture", "backbone"), "mobilenet_v2"),
        (("architecture", "hidden"), [64]),
        (("architecture",), {"backbone": "convnet", "filters": [16, 32], "hidden": [128]}),
        (("preprocessing", "height"), 128),
        (("preprocessing", "width"), 96),
    ],
    ids=str,
)
def test_what_decides_the_graph_decides_its_key(path: tuple[str, ...], value: Any) -> None:
    assert key(*path, value=value) != key()


@pytest.mark.parametrize(
    ("first", "second"), [([16, 32], [16, 64]), ([16, 32], [32, 16]), ([16, 32], [16, 32, 64])], ids=str
)
def test_the_filters_decide_the_key(first: list[int], second: list[int]) -> None:
    keys = [
        key("architecture", value={"backbone": "convnet", "filters": filters, "hidden": []})
        for filters in (first, second)
    ]
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        # The graph ends in logits; what becomes of them is decided after it.
        (("calibration", "temperature"), 2.0),
        (("calibration", "activation"), "sigmoid"),
        (("preprocessing", "fit"), "stretch"),
        (("version",), 9),
    ],
    ids=str,
)
def test_what_comes_before_and_after_the_graph_does_not(path: tuple[str, ...], value: Any) -> None:
    assert key(*path, value=value) == key()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (layer_graph((4, 8), 2), layer_graph((4, 16), 2)),
        (layer_graph((4, 8), 2), layer_graph((4, 8, 16), 2)),
        (layer_graph((4, 8), 2), Architecture(backbone="convnet", filters=(4, 8), hidden=())),
    ],
    ids=["filters", "layers", "kind"],
)
def test_every_layer_decides_the_key(first: Description, second: Description) -> None:
    keys = [key("architecture", value=description.model_dump(mode="json")) for description in (first, second)]
    assert keys[0] != keys[1]


# ---------------------------------------------------------------- the classifier that becomes a graph


@pytest.fixture(scope="module", params=["a backbone", "a list of layers"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    root = tmp_path_factory.mktemp("compiled")
    publish_tiny(root, seed=1, imported=request.param == "a list of layers")
    return Store(root).read("shapes", 1)


def described(bundle: Bundle, architecture: Description) -> Bundle:
    """The same bundle, whose manifest says that its weights are of another network."""
    manifest = bundle.manifest.model_copy(update={"architecture": architecture})
    return replace(bundle, manifest=manifest)


def test_a_classifier_gives_its_reference_logits(bundle: Bundle) -> None:
    model = load_classifier(bundle.weights.read_bytes(), bundle.manifest)
    logits = np.asarray(model(bundle.probe_tensor[None].astype(np.float32), training=False))
    np.testing.assert_allclose(logits[0], bundle.manifest.probe.logits, atol=1e-4)


@pytest.mark.parametrize(
    ("architecture", "error", "reason"),
    [
        (Architecture(backbone="nonesuch", filters=(), hidden=()), ManifestInvalid, "nonesuch is not one of .*convnet"),
        (
            Architecture(backbone="inception_resnet_v2", filters=(), hidden=()),
            ManifestInvalid,
            "at least 75 x 75 pixels, not 32 x 32",
        ),
        (
            Architecture(backbone="convnet", filters=(4,) * 6, hidden=()),
            ManifestInvalid,
            "at least 64 x 64 pixels, not 32 x 32",
        ),
        (ARCHITECTURE.model_copy(update={"hidden": (8,)}), WeightsInvalid, "is missing|is not part of|has the shape"),
        (layer_graph((16, 32, 64, 129), 3), WeightsInvalid, "is missing|is not part of|has the shape"),
        (layer_graph((16, 32, 64, 128), 4), ManifestInvalid, "the graph gives logits of the shape"),
        (layer_graph((4, 5, 6, 7, 8, 9), 3), ManifestInvalid, "the layer pool9 "),
    ],
    ids=["unknown", "too small", "too many blocks", "hidden layer", "other filters", "more labels", "too deep"],
)
def test_weights_of_another_network_are_refused_in_a_sentence(
    bundle: Bundle, architecture: Description, error: type[BundleRefused], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        load_classifier(bundle.weights.read_bytes(), described(bundle, architecture).manifest)


def test_bytes_that_changed_after_they_were_verified_are_refused(bundle: Bundle) -> None:
    with pytest.raises(WeightsInvalid, match="changed while it was being read"):
        load_classifier(bundle.weights.read_bytes() + b"x", bundle.manifest)


def test_the_childs_graph_gives_logits_features_and_maps_as_keras_does(bundle: Bundle, compiler: Compiler) -> None:
    network = Network(compiler.graph(bundle))
    model = load_classifier(bundle.weights.read_bytes(), bundle.manifest)
    for number in range(3):
        tensor = prepare(draw(number, seed=5), PREPROCESSING)
        pixels = tensor[None].astype(np.float32)
        expected = {name: np.asarray(found)[0] for name, found in served(model)(pixels, training=False).items()}
        assert set(expected) == {"logits", "features", "saliency"}
        answer = network.answer(tensor, saliency=True)
        assert answer.saliency is not None
        np.testing.assert_allclose(answer.logits, expected["logits"], atol=1e-4)
        np.testing.assert_allclose(answer.features, expected["features"], atol=1e-4)
        np.testing.assert_allclose(answer.saliency, expected["saliency"], atol=1e-4)
        np.testing.assert_allclose(answer.saliency, grad_cam(model, pixels)[0], atol=1e-4)
        assert answer.features.shape == (64 + 128 + 128,)
        assert answer.saliency.shape == (3, 2, 2)


def test_what_the_child_refuses_reaches_its_parent_as_the_same_sentence(bundle: Bundle, tmp_path: Path) -> None:
    compiler = Compiler(tmp_path / "graphs", seconds=120, memory_mb=8192)
    wanting = described(bundle, Architecture(backbone="inception_resnet_v2", filters=(), hidden=()))
    assert wanting.manifest.preprocessing.height == EDGE
    with pytest.raises(WeightsInvalid) as refused:
        compiler.graph(wanting)
    assert str(refused.value) == (
        "the backbone inception_resnet_v2 wants images of at least 75 x 75 pixels, not 32 x 32"
    )
    assert list((tmp_path / "graphs").iterdir()) == []

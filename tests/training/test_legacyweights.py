"""Files of Keras before version 3, as Keras writes them, as older ones lie about, and hostile."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from numpy.typing import NDArray

from services.bundle.architectures import build
from services.bundle.graph import Architecture
from training.errors import WeightsUnavailable
from training.legacyweights import is_legacy, load_legacy

Arrays = Mapping[str, list[NDArray[Any]]]


def small(seed: int = 0) -> Any:
    """A convnet's features, with numbers of its own everywhere."""
    model = build(Architecture(backbone="convnet", filters=(4, 6), hidden=()), (32, 32), 3)
    features = keras.Model(model.input, model.get_layer("features").output)
    random = np.random.default_rng(seed)
    features.set_weights([random.normal(size=weight.shape) for weight in features.get_weights()])
    return features


def arrays(features: Any) -> dict[str, list[NDArray[Any]]]:
    return {layer.name: layer.get_weights() for layer in features.layers if layer.weights}


def write(path: Path, saved: Arrays, *, below: str = "", split: int = 0) -> Path:
    """As Keras 2 writes weights: names in attributes, each array under "<layer>/<variable>:0"."""
    with h5py.File(path, "w") as file:
        root = file.require_group(below) if below else file
        names = [name.encode() for name in ("image", *saved)]
        if split:
            for number, start in enumerate(range(0, len(names), split)):
                root.attrs[f"layer_names{number}"] = names[start : start + split]
        else:
            root.attrs["layer_names"] = names
        for name in ("image", *saved):
            group = root.require_group(name)
            variables = [f"{name}/variable_{number}:0" for number in range(len(saved.get(name, [])))]
            group.attrs["weight_names"] = [variable.encode() for variable in variables]
            for variable, numbers in zip(variables, saved.get(name, []), strict=True):
                group[variable] = numbers
    return path


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(*pair) for pair in zip(one.get_weights(), other.get_weights(), strict=True))


def test_weights_as_keras_writes_them_are_read(tmp_path: Path) -> None:
    path, source, target = tmp_path / "weights.h5", small(1), small(2)
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, source)
    assert is_legacy(path)
    load_legacy(target, path)
    assert same(source, target)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_of_a_whole_model_only_the_weights_are_read(tmp_path: Path) -> None:
    path, source, target = tmp_path / "model.h5", small(1), small(2)
    source.save(path)
    with h5py.File(path, "a") as file:
        assert "model_config" in file.attrs
        file.attrs["model_config"] = '{"class_name": "Lambda", "config": {"function": "evil"}}'
    assert is_legacy(path)
    load_legacy(target, path)
    assert same(source, target)


@pytest.mark.parametrize("split", [0, 2])
def test_layers_are_found_by_name_in_any_order(split: int, tmp_path: Path) -> None:
    source, target = small(1), small(2)
    backwards = dict(reversed(arrays(source).items()))
    load_legacy(target, write(tmp_path / "weights.h5", backwards, split=split))
    assert same(source, target)


def test_layers_of_other_names_are_taken_in_their_order(tmp_path: Path) -> None:
    source, target = small(1), small(2)
    renamed = {f"layer/number_{number}": part for number, part in enumerate(arrays(source).values())}
    load_legacy(target, write(tmp_path / "weights.h5", renamed, below="model_weights"))
    assert same(source, target)


@pytest.mark.parametrize("rename", ["", "other_"])
def test_a_top_is_left_out(rename: str, tmp_path: Path) -> None:
    source, target = small(1), small(2)
    saved = {f"{rename}{name}": part for name, part in arrays(source).items()}
    topped = {**saved, "fc1": [np.zeros((6, 10)), np.zeros(10)], "predictions": [np.zeros((10, 1000)), np.zeros(1000)]}
    load_legacy(target, write(tmp_path / "weights.h5", topped))
    assert same(source, target)


def without_the_last(saved: dict[str, list[NDArray[Any]]]) -> Arrays:
    return dict(list(saved.items())[:-1])


def wider(saved: dict[str, list[NDArray[Any]]]) -> Arrays:
    return {**saved, "block2_conv": [np.zeros((3, 3, 4, 7))]}


def one_array_less(saved: dict[str, list[NDArray[Any]]]) -> Arrays:
    return {**saved, "block2_bn": saved["block2_bn"][:3]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without_the_last, r"weights.h5 has 3 layers with weights, the backbone 4"),
        (wider, r"block2_conv has arrays of the shapes .*\(3, 3, 4, 7\).* where block2_conv wants .*\(3, 3, 4, 6\)"),
        (one_array_less, "the layer block2_bn has arrays of the shapes"),
    ],
)
def test_another_network_is_refused_before_a_number_is_loaded(
    change: Callable[[Any], Arrays], reason: str, tmp_path: Path
) -> None:
    target = small(2)
    with pytest.raises(WeightsUnavailable, match=reason):
        load_legacy(target, write(tmp_path / "weights.h5", change(arrays(small(1)))))
    assert same(target, small(2))


def soft(group: Any, name: str, elsewhere: Path) -> None:
    group[name] = h5py.SoftLink("/block1_conv/block1_conv/variable_0:0")
    del elsewhere


def external(group: Any, name: str, elsewhere: Path) -> None:
    group[name] = h5py.ExternalLink(str(elsewhere), "numbers")


def stored_outside(group: Any, name: str, elsewhere: Path) -> None:
    group.create_dataset(name, (3, 3, 3, 4), "float32", external=[(str(elsewhere), 0, 432)])


def virtual(group: Any, name: str, elsewhere: Path) -> None:
    layout = h5py.VirtualLayout((3, 3, 3, 4), "float32")
    layout[:] = h5py.VirtualSource(str(elsewhere), "numbers", (3, 3, 3, 4))
    group.create_virtual_dataset(name, layout)


def gone(group: Any, name: str, elsewhere: Path) -> None:
    del group, name, elsewhere


@pytest.mark.parametrize("show", [soft, external, stored_outside, virtual, gone])
def test_numbers_from_elsewhere_are_refused(show: Callable[..., None], tmp_path: Path) -> None:
    path, target = write(tmp_path / "weights.h5", arrays(small(1))), small(2)
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["numbers"] = np.ones((3, 3, 3, 4), np.float32)
    with h5py.File(path, "a") as file:
        group = file["block1_conv/block1_conv"]
        del group["variable_0:0"]
        show(group, "variable_0:0", tmp_path / "secret.h5")
    with pytest.raises((KeyError, ValueError), match=r"missing, or a link|stored in another file"):
        load_legacy(target, path)
    assert same(target, small(2))


def test_what_is_not_of_the_layout_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "new.weights.h5"
    small().save_weights(path)
    assert not is_legacy(path)
    path.write_bytes(b"not HDF5")
    with pytest.raises(OSError, match="file signature not found"):
        is_legacy(path)

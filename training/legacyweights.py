"""Keras's HDF5 layout of weights before Keras 3, which its applications are still published in: read as arrays only."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from training.errors import WeightsUnavailable

_NORMALISATION = re.compile(r"normalization(_\d+)?")
_STATISTICS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean, and deviation in the place of variance: Keras's EfficientNet divides by its root twice."""

_Saved = tuple[str, list[Any]]


def is_legacy(path: Path) -> bool:
    """Whether an HDF5 file has the layout: names of layers in attributes, here or in the group of a whole model.

    Raises:
        OSError: not an HDF5 file.
    """
    with h5py.File(path, "r") as file:
        return "model_weights" in file or any(name.startswith("layer_names") for name in file.attrs)


def load_legacy(features: Any, path: Path) -> None:
    """Load weights by the names of the layers, or by their order where the file has other names.

    The names and the numbers are read; what else a file of a whole model holds is not. Layers after the backbone's
    last are left out.

    Args:
        features: keras.Model from image to feature map.
        path: a file of `Model.save_weights` or `Model.save` of Keras 2, or of keras.applications.

    Raises:
        WeightsUnavailable: the layers are others, or their arrays have other shapes; then nothing was loaded.
        OSError, KeyError, ValueError, TypeError: the file is torn or not of this layout.
    """
    layers = [layer for layer in features.layers if layer.weights]
    with h5py.File(path, "r") as file:
        root = _inside(file, "model_weights") if "model_weights" in file else file
        saved = [entry for entry in _saved_layers(root) if entry[1]]
        pairs = list(zip(layers, _chosen(layers, saved, path), strict=True))
        for layer, (name, arrays) in pairs:
            wanted, found = ([tuple(array.shape) for array in side] for side in (layer.weights, arrays))
            if wanted != found:
                message = (
                    f"{path}: the layer {name} has arrays of the shapes {found}, where {layer.name} wants {wanted}."
                )
                raise WeightsUnavailable(message)
        for layer, (_, arrays) in pairs:
            layer.set_weights([array[()] for array in arrays])


def require_statistics(arrays: list[Any], path: Path) -> None:
    """Refuse an EfficientNet that normalises its input otherwise than ours, which has ImageNet's figures fixed.

    Args:
        arrays: of its normalization layer: mean and variance per channel first.
        path: the file, for the message.

    Raises:
        WeightsUnavailable: other figures.
    """
    found = [np.asarray(array[()], np.float64).ravel() for array in arrays[: len(_STATISTICS)]]
    if any(not np.allclose(ours, theirs, atol=1e-3) for ours, theirs in zip(_STATISTICS, found, strict=True)):
        message = f"{path}: its network normalises images by other figures than ImageNet's, which ours has fixed."
        raise WeightsUnavailable(message)


def _chosen(layers: list[Any], saved: list[_Saved], path: Path) -> list[_Saved]:
    for name, arrays in saved:
        if _NORMALISATION.fullmatch(name):
            require_statistics(arrays, path)
    rest = [(name, arrays) for name, arrays in saved if not _NORMALISATION.fullmatch(name)]
    named = dict(rest)
    if all(layer.name in named for layer in layers):
        return [(layer.name, named[layer.name]) for layer in layers]
    if len(rest) < len(layers):
        message = f"{path} has {len(rest)} layers with weights, the backbone {len(layers)}."
        raise WeightsUnavailable(message)
    return rest[: len(layers)]


def _saved_layers(root: Any) -> Iterator[_Saved]:
    for name in _names(root, "layer_names"):
        group = _inside(root, name)
        yield name, [_inside(group, weight) for weight in _names(group, "weight_names")]


def _names(group: Any, attribute: str) -> list[str]:
    # An attribute holds at most 64 KiB; longer lists are split over numbered ones.
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        parts = [
            group.attrs[f"{attribute}{number}"]
            for number in range(len(group.attrs))
            if f"{attribute}{number}" in group.attrs
        ]
    names = [name for part in parts for name in part]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _inside(group: Any, path: str) -> Any:
    """What lies at a path in the file itself: a link or a virtual array could show another file's numbers."""
    item = group
    for name in path.split("/"):
        if not isinstance(item.get(name, getlink=True), h5py.HardLink):
            message = f"{path} is missing, or a link"
            raise KeyError(message)
        item = item[name]
    if isinstance(item, h5py.Dataset) and (item.is_virtual or item.external):
        message = f"{path} is stored in another file"
        raise ValueError(message)
    return item

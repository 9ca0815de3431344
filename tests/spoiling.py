"""Ways to spoil a bundle: its files, or the inside of its weights before their digest is taken."""

from pathlib import Path

import h5py
import numpy as np


def truncated(folder: Path) -> None:
    path = folder / "model.weights.h5"
    path.write_bytes(path.read_bytes()[:-1000])


def tampered(folder: Path) -> None:
    path = folder / "model.weights.h5"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def without_weights(folder: Path) -> None:
    (folder / "model.weights.h5").unlink()


def first_array(file: h5py.File) -> str:
    found: list[str] = []
    file.visititems(lambda path, item: found.append(path) if isinstance(item, h5py.Dataset) else None)
    return found[0]


def not_a_number(file: h5py.File) -> None:
    file[first_array(file)][...] = np.nan


def wrong_shape(file: h5py.File) -> None:
    path = first_array(file)
    shape = file[path].shape
    del file[path]
    file[path] = np.zeros((*shape, 2), np.float16)


def external_link(file: h5py.File) -> None:
    path = first_array(file)
    del file[path]
    file[path] = h5py.ExternalLink("elsewhere.h5", "/x")

"""A published bundle becomes the classifier that it was, or is refused."""

import dataclasses
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from services.bundle.classifier import load_classifier
from services.bundle.store import Bundle, Store
from services.errors import WeightsInvalid
from tests.bundles import publish_tiny
from tests.training.conftest import little_room


def load(bundle: Bundle) -> Any:
    return load_classifier(bundle.weights.read_bytes(), bundle.manifest)


def test_a_bundle_gives_the_logits_of_its_proof(tmp_path: Path) -> None:
    manifest = publish_tiny(tmp_path)
    bundle = Store(tmp_path).read("shapes", 1)
    logits = load(bundle).predict_on_batch(bundle.probe_tensor[None].astype(np.float32))
    np.testing.assert_allclose(logits[0], manifest.probe.logits, atol=manifest.probe.tensor_tolerance)


def test_other_shapes_are_refused(tmp_path: Path) -> None:
    def widen(file: h5py.File) -> None:
        kernel = next(name for name in _arrays(file) if file[name].ndim == 2)
        shape = file[kernel].shape
        del file[kernel]
        file[kernel] = np.zeros((shape[0], shape[1] + 1), np.float16)

    publish_tiny(tmp_path, damage=widen)
    with pytest.raises(WeightsInvalid, match="has the shape"):
        load(Store(tmp_path).read("shapes", 1))


def _arrays(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def test_a_file_that_changed_after_it_was_verified_is_refused(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    bundle = Store(tmp_path).read("shapes", 1)
    changed = tmp_path / "changed.h5"
    changed.write_bytes(bundle.weights.read_bytes()[:-1] + b"!")
    with pytest.raises(WeightsInvalid, match="changed while it was being read"):
        load(dataclasses.replace(bundle, weights=changed))


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    bundle = Store(tmp_path).read("shapes", 1)
    with little_room(1000), pytest.raises(OSError, match="blank"):
        load(bundle)

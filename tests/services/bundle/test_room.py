"""Room for weights is asked for before HDF5 needs it."""

import errno
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from services.bundle import weights
from tests.training.conftest import little_room


@pytest.fixture
def model() -> Any:
    """A model with weights, and an optimizer that holds more numbers than they are."""
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(300), keras.layers.Dense(200)])
    model.compile(optimizer="adamw", loss="mse")
    model.train_on_batch(np.zeros((1, 8), np.float32), np.zeros((1, 200), np.float32))
    return model


def test_what_is_reserved_is_enough_and_not_far_more(model: Any, tmp_path: Path) -> None:
    weights.reserve(tmp_path / "reserved", model)
    model.save_weights(tmp_path / "saved.weights.h5")
    reserved, saved = ((tmp_path / name).stat().st_size for name in ("reserved", "saved.weights.h5"))
    assert saved <= reserved < 1.5 * saved


def test_two_copies_hold_the_halved_weights_too(model: Any, tmp_path: Path) -> None:
    weights.reserve(tmp_path / "reserved", model, copies=2)
    model.save_weights(tmp_path / "full.weights.h5")
    weights.halve(tmp_path / "full.weights.h5", tmp_path / "half.weights.h5")
    needed = sum((tmp_path / f"{name}.weights.h5").stat().st_size for name in ("full", "half"))
    assert needed <= (tmp_path / "reserved").stat().st_size


def test_no_room_is_an_error_that_names_the_file_and_leaves_none(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "reserved"
    with little_room(2**12), pytest.raises(OSError, match="File too large") as refused:
        weights.reserve(path, model)
    assert refused.value.errno == errno.EFBIG
    assert refused.value.filename == str(path)
    assert not path.exists()

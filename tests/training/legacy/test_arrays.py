"""Which layer an array belongs to, and which bytes are its numbers: no doubt is decided silently."""

import io

import numpy as np
import pytest

from training.legacy import arrays
from training.legacy.arrays import Place, Reader, assign
from training.legacy.contents import Stored
from training.legacy.refusal import Refused


def stored(layer: str, name: str, *, shape: tuple[int, ...] = (2,), dtype: str = "<f4", offset: int = 0) -> Stored:
    return Stored(layer=layer, name=name, shape=shape, dtype=dtype, offset=offset)


def owners(places: set[Place], *names: tuple[str, str]) -> dict[Place, list[str]]:
    found = assign([stored(*each) for each in names], places)
    return {place: sorted(variables) for place, variables in found.items()}


@pytest.mark.parametrize("name", ["dense/kernel:0", "dense/kernel", "sequential/dense/kernel", "dense_7/kernel:0"])
def test_a_group_of_one_layer_is_that_layers(name: str) -> None:
    assert owners({("dense",), ("conv",)}, ("dense", name)) == {("dense",): ["kernel"]}


def test_the_group_of_a_model_is_sorted_by_the_names_of_its_layers() -> None:
    places = {("vgg16", "conv"), ("vgg16", "block", "conv"), ("vgg16", "conv1/bn"), ("vgg16", "bn"), ("head",)}
    found = owners(
        places,
        ("vgg16", "conv/kernel:0"),
        ("vgg16", "vgg16/conv/bias:0"),
        ("vgg16", "block/conv/kernel:0"),
        ("vgg16", "conv1/bn/gamma:0"),
        ("vgg16", "bn/gamma:0"),
        ("head", "kernel"),
    )
    assert found == {
        ("vgg16", "conv"): ["bias", "kernel"],
        ("vgg16", "block", "conv"): ["kernel"],
        ("vgg16", "conv1/bn"): ["gamma"],
        ("vgg16", "bn"): ["gamma"],
        ("head",): ["kernel"],
    }


@pytest.mark.parametrize(
    ("places", "layer", "name"),
    [
        ({("dense",)}, "other", "other/kernel"),
        ({("model", "dense")}, "model", "sense/kernel"),
        ({("model", "dense")}, "model", "kernel"),
        ({("model", "a", "dense"), ("model", "b", "dense")}, "model", "dense/kernel"),
        ({("model", "dense")}, "dense", "dense/kernel"),
    ],
)
def test_an_array_of_no_layer_or_of_several_is_refused(places: set[Place], layer: str, name: str) -> None:
    with pytest.raises(Refused, match=f"its weights {layer}/.* belong to no layer of its description, or to several"):
        owners(places, (layer, name))


def test_a_variable_that_is_there_twice_is_refused() -> None:
    with pytest.raises(Refused, match="its weight other/kernel is there twice"):
        owners({("dense",)}, ("dense", "dense/kernel:0"), ("dense", "other/kernel"))


# ---------------------------------------------------------------- numbers


CONTENT = np.arange(10, dtype="<f4").tobytes()


def test_numbers_are_read_from_where_they_lie() -> None:
    reader = Reader(io.BytesIO(CONTENT), len(CONTENT))
    found = reader.read(stored("a", "a/kernel", shape=(2, 3), offset=8))
    np.testing.assert_array_equal(found, [[2, 3, 4], [5, 6, 7]])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(reader.read(stored("a", "a/b", shape=(), offset=36)), 9)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (stored("a", "a/kernel", shape=(3,), offset=32), "larger than the file"),
        (stored("a", "a/kernel", shape=(1,), offset=2**62), "larger than the file"),
        (stored("a", "a/kernel", shape=(2**31, 2**31)), "larger than the file"),
        (stored("a", "a/kernel", dtype="<f8"), "of the type <f8"),
        (stored("a", "a/kernel", dtype="|O"), "of the type |O"),
        (stored("a", "a/kernel", dtype="<M8[s]"), "of the type <M8"),
        (stored("a", "a/kernel", dtype="<u4"), "of the type <u4"),
    ],
)
def test_an_array_that_is_not_in_the_file_is_refused(array: Stored, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        Reader(io.BytesIO(CONTENT), len(CONTENT)).read(array)
    assert reason in str(refused.value)


def test_the_same_bytes_may_not_be_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many names may be of one place in the file: what counts is what is made of them."""
    monkeypatch.setattr(arrays, "MOST_NUMBERS", 25)
    reader = Reader(io.BytesIO(CONTENT), len(CONTENT))
    whole = stored("a", "a/kernel", shape=(10,))
    for _ in range(2):
        assert reader.read(whole).sum() == 45
    with pytest.raises(Refused, match="the weights are too many"):
        reader.read(whole)

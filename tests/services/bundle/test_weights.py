"""The weights file: only plain arrays of finite half-precision numbers get past the door."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from services.bundle.weights import halve, inspect, layout, require
from services.errors import WeightsInvalid

KERNEL = np.arange(12, dtype=np.float16).reshape(3, 4)


def write(path: Path, change: Callable[[h5py.File], object] | None = None) -> bytes:
    with h5py.File(path, "w") as file:
        file["layers/logits/vars/0"] = KERNEL
        file["layers/logits/vars/1"] = np.zeros(4, np.float16)
        if change is not None:
            change(file)
    return path.read_bytes()


def virtual(file: h5py.File) -> None:
    layout_of = h5py.VirtualLayout((3, 4), np.float16)
    layout_of[:] = h5py.VirtualSource(".", "layers/logits/vars/0", (3, 4))
    file.create_virtual_dataset("layers/virtual", layout_of)


def external(file: h5py.File) -> None:
    file.create_dataset("layers/external", (4,), np.float16, external=[("/etc/passwd", 0, 8)])


def nested(file: h5py.File) -> None:
    file["/".join("d" * 14)] = KERNEL


def crowded(file: h5py.File) -> None:
    for number in range(20_001):
        h5py.h5g.create(file.id, str(number).encode())


HOSTILE: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "soft link": (lambda file: file.__setitem__("soft", h5py.SoftLink("/layers")), "soft is a link"),
    "dangling soft link": (lambda file: file.__setitem__("soft", h5py.SoftLink("/nowhere")), "soft is a link"),
    "external link": (lambda file: file.__setitem__("out", h5py.ExternalLink("/etc/passwd", "/")), "out is a link"),
    "hard link": (lambda file: file.__setitem__("again", file["layers/logits/vars/0"]), "stored twice"),
    "cycle": (lambda file: file.__setitem__("layers/self", file["layers"]), "stored twice"),
    "external storage": (external, "is stored in another file"),
    "virtual": (virtual, "is a virtual array"),
    "compressed": (lambda file: file.create_dataset("z", data=KERNEL, compression="gzip"), "is not stored contig"),
    "chunked": (lambda file: file.create_dataset("c", data=KERNEL, chunks=(3, 4)), "is not stored contiguously"),
    "unwritten": (lambda file: file.create_dataset("bomb", (2**40,), np.float16), "more numbers than the file holds"),
    "text": (lambda file: file.create_dataset("t", data="text"), "is not half precision"),
    "references": (lambda file: file.create_dataset("r", data=file.ref, dtype=h5py.ref_dtype), "not half precision"),
    "compound": (lambda file: file.create_dataset("s", data=np.zeros(2, [("a", "<f2")])), "is not half precision"),
    "single precision": (lambda file: file.create_dataset("f", data=np.ones(2, np.float32)), "is not half precision"),
    "big-endian": (lambda file: file.create_dataset("e", data=np.ones(2, ">f2")), "is not half precision"),
    "named type": (lambda file: file.__setitem__("type", np.dtype(np.float16)), "neither a group nor an array"),
    "empty space": (lambda file: file.create_dataset("n", data=h5py.Empty("f2")), "not a readable HDF5 file"),
    "root attribute": (lambda file: file.attrs.__setitem__("a", 1), "/ carries attributes"),
    "group attribute": (lambda file: file["layers"].attrs.__setitem__("a", 1), "layers/ carries attributes"),
    "array attribute": (lambda file: file["layers/logits/vars/1"].attrs.__setitem__("a", 1), "vars/1 carries attrib"),
    "NaN": (lambda file: file["layers/logits/vars/0"].__setitem__((0, 0), np.nan), "holds NaN or infinite values"),
    "infinity": (lambda file: file["layers/logits/vars/1"].__setitem__(0, np.inf), "holds NaN or infinite values"),
    "deep": (nested, "too deep"),
    "crowd": (crowded, "too many objects"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_with_its_reason(kind: str, tmp_path: Path) -> None:
    change, reason = HOSTILE[kind]
    with pytest.raises(WeightsInvalid) as refused:
        inspect(write(tmp_path / "hostile.h5", change))
    assert reason in str(refused.value)


def test_a_plain_file_gives_its_shapes(tmp_path: Path) -> None:
    assert inspect(write(tmp_path / "plain.h5")) == {"layers/logits/vars/0": (3, 4), "layers/logits/vars/1": (4,)}


@pytest.mark.parametrize("content", [b"", b"not HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_what_is_not_hdf5_is_refused(content: bytes) -> None:
    with pytest.raises(WeightsInvalid, match="not a readable HDF5 file"):
        inspect(content)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(share: float, tmp_path: Path) -> None:
    content = write(tmp_path / "whole.h5")
    with pytest.raises(WeightsInvalid, match="not a readable HDF5 file"):
        inspect(content[: int(len(content) * share)])


def test_no_flipped_byte_escapes_as_another_error(tmp_path: Path) -> None:
    content = write(tmp_path / "whole.h5")
    refused = 0
    # The superblock: sizes and addresses that the parser follows at once.
    for position in range(96):
        torn = bytearray(content)
        torn[position] ^= 0xFF
        try:
            inspect(bytes(torn))
        except WeightsInvalid:
            refused += 1
    assert refused > 40


def test_weights_must_be_exactly_those_of_the_architecture() -> None:
    expected = {"a": (3, 4), "b": (4,)}
    require(dict(expected), expected)
    with pytest.raises(WeightsInvalid, match="b is missing"):
        require({"a": (3, 4)}, expected)
    with pytest.raises(WeightsInvalid, match="c is not part of the architecture"):
        require(expected | {"c": (1,)}, expected)
    with pytest.raises(WeightsInvalid, match=r"a has the shape \(4, 3\), the architecture wants \(3, 4\)"):
        require({"a": (4, 3), "b": (4,)}, expected)


def test_halving_keeps_arrays_and_drops_attributes(tmp_path: Path) -> None:
    full, half = tmp_path / "full.h5", tmp_path / "half.h5"
    numbers = np.linspace(-2, 2, 50, dtype=np.float32)
    with h5py.File(full, "w") as file:
        file["layers/logits/vars/0"] = numbers
        file["layers"].attrs["name"] = "a name that Keras wrote"
        file.create_group("layers/pooled/vars")
    halve(full, half)
    assert inspect(half.read_bytes()) == layout(full) == {"layers/logits/vars/0": (50,)}
    with h5py.File(half, "r") as file:
        assert "layers/pooled/vars" in file
        np.testing.assert_allclose(file["layers/logits/vars/0"][()], numbers, rtol=2**-11)


@pytest.mark.parametrize("number", [1e6, np.nan, np.inf])
def test_numbers_that_do_not_fit_half_precision_are_refused(number: float, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "full.h5", "w") as file:
        file["layers/logits/vars/0"] = np.array([1.0, number], np.float32)
    with pytest.raises(WeightsInvalid, match="vars/0 does not fit half precision"):
        halve(tmp_path / "full.h5", tmp_path / "half.h5")


@pytest.mark.parametrize(
    "shape", [(3, 3, 24, 40), (5, 5, 96, 1), (1280, 10)], ids=["convolution", "depthwise", "dense"]
)
def test_what_goes_into_each_output_keeps_its_sum(tmp_path: Path, shape: tuple[int, ...]) -> None:
    kernel = np.random.default_rng(0).normal(0, 0.05, shape).astype(np.float32)
    with h5py.File(tmp_path / "full.h5", "w") as file:
        file["kernel"] = kernel
    halve(tmp_path / "full.h5", tmp_path / "half.h5")
    with h5py.File(tmp_path / "half.h5") as file:
        halved = file["kernel"][()]
    assert halved.dtype == np.float16
    # Each weight is one of its two neighbours in half precision, or their neighbour.
    assert np.abs(halved - kernel).max() <= 2 * float(np.spacing(np.float16(np.abs(kernel).max())))
    inputs = (0, 1) if shape[-1] == 1 else tuple(range(len(shape) - 1))

    def drift(rounded: NDArray[np.float16]) -> float:
        return float(np.abs((rounded.astype(np.float64) - kernel).sum(axis=inputs)).max())

    assert drift(halved) <= float(np.spacing(np.float16(np.abs(kernel).max())))
    assert drift(halved) < drift(kernel.astype(np.float16)) / 2

import io
import zipfile

import numpy as np
import pytest

from services.bundle.arrays import read_arrays
from services.errors import ManifestInvalid

NAMES = ("numbers", "more")
LIMIT = 2**16


def npz(kind: str) -> bytes:
    file = io.BytesIO()
    save = np.savez_compressed if kind == "compressed" else np.savez
    save(file, numbers=np.arange(300, dtype=np.uint64), more=np.eye(3))
    return file.getvalue()


@pytest.mark.parametrize("kind", ["compressed", "stored"])
def test_arrays_come_in_the_order_in_which_they_are_named(kind: str) -> None:
    numbers, more = read_arrays(npz(kind), "a.npz", NAMES, LIMIT)
    assert numbers.tolist() == list(range(300))
    assert more.tolist() == np.eye(3).tolist()
    (again,) = read_arrays(npz(kind), "a.npz", ("more",), LIMIT)
    assert np.array_equal(again, more)


@pytest.mark.parametrize("kind", ["compressed", "stored"])
def test_no_change_of_its_bytes_gives_anything_but_arrays_or_a_refusal(kind: str) -> None:
    whole = npz(kind)
    random = np.random.default_rng(0)
    refusals = []
    for _ in range(1000):
        content = bytearray(whole)
        for place in random.integers(0, len(content), random.integers(1, 4)):
            content[place] = random.integers(256)
        try:
            arrays = read_arrays(bytes(content[: random.integers(1, 2 * len(content))]), "a.npz", NAMES, LIMIT)
        except ManifestInvalid as refusal:
            refusals.append(str(refusal))
        else:
            assert all(isinstance(array, np.ndarray) for array in arrays)
    assert len(refusals) > 300
    assert all(refusal.startswith("a.npz ") for refusal in refusals)


HEADERS = {
    "no array": b"plain text",
    "empty": b"",
    "a shape beyond memory": b"{'descr': '<u8', 'fortran_order': False, 'shape': (1152921504606846975,), }",
    "a negative shape": b"{'descr': '<u8', 'fortran_order': False, 'shape': (-3,), }",
    "no dictionary": b"[" * 60,
    "a broken string": b"{'descr': '<u8",
    "three quotes": b"'''",
    "a shape beyond counting": b"{'descr': '<u8', 'fortran_order': False, 'shape': (1" + b"0" * 400 + b",), }",
    "a key that cannot be one": b"{[]: 1}",
    "a type without parts": b"{'descr': (), 'fortran_order': False, 'shape': (1,), }",
    "too deep": b"-" * 9000 + b"1",
    "an unknown type": b"{'descr': '!!', 'fortran_order': False, 'shape': (1,), }",
    "objects": b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
}


@pytest.mark.parametrize("kind", HEADERS)
def test_a_member_that_is_no_plain_array_is_refused(kind: str) -> None:
    header = HEADERS[kind]
    prefix = b"" if kind in {"no array", "empty"} else b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("numbers.npy", prefix + header)
    with pytest.raises(ManifestInvalid, match=r"^a\.npz cannot be read$"):
        read_arrays(file.getvalue(), "a.npz", ("numbers",), LIMIT)


def test_what_unpacks_to_more_than_the_limit_is_refused_before_it_is_unpacked() -> None:
    file = io.BytesIO()
    np.savez_compressed(file, numbers=np.zeros(LIMIT, np.uint8))
    assert len(file.getvalue()) < LIMIT // 100
    with pytest.raises(ManifestInvalid, match=rf"^a\.npz unpacks to more than {LIMIT} bytes$"):
        read_arrays(file.getvalue(), "a.npz", ("numbers",), LIMIT)
    assert len(read_arrays(file.getvalue(), "a.npz", ("numbers",), 2 * LIMIT)[0]) == LIMIT

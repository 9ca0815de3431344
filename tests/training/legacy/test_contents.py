"""What a file may be stored as: nothing but what Keras writes gets past the door."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from training.errors import LegacyInvalid
from training.legacy import MOST_BYTES, inspection, read_legacy
from training.legacy.contents import MOST_DESCRIPTION, look
from training.legacy.refusal import Refused

from .files import save, stir

GROUP = "model_weights/dense"
KERNEL = f"{GROUP}/sequential/dense/kernel"
"""An array of 12 numbers."""

Damage = Callable[[h5py.File], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of two layers."""
    keras.utils.clear_session()
    model = keras.Sequential([layers.Input((2, 2, 1)), layers.Flatten(), layers.Dense(3, activation="softmax")])
    return save(stir(model), tmp_path_factory.mktemp("whole") / "whole.h5").read_bytes()


@pytest.fixture
def path(whole: bytes, tmp_path: Path) -> Path:
    """The file, to be spoilt."""
    path = tmp_path / "model.h5"
    path.write_bytes(whole)
    return path


def spoilt(path: Path, damage: Damage) -> io.BytesIO:
    with h5py.File(path, "r+") as file:
        damage(file)
    return io.BytesIO(path.read_bytes())


def instead(**stored: Any) -> Damage:
    """Another dataset in the place of the kernel."""

    def damage(file: h5py.File) -> None:
        del file[KERNEL]
        file.create_dataset(KERNEL, **stored)

    return damage


def linked(place: str, link: object) -> Damage:
    def damage(file: h5py.File) -> None:
        del file[place]
        file[place] = link

    return damage


def virtual(file: h5py.File) -> None:
    del file[KERNEL]
    file["other"] = np.ones((4, 3), np.float32)
    layout = h5py.VirtualLayout((4, 3), np.float32)
    layout[:] = h5py.VirtualSource(".", "other", (4, 3))
    file.create_virtual_dataset(KERNEL, layout)


def compact(file: h5py.File) -> None:
    del file[KERNEL]
    created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    created.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((4, 3))
    h5py.h5d.create(file[GROUP]["sequential/dense"].id, b"kernel", h5py.h5t.IEEE_F32LE, space, created)


def attribute(place: str, name: str, value: object) -> Damage:
    def damage(file: h5py.File) -> None:
        file[place].attrs[name] = value

    return damage


def without(place: str, name: str) -> Damage:
    def damage(file: h5py.File) -> None:
        del file[place].attrs[name]

    return damage


def named(*names: str) -> Damage:
    return attribute(GROUP, "weight_names", np.array(names, "S"))


ONES = np.ones((4, 3), np.float32)

HOSTILE: dict[str, tuple[Damage, str]] = {
    "external link to an array": (linked(KERNEL, h5py.ExternalLink("/etc/passwd", "/x")), "kernel is a link in it"),
    "external link to a group": (linked(GROUP, h5py.ExternalLink("/etc/passwd", "/x")), "dense is a link in it"),
    "external link to everything": (linked("model_weights", h5py.ExternalLink("x.h5", "/")), "weights is a link in"),
    "soft link to an array": (linked(KERNEL, h5py.SoftLink(f"/{GROUP}/sequential/dense/bias")), "kernel is a link in"),
    "dangling soft link": (linked(KERNEL, h5py.SoftLink("/nowhere")), "kernel is a link in it"),
    "virtual array": (virtual, "its array sequential/dense/kernel is a virtual array"),
    "storage in another file": (
        instead(shape=(4, 3), dtype="<f4", external=[("/etc/passwd", 0, 48)]),
        "is stored in another file",
    ),
    "compressed": (instead(data=ONES, compression="gzip"), "is compressed or filtered"),
    "checksummed": (instead(data=ONES, fletcher32=True), "is compressed or filtered"),
    "chunked": (instead(data=ONES, chunks=(2, 3)), "is not stored in one piece"),
    "compact": (compact, "is not stored in one piece"),
    "billions declared": (instead(shape=(2**40, 2**10), dtype="<f4"), "declares more numbers than the file holds"),
    "sparse billions": (instead(shape=(2**40,), dtype="<f4", chunks=(2**20,)), "is not stored in one piece"),
    "never written": (instead(shape=(4, 3), dtype="<f4"), "declares more numbers than the file holds"),
    "no numbers": (instead(shape=(0, 3), dtype="<f4"), "was never written"),
    "text": (instead(data="text"), "holds no plain numbers"),
    "references": (lambda file: instead(data=file.ref, dtype=h5py.ref_dtype)(file), "holds no plain numbers"),
    "compound": (instead(data=np.zeros(2, [("a", "<f4")])), "holds no plain numbers"),
    "complex": (instead(data=np.zeros(2, complex)), "holds no plain numbers"),
    "empty space": (instead(data=h5py.Empty("f4")), "broken one"),
    "a group for an array": (lambda file: (file.__delitem__(KERNEL), file.create_group(KERNEL)), "is not what Keras"),
    "an array for a group": (linked(GROUP, ONES), "dense is not what Keras stores"),
    "a type for an array": (linked(KERNEL, np.dtype("f4")), "kernel is not what Keras stores"),
    "missing array": (lambda file: file.__delitem__(KERNEL), "sequential/dense/kernel is missing from it"),
    "missing group": (lambda file: file.__delitem__(GROUP), "dense is missing from it"),
    "upwards": (named("../dense/sequential/dense/kernel"), "../dense/sequential/dense/kernel is missing"),
    "absolute": (named("/model_weights/dense/sequential/dense/kernel"), "is missing from it"),
    "here": (named("./sequential/dense/kernel"), "is missing from it"),
    "no name": (named(""), "is missing from it"),
    "no names": (without(GROUP, "weight_names"), "the attribute weight_names is missing"),
    "no layers": (without("model_weights", "layer_names"), "the attribute layer_names is missing"),
    "numbers for names": (attribute(GROUP, "weight_names", np.ones(3)), "weight_names is no list of at most"),
    "a name for names": (attribute(GROUP, "weight_names", "kernel"), "weight_names is no list of at most"),
    "a table of names": (attribute(GROUP, "weight_names", np.array([["a"], ["b"]], "S1")), "weight_names is no list"),
    "names of 4 kB": (named("k" * 4096), "weight_names is no list of at most"),
    "long names": (attribute(GROUP, "weight_names", ["k" * 513]), "holds a name of more than 512 letters"),
    "too many names": (attribute(GROUP, "weight_names", np.array(["k"] * 10_001, "S1")), "at most 10000 names"),
    "weights of no layer": (
        attribute("model_weights/top_level_model_weights", "weight_names", np.array(["x"], "S")),
        "it holds weights that belong to no layer",
    ),
    "no description": (without("/", "model_config"), "it holds weights and no description of layers"),
    "a description of numbers": (attribute("/", "model_config", 5), "the attribute model_config is no text"),
    "a list of descriptions": (attribute("/", "model_config", ["{}", "{}"]), "the attribute model_config is no text"),
    "an endless description": (attribute("/", "model_config", " " * (MOST_DESCRIPTION + 1)), "is longer than 8388608"),
    "not UTF-8": (attribute("/", "model_config", np.bytes_(b"\xff\xfe{}")), "broken one"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_with_its_reason(kind: str, path: Path) -> None:
    damage, reason = HOSTILE[kind]
    with pytest.raises(Refused) as refused:
        look(spoilt(path, damage))
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    "content", [b"", b"no HDF5 at all", b"\x89PNG\r\n\x1a\n" + bytes(100), b"\x89HDF\r\n\x1a\n" + bytes(2000)]
)
def test_what_is_no_hdf5_is_refused(content: bytes) -> None:
    with pytest.raises(Refused, match="not an HDF5 file, or a broken one"):
        look(io.BytesIO(content))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(share: float, whole: bytes) -> None:
    with pytest.raises(Refused):
        look(io.BytesIO(whole[: int(len(whole) * share)]))


def test_a_file_behind_something_else_is_refused(path: Path, tmp_path: Path) -> None:
    behind = tmp_path / "behind.h5"
    with h5py.File(behind, "w", userblock_size=512) as file, h5py.File(path, "r") as source:
        for name in source.attrs:
            file.attrs[name] = source.attrs[name]
        source.copy("model_weights", file)
    with pytest.raises(Refused, match="does not begin as Keras begins a file"):
        look(io.BytesIO(behind.read_bytes()))


def test_the_arrays_lie_where_they_are_said_to_lie(path: Path) -> None:
    contents = look(io.BytesIO(path.read_bytes()))
    assert contents.keras_version == keras.__version__
    assert json.loads(contents.description)["class_name"] == "Sequential"
    assert [(array.layer, array.name, array.shape) for array in contents.arrays] == [
        ("dense", "sequential/dense/kernel", (4, 3)),
        ("dense", "sequential/dense/bias", (3,)),
    ]
    with h5py.File(path) as file:
        for array in contents.arrays:
            found = np.fromfile(path, array.dtype, int(np.prod(array.shape)), offset=array.offset)
            np.testing.assert_array_equal(found.reshape(array.shape), file[f"model_weights/dense/{array.name}"][()])


def test_names_in_pieces_are_put_together(path: Path) -> None:
    """Keras cuts a list of names that HDF5 would not take whole."""

    def cut(file: h5py.File) -> None:
        names = file[GROUP].attrs["weight_names"]
        del file[GROUP].attrs["weight_names"]
        for number, name in enumerate(names):
            file[GROUP].attrs[f"weight_names{number}"] = [name]

    assert [array.name.rpartition("/")[2] for array in look(spoilt(path, cut)).arrays] == ["kernel", "bias"]


# ---------------------------------------------------------------- the whole way


def test_the_reason_reaches_the_person_and_nothing_else_does(path: Path) -> None:
    spoilt(path, HOSTILE["external link to an array"][0])
    with pytest.raises(LegacyInvalid) as refused:
        read_legacy(path)
    assert str(refused.value) == (
        "model.h5 cannot be imported: sequential/dense/kernel is a link in it; only what the file itself holds is read."
    )


def test_the_numbers_are_those_of_the_file(path: Path) -> None:
    legacy = read_legacy(path)
    with h5py.File(path) as file:
        ((_, arrays),) = legacy.weights.items()
        np.testing.assert_array_equal(arrays["kernel"], file[KERNEL][()])
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ({"data": np.full((4, 3), np.nan, np.float32)}, "kernel holds NaN or infinite values"),
        ({"data": np.full((4, 3), np.inf, np.float16)}, "kernel holds NaN or infinite values"),
        ({"data": np.ones((4, 3))}, "kernel is of the type <f8; single and half precision are read"),
        ({"data": np.ones((4, 3), np.int64)}, "kernel is of the type <i8; single and half precision are read"),
    ],
)
def test_numbers_that_are_no_weights_are_refused(stored: dict[str, Any], reason: str, path: Path) -> None:
    spoilt(path, instead(**stored))
    with pytest.raises(LegacyInvalid) as refused:
        read_legacy(path)
    assert reason in str(refused.value)


def test_half_precision_is_read_whichever_way_round(path: Path) -> None:
    spoilt(path, instead(data=np.arange(12).reshape(4, 3).astype(">f2")))
    ((_, arrays),) = read_legacy(path).weights.items()
    np.testing.assert_array_equal(arrays["kernel"], np.arange(12).reshape(4, 3))


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    for place in (tmp_path / "pipe.h5", tmp_path):
        with pytest.raises(LegacyInvalid, match="is not a file"):
            read_legacy(place)
    with pytest.raises(FileNotFoundError):
        read_legacy(tmp_path / "nowhere.h5")


def test_a_file_of_endless_length_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "endless.h5"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(LegacyInvalid, match="it is longer than 4294967296 bytes"):
        read_legacy(path)


@pytest.mark.parametrize(
    ("breaks", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "the HDF5 library breaks on it"),
        ("sys.exit(0)", "the HDF5 library breaks on it"),
        ("print('{}'), sys.stdout.flush(), os._exit(0)", "the HDF5 library breaks on it"),
        ("signal.pause()", "reading it takes too long"),
    ],
)
def test_a_library_that_a_file_breaks_breaks_nothing_else(
    breaks: str, reason: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "h5py.py").write_text(f"import os, signal, sys\n{breaks}\n")
    monkeypatch.setattr(inspection, "_environment", lambda: {"PYTHONPATH": str(tmp_path)})
    monkeypatch.setattr(inspection, "SECONDS", 1 if "pause" in breaks else 30)
    with pytest.raises(LegacyInvalid) as refused:
        read_legacy(path)
    assert str(refused.value) == f"model.h5 cannot be imported: {reason}."


def test_the_child_may_use_so_much_memory_and_no_more(path: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import h5py, numpy\nh5py.check_string_dtype = lambda dtype: numpy.ones(2**29)\n"
    )
    with path.open("rb") as file:
        child = subprocess.run(
            [sys.executable, "-m", "training.legacy"],
            check=False,
            cwd=Path(inspection.__file__).parents[2],
            env={"PYTHONPATH": str(tmp_path)},
            stdin=file,
            capture_output=True,
        )
    assert child.returncode == 1
    assert child.stdout == b""

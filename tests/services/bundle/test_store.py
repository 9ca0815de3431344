"""The model store: what is written appears whole, and what was changed afterwards is refused."""

import hashlib
import io
import json
import os
import shutil
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.bundle.manifest import parse_manifest, serialise_manifest
from services.bundle.store import Store
from services.errors import BundleRefused, ManifestInvalid, TaskInvalid, WeightsInvalid
from tests.bundles import SHAPES, draw, encode, publish_tiny, write_task


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with version 1 of "shapes"."""
    publish_tiny(tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def bundle(root: Path) -> Path:
    """The folder of that version."""
    return root / "shapes" / "1"


def edit_manifest(bundle: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_bytes())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def put_probe(bundle: Path, content: bytes) -> None:
    """Replace the probe and let the manifest vouch for it."""
    (bundle / "probe.npz").write_bytes(content)
    edit_manifest(bundle, lambda manifest: manifest["probe"].update(sha256=hashlib.sha256(content).hexdigest()))


def put_seen(bundle: Path, content: bytes) -> None:
    """Replace seen.npz and let the manifest vouch for it."""
    (bundle / "seen.npz").write_bytes(content)
    edit_manifest(bundle, lambda manifest: manifest["seen"].update(sha256=hashlib.sha256(content).hexdigest()))


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


# ---------------------------------------------------------------- publishing


def test_what_was_published_is_what_is_read(root: Path) -> None:
    manifest = publish_tiny(root, seed=5)
    bundle = Store(root).read("shapes", 2)
    assert bundle.manifest == manifest
    assert bundle.digest == "sha256:" + hashlib.sha256(serialise_manifest(manifest)).hexdigest()
    assert hashlib.sha256(bundle.weights.read_bytes()).hexdigest() == manifest.weights.sha256
    assert bundle.probe_tensor.shape == (32, 32, 3)
    assert manifest.seen is not None
    assert hashlib.sha256((root / "shapes/2/seen.npz").read_bytes()).hexdigest() == manifest.seen.sha256
    assert (root / "shapes/2/card.md").read_text().startswith("# Shapes, version 2\n")
    assert (root / "shapes/2/report/confusion.png").read_bytes().startswith(b"\x89PNG")


def test_versions_number_up_and_are_never_reused_below_the_highest(root: Path) -> None:
    assert publish_tiny(root).version == 2
    assert publish_tiny(root).version == 3
    shutil.rmtree(root / "shapes" / "2")
    assert publish_tiny(root).version == 4
    assert Store(root).versions("shapes") == (1, 3, 4)


def test_publishing_at_once_gives_each_its_number(root: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        manifests = list(pool.map(lambda seed: publish_tiny(root, seed=seed), [1, 2] * 6))
    assert sorted(manifest.version for manifest in manifests) == list(range(2, 14))
    for manifest in manifests:
        assert Store(root).read("shapes", manifest.version).manifest == manifest


def test_a_reader_never_sees_half_a_bundle(root: Path) -> None:
    store, done, seen = Store(root), threading.Event(), 0

    def write() -> None:
        for _ in range(12):
            publish_tiny(root)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        for version in store.versions("shapes"):
            store.read("shapes", version)
            seen += 1
    writer.join()
    assert seen > 12
    assert store.versions("shapes") == tuple(range(1, 14))


def test_a_failed_publication_leaves_nothing(root: Path, tmp_path: Path) -> None:
    store = Store(root)
    manifest = store.read("shapes", 1).manifest
    probe, seen = ((root / "shapes" / "1" / name).read_bytes() for name in ("probe.npz", "seen.npz"))
    with pytest.raises(FileNotFoundError):
        store.publish(manifest, tmp_path / "not there", {"probe.npz": probe, "seen.npz": seen}, "card", {})
    assert sorted(path.name for path in (root / "shapes").iterdir()) == ["1", "task.toml"]


@pytest.mark.parametrize(
    ("probe", "seen", "reason"),
    [
        (b"another", b"", "probe.npz is not the file that the manifest describes"),
        (b"", b"another", "seen.npz is not the file that the manifest describes"),
        (b"", None, "disagree on whether there is a seen.npz"),
    ],
)
def test_what_the_manifest_does_not_describe_is_not_published(
    root: Path, bundle: Path, probe: bytes, seen: bytes | None, reason: str
) -> None:
    manifest = Store(root).read("shapes", 1).manifest
    arrays = {"probe.npz": probe + (bundle / "probe.npz").read_bytes()}
    if seen is not None:
        arrays["seen.npz"] = seen + (bundle / "seen.npz").read_bytes()
    with pytest.raises(ManifestInvalid, match=reason):
        Store(root).publish(manifest, bundle / "model.weights.h5", arrays, "card", {})
    assert sorted(path.name for path in (root / "shapes").iterdir()) == ["1", "task.toml"]


def test_a_file_of_fingerprints_that_no_manifest_asks_for_is_not_published(root: Path, bundle: Path) -> None:
    manifest = publish_tiny(root, imported=True)
    arrays = {name: (bundle / name).read_bytes() for name in ("probe.npz", "seen.npz")}
    with pytest.raises(ManifestInvalid, match=r"disagree on whether there is a seen.npz"):
        Store(root).publish(manifest, bundle / "model.weights.h5", arrays, "card", {})


def test_a_detector_comes_back_with_its_bundle(root: Path) -> None:
    publish_tiny(root, detector=True)
    with_one, without = (Store(root).read("shapes", version).detector for version in (2, 1))
    assert without is None
    assert with_one is not None
    assert with_one.centre.shape == with_one.kernel.shape == (64 + 128 + 128,)
    assert with_one.axes.shape[0] == 64 + 128


def test_a_detector_that_was_changed_is_refused(root: Path) -> None:
    publish_tiny(root, detector=True)
    path = root / "shapes" / "2" / "novelty.npz"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ManifestInvalid, match=r"novelty\.npz is not the file that the manifest describes"):
        Store(root).read("shapes", 2)


def test_what_is_not_a_plain_number_is_not_a_version(root: Path) -> None:
    for name in (".incoming-0123", "01", "0", "x", "1.bak", "-1", "²", "٣", "1 "):
        shutil.copytree(root / "shapes" / "1", root / "shapes" / name)
    (root / "shapes" / "7").write_text("a file, not a folder")
    assert Store(root).versions("shapes") == (1,)
    assert Store(root).versions("nothing") == ()


# ---------------------------------------------------------------- tasks


def test_a_task_is_a_folder_with_a_task_toml(root: Path, tmp_path: Path) -> None:
    write_task(root, "another")
    (root / "empty").mkdir()
    assert Store(root).tasks() == ("another", "shapes")
    assert Store(tmp_path / "nowhere").tasks() == ()
    assert tuple(entry.label for entry in Store(root).task("shapes").labels) == SHAPES


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda text: text.replace('name = "shapes"', 'name = "forms"'), "lies in the folder 'shapes'"),
        (lambda text: text.replace('modality = "drawing"\n', ""), "modality: Field required"),
        (lambda text: 'surprise = "x"\n' + text, "surprise: Extra inputs are not permitted"),
        (lambda text: text.replace('label = "disc"', 'label = "square"'), "two labels have the same name"),
        (lambda text: text.replace('serve = "latest"', "serve = 0"), "serve"),
        (lambda text: text.replace('"latest"', "latest"), "cannot be read"),
    ],
)
def test_a_wrong_task_toml_is_refused_with_its_reason(edit: Callable[[str], str], reason: str, root: Path) -> None:
    path = root / "shapes" / "task.toml"
    path.write_text(edit(path.read_text()))
    with pytest.raises(TaskInvalid, match=reason):
        Store(root).task("shapes")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"#" * (2**20 + 1)])
def test_a_task_toml_that_is_no_text_or_too_much_is_refused(content: bytes, root: Path) -> None:
    (root / "shapes" / "task.toml").write_bytes(content)
    with pytest.raises(TaskInvalid):
        Store(root).task("shapes")


def test_a_missing_task_toml_is_refused(root: Path) -> None:
    with pytest.raises(TaskInvalid, match="No such file"):
        Store(root).task("nothing")


# ---------------------------------------------------------------- reading what somebody changed


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def move_behind_link(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name("elsewhere")))


def block(path: Path) -> None:
    """A named pipe that nobody writes to: whoever opens it waits for ever."""
    path.unlink()
    os.mkfifo(path)


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def bomb(bundle: Path) -> None:
    put_probe(bundle, npz(pixels=np.zeros((4096, 4096, 3), np.uint8), tensor=np.zeros((32, 32, 3), np.uint8)))


def pickled(bundle: Path) -> None:
    put_probe(bundle, npz(pixels=np.array([[["x"]]], object), tensor=np.zeros((32, 32, 3), np.uint8)))


def other_probe(**arrays: Any) -> Callable[[Path], None]:
    usual = {"pixels": np.zeros((40, 48, 3), np.uint8), "tensor": np.zeros((32, 32, 3), np.uint8)}
    return lambda bundle: put_probe(bundle, npz(**(usual | arrays)))


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def not_the_arrays(bundle: Path) -> None:
    put_probe(bundle, zipped(readme=b"no arrays"))


TAMPERINGS: dict[str, tuple[Callable[[Path], object], type[BundleRefused], str]] = {
    "field missing": (
        lambda bundle: edit_manifest(bundle, lambda manifest: manifest.pop("calibration")),
        ManifestInvalid,
        "calibration: Field required",
    ),
    "field unknown": (
        lambda bundle: edit_manifest(bundle, lambda manifest: manifest.update(code="import os")),
        ManifestInvalid,
        "code: Extra inputs are not permitted",
    ),
    "other format": (
        lambda bundle: edit_manifest(bundle, lambda manifest: manifest.update(format=1)),
        ManifestInvalid,
        "manifest.json is of format 1; this version reads format 5: publish the bundle again",
    ),
    "number as text": (
        lambda bundle: edit_manifest(bundle, lambda manifest: manifest["calibration"].update(temperature="1")),
        ManifestInvalid,
        "calibration.temperature: ",
    ),
    "path outside": (
        lambda bundle: edit_manifest(bundle, lambda manifest: manifest["weights"].update(file="../x.h5")),
        ManifestInvalid,
        "weights.file: ",
    ),
    "label order": (
        lambda bundle: edit_manifest(bundle, lambda manifest: manifest["labels"].reverse()),
        ManifestInvalid,
        "evaluation.per_label and labels differ",
    ),
    "not JSON": (lambda bundle: (bundle / "manifest.json").write_text("{"), ManifestInvalid, "manifest.json: "),
    "manifest missing": (
        lambda bundle: (bundle / "manifest.json").unlink(),
        ManifestInvalid,
        "manifest.json is missing",
    ),
    "manifest too large": (
        lambda bundle: (bundle / "manifest.json").write_bytes(b" " * (2**20 + 1)),
        ManifestInvalid,
        "manifest.json is larger than",
    ),
    "manifest behind a link": (
        lambda bundle: move_behind_link(bundle / "manifest.json"),
        ManifestInvalid,
        "manifest.json is reached through a symbolic link",
    ),
    "manifest is a folder": (
        lambda bundle: become_folder(bundle / "manifest.json"),
        ManifestInvalid,
        "manifest.json is not a file",
    ),
    "manifest is a pipe": (
        lambda bundle: block(bundle / "manifest.json"),
        ManifestInvalid,
        "manifest.json is not a file",
    ),
    "weights flipped": (
        lambda bundle: flip(bundle / "model.weights.h5"),
        WeightsInvalid,
        r"is not the file that the manifest describes \(sha-256 differs\)",
    ),
    "weights truncated": (lambda bundle: cut(bundle / "model.weights.h5"), WeightsInvalid, "incomplete"),
    "weights missing": (
        lambda bundle: (bundle / "model.weights.h5").unlink(),
        ManifestInvalid,
        "model.weights.h5 is missing",
    ),
    "weights behind a link": (
        lambda bundle: move_behind_link(bundle / "model.weights.h5"),
        WeightsInvalid,
        "is a symbolic link",
    ),
    "weights are a pipe": (
        lambda bundle: block(bundle / "model.weights.h5"),
        WeightsInvalid,
        "model.weights.h5 is not a file",
    ),
    "probe flipped": (lambda bundle: flip(bundle / "probe.npz"), ManifestInvalid, "sha-256 differs"),
    "probe missing": (lambda bundle: (bundle / "probe.npz").unlink(), ManifestInvalid, "probe.npz is missing"),
    "probe too large": (
        lambda bundle: put_probe(bundle, bytes(16 * 2**20 + 1)),
        ManifestInvalid,
        "probe.npz is larger than",
    ),
    "probe a bomb": (bomb, ManifestInvalid, r"probe.npz unpacks to more than \d+ bytes"),
    "probe pickled": (pickled, ManifestInvalid, "probe.npz cannot be read"),
    "probe no archive": (
        lambda bundle: put_probe(bundle, b"not a zip"),
        ManifestInvalid,
        "probe.npz cannot be read",
    ),
    "probe lacks arrays": (not_the_arrays, ManifestInvalid, "probe.npz cannot be read"),
    "probe of another size": (
        other_probe(tensor=np.zeros((33, 32, 3), np.uint8)),
        ManifestInvalid,
        "does not hold the arrays",
    ),
    "probe of another type": (
        other_probe(pixels=np.zeros((40, 48, 3), np.float64)),
        ManifestInvalid,
        "does not hold the arrays",
    ),
    "probe of bytes for arrays": (
        lambda bundle: put_probe(bundle, zipped(pixels=b"no array", tensor=b"no array")),
        ManifestInvalid,
        "probe.npz cannot be read",
    ),
    "seen flipped": (lambda bundle: flip(bundle / "seen.npz"), ManifestInvalid, r"seen.npz .* \(sha-256 differs\)"),
    "seen missing": (lambda bundle: (bundle / "seen.npz").unlink(), ManifestInvalid, "seen.npz is missing"),
    "seen behind a link": (lambda bundle: move_behind_link(bundle / "seen.npz"), ManifestInvalid, "symbolic link"),
    "seen is a pipe": (lambda bundle: block(bundle / "seen.npz"), ManifestInvalid, "seen.npz is not a file"),
    "seen too large": (
        lambda bundle: put_seen(bundle, bytes(16 * 2**20 + 1)),
        ManifestInvalid,
        "seen.npz is larger than",
    ),
    "seen forgotten": (
        lambda bundle: edit_manifest(bundle, lambda manifest: manifest.update(seen=None)),
        ManifestInvalid,
        "seen is null, but the weights were fitted here",
    ),
    "probe without pixels": (
        other_probe(pixels=np.zeros((0, 48, 3), np.uint8)),
        ManifestInvalid,
        "does not hold the arrays",
    ),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_a_changed_bundle_is_refused_with_its_reason(kind: str, root: Path, bundle: Path) -> None:
    tamper, error, reason = TAMPERINGS[kind]
    assert Store(root).read("shapes", 1).manifest.version == 1
    tamper(bundle)
    with pytest.raises(error, match=reason) as refused:
        Store(root).read("shapes", 1)
    assert str(root) not in str(refused.value)


def test_of_an_older_format_the_reason_says_what_to_do(root: Path, bundle: Path) -> None:
    edit_manifest(bundle, lambda manifest: (manifest.update(format=1), manifest.pop("origin")))
    with pytest.raises(ManifestInvalid) as refused:
        Store(root).read("shapes", 1)
    assert str(refused.value) == (
        "manifest.json is of format 1; this version reads format 5: "
        "publish the bundle again with `python -m training publish`"
    )


# ---------------------------------------------------------------- what training has seen


def test_what_training_has_seen_is_read_back(root: Path) -> None:
    seen = Store(root).seen("shapes", 1)
    assert seen is not None
    drawn = [hashlib.sha256(encode(draw(number))).digest()[:8] for number in (0, 1)]
    assert sorted(int.from_bytes(digest) for digest in drawn) == seen.images.tolist()
    assert seen.groups.tolist() == [7]


def test_of_imported_weights_nobody_knows_what_they_have_seen(root: Path) -> None:
    publish_tiny(root, imported=True)
    assert Store(root).read("shapes", 2).manifest.origin.kind == "import"
    assert Store(root).seen("shapes", 2) is None
    assert not (root / "shapes" / "2" / "seen.npz").exists()


NUMBERS = np.array([1, 2**63, 2**64 - 1], np.uint64)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (npz(images=NUMBERS.astype(np.int64), groups=NUMBERS), "ascending whole numbers of 64 bits"),
        (npz(images=NUMBERS.astype(np.uint32), groups=NUMBERS), "ascending whole numbers of 64 bits"),
        (npz(images=NUMBERS, groups=NUMBERS.astype(np.float64)), "ascending whole numbers of 64 bits"),
        (npz(images=NUMBERS, groups=NUMBERS[::-1]), "ascending whole numbers of 64 bits"),
        (npz(images=NUMBERS[None], groups=NUMBERS), "ascending whole numbers of 64 bits"),
        (npz(images=np.uint64(3), groups=NUMBERS), "ascending whole numbers of 64 bits"),
        (npz(images=NUMBERS.astype(">u8"), groups=NUMBERS), "ascending whole numbers of 64 bits"),
        (npz(images=NUMBERS.astype(object), groups=NUMBERS), "seen.npz cannot be read"),
        (npz(images=NUMBERS), "seen.npz cannot be read"),
        (zipped(images=b"no array", groups=b"no array"), "seen.npz cannot be read"),
        (b"not a zip", "seen.npz cannot be read"),
        (npz(images=np.zeros(2**21 + 1, np.uint64), groups=NUMBERS), r"seen.npz unpacks to more than \d+ bytes"),
    ],
    ids=["int64", "uint32", "float", "unsorted", "2-d", "0-d", "big endian", "objects", "one", "bytes", "text", "bomb"],
)
def test_fingerprints_of_another_kind_are_refused(root: Path, bundle: Path, content: bytes, reason: str) -> None:
    put_seen(bundle, content)
    # They answer no image, so serving asks for no more than their digest.
    assert Store(root).read("shapes", 1).manifest.version == 1
    with pytest.raises(ManifestInvalid, match=reason):
        Store(root).seen("shapes", 1)


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (flip, "sha-256 differs"),
        (Path.unlink, "seen.npz is missing"),
        (move_behind_link, "symbolic link"),
        (block, "is not a file"),
    ],
)
def test_changed_fingerprints_are_refused(
    root: Path, bundle: Path, tamper: Callable[[Path], object], reason: str
) -> None:
    tamper(bundle / "seen.npz")
    with pytest.raises(ManifestInvalid, match=reason):
        Store(root).seen("shapes", 1)


def test_a_bundle_that_saw_nothing_may_say_so(root: Path, bundle: Path) -> None:
    none = np.empty(0, np.uint64)
    put_seen(bundle, npz(images=none, groups=none))
    seen = Store(root).seen("shapes", 1)
    assert seen is not None
    assert (seen.images.size, seen.groups.size) == (0, 0)


def test_a_bundle_in_another_place_is_refused(root: Path) -> None:
    shutil.copytree(root / "shapes" / "1", root / "shapes" / "2")
    with pytest.raises(ManifestInvalid, match="is of shapes version 1, but lies in shapes/2"):
        Store(root).read("shapes", 2)
    write_task(root, "forms")
    shutil.copytree(root / "shapes" / "1", root / "forms" / "1")
    with pytest.raises(ManifestInvalid, match="is of shapes version 1, but lies in forms/1"):
        Store(root).read("forms", 1)


def test_a_folder_behind_a_link_is_refused(root: Path, bundle: Path) -> None:
    move_behind_link(bundle)
    assert Store(root).versions("shapes") == (1,)
    with pytest.raises(ManifestInvalid, match="reached through a symbolic link"):
        Store(root).read("shapes", 1)


def test_other_labels_than_the_task_are_refused(root: Path) -> None:
    write_task(root, "shapes", ("disc", "square", "triangle"))
    with pytest.raises(ManifestInvalid, match=r"manifest.json and task.toml name different labels"):
        Store(root).read("shapes", 1)


def test_a_missing_version_is_refused(root: Path) -> None:
    with pytest.raises(ManifestInvalid, match=r"manifest.json is missing"):
        Store(root).read("shapes", 9)


# ---------------------------------------------------------------- fingerprints


@pytest.mark.parametrize("name", ["manifest.json", "model.weights.h5", "probe.npz", "seen.npz", "card.md"])
def test_a_fingerprint_changes_with_any_file(name: str, root: Path, bundle: Path) -> None:
    before = Store(root).fingerprint("shapes", 1)
    assert Store(root).fingerprint("shapes", 1) == before
    flip(bundle / name)
    assert Store(root).fingerprint("shapes", 1) != before


def test_a_fingerprint_sees_files_come_and_go(root: Path, bundle: Path) -> None:
    before = Store(root).fingerprint("shapes", 1)
    (bundle / "novelty.npz").touch()
    assert Store(root).fingerprint("shapes", 1) != before
    (bundle / "novelty.npz").unlink()
    shutil.copytree(bundle, root / "copy")
    shutil.rmtree(bundle)
    (root / "copy").rename(bundle)
    assert Store(root).fingerprint("shapes", 1) != before
    assert Store(root).fingerprint("shapes", 2) == ()


def test_a_manifest_survives_being_written_and_read(root: Path) -> None:
    manifest = Store(root).read("shapes", 1).manifest
    assert parse_manifest(serialise_manifest(manifest)) == manifest

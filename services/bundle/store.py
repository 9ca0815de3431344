"""The one reader and writer of the model store: `<task>/task.toml` and `<task>/<n>/` bundles."""

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.bundle.arrays import read_arrays
from services.bundle.fingerprints import Fingerprints, read_fingerprints
from services.bundle.manifest import Manifest, Novelty, Probe, Seen, parse_manifest, serialise_manifest
from services.bundle.novelty import Detector, read_detector
from services.bundle.task import Task, parse_task
from services.errors import ManifestInvalid, TaskInvalid, WeightsInvalid

_TASK, _MANIFEST, _CARD, _EXAMPLE = "task.toml", "manifest.json", "card.md", "example.png"
_MOST_TEXT = 2**20
_MOST_ARRAYS = 16 * 2**20

Fingerprint = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle on disk.

    Attributes:
        digest: "sha256:…" of manifest.json, which pins the digest of every other file that decides an answer.
        weights: the file, whose bytes had the manifest's digest when it was read.
        probe_pixels: uint8 [h, w, 3].
        probe_tensor: uint8 [height, width, 3].
        detector: of foreign images; None where the bundle has none.
    """

    manifest: Manifest
    digest: str
    weights: Path
    probe_pixels: NDArray[np.uint8]
    probe_tensor: NDArray[np.uint8]
    detector: Detector | None


class Store:
    """A folder of tasks and their bundles.

    Raises, in every reading method:
        TaskInvalid, ManifestInvalid, WeightsInvalid: with the reason as a sentence.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def tasks(self) -> tuple[str, ...]:
        """Names of the folders that hold a task.toml, sorted."""
        if not self.root.is_dir():
            return ()
        return tuple(sorted(path.parent.name for path in self.root.glob(f"*/{_TASK}")))

    def task(self, name: str) -> Task:
        """Read one task.toml."""
        path = self.root / name / _TASK
        try:
            return parse_task(_read(path, _MOST_TEXT), name)
        except OSError as missing:
            message = f"{_TASK} cannot be read: {missing.strerror}"
            raise TaskInvalid(message) from missing
        except ManifestInvalid as refused:
            raise TaskInvalid(str(refused)) from refused

    def example(self, task: str) -> Path | None:
        """The picture that shows what to upload, if the task has one."""
        path = self.root / task / _EXAMPLE
        return path if path.is_file() and not path.is_symlink() else None

    def versions(self, task: str) -> tuple[int, ...]:
        """Numbers of the task's bundle folders, ascending; anything not a plain whole number is not a bundle."""
        folder = self.root / task
        if not folder.is_dir():
            return ()
        names = (path.name for path in folder.iterdir() if path.is_dir() or path.is_symlink())
        return tuple(sorted(int(name) for name in names if name.isascii() and name.isdigit() and name[0] != "0"))

    def fingerprint(self, task: str, version: int) -> Fingerprint:
        """Name, size, time and inode of each file of a bundle: changes whenever the files do."""
        folder = self.root / task / str(version)
        found = []
        for path in sorted(folder.glob("*")):
            # A file may vanish while a folder is being replaced; then the next look sees another fingerprint.
            with contextlib.suppress(FileNotFoundError):
                status = path.lstat()
                found.append((path.name, status.st_size, status.st_mtime_ns, status.st_ino))
        return tuple(found)

    def read(self, task: str, version: int) -> Bundle:
        """Read and verify a bundle: schema, place, digests, probe. The inside of the weights file is the compiler's."""
        folder = self.root / task / str(version)
        with _told():
            manifest, digest = _manifest(folder, task, version)
            self._require_labels(manifest)
            weights = folder / manifest.weights.file
            _require_digest(weights, manifest.weights.sha256, manifest.weights.size)
            if manifest.seen is not None:
                # Answering does not need what is in it, so it is not unpacked.
                _vouched(folder, manifest.seen)
            pixels, tensor = _probe_arrays(_vouched(folder, manifest.probe), manifest)
            return Bundle(manifest, digest, weights, pixels, tensor, _detector(folder, manifest))

    def seen(self, task: str, version: int) -> Fingerprints | None:
        """Which images and groups decided a bundle's weights; None where nobody knows."""
        folder = self.root / task / str(version)
        with _told():
            manifest, _ = _manifest(folder, task, version)
            return None if manifest.seen is None else read_fingerprints(_vouched(folder, manifest.seen), _MOST_ARRAYS)

    def _require_labels(self, manifest: Manifest) -> None:
        known = {entry.label for entry in self.task(manifest.task).labels}
        if known != set(manifest.labels):
            message = "manifest.json and task.toml name different labels"
            raise ManifestInvalid(message)

    def publish(
        self,
        manifest: Manifest,
        weights: Path,
        arrays: Mapping[str, bytes],
        card: str,
        report: Mapping[str, bytes],
    ) -> Manifest:
        """Write a bundle so that readers see all of it or nothing.

        Args:
            manifest: its version is replaced by the next free number.
            weights: file to copy in.
            arrays: contents of the .npz files that the manifest describes, by name.
            card: content of card.md, in which "{version}" stands for the number.
            report: PNG files by name.

        Returns:
            The manifest as published.

        Raises:
            ManifestInvalid: the manifest does not describe these arrays.
        """
        _require_all_described(manifest, arrays)
        folder = self.root / manifest.task
        folder.mkdir(parents=True, exist_ok=True)
        incoming = folder / f".incoming-{secrets.token_hex(8)}"
        incoming.mkdir()
        try:
            shutil.copyfile(weights, incoming / manifest.weights.file)
            for name, content in arrays.items():
                (incoming / name).write_bytes(content)
            (incoming / "report").mkdir()
            for name, content in report.items():
                (incoming / "report" / name).write_bytes(content)
            return self._claim(folder, incoming, manifest, card)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)

    def _claim(self, folder: Path, incoming: Path, manifest: Manifest, card: str) -> Manifest:
        version = max((0, *self.versions(manifest.task))) + 1
        while True:
            numbered = manifest.model_copy(update={"version": version})
            (incoming / _MANIFEST).write_bytes(serialise_manifest(numbered))
            (incoming / _CARD).write_text(card.replace("{version}", str(version)), "utf-8")
            for path in [*incoming.rglob("*"), incoming]:
                _flush(path)
            try:
                # Renaming onto a folder that another trainer has just filled fails; then the next number is ours.
                incoming.rename(folder / str(version))
            except OSError:
                if not (folder / str(version)).exists():
                    raise
                version += 1
            else:
                _flush(folder)
                return numbered


def _read(path: Path, limit: int) -> bytes:
    if path.is_symlink() or path.parent.is_symlink():
        message = f"{path.name} is reached through a symbolic link"
        raise ManifestInvalid(message)
    if _special(path):
        message = f"{path.name} is not a file"
        raise ManifestInvalid(message)
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        message = f"{path.name} is larger than {limit} bytes"
        raise ManifestInvalid(message)
    return content


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn what the file system refuses into a reason."""
    try:
        yield
    except FileNotFoundError as missing:
        message = f"{Path(missing.filename).name} is missing"
        raise ManifestInvalid(message) from missing
    except OSError as unreadable:
        message = f"a file cannot be read: {unreadable.strerror}"
        raise ManifestInvalid(message) from unreadable


def _manifest(folder: Path, task: str, version: int) -> tuple[Manifest, str]:
    """The manifest that lies in a folder, and its digest."""
    content = _read(folder / _MANIFEST, _MOST_TEXT)
    manifest = parse_manifest(content)
    if (manifest.task, manifest.version) != (task, version):
        message = f"manifest.json is of {manifest.task} version {manifest.version}, but lies in {task}/{version}"
        raise ManifestInvalid(message)
    return manifest, f"sha256:{hashlib.sha256(content).hexdigest()}"


def _vouched(folder: Path, described: Probe | Seen | Novelty) -> bytes:
    """The content of a file whose digest stands in the manifest."""
    content = _read(folder / described.file, _MOST_ARRAYS)
    _require_described(content, described)
    return content


def _require_described(content: bytes, described: Probe | Seen | Novelty) -> None:
    if hashlib.sha256(content).hexdigest() != described.sha256:
        message = f"{described.file} is not the file that the manifest describes (sha-256 differs)"
        raise ManifestInvalid(message)


def _require_all_described(manifest: Manifest, arrays: Mapping[str, bytes]) -> None:
    files = (manifest.probe, manifest.seen, manifest.novelty)
    described = {entry.file: entry for entry in files if entry is not None}
    for name in sorted(described.keys() ^ arrays.keys()):
        message = f"the manifest and the bundle disagree on whether there is a {name}"
        raise ManifestInvalid(message)
    for name, entry in described.items():
        _require_described(arrays[name], entry)


def _detector(folder: Path, manifest: Manifest) -> Detector | None:
    if manifest.novelty is None:
        return None
    return read_detector(_vouched(folder, manifest.novelty), manifest.novelty.features)


def _special(path: Path) -> bool:
    # Opening a named pipe waits until somebody writes to it; one must not stop a whole registry.
    return path.exists() and not path.is_file()


def _require_digest(path: Path, sha256: str, size: int) -> None:
    if path.is_symlink():
        message = f"{path.name} is a symbolic link"
        raise WeightsInvalid(message)
    if _special(path):
        message = f"{path.name} is not a file"
        raise WeightsInvalid(message)
    with path.open("rb") as file:
        actual = os.fstat(file.fileno()).st_size
        if actual != size:
            message = f"{path.name} has {actual} bytes, the manifest says {size}: incomplete or another file"
            raise WeightsInvalid(message)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        message = f"{path.name} is not the file that the manifest describes (sha-256 differs)"
        raise WeightsInvalid(message)


def _probe_arrays(content: bytes, manifest: Manifest) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    pixels, tensor = read_arrays(content, manifest.probe.file, ("pixels", "tensor"), _MOST_ARRAYS)
    shape = (manifest.preprocessing.height, manifest.preprocessing.width, 3)
    fits = tensor.dtype == np.uint8 and tensor.shape == shape
    if not fits or pixels.dtype != np.uint8 or pixels.shape[2:] != (3,) or not pixels.size:
        message = "probe.npz does not hold the arrays that the manifest describes"
        raise ManifestInvalid(message)
    return pixels, tensor


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Bundle to ONNX graph, in a separate short-lived process, kept in a cache.

The child (`python -m services.compiler`) is the only place where serving meets Keras, TensorFlow and HDF5. It runs with
a limit on memory and time, so that neither a hostile weights file nor TensorFlow's leaks reach the serving process.
"""

import contextlib
import hashlib
import importlib.util
import json
import logging
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from services.bundle.manifest import Manifest
from services.bundle.store import Bundle
from services.errors import CompileFailed, WeightsInvalid

_log = logging.getLogger(__name__)

REFUSED, OUT_OF_MEMORY = 3, 4
"""Exit statuses of the child: a reason on its last line of output; no memory."""

# How the interpreter, the loader of shared libraries and TensorFlow say it when they cannot catch it themselves.
_SIGNS_OF_NO_MEMORY = (b"MemoryError", b"bad_alloc", b"failed to map segment", b"Cannot allocate memory")
_ROOT = Path(__file__).resolve().parent.parent.parent
# Raise it whenever the child would write another graph for the same bundle.
_REVISION = 4


class Compiler:
    """Compiles bundles and remembers the graphs.

    Args:
        cache: folder of compiled graphs, by weights and architecture; must be writable by the service alone.
        seconds: time after which a child is killed.
        memory_mb: address space of a child in MiB.
    """

    def __init__(self, cache: Path, *, seconds: float, memory_mb: int) -> None:
        self._cache, self._seconds, self._memory_mb = cache, seconds, memory_mb
        self._children: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def graph(self, bundle: Bundle) -> Path:
        """The compiled graph of a verified bundle, from the cache where it is there.

        Raises:
            WeightsInvalid: the weights file is not plain, or not of this architecture, which may itself be one that
                cannot be built, or not for images of this size.
            CompileFailed: the child failed, or exceeded its memory or time.
        """
        target = self._path(bundle)
        if not target.exists():
            self._compile(bundle, target)
        return target

    def has(self, bundle: Bundle) -> bool:
        """Whether the bundle's graph is in the cache."""
        return self._path(bundle).exists()

    def forget(self, bundle: Bundle) -> None:
        """Drop a bundle's graph from the cache."""
        self._path(bundle).unlink(missing_ok=True)

    def _path(self, bundle: Bundle) -> Path:
        return self._cache / f"{graph_key(bundle.manifest)}.onnx"

    def close(self) -> None:
        """Kill the children that are still running."""
        self._closed = True
        for child in tuple(self._children):
            child.kill()

    def _compile(self, bundle: Bundle, target: Path) -> None:
        partial = target.with_suffix(f".{secrets.token_hex(4)}.partial")
        order = {
            "weights": str(bundle.weights.resolve()),
            "manifest": json.loads(bundle.manifest.model_dump_json()),
            "target": str(partial.resolve()),
            "memory_mb": self._memory_mb,
        }
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._run(order)
            partial.replace(target)
        except OSError as unwritable:
            message = f"the compile cache cannot be written: {unwritable.strerror}"
            raise CompileFailed(message) from unwritable
        finally:
            partial.unlink(missing_ok=True)

    def _run(self, order: dict[str, object]) -> None:
        if importlib.util.find_spec("tensorflow") is None:
            message = "the graph is not in the compile cache, and TensorFlow, which would compile it, is not installed"
            raise CompileFailed(message)
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            code = self._spawn(order, output, errors)
            output.seek(0)
            errors.seek(0)
            _raise_for(code, output.read(), errors.read())

    def _spawn(self, order: dict[str, object], output: IO[bytes], errors: IO[bytes]) -> int:
        child = subprocess.Popen(
            [sys.executable, "-m", "services.compiler"],
            cwd=_ROOT,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
        )
        # Leaving the block closes stdin and waits. Until then stdin stays open: when this process dies, however it
        # dies, the child reads the end of it and stops.
        with child:
            self._children.add(child)
            try:
                self._await(child, order)
            finally:
                self._children.discard(child)
        return child.returncode

    def _await(self, child: subprocess.Popen[bytes], order: dict[str, object]) -> None:
        if self._closed:
            child.kill()
        try:
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(json.dumps(order).encode() + b"\n")  # type: ignore[union-attr]
                child.stdin.flush()  # type: ignore[union-attr]
            child.wait(self._seconds)
        except subprocess.TimeoutExpired as expired:
            child.kill()
            message = f"compiling took longer than {self._seconds:g} seconds"
            raise CompileFailed(message) from expired


def _environment() -> dict[str, str]:
    # The child is told nothing but what it needs, and never sees a GPU: the graph is the same, the start is faster.
    passed = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH")
    kept = {name: os.environ[name] for name in passed if name in os.environ}
    return kept | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def _raise_for(code: int, output: bytes, errors: bytes) -> None:
    lines = output.decode("utf-8", "replace").splitlines()
    if code == 0:
        return
    if code == REFUSED and lines:
        raise WeightsInvalid(lines[-1])
    if code == OUT_OF_MEMORY or any(sign in errors for sign in _SIGNS_OF_NO_MEMORY):
        message = "compiling needed more memory than it may have"
        raise CompileFailed(message)
    _log.error("the compiling process ended with %s: %s", code, errors[-4000:].decode("utf-8", "replace"))
    ended = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
    message = f"the compiling process {ended}; its output is in the service's log"
    raise CompileFailed(message)


def graph_key(manifest: Manifest) -> str:
    """Digest of everything that decides the graph: weights, architecture, input size, outputs, our own revision."""
    parts = {
        "revision": _REVISION,
        "weights": manifest.weights.sha256,
        "architecture": manifest.architecture.model_dump(mode="json"),
        "input": [manifest.preprocessing.height, manifest.preprocessing.width],
        "outputs": len(manifest.labels),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

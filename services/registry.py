"""Which bundles are live: scan, verify, compile, probe, warm up, swap, retire; quarantine with a reason.

What lies on disk is services.bundle.store's matter; here is what answers. A failed load never takes a working bundle
down, and one bad bundle never keeps the others from loading.
"""

import logging
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import watchfiles

from services.bundle.preprocessing import prepare
from services.bundle.store import Bundle, Fingerprint, Store
from services.bundle.task import Task
from services.compiler import Compiler
from services.errors import (
    BundleRefused,
    CompileFailed,
    NotReady,
    ProbeFailed,
    TaskInvalid,
    UnknownTask,
    UnknownVersion,
)
from services.network import Network, give_back_memory
from services.shelf import Entry, Live, Shelf, State, VersionState

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 5
_LOADERS = 2
_NOT_YET = "the model store is being read"
_BEYOND = "kept on disk; newer versions are loaded"
_CHANGED = "its files were changed after it was loaded; the loaded copy goes on answering until a restart"


class Registry:
    """The live bundles of a store.

    Args:
        store: what lies on disk.
        compiler: gives graphs.
        standby: versions per task kept loaded beside the live one.
    """

    def __init__(self, store: Store, compiler: Compiler, *, standby: int) -> None:
        self._store, self._compiler, self._standby = store, compiler, standby
        self._shelves: dict[str, Shelf] = {}
        self._broken: dict[str, str] = {}
        self._scanning = threading.Lock()
        for name in store.tasks():
            try:
                self._shelves[name] = Shelf(store.task(name), _NOT_YET, None, {})
            except TaskInvalid as invalid:
                self._broken[name] = str(invalid)

    # ------------------------------------------------------------ asking

    def tasks(self) -> tuple[Task, ...]:
        """The tasks of this process: those whose task.toml could be read when it started, as they read now."""
        return tuple(shelf.task for _, shelf in sorted(self._shelves.items()))

    def task(self, name: str) -> Task:
        """One of these tasks.

        Raises:
            UnknownTask: the service has no such task.
        """
        return self._shelf(name).task

    def live(self, task: str, version: int | None = None) -> Live:
        """The bundle that answers for a task now, or a loaded version of it.

        Raises:
            UnknownTask: the service has no such task.
            UnknownVersion: that version is not loaded.
            NotReady: no version of the task is live.
        """
        shelf = self._shelf(task)
        wanted = shelf.serving if version is None else version
        entry = shelf.entries.get(wanted) if wanted is not None else None
        if entry is not None and entry.live is not None:
            return entry.live
        if version is not None:
            message = f"Version {version} of {task} is not loaded."
            raise UnknownVersion(message)
        message = f"No model of {task} is live yet: {shelf.why_not()}."
        raise NotReady(message, retry_after=_RETRY_SECONDS)

    def serving(self, task: str) -> Live | None:
        """The bundle that answers for a task now, or None while there is none."""
        try:
            return self.live(task)
        except NotReady:
            return None

    def others(self, task: str) -> tuple[Live, ...]:
        """The bundles that answer for the other tasks now."""
        served = (self.serving(name) for name in sorted(self._shelves) if name != task)
        return tuple(live for live in served if live is not None)

    def states(self) -> tuple[VersionState, ...]:
        """Every version of every task, newest first."""
        return tuple(
            VersionState(
                name, version, entry.state, entry.reason, entry.live.digest if entry.live else None, entry.since
            )
            for name, shelf in sorted(self._shelves.items())
            for version, entry in sorted(shelf.entries.items(), reverse=True)
        )

    def missing(self) -> dict[str, str]:
        """What has no live bundle, each with the reason; empty when the service is ready."""
        waiting = {name: shelf.why_not() for name, shelf in self._shelves.items() if shelf.serving is None}
        if not self._shelves and not self._broken:
            return {"model_store": "it holds no task"}
        return dict(sorted((waiting | self._broken).items()))

    def _shelf(self, name: str) -> Shelf:
        shelf = self._shelves.get(name)
        if shelf is None:
            message = f"There is no task named {name!r}."
            raise UnknownTask(message)
        return shelf

    # ------------------------------------------------------------ following the store

    def follow(self, stop: threading.Event, *, poll_seconds: float) -> None:
        """Scan now and after every change of the store, until `stop` is set. Blocks; runs in a thread of its own.

        Besides the change events the store is looked at every `poll_seconds`, because network drives and read-only
        mounts may send none.
        """
        while not stop.is_set():
            try:
                self.scan()
                for _ in watchfiles.watch(
                    self._store.root,
                    stop_event=stop,
                    rust_timeout=int(poll_seconds * 1000),
                    yield_on_timeout=True,
                    raise_interrupt=False,
                ):
                    self.scan()
            except OSError as unwatchable:
                _log.warning("the model store cannot be watched: %s", unwatchable)
                stop.wait(poll_seconds)

    def scan(self) -> None:
        """Bring what is live in line with what lies on disk; returns when every change has been dealt with."""
        before = self._loaded()
        with self._scanning, ThreadPoolExecutor(_LOADERS, thread_name_prefix="bundle") as pool:
            # First what answers, then what stands by, so that a cold start is ready as early as it can be.
            for loaded in (1, 1 + self._standby):
                for _ in pool.map(lambda name, keep=loaded: self._bring_in_line(name, keep), tuple(self._shelves)):
                    pass

        if not before <= self._loaded():
            give_back_memory()

    def _loaded(self) -> set[tuple[str, str]]:
        return {(state.task, state.digest) for state in self.states() if state.digest is not None}

    def _bring_in_line(self, name: str, keep: int) -> None:
        """Load versions of one task until `keep` are loaded; retire those beyond the standby."""
        before = self._reread(self._shelves[name])
        on_disk = self._store.versions(name)
        shelf = before.only(on_disk).appointed()
        if shelf.serving is None and on_disk:
            # What answered was taken away while others came: it goes on until one of them is loaded.
            shelf = before
        loaded = 0
        for version in _by_preference(on_disk, shelf.task):
            shelf = self._settle(shelf, version, rank=loaded, keep=keep)
            loaded += shelf.entries[version].live is not None
        self._shelves[name] = shelf.only(on_disk).appointed()

    def _reread(self, shelf: Shelf) -> Shelf:
        try:
            task = self._store.task(shelf.task.name)
        except TaskInvalid as invalid:
            return replace(shelf, problem=str(invalid))
        if {entry.label for entry in task.labels} != {entry.label for entry in shelf.task.labels}:
            return replace(shelf, problem="task.toml names other labels than at the start; restart to serve them")
        return replace(shelf.of_task(task), problem=None)

    def _settle(self, shelf: Shelf, version: int, *, rank: int, keep: int) -> Shelf:
        """Load, keep or retire one version, of which `rank` preferred ones are loaded."""
        known = shelf.entries.get(version)
        fingerprint = self._store.fingerprint(shelf.task.name, version)
        if known is not None and known.live is not None:
            if rank > self._standby and version != shelf.serving:
                return shelf.including(version, Entry(State.RETIRED, fingerprint, _BEYOND))
            if known.fingerprint != fingerprint:
                known = replace(known, fingerprint=fingerprint, reason=_CHANGED)
            return shelf.including(version, known)
        if known is not None and known.state is State.QUARANTINED and known.fingerprint == fingerprint:
            return shelf
        if rank >= keep:
            retired = known is not None and known.state is State.RETIRED
            return shelf if retired else shelf.including(version, Entry(State.RETIRED, fingerprint, _BEYOND))
        self._shelves[shelf.task.name] = shelf.including(version, Entry(State.LOADING, fingerprint))
        # Each version goes live as soon as it is loaded, not when the whole scan is over.
        shelf = shelf.including(version, self._load(shelf.task, version, fingerprint)).appointed()
        self._shelves[shelf.task.name] = shelf
        return shelf

    def _load(self, task: Task, version: int, fingerprint: Fingerprint) -> Entry:
        try:
            bundle = self._store.read(task.name, version)
            network = self._proven(bundle)
        except BundleRefused as refused:
            return self._quarantined(task, version, fingerprint, str(refused))
        except Exception:  # noqa: BLE001
            # The one broad except of the product: whatever a bundle provokes, what is live must stay so.
            _log.exception("loading %s version %d failed", task.name, version)
            reason = "loading it failed in an unforeseen way; the service's log has the details"
            return self._quarantined(task, version, fingerprint, reason)
        _log.info("%s version %d is loaded", task.name, version)
        live = Live(bundle.manifest, bundle.digest, network, task, bundle.detector)
        return Entry(State.STANDBY, fingerprint, live=live)

    def _quarantined(self, task: Task, version: int, fingerprint: Fingerprint, reason: str) -> Entry:
        _log.warning("%s version %d is quarantined: %s", task.name, version, reason)
        return Entry(State.QUARANTINED, fingerprint, reason)

    def _proven(self, bundle: Bundle) -> Network:
        cached = self._compiler.has(bundle)
        try:
            return _probe(bundle, self._compiler.graph(bundle))
        except (CompileFailed, ProbeFailed):
            # A torn or stale graph in the cache must not condemn a good bundle: compile it once more.
            if not cached:
                raise
            self._compiler.forget(bundle)
            return _probe(bundle, self._compiler.graph(bundle))


def _probe(bundle: Bundle, graph: Path) -> Network:
    """Load a graph and replay the bundle's proof; the two runs also warm it up."""
    network = Network(graph)
    probe = bundle.manifest.probe
    prepared = prepare(bundle.probe_pixels, bundle.manifest.preprocessing)
    for what, tensor, tolerance in (
        ("tensor", bundle.probe_tensor, probe.tensor_tolerance),
        ("image", prepared, probe.image_tolerance),
    ):
        difference = float(np.abs(network.logits(tensor) - np.array(probe.logits)).max())
        # Written so that NaN fails.
        if not difference <= tolerance:
            message = f"the reference {what} gives logits that differ by {difference:.3g}; {tolerance:g} is allowed"
            raise ProbeFailed(message)
    return network


def _by_preference(versions: Iterable[int], task: Task) -> list[int]:
    return sorted(versions, key=lambda version: (version == task.serve, version), reverse=True)

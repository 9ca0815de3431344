"""All that is known of one task's versions, as a value that is replaced as a whole."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from services.bundle.manifest import Manifest
from services.bundle.novelty import Detector
from services.bundle.store import Fingerprint
from services.bundle.task import Task
from services.network import Network


class State(StrEnum):
    """What a version is doing."""

    LIVE = "live"
    STANDBY = "standby"
    LOADING = "loading"
    QUARANTINED = "quarantined"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Live:
    """A loaded bundle. Whoever holds it can go on answering with it, whatever the registry does meanwhile.

    Attributes:
        task: its words, as they read now.
        detector: of foreign images, or None.
    """

    manifest: Manifest
    digest: str
    network: Network
    task: Task
    detector: Detector | None

    @property
    def multilabel(self) -> bool:
        """Whether an image may have several labels, or none."""
        return self.manifest.calibration.activation == "sigmoid"

    @property
    def titles(self) -> Mapping[str, str]:
        """What people call the labels."""
        return {entry.label: entry.title for entry in self.task.labels}


@dataclass(frozen=True, slots=True)
class VersionState:
    """One version of a task as the models page shows it."""

    task: str
    version: int
    state: State
    reason: str | None
    digest: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one version.

    Attributes:
        live: what answers; None unless the version is loaded.
        since: when it came into this state.
    """

    state: State
    fingerprint: Fingerprint
    reason: str | None = None
    live: Live | None = None
    since: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Shelf:
    """A task and its versions; readers hold one and need no lock.

    Attributes:
        problem: why task.toml, or the state of the service, is not as it should be; None when it is.
        serving: the version that answers, or None.
    """

    task: Task
    problem: str | None
    serving: int | None
    entries: Mapping[int, Entry]

    def including(self, version: int, entry: Entry) -> "Shelf":
        """The same with one version as it is now."""
        return replace(self, entries={**self.entries, version: entry})

    def of_task(self, task: Task) -> "Shelf":
        """The same after task.toml was edited: new titles, and what was refused is tried again."""
        if task == self.task:
            return self
        kept = {version: entry for version, entry in self.entries.items() if entry.state is not State.QUARANTINED}
        retitled = {
            version: replace(entry, live=replace(entry.live, task=task)) if entry.live else entry
            for version, entry in kept.items()
        }
        return replace(self, task=task, entries=retitled)

    def only(self, versions: Collection[int]) -> "Shelf":
        """The same without the versions that are no longer on disk."""
        return replace(self, entries={number: entry for number, entry in self.entries.items() if number in versions})

    def appointed(self) -> "Shelf":
        """Decide who answers: the version that task.toml names, or the newest; else who answers now goes on."""
        loaded = sorted(version for version, entry in self.entries.items() if entry.live is not None)
        serving = self.serving if self.serving in loaded else None
        if self.task.serve == "latest":
            serving = loaded[-1] if loaded else None
        elif self.task.serve in loaded:
            serving = self.task.serve
        entries = {}
        for version, entry in self.entries.items():
            state = State.LIVE if version == serving else State.STANDBY
            changed = entry.live is not None and entry.state is not state
            entries[version] = replace(entry, state=state, since=datetime.now(UTC)) if changed else entry
        return replace(self, serving=serving, entries=entries)

    def why_not(self) -> str:
        """Why nothing answers, in half a sentence."""
        if self.problem is not None:
            return self.problem
        if self.task.serve != "latest" and self.task.serve not in self.entries:
            return f"task.toml asks for version {self.task.serve}, which is not there"
        for version, entry in sorted(self.entries.items(), reverse=True):
            if entry.reason is not None and entry.state is State.QUARANTINED:
                return f"version {version} is quarantined: {entry.reason}"
            if entry.state is State.LOADING:
                return f"version {version} is being loaded"
        return "the model store holds no version of it"

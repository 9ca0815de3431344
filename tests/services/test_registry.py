import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from services.bundle.calibration import probabilities
from services.bundle.preprocessing import prepare
from services.bundle.store import Store
from services.compiler import Compiler
from services.errors import NotReady, UnknownTask, UnknownVersion
from services.registry import Registry
from services.shelf import State, VersionState
from tests.bundles import draw, publish_tiny, write_task
from tests.spoiling import external_link, not_a_number, tampered, truncated, without_weights, wrong_shape

Drop = Callable[[int], Path]


def states(registry: Registry) -> dict[int, str]:
    return {state.version: state.state.value for state in registry.states()}


def state_of(registry: Registry, version: int) -> VersionState:
    return next(state for state in registry.states() if state.version == version)


def assert_answers(registry: Registry, version: int) -> None:
    live = registry.live("shapes")
    assert live.manifest.version == version
    for number, label in enumerate(live.manifest.labels):
        logits = live.network.logits(prepare(draw(number), live.manifest.preprocessing))
        assert live.manifest.labels[int(probabilities(logits, live.manifest.calibration).argmax())] == label


def assert_refused(registry: Registry, version: int, reason: str) -> None:
    refused = state_of(registry, version)
    assert refused.state is State.QUARANTINED
    assert refused.reason is not None
    assert reason in refused.reason


# ---------------------------------------------------------------- who answers


def test_before_the_first_scan_nothing_answers_and_it_says_why(store: Path, compiler: Compiler) -> None:
    registry = Registry(Store(store), compiler, standby=1)
    assert registry.missing() == {"shapes": "the model store is being read"}
    with pytest.raises(NotReady, match="being read") as refusal:
        registry.live("shapes")
    assert refusal.value.retry_after > 0


def test_the_newest_version_answers_and_the_one_before_stands_by(registry: Registry, drop: Drop) -> None:
    drop(2)
    registry.scan()
    assert states(registry) == {2: "live", 1: "standby"}
    assert_answers(registry, 2)
    assert registry.live("shapes", 1).manifest.version == 1
    assert registry.missing() == {}


def test_versions_beyond_the_standby_are_retired(registry: Registry, drop: Drop) -> None:
    drop(2)
    registry.scan()
    drop(3)
    registry.scan()
    assert states(registry) == {3: "live", 2: "standby", 1: "retired"}
    with pytest.raises(UnknownVersion):
        registry.live("shapes", 1)


def test_a_retired_version_comes_back_when_a_newer_one_is_deleted(registry: Registry, drop: Drop, store: Path) -> None:
    drop(2)
    drop(3)
    registry.scan()
    shutil.rmtree(store / "shapes" / "3")
    registry.scan()
    assert states(registry) == {2: "live", 1: "standby"}
    assert_answers(registry, 2)


def test_a_scan_that_finds_nothing_new_changes_nothing(registry: Registry, drop: Drop) -> None:
    drop(2)
    drop(3)
    registry.scan()
    before, live = registry.states(), registry.live("shapes", 2)
    registry.scan()
    assert registry.states() == before
    assert registry.live("shapes", 2) is live


def test_task_toml_rolls_back_and_forward(registry: Registry, drop: Drop, store: Path) -> None:
    drop(2)
    registry.scan()
    write_task(store, serve=1)
    registry.scan()
    assert states(registry) == {2: "standby", 1: "live"}
    assert_answers(registry, 1)
    write_task(store, serve="latest")
    registry.scan()
    assert_answers(registry, 2)


def test_asking_for_a_version_that_is_not_there_keeps_the_one_that_answers(registry: Registry, store: Path) -> None:
    write_task(store, serve=7)
    registry.scan()
    assert_answers(registry, 1)


def test_a_start_with_a_pin_that_is_not_there_serves_nothing_else(store: Path, compiler: Compiler) -> None:
    write_task(store, serve=7)
    registry = Registry(Store(store), compiler, standby=1)
    registry.scan()
    assert registry.missing() == {"shapes": "task.toml asks for version 7, which is not there"}
    with pytest.raises(NotReady):
        registry.live("shapes")


def test_deleting_the_last_version_leaves_nothing_live(registry: Registry, store: Path) -> None:
    shutil.rmtree(store / "shapes" / "1")
    registry.scan()
    assert registry.missing() == {"shapes": "the model store holds no version of it"}


@pytest.mark.parametrize("standby", [0, 1], ids=["nothing stands by", "another stands by"])
def test_replacing_the_live_version_leaves_no_moment_without_an_answer(
    store: Path, shapes: Path, drop: Drop, tmp_path: Path, standby: int
) -> None:
    if standby:
        drop(2)
    registry = Registry(Store(store), Compiler(tmp_path / "cache", seconds=120, memory_mb=8192), standby=standby)
    registry.scan()
    live = registry.live("shapes").manifest.version
    shutil.rmtree(store / "shapes" / str(live))
    shutil.copytree(shapes / "shapes" / "3", store / "shapes" / "3")
    scanning = threading.Thread(target=registry.scan)
    scanning.start()
    answered = set()
    while scanning.is_alive():
        answered.add(registry.live("shapes").manifest.version)
        time.sleep(0.001)
    assert answered >= {1}
    assert_answers(registry, 3)
    assert live not in states(registry)


def test_an_unknown_task_is_unknown(registry: Registry) -> None:
    with pytest.raises(UnknownTask):
        registry.live("nothing")


def test_a_store_without_tasks_is_not_ready(tmp_path: Path, compiler: Compiler) -> None:
    registry = Registry(Store(tmp_path / "nowhere"), compiler, standby=1)
    registry.scan()
    assert registry.missing() == {"model_store": "it holds no task"}


def test_whoever_holds_a_bundle_goes_on_answering_with_it(registry: Registry, drop: Drop, store: Path) -> None:
    held = registry.live("shapes")
    before = held.network.logits(prepare(draw(0), held.manifest.preprocessing))
    drop(2)
    shutil.rmtree(store / "shapes" / "1")
    registry.scan()
    after = held.network.logits(prepare(draw(0), held.manifest.preprocessing))
    np.testing.assert_array_equal(before, after)


# ---------------------------------------------------------------- what is refused


def without_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def without_seen(folder: Path) -> None:
    (folder / "seen.npz").unlink()


def with_symlink(folder: Path) -> None:
    path = folder / "model.weights.h5"
    path.rename(folder / "elsewhere")
    path.symlink_to("elsewhere")


def edited(**changes: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "manifest.json"
        manifest = json.loads(path.read_text())
        for key, value in changes.items():
            manifest[key] = manifest[key] | value if isinstance(value, dict) else value
        path.write_text(json.dumps(manifest))

    return edit


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(truncated, "bytes, the manifest says", id="truncated"),
        pytest.param(tampered, "sha-256 differs", id="tampered"),
        pytest.param(without_weights, "model.weights.h5 is missing", id="no weights"),
        pytest.param(without_seen, "seen.npz is missing", id="no fingerprints"),
        pytest.param(without_manifest, "manifest.json is missing", id="no manifest"),
        pytest.param(with_symlink, "symbolic link", id="symlink"),
        pytest.param(edited(surprise=1), "surprise", id="unknown field"),
        pytest.param(edited(version=9), "but lies in shapes/2", id="another version"),
        pytest.param(edited(format=1), "format 1; this version reads format 5", id="older format"),
        pytest.param(
            edited(architecture={"backbone": "nonesuch", "filters": []}),
            "nonesuch is not one of",
            id="unknown backbone",
        ),
        pytest.param(
            edited(architecture={"backbone": "inception_resnet_v2", "filters": []}),
            "wants images of at least 75 x 75 pixels, not 32 x 32",
            id="too small an image",
        ),
        pytest.param(edited(architecture={"filters": [16, 32, 64, 64]}), "has the shape", id="other filters"),
        pytest.param(edited(probe={"logits": [9.0, -9.0, 0.0]}), "the reference tensor gives", id="false probe"),
    ],
)
def test_a_bad_bundle_is_quarantined_and_the_old_one_goes_on(
    registry: Registry, drop: Drop, spoil: Callable[[Path], None], reason: str
) -> None:
    spoil(drop(2))
    registry.scan()
    assert_refused(registry, 2, reason)
    assert_answers(registry, 1)
    assert registry.missing() == {}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(not_a_number, "NaN or infinite"), (wrong_shape, "has the shape"), (external_link, "is a link")],
)
def test_hostile_weights_with_a_true_digest_are_quarantined(
    registry: Registry, store: Path, damage: Callable[[h5py.File], None], reason: str
) -> None:
    publish_tiny(store, seed=2, damage=damage)
    registry.scan()
    assert_refused(registry, 2, reason)
    assert_answers(registry, 1)


def test_a_half_copied_bundle_goes_live_once_it_is_whole(registry: Registry, shapes: Path, store: Path) -> None:
    half = store / "shapes" / "2"
    shutil.copytree(shapes / "shapes" / "2", half, ignore=shutil.ignore_patterns("*.h5"))
    registry.scan()
    assert states(registry) == {2: "quarantined", 1: "live"}
    shutil.copy(shapes / "shapes" / "2" / "model.weights.h5", half)
    registry.scan()
    assert states(registry) == {2: "live", 1: "standby"}


def test_a_quarantined_bundle_is_tried_again_only_when_its_files_change(registry: Registry, drop: Drop) -> None:
    tampered(drop(2))
    registry.scan()
    since = state_of(registry, 2).since
    registry.scan()
    assert state_of(registry, 2).since == since


def test_a_version_that_is_edited_while_it_answers_is_not_taken_over(registry: Registry, store: Path) -> None:
    digest = registry.live("shapes").digest
    tampered(store / "shapes" / "1")
    registry.scan()
    state = state_of(registry, 1)
    assert state.state is State.LIVE
    assert state.reason is not None
    assert "changed after it was loaded" in state.reason
    assert registry.live("shapes").digest == digest
    assert_answers(registry, 1)


def test_a_broken_task_toml_keeps_what_answers(registry: Registry, store: Path) -> None:
    (store / "shapes" / "task.toml").write_text("name = ")
    registry.scan()
    assert_answers(registry, 1)


def test_a_start_with_a_broken_task_toml_says_so_and_serves_the_others(store: Path, compiler: Compiler) -> None:
    broken = store / "broken"
    broken.mkdir()
    (broken / "task.toml").write_text("name = ")
    registry = Registry(Store(store), compiler, standby=1)
    registry.scan()
    assert_answers(registry, 1)
    assert list(registry.missing()) == ["broken"]
    assert "task.toml cannot be read" in registry.missing()["broken"]


def test_new_titles_are_taken_over_and_other_labels_are_not(registry: Registry, store: Path) -> None:
    path = store / "shapes" / "task.toml"
    text = path.read_text()
    path.write_text(text.replace(f'title = "{registry.live("shapes").titles["disc"]}"', 'title = "A round thing"'))
    registry.scan()
    assert registry.live("shapes").titles["disc"] == "A round thing"
    path.write_text(text.replace('label = "disc"', 'label = "other"'))
    registry.scan()
    assert registry.live("shapes").titles["disc"] == "A round thing"


# ---------------------------------------------------------------- compiling


def test_a_torn_graph_in_the_cache_is_compiled_again(
    store: Path, graphs: Path, tmp_path: Path, registry: Registry
) -> None:
    assert registry.missing() == {}
    cache = tmp_path / "cache"
    cache.mkdir()
    for graph in graphs.glob("*.onnx"):
        (cache / graph.name).write_bytes(graph.read_bytes()[:500])
    cold = Registry(Store(store), Compiler(cache, seconds=120, memory_mb=8192), standby=1)
    cold.scan()
    assert_answers(cold, 1)


@pytest.mark.parametrize(
    ("seconds", "memory_mb", "reason"),
    [pytest.param(0.2, 8192, "took longer than", id="time"), pytest.param(120, 300, "memory", id="memory")],
)
def test_a_compilation_beyond_its_limits_is_a_quarantine(
    store: Path, tmp_path: Path, seconds: float, memory_mb: int, reason: str
) -> None:
    registry = Registry(Store(store), Compiler(tmp_path / "cache", seconds=seconds, memory_mb=memory_mb), standby=1)
    registry.scan()
    assert_refused(registry, 1, reason)
    assert list((tmp_path / "cache").iterdir()) == []


def test_closing_the_compiler_ends_its_children_at_once(store: Path, tmp_path: Path) -> None:
    compiler = Compiler(tmp_path / "cache", seconds=120, memory_mb=8192)
    registry = Registry(Store(store), compiler, standby=1)
    scanning = threading.Thread(target=registry.scan)
    scanning.start()
    time.sleep(0.5)
    compiler.close()
    scanning.join(10)
    assert not scanning.is_alive()
    assert state_of(registry, 1).state is State.QUARANTINED


# ---------------------------------------------------------------- following the store


def test_a_dropped_version_goes_live_by_itself(registry: Registry, drop: Drop) -> None:
    stop = threading.Event()
    follower = threading.Thread(target=registry.follow, args=(stop,), kwargs={"poll_seconds": 60.0})
    follower.start()
    try:
        time.sleep(0.5)
        drop(2)
        deadline = time.monotonic() + 60
        while registry.live("shapes").manifest.version != 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        stop.set()
        follower.join(10)
    assert not follower.is_alive()

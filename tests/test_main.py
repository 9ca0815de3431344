"""The service as a whole: what it loads, how it starts, and bundles swapped under load."""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from services.registry import Registry
from services.settings import Settings
from tests.bundles import SHAPES, draw, encode
from tests.conftest import wait_until_ready

ROOT = Path(__file__).resolve().parent.parent
URL = "/api/v1/tasks/shapes/predictions"

SERVE_AND_REPORT = """
import sys, time
from starlette.testclient import TestClient
from main import create_app
from services.settings import Settings
with TestClient(create_app(Settings())) as client:
    while client.get("/readyz").status_code != 200:
        time.sleep(0.1)
    image = sys.stdin.buffer.read()
    answer = client.post("/api/v1/tasks/shapes/predictions", files={"image": image}).json()
    assert client.post("/api/v1/models/reload").status_code in (200, 403)
print(answer["predictions"][0]["finding"]["label"])
print(",".join(sorted(sys.modules.keys() & {"tensorflow", "keras", "jax", "torch", "tf2onnx", "h5py"})))
"""


def environment(settings: Settings, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "SIGHTLINE_MODEL_STORE": str(settings.model_store),
        "SIGHTLINE_GRAPH_CACHE": str(settings.graph_cache),
        "SIGHTLINE_UPLOADS": str(settings.uploads),
        "PYTHONPATH": str(ROOT),
        **more,
    }


def serve_and_report(environment: dict[str, str], *options: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, *options, "-c", SERVE_AND_REPORT],
        input=encode(draw(1)),
        env=environment,
        capture_output=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().split("\n")


def test_importing_main_reads_no_file_of_the_store_and_loads_no_framework() -> None:
    code = "import sys, main; print(sorted(sys.modules.keys() & {'tensorflow','keras','h5py'}), 'app' in vars(main))"
    missing = {**os.environ, "SIGHTLINE_MODEL_STORE": "/nowhere"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=missing, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[] False"


def test_serving_never_loads_tensorflow(settings: Settings) -> None:
    label, loaded, _ = serve_and_report(environment(settings))
    assert label == SHAPES[1]
    assert loaded == ""


def test_a_service_with_a_full_cache_runs_where_tensorflow_is_not_installed(
    settings: Settings, registry: Registry, tmp_path: Path
) -> None:
    assert registry.missing() == {}  # which has filled the cache
    bare = tmp_path / "site-packages"
    bare.mkdir()
    absent = ("tensorflow", "keras", "tf2onnx", "onnx-", "h5py")
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if not package.name.startswith(absent) and package.name != "onnx" and package.suffix != ".pth":
            (bare / package.name).symlink_to(package)
    bare_environment = environment(settings, PYTHONPATH=f"{ROOT}{os.pathsep}{bare}")
    probe = [sys.executable, "-S", "-c", "import importlib.util; print(importlib.util.find_spec('tensorflow'))"]
    found = subprocess.run(probe, env=bare_environment, capture_output=True, check=True, cwd=ROOT)
    assert found.stdout.decode().strip() == "None"
    assert serve_and_report(bare_environment, "-S")[0] == SHAPES[1]


def test_uvicorn_starts_it_and_a_signal_ends_it_without_leaving_anything(settings: Settings, tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "main:app", "--port", "0"],
            cwd=ROOT,
            env=environment(settings),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    with process:
        with httpx2.Client(base_url=await_address(output)) as client:
            assert client.get("/livez").status_code == 200
            wait_until_ready(client)
            asked = client.post(URL, params={"hint": "jane-doe-1961"}, files={"image": encode(draw(0))})
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in {0, -signal.SIGTERM}
    assert list(settings.uploads.iterdir()) == []
    # A hint is neither kept nor logged, not even by the server's own log of addresses.
    assert asked.status_code == 400
    logged = output.read_text("utf-8")
    assert f'"POST {URL} HTTP/1.1" 400' in logged
    assert "jane-doe" not in logged + asked.text


def await_address(output: Path) -> str:
    deadline = time.monotonic() + 60
    while (found := re.search(r"Uvicorn running on (\S+)", output.read_text("utf-8"))) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found[1]


def test_a_version_dropped_in_under_load_goes_live_without_a_failed_or_mixed_up_answer(
    server: str, drop: Callable[[int], Path], store: Path, tmp_path: Path
) -> None:
    pictures = [encode(draw(number)) for number in range(3)]
    answers: list[tuple[int, int, str, float]] = []
    failures: list[str] = []
    stop = threading.Event()

    def ask(number: int) -> None:
        with httpx2.Client(base_url=server, timeout=30) as client:
            while not stop.is_set():
                response = client.post(URL, files={"image": pictures[number]})
                if response.status_code != 200:
                    failures.append(response.text)
                    continue
                answer = response.json()
                finding = answer["predictions"][0]["finding"]
                answers.append((number, answer["model"]["version"], finding["label"], finding["probability"]))

    askers = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for asker in askers:
        asker.start()
    try:
        with httpx2.Client(base_url=server) as client:
            drop(2)
            await_version(client, 2)
            spoilt = shutil.copytree(store / "shapes" / "2", tmp_path / "3")
            (spoilt / "model.weights.h5").write_bytes(b"not weights")
            spoilt.rename(store / "shapes" / "3")
            await_state(client, 3, "quarantined")
            shutil.rmtree(store / "shapes" / "2")
            await_version(client, 1)
            time.sleep(0.2)
    finally:
        stop.set()
        for asker in askers:
            asker.join(30)
    assert failures == []
    assert {version for _, version, _, _ in answers} == {1, 2}
    assert all(label == SHAPES[number] for number, _, label, _ in answers)
    # Each version gives each picture one probability and no other: no answer mixes two networks.
    given: dict[tuple[int, int], set[float]] = {}
    for number, version, _, probability in answers:
        given.setdefault((number, version), set()).add(probability)
    assert all(len(values) == 1 for values in given.values()), given


def await_version(client: httpx2.Client, version: int) -> None:
    deadline = time.monotonic() + 60
    while client.get("/api/v1/tasks").json()["tasks"][0]["serving"] != version:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def await_state(client: httpx2.Client, version: int, state: str) -> None:
    deadline = time.monotonic() + 60
    while state not in {
        model["state"] for model in client.get("/api/v1/models").json()["models"] if model["version"] == version
    }:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_module_attribute_that_is_not_there_is_an_attribute_error() -> None:
    import main

    with pytest.raises(AttributeError):
        main.nothing  # noqa: B018

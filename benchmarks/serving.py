"""The whole service against the usual way to serve a Keras model, on the same machine in the same run.

    python benchmarks/serving.py drugs [IMAGE]

The usual way is an `async def` route that calls `model.predict` (FastAPI, TensorFlow in the serving process). Both are
asked over HTTP by one client and by eight; prints milliseconds per request, requests per second, memory, and ratios.
With `--reloads N` it also swaps the bundle's graph N times and prints how the memory of the service grew.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

ROOT = Path(__file__).resolve().parent.parent

USUAL_WAY = """
import io, os, sys
import numpy as np
from fastapi import FastAPI, UploadFile
from PIL import Image
sys.path.insert(0, os.environ["SIGHTLINE_ROOT"])
from services.bundle.store import Store
from services.bundle.classifier import load_classifier
from services.settings import Settings

store = Store(Settings().model_store)
bundle = store.read(os.environ["SIGHTLINE_TASK"], store.versions(os.environ["SIGHTLINE_TASK"])[-1])
model = load_classifier(bundle.weights.read_bytes(), bundle.manifest)
labels, size = bundle.manifest.labels, (bundle.manifest.preprocessing.width, bundle.manifest.preprocessing.height)
app = FastAPI()

@app.get("/readyz")
def ready():
    return {}

@app.post("/api/v1/tasks/{task}/predictions")
async def predict(task: str, image: UploadFile):
    picture = Image.open(io.BytesIO(await image.read())).convert("RGB").resize(size)
    logits = model.predict(np.asarray(picture, np.float32)[None], verbose=0)[0]
    return {"class": labels[int(logits.argmax())]}
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one server."""

    ready_seconds: float
    one_ms: float
    eight_ms: float
    eight_per_second: float
    memory_mb: float


@contextmanager
def server(target: str, port: int, folder: str, task: str) -> Iterator[tuple[subprocess.Popen[bytes], str, float]]:
    """Start uvicorn, wait until it is ready, yield the process, its address and the seconds it took."""
    environment = {**os.environ, "SIGHTLINE_ROOT": str(ROOT), "SIGHTLINE_TASK": task, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "uvicorn", target, "--app-dir", folder, "--port", str(port)]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--log-level", "error"], env=environment, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        while not _ready(address):
            time.sleep(0.05)
        yield process, address, time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()


def _ready(address: str) -> bool:
    try:
        return httpx2.get(f"{address}/readyz", timeout=5).status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False


def ask(address: str, task: str, image: bytes, count: int) -> list[float]:
    """Milliseconds of `count` requests one after the other over one connection."""
    taken = []
    with httpx2.Client(base_url=address, timeout=60) as client:
        for _ in range(count):
            started = time.perf_counter()
            client.post(f"/api/v1/tasks/{task}/predictions", files={"image": image}).raise_for_status()
            taken.append((time.perf_counter() - started) * 1000)
    return taken


def measure(target: str, port: int, folder: str, task: str, image: bytes, requests: int) -> Figures:
    """Start a server, ask it, stop it."""
    with server(target, port, folder, task) as (process, address, ready):
        ask(address, task, image, 5)
        one = statistics.median(ask(address, task, image, requests))
        started = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            shares = list(pool.map(lambda _: ask(address, task, image, requests // 4), range(8)))
        elapsed = time.perf_counter() - started
        eight = [value for share in shares for value in share]
        return Figures(ready, one, statistics.median(eight), len(eight) / elapsed, memory(process.pid))


def memory(pid: int) -> float:
    """Resident memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


def soak(task: str, image: bytes, reloads: int) -> None:
    """Publish and withdraw a version again and again, and print how the memory grew."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(ROOT / "model_store" / task, root / task)
        os.environ["SIGHTLINE_MODEL_STORE"] = folder
        version = max(int(path.name) for path in (root / task).iterdir() if path.name.isdigit())
        with server("main:app", 8993, str(ROOT), task) as (process, address, _):
            ask(address, task, image, 20)
            before = memory(process.pid)
            for _ in range(reloads):
                (root / task / str(version)).rename(root / "aside")
                httpx2.post(f"{address}/api/v1/models/reload", timeout=60).raise_for_status()
                (root / "aside").rename(root / task / str(version))
                httpx2.post(f"{address}/api/v1/models/reload", timeout=60).raise_for_status()
                ask(address, task, image, 2)
            after = memory(process.pid)
    print(f"{reloads} reloads: {before:.0f} -> {after:.0f} MiB ({100 * (after / before - 1):+.1f} %)")


def main() -> None:
    """Measure both servers and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task")
    parser.add_argument("image", type=Path, nargs="?")
    parser.add_argument("--requests", type=int, default=80)
    parser.add_argument("--reloads", type=int, default=0)
    chosen = parser.parse_args()
    image = (chosen.image or ROOT / "model_store" / chosen.task / "example.png").read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "usual.py").write_text(USUAL_WAY)
        theirs = measure("usual:app", 8992, folder, chosen.task, image, chosen.requests)
    ours = measure("main:app", 8991, str(ROOT), chosen.task, image, chosen.requests)
    print(f"{'':28}{'usual way':>12}{'Sightline':>12}{'ratio':>8}")
    for name, a, b in (
        ("ready after, seconds", theirs.ready_seconds, ours.ready_seconds),
        ("one client, ms", theirs.one_ms, ours.one_ms),
        ("eight clients, ms", theirs.eight_ms, ours.eight_ms),
        ("eight clients, s/request", 1 / theirs.eight_per_second, 1 / ours.eight_per_second),
        ("memory, MiB", theirs.memory_mb, ours.memory_mb),
    ):
        print(f"{name:28}{a:12.3g}{b:12.3g}{a / b:8.1f}")
    if chosen.reloads:
        soak(chosen.task, image, chosen.reloads)


if __name__ == "__main__":
    main()

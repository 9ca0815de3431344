"""One image through the network: Keras `predict`, a compiled `tf.function`, and ONNX Runtime as we serve it.

    python benchmarks/inference.py drugs

Prints milliseconds and ratios, all measured in one run on one thread of work at a time, alternating between the ways.
With `--data DIR` it also compares answers on real images: same class, largest difference of a probability.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from services.bundle.calibration import probabilities
from services.bundle.classifier import load_classifier
from services.bundle.preprocessing import prepare
from services.bundle.store import Bundle, Store
from services.compiler import Compiler
from services.imaging import decode
from services.network import Network
from services.settings import Settings

Way = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def ways(bundle: Bundle, settings: Settings) -> dict[str, Way]:
    """The ways to run a bundle's network, each from uint8 [h, w, 3] to logits."""
    model = load_classifier(bundle.weights.read_bytes(), bundle.manifest)
    compiled = tf.function(lambda x: model(x, training=False))
    compiler = Compiler(settings.graph_cache, seconds=settings.compile_seconds, memory_mb=settings.compile_memory_mb)
    network = Network(compiler.graph(bundle))
    return {
        "Keras predict": lambda x: model.predict(x[np.newaxis].astype(np.float32), verbose=0)[0],
        "tf.function": lambda x: compiled(x[np.newaxis].astype(np.float32)).numpy()[0],
        "ONNX Runtime": network.logits,
        "with saliency": lambda x: network.answer(x, saliency=True).logits,
    }


def measure(choices: dict[str, Way], tensor: NDArray[np.uint8], runs: int) -> dict[str, float]:
    """Median milliseconds of each way, in turns so that a busy moment hits all alike."""
    for way in choices.values():
        way(tensor)
    taken: dict[str, list[float]] = {name: [] for name in choices}
    for _ in range(runs):
        for name, way in choices.items():
            started = time.perf_counter()
            way(tensor)
            taken[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(values) for name, values in taken.items()}


def agreement(bundle: Bundle, choices: dict[str, Way], folder: Path, count: int) -> str:
    """How far ONNX Runtime's answers are from Keras's on images of `folder`."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in {".webp", ".jpg", ".png"})
    chosen = [paths[index] for index in np.linspace(0, len(paths) - 1, count).astype(int)]
    changed, largest = 0, 0.0
    for path in chosen:
        tensor = prepare(decode(path.read_bytes(), max_pixels=10**8).pixels, bundle.manifest.preprocessing)
        ours, theirs = (
            probabilities(choices[name](tensor), bundle.manifest.calibration)
            for name in ("ONNX Runtime", "tf.function")
        )
        changed += int(ours.argmax() != theirs.argmax())
        largest = max(largest, float(np.abs(ours - theirs).max()))
    return f"{count} images: {changed} classes differ, largest difference of a probability {largest:.2g}"


def main() -> None:
    """Measure one task's newest bundle."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--images", type=int, default=300)
    chosen = parser.parse_args()
    settings = Settings()
    store = Store(settings.model_store)
    bundle = store.read(chosen.task, store.versions(chosen.task)[-1])
    choices = ways(bundle, settings)
    taken = measure(choices, bundle.probe_tensor, chosen.runs)
    for name, milliseconds in taken.items():
        print(f"{name:14} {milliseconds:7.1f} ms   {milliseconds / taken['ONNX Runtime']:5.1f} x ours")
    if chosen.data is not None:
        print(agreement(bundle, choices, chosen.data, chosen.images))


if __name__ == "__main__":
    main()

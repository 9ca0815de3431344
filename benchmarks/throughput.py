"""Images per second of our training and of a plain Keras script, on the same device, images and network.

    python benchmarks/throughput.py
    python benchmarks/throughput.py --backbone efficientnet_b0 --edge 224 --images 4096 --batch-size 128

The plain script is what a tutorial has: `keras.utils.image_dataset_from_directory`, two random layers, `fit`. Both
train every layer on the same drawn PNG files, first one, then the other. The first epoch, which compiles, does not
count.
How busy the device was: nvidia-smi's utilisation where there is one, else the share of the cores' time.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras

from services.bundle.architectures import build
from services.bundle.graph import Architecture
from tests.bundles import SHAPES, draw, encode
from training.devices import device
from training.finetuning import fine_tune
from training.folders import read_folder
from training.images import load_images
from training.pipeline import precision
from training.recipe import Augmentation, Material, Phase, Recipe, Regularisation, Sight


class Busy:
    """How busy the device was while a block ran, as a share."""

    def __enter__(self) -> Self:
        self._stop, self._samples = threading.Event(), list[float]()
        self._wall, self._processor = time.monotonic(), time.process_time()
        self._thread = threading.Thread(target=self._sample) if shutil.which("nvidia-smi") else None
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        wall, processor = time.monotonic() - self._wall, time.process_time() - self._processor
        self.share = processor / wall / (os.cpu_count() or 1)
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self.share = sum(self._samples) / max(len(self._samples), 1)

    def _sample(self) -> None:
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not self._stop.wait(0.2):
            asked = subprocess.run(query, capture_output=True, text=True, check=True)
            self._samples.append(float(asked.stdout.splitlines()[0]) / 100)


class Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Seconds of training and how busy the device was, of every epoch but the first; validation is not counted."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.busy: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Start."""
        del epoch, logs
        self._watch, self._begun = Busy().__enter__(), time.monotonic()

    def on_test_begin(self, logs: object = None) -> None:
        """Training ends where validation begins."""
        del logs
        self._end()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        """Keep what was measured, unless it was the epoch that compiled."""
        del logs
        self._end()
        if epoch:
            self.seconds.append(self._seconds)
            self.busy.append(self._watch.share)
        del self._watch

    def _end(self) -> None:
        if not hasattr(self._watch, "share"):
            self._seconds = time.monotonic() - self._begun
            self._watch.__exit__()


def plain(folder: Path, chosen: argparse.Namespace) -> Clock:
    """The tutorial's way."""
    clock, edge = Clock(), chosen.edge
    options = {"image_size": (edge, edge), "batch_size": chosen.batch_size, "label_mode": "categorical", "seed": 0}
    train = keras.utils.image_dataset_from_directory(folder / "train", **options)
    validation = keras.utils.image_dataset_from_directory(folder / "validation", **options)
    model = keras.Sequential(
        [
            keras.Input((edge, edge, 3)),
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(0.05),
            build(Architecture(backbone=chosen.backbone, filters=(), hidden=()), (edge, edge), len(SHAPES)),
        ]
    )
    model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(train, validation_data=validation, epochs=chosen.epochs + 1, callbacks=[clock], verbose=0)
    return clock


def ours(folder: Path, chosen: argparse.Namespace) -> Clock:
    """Our way, with the same network and batches."""
    edge, clock = chosen.edge, Clock()
    recipe = Recipe(
        task="shapes",
        seed=0,
        batch_size=chosen.batch_size,
        monitor="val_loss",
        mixed_precision=True,
        initial_weights="random",
        material=Material(name="drawn", licence="none", split=(0.8, 0.1, 0.1), balance="class_weights"),
        architecture=Architecture(backbone=chosen.backbone, filters=(), hidden=()),
        regularisation=Regularisation(dropout=0.0),
        preprocessing=Sight(
            height=edge,
            width=edge,
            borders="kept",
            colour="rgb",
            fit="letterbox",
            interpolation="bilinear",
            pad=127,
            window=None,
            levels="kept",
            window_percentiles=(0.5, 99.5),
        ),
        augmentation=Augmentation(
            view=edge, rotation=18.0, scale=(1.0, 1.0), aspect=1.0, flips="horizontal", contrast=0.0, brightness=0.0
        ),
        fine_tuning=Phase(
            unfreeze="all",
            epochs=chosen.epochs + 1,
            learning_rate=1e-3,
            warmup=0.0,
            weight_decay=0.0,
            patience=chosen.epochs + 1,
        ),
    )
    parts = [read_folder(folder / name) for name in ("train", "validation")]
    train, validation = (load_images(part, part.samples, recipe.preprocessing) for part in parts)
    with precision(recipe):
        fine_tune(recipe, train, validation, folder / "run", None, callbacks=[clock])
    return clock


def draw_folder(root: Path, images: int) -> None:
    """Drawn PNG files of 384 by 320 pixels, a tenth of them for validation."""
    for name, count in (("train", images), ("validation", images // 10)):
        for index in range(count):
            label = SHAPES[index % len(SHAPES)]
            path = root / name / label / f"{index:06}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(draw(index % len(SHAPES), index, width=384, height=320)))


def main() -> None:
    """Measure both ways, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--edge", type=int, default=160, help="height and width of the input in pixels")
    parser.add_argument("--images", type=int, default=384)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=2, help="that count")
    chosen = parser.parse_args()
    speeds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        draw_folder(Path(folder), chosen.images)
        print(f"{chosen.backbone}, {chosen.edge} px, batches of {chosen.batch_size}, on {device()}")
        ways: dict[str, Any] = {"plain Keras": plain, "ours": ours}
        for name, way in ways.items():
            clock = way(Path(folder), chosen)
            speeds[name] = chosen.images * len(clock.seconds) / sum(clock.seconds)
            busy = sum(clock.busy) / len(clock.busy)
            ratio = speeds[name] / speeds["plain Keras"]
            print(f"{name:12} {speeds[name]:8.1f} images/s   {ratio:5.2f} x plain   device {busy:4.0%} busy")


if __name__ == "__main__":
    main()

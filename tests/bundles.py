"""Bundles small enough for tests, and real in every other way: a network that tells drawn shapes apart, its weights in
half precision, digests, a probe that it reproduces.

    write_task(root, "shapes", SHAPES)
    manifest = publish_tiny(root, "shapes", seed=1)     # version 1; another seed gives other weights, the same classes
    pixels = draw(0)                                    # what the network takes for SHAPES[0]
    publish_tiny(root, "mixed", activation="sigmoid")   # names both shapes of `draw_together(0, 2)`
    publish_tiny(root, "bought", imported=True)         # says that its weights were fitted elsewhere
    publish_tiny(root, "wary", detector=True)           # refuses what is not like `draw`
"""

import colorsys
import functools
import hashlib
import io
import itertools
import json
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.bundle import weights
from services.bundle.architectures import build
from services.bundle.graph import Architecture
from services.bundle.layers import build_layers
from services.bundle.manifest import Calibration, Manifest, Novelty, Preprocessing
from services.bundle.outputs import inner_features
from services.bundle.preprocessing import prepare
from services.bundle.store import Store
from tests.layers import layer_graph
from tests.manifests import Files, describe
from training import novelty

SHAPES = ("disc", "square", "stripes")

EDGE = 32
"""Height and width of the tiny network's input in pixels."""

ARCHITECTURE = Architecture(backbone="convnet", filters=(16, 32, 64, 128), hidden=())
PREPROCESSING = Preprocessing(
    height=EDGE,
    width=EDGE,
    borders="kept",
    colour="rgb",
    fit="letterbox",
    interpolation="bilinear",
    pad=127,
    window=None,
    levels="kept",
    window_percentiles=(0.5, 99.5),
)

# Tests publish from several threads, and all seeds are fitted in one graph.
_FITTING = threading.Lock()

Damage = Callable[[h5py.File], None]
Activation = Literal["softmax", "sigmoid"]


def draw(number: int, seed: int = 0, *, width: int = 48, height: int = 40) -> NDArray[np.uint8]:
    """Draw one picture of a class.

    Args:
        number: the class: decides the shape (disc, square, stripes, in turn) and the colour.
        seed: decides the place, the size and the background.

    Returns:
        uint8 [height, width, 3], RGB.
    """
    random = np.random.default_rng((number, seed))
    down, across = np.mgrid[:height, :width].astype(float)
    radius = min(height, width) * random.uniform(0.3, 0.4)
    y, x = down - height * random.uniform(0.45, 0.55), across - width * random.uniform(0.45, 0.55)
    inside = (
        x**2 + y**2 < radius**2,
        np.maximum(np.abs(x), np.abs(y)) < radius * 0.9,
        (np.abs(x) < radius) & (np.floor((x + radius) / 4) % 2 == 0),
    )[number % 3]
    colour = np.array(colorsys.hsv_to_rgb(number * 0.618 % 1, 0.9, 0.9)) * 255
    ground = random.uniform(90, 160) + random.normal(0, 6, (height, width, 1))
    picture = np.where(inside[..., None], colour, ground)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def draw_together(*numbers: int, seed: int = 0) -> NDArray[np.uint8]:
    """Draw one picture of several classes side by side, or of an empty ground.

    Args:
        numbers: the classes, each as `draw` draws it; none or several.
        seed: as of `draw`.

    Returns:
        uint8 [height, width, 3], RGB.
    """
    if numbers:
        return np.hstack([draw(number, seed) for number in numbers])
    random = np.random.default_rng(seed)
    ground = random.uniform(90, 160) + random.normal(0, 6, (40, 48, 1))
    return np.clip(np.rint(np.repeat(ground, 3, axis=2)), 0, 255).astype(np.uint8)


def encode(pixels: NDArray[np.uint8], image_format: str = "PNG") -> bytes:
    """The bytes of an image file of these pixels."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, image_format)
    return file.getvalue()


def write_task(  # noqa: PLR0913 - each is one thing that a test varies
    root: Path,
    task: str = "shapes",
    labels: tuple[str, ...] = SHAPES,
    serve: int | str = "latest",
    *,
    positive: str = "",
    picture: str = "a drawing of a shape",
    modalities: tuple[str, ...] = (),
    body_parts: tuple[str, ...] = (),
    hints: bool = False,
) -> Path:
    """Write `<root>/<task>/task.toml` and return its path; with `hints` each label can be named by itself."""
    path = root / task / "task.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"name = {_toml(task)}",
        f"title = {_toml(task.title())}",
        'summary = "Which shape was drawn."',
        'modality = "drawing"',
        f"picture = {_toml(picture)}",
        f"positive = {_toml(positive)}",
        f"dicom = {{ modalities = {_toml(list(modalities))}, body_parts = {_toml(list(body_parts))} }}",
        'upload = "A drawing of one coloured shape."',
        'warning = "A drawing for tests; means nothing."',
        'intended_use = "Tests."',
        'out_of_scope = ["Anything but tests."]',
        'limits = ["Drawn by code; no real image was seen."]',
        f"serve = {_toml(serve)}",
    ]
    for label in labels:
        lines += ["[[labels]]", f"label = {_toml(label)}", f"title = {_toml(label.title())}"]
        lines.append(f"explanation = {_toml(f'A drawn {label}.')}")
        if hints:
            lines.append(f"hints = {_toml([label.lower()])}")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def publish_tiny(  # noqa: PLR0913 - each is one thing that a test varies
    root: Path,
    task: str = "shapes",
    *,
    seed: int = 0,
    labels: tuple[str, ...] = SHAPES,
    temperature: float = 1.0,
    activation: Activation = "softmax",
    imported: bool = False,
    detector: bool = False,
    changes: dict[str, Any] | None = None,
    damage: Damage | None = None,
) -> Manifest:
    """Publish a tiny bundle as the next version of a task; writes its task.toml where there is none.

    Args:
        root: of the model store.
        task: a folder of it.
        seed: of the weights; every seed gives a network that answers `draw(n)` with `labels[n]`, by other logits.
        labels: in the order of the logits.
        temperature: divides the logits.
        activation: "sigmoid" gives a network that names every shape of `draw_together`, up to two, and none of an empty
            ground.
        imported: whether the manifest says that the weights were fitted elsewhere; the graph is then a list of layers.
        detector: whether the bundle refuses what is not like `draw`.
        changes: fields of the manifest to replace before it is written.
        damage: changes the weights file before its digest is taken, so that only what is inside it is wrong.

    Returns:
        The manifest as published.
    """
    if not (root / task / "task.toml").exists():
        write_task(root, task, labels)
    with _FITTING:
        tiny = _tiny(len(labels), seed, activation, imported)
    seen = None if imported else _seen()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.weights.h5"
        path.write_bytes(tiny.weights)
        if damage is not None:
            with h5py.File(path, "a") as file:
                damage(file)
        manifest = describe(
            task,
            labels,
            Files(path.read_bytes(), tiny.probe, seen),
            tiny.logits,
            layer_graph(ARCHITECTURE.filters, len(labels)) if imported else ARCHITECTURE,
            PREPROCESSING,
            Calibration(temperature=temperature, activation=activation),
        ).model_copy(update={"novelty": tiny.novelty if detector else None, **(changes or {})})
        card = f"# {task.title()}, version {{version}}\n\nDrawn for tests.\n"
        arrays = {"probe.npz": tiny.probe}
        arrays |= {"seen.npz": seen} if seen is not None else {}
        arrays |= {"novelty.npz": tiny.detector} if detector else {}
        return Store(root).publish(manifest, path, arrays, card, {"confusion.png": encode(draw(0))})


@dataclass(frozen=True, slots=True)
class _Tiny:
    """A trained tiny network: its halved weights, its probe and what it makes of it, its detector of foreign images."""

    weights: bytes
    probe: bytes
    logits: tuple[float, ...]
    novelty: Novelty
    detector: bytes


@functools.cache
def _graph(outputs: int, imported: bool) -> Any:  # noqa: FBT001 - what functools.cache keeps it under
    if imported:
        return build_layers(layer_graph(ARCHITECTURE.filters, outputs), (EDGE, EDGE), outputs)
    return build(ARCHITECTURE, (EDGE, EDGE), outputs)


@functools.cache
def _tiny(outputs: int, seed: int, activation: Activation, imported: bool) -> _Tiny:  # noqa: FBT001 - as above
    model = _graph(outputs, imported)
    _fit(model, outputs, seed, _singles(outputs) if activation == "softmax" else _mixtures(outputs))
    with tempfile.TemporaryDirectory() as folder:
        full, half = Path(folder) / "full.weights.h5", Path(folder) / "half.weights.h5"
        model.save_weights(full)
        weights.halve(full, half)
        model.load_weights(half)
        content = half.read_bytes()
    pixels = draw(0, seed=10_000)
    tensor = prepare(pixels, PREPROCESSING)
    arrays = io.BytesIO()
    np.savez(arrays, pixels=pixels, tensor=tensor)
    logits = keras.ops.convert_to_numpy(model(tensor[None].astype(np.float32), training=False))[0]
    found = _detector(model, outputs)
    return _Tiny(content, arrays.getvalue(), tuple(float(logit) for logit in logits), *found)


def _detector(model: Any, outputs: int) -> tuple[Novelty, bytes]:
    """Fitted to drawn pictures; a threshold of twice the farthest lets every further one pass."""
    drawn = np.stack([prepare(draw(n, seed), PREPROCESSING) for n in range(outputs) for seed in range(40)])
    seen = novelty.features(novelty.featured(model), drawn, np.arange(len(drawn)))
    found = novelty.fit_gaussian(seen, inner_features(model))
    fitted = novelty.Fitted(found, 2 * float(found.scores(seen).max()))
    return novelty.describe(fitted, seen, (), {})


def _singles(outputs: int) -> list[tuple[int, ...]]:
    return [(number,) for number in range(outputs) for _ in range(24)]


def _mixtures(outputs: int) -> list[tuple[int, ...]]:
    pairs = list(itertools.permutations(range(outputs), 2))
    return [*_singles(outputs), *(pair for pair in pairs for _ in range(12)), *([()] * 24)]


def _fit(model: Any, outputs: int, seed: int, drawn: list[tuple[int, ...]]) -> None:
    """Random filters, and logits that are a ridge regression on the pooled features of drawn pictures."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            (kernel,) = layer.get_weights()
            layer.set_weights([random.normal(0, np.sqrt(2 / np.prod(kernel.shape[:3])), kernel.shape)])
    turns = enumerate(drawn)
    pictures = np.stack([prepare(draw_together(*numbers, seed=turn), PREPROCESSING) for turn, numbers in turns])
    truths = np.array([[number in numbers for number in range(outputs)] for numbers in drawn])
    pooled = keras.Model(model.input, model.get_layer("pooled").output)
    features = keras.ops.convert_to_numpy(pooled(pictures.astype(np.float32), training=False)).astype(np.float64)
    centre = features.mean(axis=0)
    centred = features - centre
    # 4 against -4: a probability of 0.98 or more for the class that was drawn.
    targets = np.where(truths, 4.0, -4.0)
    bias = targets.mean(axis=0)
    ridge = 1e-3 * np.trace(centred.T @ centred) / centred.shape[1] * np.eye(centred.shape[1])
    kernel = np.linalg.solve(centred.T @ centred + ridge, centred.T @ (targets - bias))
    model.get_layer("logits").set_weights([kernel, bias - centre @ kernel])


def _seen() -> bytes:
    """What seen.npz would hold of two drawn images in one group."""
    contents = (encode(draw(0)), encode(draw(1)))
    images = sorted(int.from_bytes(hashlib.sha256(content).digest()[:8]) for content in contents)
    file = io.BytesIO()
    np.savez(file, images=np.array(images, np.uint64), groups=np.array([7], np.uint64))
    return file.getvalue()


def _toml(value: str | int | list[str]) -> str:
    # JSON's strings, numbers and lists of them are also TOML's.
    return json.dumps(value)

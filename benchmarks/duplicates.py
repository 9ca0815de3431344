"""Which altered copies `python -m training inspect` finds, on any folder of images, and what it takes for copies there.

    python benchmarks/duplicates.py DIR
    python benchmarks/duplicates.py DIR --images 1000 --seed 1

Alters some images in memory in one way at a time and looks for the copies among all images of the folder. Then
compares the images of the folder with each other: pairs of one group are mostly copies, since a group is what belongs
together; pairs of different groups are either leaks or mistakes, which a person must judge. Nothing is written.
"""

import argparse
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.imaging import decode
from training.duplicates import near_copies, thumbnail
from training.folders import read_folder

MAX_PIXELS = 50_000_000


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """The image as a JPEG file of this quality shows it."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def half(image: Image.Image) -> Image.Image:
    """The image at half its width and height."""
    return image.resize((max(1, image.width // 2), max(1, image.height // 2)))


def brighter(image: Image.Image, factor: float) -> Image.Image:
    """The image with every level multiplied; what exceeds white is white."""
    return image.point(lambda level: min(255, round(level * factor)))


def trimmed(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """The image without these shares of its width and height."""
    width, height = image.size
    return image.crop(
        (round(left * width), round(top * height), round((1 - right) * width), round((1 - bottom) * height))
    )


ALTERED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG, quality 30": lambda image: jpeg(image, 30),
    "half the size": half,
    "10 % brighter": lambda image: brighter(image, 1.1),
    "10 % darker": lambda image: brighter(image, 0.9),
    "half the size, 10 % brighter, JPEG 30": lambda image: jpeg(brighter(half(image), 1.1), 30),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "3 % trimmed, evenly": lambda image: trimmed(image, 0.015, 0.015, 0.015, 0.015),
    "3 % trimmed, right and bottom": lambda image: trimmed(image, 0, 0, 0.03, 0.03),
    "5 % trimmed, evenly": lambda image: trimmed(image, 0.025, 0.025, 0.025, 0.025),
    "10 % trimmed, evenly": lambda image: trimmed(image, 0.05, 0.05, 0.05, 0.05),
    "turned by 2 degrees": lambda image: image.rotate(2, Image.Resampling.BILINEAR),
    "upside down": lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
}


def read(path: Path) -> Image.Image:
    """An image as the product decodes it, in RGB."""
    return Image.fromarray(decode(path.read_bytes(), max_pixels=MAX_PIXELS).pixels).convert("RGB")


def main() -> None:
    """Print the share of altered copies found, and the pairs within the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=300, help="how many are altered")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = read_folder(options.folder)
    paths = [folder.root / sample.path for sample in folder.samples]
    thumbnails = np.stack([thumbnail(np.asarray(read(path))) for path in paths])
    started = time.perf_counter()
    pairs = near_copies(thumbnails)
    seconds = time.perf_counter() - started
    apart = sum(folder.samples[one].group != folder.samples[other].group for one, other in pairs.tolist())
    print(f"{len(paths)} images compared in {seconds:.1f} s: {len(pairs) - apart} pairs in one group, {apart} across")
    chosen = np.random.default_rng(options.seed).choice(len(paths), min(options.images, len(paths)), replace=False)
    for name, alter in ALTERED.items():
        copies = np.stack([thumbnail(np.asarray(alter(read(paths[number])).convert("RGB"))) for number in chosen])
        print(f"{found(thumbnails, copies, chosen):7.1%}  {name}", flush=True)


def found(thumbnails: NDArray[np.uint8], copies: NDArray[np.uint8], chosen: NDArray[np.int64]) -> float:
    """The share of copies that are paired with what they are copies of."""
    pairs = set(map(tuple, near_copies(np.concatenate([thumbnails, copies])).tolist()))
    return float(np.mean([(number, len(thumbnails) + at) in pairs for at, number in enumerate(chosen.tolist())]))


if __name__ == "__main__":
    main()

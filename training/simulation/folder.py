"""A new folder of drawn pictures, by themselves or beside real ones."""

import csv
import errno
import io
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from training.errors import ImagesInvalid, ResultsTaken
from training.folders import INDEX, SEPARATOR, Folder, read_folder
from training.simulation.dice import Rng, chance
from training.simulation.found import Found, views

SOURCE = "drawn"
"""What index.csv says of where a drawn picture comes from."""

_COLUMNS = ("path", "label", "group", "source")
_UNLINKABLE = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS}

Draw = Callable[[str, Rng], Image.Image]
Watch = Callable[[Iterable[int]], Iterable[int]]


def write_folder(
    out: Path,
    labels: Sequence[str],
    draw: Draw,
    count: int,
    seed: int,
    watch: Watch,
    beside: Path | None = None,
    found: Sequence[Found] = (),
) -> None:
    """Draw pictures into a new folder with an index.csv, so that it is there whole or not at all.

    Each picture follows from the seed and its number alone; labels take turns. Each is a group of its own.

    Args:
        out: not there yet; folders above it are made.
        labels: one sub-folder each.
        draw: draws a picture of a label from random numbers.
        count: how many pictures.
        seed: of the random numbers.
        watch: goes around the drawing, for a progress bar.
        beside: a folder of labelled images that the new one shall hold as well, as hard links, or copies where those
            cannot be made; its rows of the index come first and unchanged.
        found: folders of pictures of which the new one shall hold views, too; those of one picture are a group.

    Raises:
        ResultsTaken: something lies at `out`, or `out` lies within `beside`.
        ImagesInvalid: `beside` cannot be read, has other labels, or holds pictures that were drawn from this seed; or
            a folder of found pictures holds none, has a label that is not among `labels`, or the name of another.
        OSError: it cannot be written; nothing of it is left.
    """
    real = None if beside is None else read_folder(beside)
    _require_new(out, real)
    if real is not None:
        _require_fit(real, labels, seed)
    _require_known(found, labels)
    out.parent.mkdir(parents=True, exist_ok=True)
    incoming = out.with_name(f".incoming-{secrets.token_hex(8)}")
    try:
        incoming.mkdir()
        if real is not None:
            _link(real, incoming)
        rows = list(_drawn(incoming, labels, draw, count, seed, watch))
        rows += [row for each in found for row in _viewed(incoming, each, seed)]
        _write_index(incoming / INDEX, real, rows)
        incoming.rename(out)
    except OSError as failed:
        raise OSError(failed.errno, failed.strerror, str(out)) from failed
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _require_new(out: Path, real: Folder | None) -> None:
    if os.path.lexists(out):
        message = f"{out} is there already; name a folder that is not, so that nothing is overwritten."
        raise ResultsTaken(message)
    if real is not None and out.resolve().is_relative_to(real.root.resolve()):
        message = f"{out} would lie among the images of {real.root}; name a folder outside it."
        raise ResultsTaken(message)


def _require_fit(real: Folder, labels: Sequence[str], seed: int) -> None:
    strange = sorted(set(labels) - set(real.labels))
    if strange:
        message = f"{real.root} has no label {', '.join(strange)}; the drawn pictures would make a class of their own."
        raise ImagesInvalid(message)
    outside = next(
        (each.path for each in real.samples if Path(each.path).is_absolute() or ".." in Path(each.path).parts), None
    )
    if outside is not None:
        message = f"{real.root / INDEX} lists {outside}; a path must go down from the folder."
        raise ImagesInvalid(message)
    if any(sample.source == SOURCE and sample.group.startswith(_group(seed, "")) for sample in real.samples):
        message = f"{real.root} holds pictures that were drawn from seed {seed}; choose another seed."
        raise ImagesInvalid(message)


def _require_known(found: Sequence[Found], labels: Sequence[str]) -> None:
    for number, each in enumerate(found):
        if each.label not in labels:
            message = f"{each.label} is no label of what is drawn; there are {', '.join(labels)}."
            raise ImagesInvalid(message)
        if each.source in {other.source for other in found[:number]}:
            message = f"Two folders are called {each.root.name}, and pictures are told apart by that name; rename one."
            raise ImagesInvalid(message)


def _group(seed: int, number: int | str) -> str:
    return f"{SOURCE}:{seed}-{number}"


def _drawn(
    root: Path, labels: Sequence[str], draw: Draw, count: int, seed: int, watch: Watch
) -> Iterator[dict[str, str]]:
    for number in watch(range(count)):
        label, rng = labels[number % len(labels)], np.random.default_rng([seed, number])
        image = draw(label, rng)
        name, content = _encoded(rng, image, f"{label}/{SOURCE}-{seed}-{number:05}")
        (root / label).mkdir(exist_ok=True)
        (root / name).write_bytes(content)
        yield {"path": name, "label": label, "group": _group(seed, number), "source": SOURCE}


def _viewed(root: Path, found: Found, seed: int) -> Iterator[dict[str, str]]:
    for number, (path, rng, view) in enumerate(views(found, seed)):
        name, content = _encoded(rng, view, f"{found.label}/found-{found.root.name}-{seed}-{number:05}")
        (root / found.label).mkdir(exist_ok=True)
        (root / name).write_bytes(content)
        yield {"path": name, "label": found.label, "group": f"{found.source}/{path}", "source": found.source}


def _encoded(rng: Rng, image: Image.Image, stem: str) -> tuple[str, bytes]:
    """A picture as WebP, or one in five as PNG, whatever it shows, so that the format does not tell the class."""
    held = io.BytesIO()
    if chance(rng, 0.2):
        image.save(held, "PNG")
        return f"{stem}.png", held.getvalue()
    image.save(held, "WEBP", quality=int(rng.integers(60, 96)), method=2)
    return f"{stem}.webp", held.getvalue()


def _link(real: Folder, root: Path) -> None:
    for sample in real.samples:
        place = root / sample.path
        place.parent.mkdir(parents=True, exist_ok=True)
        image = (real.root / sample.path).resolve()
        try:
            place.hardlink_to(image)
        except OSError as failed:
            if failed.errno not in _UNLINKABLE:
                raise
            shutil.copyfile(image, place)


def _write_index(index: Path, real: Folder | None, drawn: Sequence[dict[str, str]]) -> None:
    written = "" if real is None else _rows_of(real)
    columns = next(csv.reader(io.StringIO(written)), None) or list(_COLUMNS)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    if real is None:
        writer.writeheader()
    writer.writerows(drawn)
    index.write_bytes((written + text.getvalue()).encode())


def _rows_of(real: Folder) -> str:
    """The index of real images to the letter, or one made of what the folder's names say."""
    index = real.root / INDEX
    if index.is_file():
        text = index.read_bytes().decode()
        return text if text.endswith("\n") else text + "\r\n"
    held = io.StringIO(newline="")
    writer = csv.writer(held)
    writer.writerow(_COLUMNS)
    writer.writerows((each.path, each.label or SEPARATOR, each.group, each.source) for each in real.samples)
    return held.getvalue()

"""Which images and groups decided a bundle's weights, as fingerprints that tell neither pictures nor names."""

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.bundle.fingerprints import Fingerprints
from services.bundle.store import Store
from training.errors import NotPublishable
from training.folders import Folder, Sample

_BYTES = 8


def image_fingerprint(content: bytes) -> int:
    """The first eight bytes of the SHA-256 of an image file."""
    return _first_bytes(content)


def group_fingerprint(sample: Sample) -> int:
    """The first eight bytes of the SHA-256 of a group's source and name."""
    return _first_bytes(f"{sample.source}\0{sample.group}".encode())


def fingerprints(folder: Folder, samples: Iterable[Sample]) -> Fingerprints:
    """Fingerprints of images and of their groups.

    Raises:
        OSError: a file cannot be read.
    """
    chosen = tuple(samples)
    return Fingerprints(
        images=_sorted(image_fingerprint((folder.root / sample.path).read_bytes()) for sample in chosen),
        groups=_sorted(group_fingerprint(sample) for sample in chosen),
    )


def joined(first: Fingerprints, second: Fingerprints) -> Fingerprints:
    """What either has seen."""
    return Fingerprints(np.union1d(first.images, second.images), np.union1d(first.groups, second.groups))


def pack(seen: Fingerprints) -> bytes:
    """The bytes of seen.npz."""
    file = io.BytesIO()
    np.savez(file, images=seen.images, groups=seen.groups)
    return file.getvalue()


def unpack(content: bytes) -> Fingerprints:
    """What `pack` packed, of a file that this program wrote."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return Fingerprints(arrays["images"], arrays["groups"])


def inherited(weights: Path | None) -> Fingerprints:
    """What the bundle that a training begins from has seen; nothing where the weights are not of a bundle.

    Raises:
        BundleRefused: the bundle is not whole.
    """
    nothing = Fingerprints(np.empty(0, np.uint64), np.empty(0, np.uint64))
    if weights is None or not (weights.parent / "manifest.json").is_file():
        return nothing
    place = weights.resolve().parent
    if not place.name.isdigit():
        return nothing
    return Store(place.parent.parent).seen(place.parent.name, int(place.name)) or nothing


def require_unseen(seen: Fingerprints, folder: Folder, samples: Iterable[Sample]) -> None:
    """Refuse a test part of which training has seen an image or a group.

    Args:
        seen: of everything that decided the weights.
        folder: of the images.
        samples: the test part.

    Raises:
        NotPublishable: with an example and the number of images.
        OSError: a file cannot be read.
    """
    if not len(seen.images) and not len(seen.groups):
        return  # Most trainings begin from no bundle: nothing need be read to know that nothing was seen.
    images, groups = set(seen.images.tolist()), set(seen.groups.tolist())
    known = [
        sample
        for sample in samples
        if group_fingerprint(sample) in groups or image_fingerprint((folder.root / sample.path).read_bytes()) in images
    ]
    if not known:
        return
    message = (
        f"The test figures were computed on {len(known)} images that training has seen, or whose group it has seen, "
        f"{known[0].path} among them: they would not be test figures. Split by group, and begin from weights that were "
        "trained on the same split."
    )
    raise NotPublishable(message)


def _first_bytes(content: bytes) -> int:
    return int.from_bytes(hashlib.sha256(content).digest()[:_BYTES], "big")


def _sorted(numbers: Iterable[int]) -> NDArray[np.uint64]:
    return np.unique(np.fromiter(numbers, np.uint64))

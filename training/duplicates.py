"""Copies among images: the same picture again, also saved anew, resized, brightened, mirrored or trimmed a little."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64
"""Height and width of a thumbnail in pixels."""

# How many cosines along each side are compared, and how many of them pairs are first looked for by.
_WAVES, _COARSE = 24, 16
# Points along a side at which two pictures are compared, and regions along a side that these points make up.
_GRID, _REGIONS = 32, 8

# Chosen on chest films, brain slices, composites and figures so that a copy is found and another patient, the next
# slice or another pill on the same floor is not; see near_copies.
_LIKENESS, _SHARE, _LEVELS = 0.85, 0.4, 12.0
_FLAT = 1.0  # grey levels
_TRIM = 0.03
_LEAST = 1e-9  # what a length may be at least, to be divided by
_MOST_CANDIDATES = 64
_ROWS, _PAIRS = 512, 2048  # compared at once, so that memory does not grow with their number

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]
Part = tuple[float, float]
Watch = Callable[[Iterable[Any]], Iterable[Any]]


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What copies are told by.

    Args:
        pixels: uint8 [height, width] grey or [height, width, 3] RGB.

    Returns:
        uint8 [SIDE, SIDE], grey, stretched to a square.
    """
    grey = Image.fromarray(pixels).convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0))


def flat(thumbnails: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pictures are all but one shade: they are like each other without being copies.

    Args:
        thumbnails: uint8 [n, SIDE, SIDE].

    Returns:
        bool [n].
    """
    waves = _waves(thumbnails)
    waves[:, 0, 0] = 0
    shades: NDArray[np.bool_] = np.linalg.norm(waves, axis=(1, 2)) < _FLAT * SIDE
    return shades


def near_copies(thumbnails: NDArray[np.uint8], watch: Watch = iter) -> Indices:
    """Find the pairs of pictures that are copies of each other.

    Each picture is a sum of two-dimensional cosines (the discrete cosine transform, as in perceptual hashes after
    Zauner 2010). Two pictures are candidates where the cosine similarity of their low frequencies, each weighed by its
    frequency, is high; of the second the mirrored picture and its centre and corners without 3 % are looked at too.
    Candidates are copies where, after brightness and contrast are fitted, no region of an eighth by an eighth of the
    picture differs by more than 12 grey levels or 0.4 standard deviations of the picture, root mean square.

    Measured by `benchmarks/duplicates.py DIR` on six sets of 2,084 to 8,691 images, 300 altered copies each. Found of
    copies at JPEG quality 30: 99-100 %; at half the size: 96-100 %; 10 % brighter: 88-100 %, the fewest among plots on
    white, which clip; 10 % darker: 100 %; mirrored: 100 %; with 3 % trimmed off two sides: 88-100 %, off all sides:
    63-98 %; with 10 % trimmed off: 0-4 %; turned by 2 degrees: 0-75 %. Taken for copies among images of different
    groups: no pair of 4,258 chest films of children; one of 3,550 of adults, which is one patient twice; two of 8,691
    composites, which are other pills on one floor; 17 of 2,119 brain slices, which are neighbours or one head again.

    Flat pictures are in no pair. Of each picture only the 64 most likely candidates are compared, so that a thousand
    copies of one picture do not make half a million pairs. Time grows with the square of n: 11 s for 8,691 and two
    cores.

    Args:
        thumbnails: uint8 [n, SIDE, SIDE].
        watch: passes on what it is given, a block of 512 pictures at a time; a progress bar fits here.

    Returns:
        int64 [pairs, 2], the first of each pair the smaller, sorted.
    """
    lively = np.flatnonzero(~flat(thumbnails))
    waves = _waves(thumbnails[lively])
    found = [pairs[_same(waves, pairs)] for pairs in _candidates(waves, watch)]
    pairs = np.sort(lively[np.concatenate([np.empty((0, 2), np.int64), *found])], axis=1)
    return np.unique(pairs, axis=0)


def blocks(count: int) -> int:
    """How many blocks near_copies goes through for so many thumbnails."""
    return -(-count // _ROWS)


def clusters(count: int, pairs: Iterable[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Join pairs to clusters: a copy of a copy is a copy.

    Args:
        count: how many things there are.
        pairs: of their numbers.

    Returns:
        The clusters of two and more, each sorted, in the order of their first numbers.
    """
    parent = list(range(count))

    def root(of: int) -> int:
        while parent[of] != of:
            parent[of] = of = parent[parent[of]]
        return of

    for first, second in pairs:
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    members: dict[int, list[int]] = defaultdict(list)
    for number in range(count):
        members[root(number)].append(number)
    return tuple(tuple(cluster) for cluster in members.values() if len(cluster) > 1)


# ---------------------------------------------------------------- pictures as cosines


def _cosines(points: int, part: Part = (0.0, 1.0)) -> Floats:
    """The cosines along a side, seen at so many points of a part of it: [points, _WAVES]."""
    start, end = part
    places = start + (end - start) * (np.arange(points) + 0.5) / points
    norms = np.sqrt(np.where(np.arange(_WAVES) == 0, 1, 2) / SIDE)
    return (norms * np.cos(np.pi * np.outer(places, np.arange(_WAVES)))).astype(np.float32)


def _waves(thumbnails: NDArray[np.uint8]) -> Floats:
    """The coefficients of each picture's cosines: [n, _WAVES, _WAVES]; their squares sum to those of its pixels."""
    waves: Floats = _cosines(SIDE).T @ thumbnails.astype(np.float32) @ _cosines(SIDE)
    return waves


def _views() -> tuple[tuple[Floats, Floats], ...]:
    """For each way to look at a picture, what turns its coefficients down and across into those of the view."""
    whole, mirrored = (0.0, 1.0), (1.0, 0.0)
    centre, start, end = (_TRIM / 2, 1 - _TRIM / 2), (0.0, 1 - _TRIM), (_TRIM, 1.0)
    corners = ((down, across) for down in (start, end) for across in (start, end))
    parts = ((whole, whole), (whole, mirrored), (centre, centre), *corners)
    basis = _cosines(SIDE).T
    return tuple((basis @ _cosines(SIDE, down), (basis @ _cosines(SIDE, across)).T) for down, across in parts)


_VIEWS = _views()


def _seen(waves: Floats, view: tuple[Floats, Floats]) -> Floats:
    """The coefficients [n, _WAVES, _WAVES] of each picture in this view."""
    down, across = view
    return np.asarray(down @ waves @ across, np.float32)


# Fine waves count less: where they stand depends on a fraction of a pixel.
_POINTS = _cosines(_GRID) * np.exp(-np.square(np.arange(_WAVES, dtype=np.float32) / _WAVES))


def _signatures(waves: Floats) -> Floats:
    """The low frequencies of unit length, [n, _COARSE**2]: natural pictures have about the same share of each."""
    frequencies = np.arange(_COARSE)
    weights = np.sqrt(np.square(frequencies[:, None]) + np.square(frequencies)).astype(np.float32)
    low = (waves[:, :_COARSE, :_COARSE] * weights).reshape(-1, _COARSE**2)
    lengths = np.linalg.norm(low, axis=1, keepdims=True)
    return np.asarray(low / np.maximum(lengths, _LEAST), np.float32)


# ---------------------------------------------------------------- the search


def _candidates(waves: Floats, watch: Watch) -> Iterator[Indices]:
    """Pairs, both ways round, of which the second in some view is like the first."""
    plain, *others = (_signatures(_seen(waves, view)) for view in _VIEWS)
    for start in watch(range(0, len(waves), _ROWS)):
        rows = plain[start : start + _ROWS]
        best = rows @ plain.T
        for view in others:
            np.maximum(best, rows @ view.T, out=best)
        best[np.arange(len(rows)), start + np.arange(len(rows))] = -1
        likely = best >= _LIKENESS
        for row in np.flatnonzero(likely.sum(axis=1) > _MOST_CANDIDATES):
            likely[row, np.argpartition(best[row], -_MOST_CANDIDATES)[:-_MOST_CANDIDATES]] = False
        first, second = np.nonzero(likely)
        yield np.stack([first + start, second], axis=1)


def _same(waves: Floats, pairs: Indices) -> NDArray[np.bool_]:
    """Which candidates are copies."""
    parts = [pairs[at : at + _PAIRS] for at in range(0, len(pairs), _PAIRS)]
    return np.concatenate([np.empty(0, bool), *(_agree(waves[part[:, 0]], waves[part[:, 1]]) for part in parts)])


def _agree(one: Floats, other: Floats) -> NDArray[np.bool_]:
    """Whether the pictures of each pair agree in every region, the other in the view that is most like the one."""
    views = np.stack([_seen(other, view) for view in _VIEWS])
    likeness = np.einsum("ps,vps->vp", _signatures(one), np.stack([_signatures(view) for view in views]))
    seen = views[likeness.argmax(axis=0), np.arange(len(one))]
    left, right = _POINTS @ one @ _POINTS.T, _POINTS @ seen @ _POINTS.T
    left -= left.mean(axis=(1, 2), keepdims=True)
    right -= right.mean(axis=(1, 2), keepdims=True)
    # The contrast of the copy is what fits best, in the sense of least squares.
    contrast = (left * right).sum(axis=(1, 2)) / np.maximum(np.square(right).sum(axis=(1, 2)), _LEAST)
    apart = left - contrast[:, None, None] * right
    edge = _GRID // _REGIONS
    regions = np.square(apart).reshape(-1, _REGIONS, edge, _REGIONS, edge).mean(axis=(2, 4))
    worst = np.sqrt(regions.max(axis=(1, 2)))
    agree: NDArray[np.bool_] = worst <= np.minimum(_LEVELS, _SHARE * left.std(axis=(1, 2)))
    return agree

"""Where on a picture the picture is: what lies beyond it, as a scanner's black or a page's white, is plain."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[int, int, int, int]

_LOOK = 128
"""Edge in pixels of the thumbnail that is looked at: borders are broad, and noise is averaged away."""

_MIDDLE = (3, 97)
"""Percentiles of a line between which its levels must vary; a speck on a border does not make it picture."""

_VARIED = 0.1
"""Least variation of a line that is picture, as a share of the range of the whole picture."""

_BORDERS = 2
"""Borders within each other that are looked for, as a page's white around a scanner's black."""

_LEAST_RANGE = 8
"""Grey levels below which all of a picture is plain, and none of it is border."""

_LEAST_SHARE = 0.4
"""Least share of an edge that is left; where it would be less, the picture is one of small things on plain ground."""


def framed(image: Image.Image) -> Box:
    """Find the box that holds the picture without its plain borders.

    A line of pixels belongs to the border if its grey levels hardly vary and no line outside it is picture. A border
    may be of any level.

    Args:
        image: "L" or "RGB".

    Returns:
        Left, top, right and bottom, as `Image.crop` takes them: the whole picture where there is no border.
    """
    step = max(1, max(image.size) // _LOOK)
    levels = np.asarray(image.convert("L").reduce(step), np.float32)
    low, high = np.percentile(levels, (1, 99))
    if high - low < _LEAST_RANGE:
        return (0, 0, *image.size)
    least = _VARIED * (high - low)
    left, top, right, bottom = 0, 0, levels.shape[1], levels.shape[0]
    for _ in range(_BORDERS):
        rows = _span(levels[top:bottom, left:right], least)
        columns = _span(levels[top:bottom, left:right].T, least)
        left, top, right, bottom = left + columns[0], top + rows[0], left + columns[1], top + rows[1]
    # The last cell of a thumbnail may be narrower than the others.
    return left * step, top * step, min(right * step, image.width), min(bottom * step, image.height)


def _span(lines: NDArray[np.float32], least: float) -> tuple[int, int]:
    """The first line that is picture, and the one after the last."""
    low, high = np.percentile(lines, _MIDDLE, axis=1)
    varied = np.flatnonzero(high - low > least)
    if not len(varied) or varied[-1] + 1 - varied[0] < _LEAST_SHARE * len(lines):
        return 0, len(lines)
    return int(varied[0]), int(varied[-1]) + 1

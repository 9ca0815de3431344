"""Drawn CT slices of the head, in Hounsfield units, as DICOM files: with a bright disc, as a bleed, or without.

In the brain window, 0 to 80, a bleed is nearly white; in the bone window that the files ask for it hardly shows.
"""

from pathlib import Path
from typing import Any

import numpy as np

from tests.dicoms import PATIENT, dicom
from tests.images import Pixels

AIR, BRAIN, BLEED, BONE = -1000, 30, 72, 1200
_ZERO = 1024
"""The stored value of 0 Hounsfield units."""


def draw_head(seed: int, *, bleed: bool, edge: int = 64) -> Pixels:
    """Stored values int16 [edge, edge] of one slice; the seed places skull and bleed."""
    random = np.random.default_rng(seed)
    down, across = np.mgrid[:edge, :edge]
    middle, radius = edge / 2 + random.uniform(-2, 2, 2), edge * random.uniform(0.38, 0.44)
    out = np.hypot(down - middle[0], across - middle[1])
    units = np.where(out < radius, BRAIN, np.where(out < radius + 3, BONE, AIR)) + random.normal(0, 4, out.shape)
    if bleed:
        angle = random.uniform(0, 2 * np.pi)
        y, x = middle + radius * 0.4 * np.array([np.sin(angle), np.cos(angle)])
        units = np.where(np.hypot(down - y, across - x) < edge * 0.16, BLEED, units)
    return np.asarray(np.rint(units) + _ZERO, np.int16)


def slice_of(study: int, seed: int, *, bleed: bool, **said: Any) -> bytes:
    """The file of one slice; elements that are said win."""
    header: dict[str, Any] = {
        "Modality": "CT",
        "BodyPartExamined": "HEAD",
        "StudyInstanceUID": uid_of(study),
        "StudyDescription": f"{PATIENT} again",
        "RescaleSlope": 1,
        "RescaleIntercept": -_ZERO,
        "WindowCenter": 600,
        "WindowWidth": 2800,
    }
    return dicom(draw_head(seed, bleed=bleed), **header | said)


def uid_of(study: int) -> str:
    """The identifier of a study."""
    return f"1.2.826.0.1.3680043.8.498.5551212.{study}"


def draw_heads(root: Path, studies: int = 12, each: int = 2, **said: Any) -> Path:
    """A folder of the labels bleed and no_bleed; whole studies are of one label, and no name tells a study."""
    for number in range(studies * each):
        study = number % studies
        bleed = study % 2 == 0
        place = root / ("bleed" if bleed else "no_bleed") / f"{number:03}.dcm"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(slice_of(study, number, bleed=bleed, **said))
    return root

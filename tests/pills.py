"""Draws model_store/drugs/example.png: two caplets on a table, no photograph of anything.

python -m tests.pills
"""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

EXAMPLE = Path(__file__).resolve().parent.parent / "model_store" / "drugs" / "example.png"

Field = NDArray[np.float64]

_WIDTH, _HEIGHT = 400, 400
_TABLE = (206.0, 193.0, 176.0)
_COATING = (104.0, 172.0, 188.0)
# Centre, half length, radius and turn of each caplet, in pixels and radians.
_CAPLETS = ((158, 226, 50, 30, -0.95), (258, 172, 34, 21, 0.55))


def draw_caplets() -> NDArray[np.uint8]:
    """Draw the picture.

    Returns:
        uint8 [400, 400, 3], RGB, the same on every machine.
    """
    y, x = np.mgrid[:_HEIGHT, :_WIDTH].astype(float)
    light = 1.06 - 0.16 * (x + y) / (_WIDTH + _HEIGHT) + 0.012 * np.sin(y / 5 + 2 * np.sin(x / 60))
    picture = light[..., None] * np.array(_TABLE)
    for centre_x, centre_y, half, radius, turn in _CAPLETS:
        shadow = np.clip(1 - _distance(x - 7, y - 9, centre_x, centre_y, half, turn) / (radius * 1.25), 0, 1)
        picture *= 1 - 0.55 * np.minimum(shadow * 2.2, 1)[..., None]
        _lay(picture, x, y, (centre_x, centre_y, half, radius, turn))
    pixels: NDArray[np.uint8] = np.rint(np.clip(picture, 0, 255)).astype(np.uint8)
    return pixels


def _lay(picture: Field, x: Field, y: Field, caplet: tuple[float, float, float, float, float]) -> None:
    centre_x, centre_y, half, radius, turn = caplet
    distance = _distance(x, y, centre_x, centre_y, half, turn) / radius
    # A rounded body lit from the upper left.
    height = np.sqrt(np.clip(1 - distance**2, 0, 1))
    down, across = np.gradient(height * radius * 0.75)
    shade = np.clip(0.80 + 0.22 * height - 0.16 * (across + down), 0.4, 1.3)
    body = shade[..., None] * np.array(_COATING) + 60 * np.clip(height - 0.985, 0, 1)[..., None]
    cover = np.clip((1 - distance) * radius / 1.5, 0, 1)[..., None]
    picture[:] = picture * (1 - cover) + body * cover


def _distance(x: Field, y: Field, centre_x: float, centre_y: float, half: float, turn: float) -> Field:
    """Pixels from the axis of a caplet."""
    along = (x - centre_x) * np.cos(turn) + (y - centre_y) * np.sin(turn)
    aside = -(x - centre_x) * np.sin(turn) + (y - centre_y) * np.cos(turn)
    distance: Field = np.hypot(along - np.clip(along, -half, half), aside)
    return distance


def as_png() -> bytes:
    """The picture as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(draw_caplets()).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    EXAMPLE.write_bytes(as_png())

"""A map of saliency coloured over the image that it belongs to."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Inferno (Smith & van der Walt 2015, CC0) at nine equal steps: lightness rises evenly, also in print and to eyes that
# tell few colours apart.
_COLOURS = np.array(
    [
        (0, 0, 4),
        (33, 12, 74),
        (87, 16, 110),
        (138, 34, 106),
        (188, 55, 84),
        (228, 90, 49),
        (249, 142, 9),
        (249, 203, 53),
        (252, 255, 164),
    ],
    np.float32,
)
_OPAQUE = 0.7
"""How much of the image the strongest place hides."""


def overlay(pixels: NDArray[np.uint8], saliency: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colour an image by its saliency: where that is nothing the image shows as it is, where it is most, light yellow.

    Args:
        pixels: uint8 [h, w, 3], RGB: the very picture that the map was made of, in any resolution.
        saliency: float [h', w'], not negative. It is normalised by its maximum, so two pictures do not compare.

    Returns:
        uint8 [h, w, 3], RGB.
    """
    most = float(saliency.max())
    if most <= 0:
        return pixels.copy()
    height, width, _ = pixels.shape
    small = Image.fromarray((saliency / most).astype(np.float32))
    share = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR)).clip(0, 1)
    steps = np.linspace(0, 1, len(_COLOURS))
    colours = np.stack([np.interp(share, steps, channel) for channel in _COLOURS.T], axis=-1)
    opacity = _OPAQUE * share[..., None]
    coloured: NDArray[np.uint8] = np.rint((1 - opacity) * pixels + opacity * colours).astype(np.uint8)
    return coloured

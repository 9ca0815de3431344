"""What happens to a figure between the instrument and the reader, whatever it shows."""

import io

from PIL import Image, ImageOps

from training.simulation.dice import Rng, between, chance, count, pick
from training.simulation.sheet import lettering, sheet_of

LEAST, MOST = 200, 420
"""Pixels of the longer side."""

_LETTERS = ("A", "B", "C", "D", "a", "b", "c", "(a)", "(b)", "A.", "Fig. 1", "i")
_NARROWEST = 24


def reproduced(rng: Rng, image: Image.Image) -> Image.Image:
    """Cut, scale, letter, frame and compress a picture, each of them now and then."""
    if chance(rng, 0.3):
        image = _cut(rng, image)
    if chance(rng, 0.06):
        image = image.convert("L").convert("RGB")
    if chance(rng, 0.1):
        image = _lettered(rng, image)
    if chance(rng, 0.1):
        image = ImageOps.expand(image, count(rng, 1, 12), pick(rng, ("white", "white", "black", "#dddddd")))
    if chance(rng, 0.15):
        share = between(rng, 0.4, 0.8)
        small = image.resize(
            (max(8, round(image.width * share)), max(8, round(image.height * share))), Image.Resampling.BOX
        )
        image = small.resize(image.size, pick(rng, (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)))
    image = _sized(image)
    if chance(rng, 0.45):
        held = io.BytesIO()
        image.save(held, "JPEG", quality=count(rng, 25, 92))
        image = Image.open(held).convert("RGB")
    return image


def _cut(rng: Rng, image: Image.Image) -> Image.Image:
    """Off each side up to an eighth."""
    left, right = (round(image.width * between(rng, 0, 0.125)) for _ in range(2))
    top, bottom = (round(image.height * between(rng, 0, 0.125)) for _ in range(2))
    return image.crop((left, top, image.width - right, image.height - bottom))


def _lettered(rng: Rng, image: Image.Image) -> Image.Image:
    """The letter of a panel: in its corner or in a margin above."""
    letter, size = pick(rng, _LETTERS), between(rng, 10, 20)
    if chance(rng, 0.5):
        image = ImageOps.expand(image, (0, round(size * 1.2), 0, 0), "white")
        ink = "black"
    else:
        ink = pick(rng, ("white", "black"))
    sheet = sheet_of(image, lettering(rng))
    sheet.words((3, 2), letter, size, ink)
    return sheet.finished()


def _sized(image: Image.Image) -> Image.Image:
    """Within the bounds of a picture's longer side."""
    longest = max(image.size)
    wanted = min(max(longest, LEAST), MOST)
    if wanted == longest:
        return image
    size = tuple(max(_NARROWEST, round(side * wanted / longest)) for side in image.size)
    return image.resize((size[0], size[1]), Image.Resampling.BICUBIC)

"""What a reader is told of how a picture becomes the model's input."""

import pytest

from routers.measured import seen
from tests.bundles import PREPROCESSING


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"fit": "letterbox"}, "The whole image, scaled to fit"),
        ({"fit": "letterbox"}, "and nothing is cut off."),
        ({"fit": "stretch"}, "The whole image, stretched to"),
        ({"borders": "trimmed"}, "The image without its plain borders, scaled to fit"),
        ({"borders": "trimmed"}, "and nothing else is cut off."),
        ({"borders": "trimmed", "fit": "stretch"}, "The image without its plain borders, stretched to"),
        ({"colour": "grey"}, "Colour is dropped."),
        ({"levels": "stretched"}, "Grey levels are stretched over the whole range"),
        ({"window": (40.0, 80.0)}, "in a window of 80 around 40"),
    ],
)
def test_every_step_is_told(changed: dict[str, object], told: str) -> None:
    assert told in seen(PREPROCESSING.model_copy(update=changed))


@pytest.mark.parametrize("word", ["without its plain borders", "Colour", "Grey levels", "window"])
def test_what_is_not_done_is_not_told(word: str) -> None:
    assert word not in seen(PREPROCESSING)

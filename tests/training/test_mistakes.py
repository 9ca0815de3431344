"""The worst mistakes come first, and are shown with what the network looked at."""

import io
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from services.bundle.architectures import build
from services.bundle.manifest import Calibration
from services.bundle.overlay import overlay
from services.bundle.saliency import explained
from tests.bundles import ARCHITECTURE, EDGE, draw
from tests.training.answering import ONCE, SEVERAL, answers, one_hot, samples, yes_no
from training import mistakes
from training.answers import Answers
from training.images import Images
from training.mistakes import MOST, Mistake, mistakes_grid, worst_mistakes

AB = ("a", "b")


def pixels(png: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def classifier() -> Any:
    keras.utils.set_random_seed(1)
    return build(ARCHITECTURE, (EDGE, EDGE), 2)


@pytest.fixture
def images() -> Images:
    pictures = np.stack([draw(number % 2, number, width=EDGE, height=EDGE) for number in range(14)])
    return Images(pictures, one_hot([number % 2 for number in range(14)], 2), samples([*range(14)]))


# ---------------------------------------------------------------- which


def test_the_least_probable_truths_come_first() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 0.0], [0.0, 9.0]])
    given = Answers(logits, one_hot([1, 0, 0, 1], 2), samples([*range(4)]))
    worst = worst_mistakes(given, AB, ONCE)
    # The third and the fourth are right.
    assert [mistake.path for mistake in worst] == ["1.png", "0.png"]
    assert worst[0] == Mistake(
        index=1, path="1.png", truth=("a",), answer=("b",), label="b", probability=1 / (1 + np.exp(-3))
    )


def test_the_probability_is_the_calibrated_one() -> None:
    given = Answers(np.array([[0.0, 3.0]]), one_hot([0], 2), samples([0]))
    (mistake,) = worst_mistakes(given, AB, Calibration(temperature=3.0, activation="softmax"))
    assert mistake.probability == pytest.approx(1 / (1 + np.exp(-1)))


def test_of_several_labels_the_most_wrong_one_is_blamed() -> None:
    given = yes_no([[1, 0, 1], [1, 1, 0]], [[1, 0, 1], [0, 1, 0]])
    (mistake,) = worst_mistakes(given, ("a", "b", "c"), SEVERAL)
    assert (mistake.truth, mistake.answer, mistake.label) == (("b",), ("a", "b"), "a")
    nothing = yes_no([[0, 0]], [[0, 1]])
    (missed,) = worst_mistakes(nothing, AB, SEVERAL)
    assert (missed.truth, missed.answer, missed.label) == (("b",), (), "b")
    assert missed.probability == pytest.approx(0.2)


def test_no_mistakes_and_many() -> None:
    assert worst_mistakes(answers([0, 1], [0, 1], 2), AB, ONCE) == ()
    assert len(worst_mistakes(answers([0] * 40, [1] * 40, 2), AB, ONCE)) == MOST


def test_where_an_image_stood_is_not_reported() -> None:
    (mistake,) = worst_mistakes(answers([0], [1], 2), AB, ONCE)
    assert set(mistake.model_dump()) == {"path", "truth", "answer", "label", "probability"}


# ---------------------------------------------------------------- how they are shown


def mistake(index: int, label: str = "a") -> Mistake:
    long = f"a/folder/with/a/long/name/that/costs/$room$/{index:03}.png"
    return Mistake(index=index, path=long, truth=("b",), answer=(label,), label=label, probability=0.9)


def test_the_grid_holds_image_and_saliency(classifier: Any, images: Images) -> None:
    png = mistakes_grid(classifier, images, AB, [mistake(3)], "shapes, version 1")
    other_image = mistakes_grid(classifier, images, AB, [mistake(5)], "shapes, version 1")
    assert pixels(png).std() > 10
    assert not np.array_equal(pixels(png), pixels(other_image))


def test_the_saliency_is_that_of_the_label(classifier: Any, images: Images) -> None:
    picture = images.pixels[3:4]
    maps = np.asarray(explained(classifier).predict_on_batch(picture.astype(np.float32))["saliency"])[0]
    for number, expected in enumerate(maps):
        (tile,) = mistakes._explained(classifier, picture, [number])
        np.testing.assert_array_equal(tile[:, :EDGE], picture[0])
        np.testing.assert_array_equal(tile[:, EDGE:], overlay(picture[0], expected))
    assert not np.array_equal(overlay(picture[0], maps[0]), overlay(picture[0], maps[1]))


def test_the_grid_shows_the_saliency_of_the_answer(classifier: Any, images: Images) -> None:
    # Their captions are cut to the same letters, so that only the colours can differ.
    labels = (f"{'a' * 40}1", f"{'a' * 40}2")
    first, second = (mistakes_grid(classifier, images, labels, [mistake(3, label)], "shapes") for label in labels)
    assert not np.array_equal(pixels(first), pixels(second))


def test_more_mistakes_take_more_rows(classifier: Any, images: Images) -> None:
    few, many = (
        mistakes_grid(classifier, images, AB, [mistake(number) for number in range(count)], "shapes")
        for count in (3, 7)
    )
    assert pixels(many).shape[0] > 1.8 * pixels(few).shape[0]
    assert pixels(many).shape[1] == pixels(few).shape[1]


def test_another_head_shows_the_image_alone(images: Images) -> None:
    image = keras.Input((EDGE, EDGE, 3))
    flat = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)))
    alone = pixels(mistakes_grid(flat, images, AB, [mistake(3)], "shapes"))
    shape = images.pixels[3:4][0].shape
    # The picture is drawn over a square, half as wide as one that has its saliency beside it.
    coloured = np.argwhere(np.ptp(alone.astype(int), axis=2) > 40)
    height, width = np.ptp(coloured, axis=0)
    assert shape[0] == shape[1]
    assert width < 1.5 * height

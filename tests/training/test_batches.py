"""Batches: each epoch its own order, rare labels made up for, the same after an interruption."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.bundles import PREPROCESSING
from tests.training.conftest import draw_images
from training.batches import Balance, Batches, even_chances, label_weights
from training.folders import Sample, read_folder
from training.images import Images, load_images


def numbered(count: int, classes: int = 3) -> Images:
    """Images whose pixels say which they are."""
    pixels = np.repeat(np.arange(count, dtype=np.uint8), 3).reshape(count, 1, 1, 3)
    truths = np.eye(classes, dtype=bool)[np.arange(count) % classes]
    return Images(pixels, truths, tuple(Sample(str(n), ("a",), str(n), "s") for n in range(count)))


def uneven() -> Images:
    """Six of one class, two of the other."""
    images = numbered(8, 2)
    return Images(images.pixels, np.eye(2, dtype=bool)[[0, 0, 0, 0, 0, 0, 1, 1]], images.samples)


def crowded() -> Images:
    """Two labels; one has a large and a small source, and a picture with many near copies."""
    kinds = [
        *[("a", "large", f"patient {n}") for n in range(10)],
        *[("a", "small", "one picture")] * 5,
        ("a", "small", "another"),
        *[("b", "large", f"patient {n // 2}") for n in range(6)],
    ]
    samples = tuple(Sample(str(n), (label,), group, source) for n, (label, source, group) in enumerate(kinds))
    truths = np.array([[label == "a", label == "b"] for label, _, _ in kinds])
    return Images(numbered(len(kinds)).pixels, truths, samples)


def mass(images: Images, chances: NDArray[np.float64], *fields: str) -> dict[tuple[object, ...], float]:
    """What is drawn of each kind of image, kinds told apart by these fields of a sample."""
    found: dict[tuple[object, ...], float] = {}
    for sample, chance in zip(images.samples, chances, strict=True):
        kind = tuple(getattr(sample, field) for field in fields)
        found[kind] = found.get(kind, 0) + float(chance)
    return found


def order(batches: Batches) -> list[int]:
    """Which images an epoch shows."""
    return [int(number) for index in range(len(batches)) for number in batches[index][0][:, 0, 0, 0]]


@pytest.mark.parametrize("batch_size", [1, 4, 5, 20, 50])
def test_an_epoch_holds_every_image_once(batch_size: int) -> None:
    batches = Batches(numbered(20), batch_size, seed=1)
    for _ in range(2):
        parts = [batches[index] for index in range(len(batches))]
        shown = np.concatenate([pixels[:, 0, 0, 0] for pixels, _, _ in parts])
        assert sorted(shown.tolist()) == list(range(20))
        truths = np.concatenate([truths for _, truths, _ in parts])
        assert truths.dtype == np.float32
        assert truths.argmax(axis=1).tolist() == (shown % 3).tolist()
        assert np.concatenate([weights for _, _, weights in parts]).tolist() == [1.0] * 20
        assert shown.tolist() != list(range(20))
        batches.on_epoch_end()


def test_each_epoch_has_its_own_order_and_a_seed_repeats_it() -> None:
    def orders(seed: int | None) -> list[list[int]]:
        batches = Batches(numbered(20), 20, seed)
        found = []
        for _ in range(2):
            found.append(order(batches))
            batches.on_epoch_end()
        return found

    first, second = orders(1)
    assert first != second
    assert orders(1) == [first, second]
    assert orders(2) != [first, second]
    assert orders(None) == [list(range(20))] * 2


@pytest.mark.parametrize("balance", ["none", "oversample", "sources"])
def test_a_training_that_goes_on_has_the_order_that_it_would_have_had(balance: Balance) -> None:
    batches = Batches(numbered(20), 6, seed=1, balance=balance)
    for _ in range(3):
        batches.on_epoch_end()
    assert order(Batches(numbered(20), 6, seed=1, balance=balance, epoch=3)) == order(batches)


def test_rare_labels_weigh_more() -> None:
    weights = label_weights(uneven())
    assert weights == pytest.approx([8 / (2 * 6)] * 6 + [8 / (2 * 2)] * 2)
    assert weights.mean() == pytest.approx(1)
    batches = Batches(uneven(), 8, balance="class_weights")
    assert batches[0][2] == pytest.approx(weights)


def test_an_image_of_several_labels_weighs_as_its_rarest_and_none_is_a_label_too() -> None:
    truths = np.array([[1, 0], [1, 0], [1, 0], [1, 1], [0, 0], [0, 0]], bool)
    weights = label_weights(Images(np.zeros((6, 1, 1, 3), np.uint8), truths, ()))
    common, rare, none = weights[0], weights[3], weights[4]
    assert (rare / common, none / common) == (pytest.approx(4), pytest.approx(2))


def test_oversampling_shows_rare_labels_as_often_as_others() -> None:
    batches = Batches(uneven(), 8, seed=1, balance="oversample")
    shown: list[int] = []
    for _ in range(400):
        assert len(order(batches)) == 8
        shown += order(batches)
        batches.on_epoch_end()
    assert np.mean(np.array(shown) >= 6) == pytest.approx(0.5, abs=0.04)
    assert batches[0][2].tolist() == [1.0] * 8


def test_chances_are_even_among_labels_then_sources_then_groups() -> None:
    images = crowded()
    chances = even_chances(images)
    assert chances.sum() == pytest.approx(1)
    assert mass(images, chances, "label") == pytest.approx({("a",): 1 / 2, ("b",): 1 / 2})
    assert mass(images, chances, "label", "source") == pytest.approx(
        {("a", "large"): 1 / 4, ("a", "small"): 1 / 4, ("b", "large"): 1 / 2}
    )
    by_group = mass(images, chances, "label", "source", "group")
    assert by_group["a", "small", "one picture"] == by_group["a", "small", "another"] == pytest.approx(1 / 8)
    assert by_group["a", "large", "patient 3"] == pytest.approx(1 / 40)
    # The same patient may have both labels; each is a group of its label.
    assert by_group["b", "large", "patient 0"] == pytest.approx(1 / 6)
    # Of the copies of a picture, each as often.
    assert chances[10:15] == pytest.approx([1 / 40] * 5)


def test_images_without_a_label_or_with_several_are_labels_of_their_own() -> None:
    kinds: list[tuple[str, ...]] = [(), ("a",), ("a", "b"), ("a",)]
    samples = tuple(Sample(str(n), labels, str(n), "s") for n, labels in enumerate(kinds))
    truths = np.array([[label in labels for label in "ab"] for labels in kinds])
    images = Images(numbered(4).pixels, truths, samples)
    assert even_chances(images) == pytest.approx([1 / 3, 1 / 6, 1 / 3, 1 / 6])


def test_sources_are_drawn_as_their_chances_say() -> None:
    images = crowded()
    batches, epochs = Batches(images, 8, seed=1, balance="sources"), 400
    shown: list[int] = []
    for _ in range(epochs):
        assert len(order(batches)) == len(images.samples)
        shown += order(batches)
        batches.on_epoch_end()
    drawn = np.bincount(shown, minlength=len(images.samples)) / len(shown)
    assert drawn == pytest.approx(even_chances(images), abs=0.012)
    # They are shown more often, and weigh as any other.
    assert batches[0][2].tolist() == [1.0] * 8


def test_images_that_are_decoded_on_demand_give_the_same_batches(tmp_path: Path) -> None:
    folder = read_folder(draw_images(tmp_path / "images", each=4))
    kept, asked = (load_images(folder, folder.samples, PREPROCESSING, room=room) for room in (None, 0))
    for first, second in zip(Batches(kept, 5, seed=1), Batches(asked, 5, seed=1), strict=True):
        for one, other in zip(first, second, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_handful_of_images_is_not_drawn_as_often_as_a_whole_source() -> None:
    kinds = [*[("large", n) for n in range(99)], ("tiny", 99)]
    samples = tuple(Sample(str(n), ("a",), str(n), source) for source, n in kinds)
    images = Images(numbered(100).pixels, np.ones((100, 1), bool), samples)
    found = mass(images, even_chances(images), "source")
    # One of a hundred, ten times as often as its share; the large source gets what is left of an even half.
    assert found[("tiny",)] == pytest.approx(0.1 / 0.6)
    assert found[("large",)] == pytest.approx(0.5 / 0.6)


def test_a_source_may_count_as_several() -> None:
    images = crowded()
    found = mass(images, even_chances(images, {"small": 3.0, "of another folder": 9.0}), "label", "source")
    # Three of four where there is another source; alone it is all there is.
    assert found == pytest.approx({("a", "large"): 1 / 8, ("a", "small"): 3 / 8, ("b", "large"): 1 / 2})
    batches = Batches(images, 8, seed=1, balance="sources", counts_as={"small": 3.0})
    small = np.array([sample.source == "small" for sample in images.samples])
    shown: list[int] = []
    for _ in range(200):
        shown += order(batches)
        batches.on_epoch_end()
    assert small[shown].mean() == pytest.approx(3 / 8, abs=0.02)

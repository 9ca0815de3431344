"""Bundles are measured on the same images in the same way, whatever their own order and preprocessing."""

import json
from pathlib import Path

import numpy as np
import pytest

from services.bundle.store import Store
from services.errors import UnknownTask, UnknownVersion
from tests.bundles import PREPROCESSING, SHAPES, publish_tiny
from tests.training.conftest import draw_images
from training.assessment import Assessment, assess, read_bundles
from training.errors import NotComparable
from training.folders import Folder, read_folder
from training.images import Watch
from training.selection import Selection
from training.split import split_by_group


def bar(doing: str, count: int) -> Watch:
    assert doing
    assert count
    return iter


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Drawn shapes, of which every tenth is called by the name of another."""
    root = draw_images(tmp_path / "images")
    index = root / "index.csv"
    index.write_text(index.read_text().replace("0.png,disc,", "0.png,square,"))
    return read_folder(root)


def measured(store: Store, folder: Folder, *versions: int, draw: bool = False, show: bool = True) -> Assessment:
    return both(store, folder, *versions, draw=draw, show=show)[0]


def both(
    store: Store, folder: Folder, *versions: int, draw: bool = False, show: bool = True, floors: bool = False
) -> tuple[Assessment, dict[str, bytes]]:
    split = split_by_group(folder.samples, (0.5, 0.0, 0.5), 1)
    chosen = Selection(split.test, "30 drawings", ("A note.",))
    train = split.train if floors else None
    return assess(read_bundles(store, "shapes", versions), folder, chosen, bar, draw=draw, show=show, train=train)


# ---------------------------------------------------------------- figures


def test_a_bundle_is_measured(folder: Folder, tmp_path: Path) -> None:
    publish_tiny(tmp_path / "models", temperature=1.5)
    found = measured(Store(tmp_path / "models"), folder)
    (only,) = found.bundles
    accuracy = only.evaluation.metric("accuracy")
    assert accuracy is not None
    # The tiny network knows every drawing; what it gets wrong was called by another name.
    wrong = [mistake for mistake in only.mistakes if mistake.path.startswith("disc/") and mistake.truth == ("square",)]
    assert len(wrong) == len(only.mistakes) == round((1 - accuracy.value) * 30) > 0
    assert {mistake.answer for mistake in wrong} == {("disc",)}
    assert (found.task, found.images, found.notes, found.comparison, found.floors) == (
        "shapes",
        "30 drawings",
        ("A note.",),
        None,
        None,
    )
    assert found.index_sha256 == folder.sha256


def test_the_order_of_labels_does_not_matter(folder: Folder, tmp_path: Path) -> None:
    """A bundle with its labels in another order gives the same figures beside the first one."""
    store = Store(tmp_path / "models")
    publish_tiny(store.root)
    turned = (SHAPES[2], SHAPES[0], SHAPES[1])
    publish_tiny(store.root, labels=turned)
    first, second = measured(store, folder, 1, 2).bundles
    assert [entry.label for entry in second.evaluation.per_label] == list(SHAPES)
    # The second network was fitted to other drawings under these names: it calls a disc "stripes" and so on.
    assert first.evaluation.confusion is not None
    assert second.evaluation.confusion is not None
    expected = np.array(first.evaluation.confusion)[:, [1, 2, 0]]
    np.testing.assert_array_equal(np.array(second.evaluation.confusion), expected)


def test_each_bundle_has_its_own_preprocessing(folder: Folder, tmp_path: Path) -> None:
    store = Store(tmp_path / "models")
    publish_tiny(store.root)
    publish_tiny(store.root, changes={"preprocessing": PREPROCESSING.model_copy(update={"colour": "grey"})})
    publish_tiny(store.root)
    coloured, grey, again = measured(store, folder).bundles
    assert coloured.evaluation == again.evaluation != grey.evaluation


def test_bundles_are_compared_with_the_first_named(folder: Folder, tmp_path: Path) -> None:
    store = Store(tmp_path / "models")
    for seed in (0, 1):
        publish_tiny(store.root, seed=seed)
    comparison = measured(store, folder, 2, 1).comparison
    assert comparison is not None
    assert comparison.reference == "version 2"
    assert [versus.name for versus in comparison.others] == ["version 1"]


def test_floors_stand_beside_the_figures(folder: Folder, tmp_path: Path) -> None:
    publish_tiny(tmp_path / "models")
    found, _ = both(Store(tmp_path / "models"), folder, floors=True)
    assert found.floors is not None
    # The colour alone tells the drawings apart, the border does not.
    assert found.floors.thumbnail.balanced_accuracy.value > 0.8
    assert found.floors.border.balanced_accuracy.value < found.floors.thumbnail.balanced_accuracy.value


def test_several_labels_per_image_are_measured(tmp_path: Path) -> None:
    publish_tiny(tmp_path / "models", activation="sigmoid")
    root = draw_images(tmp_path / "images")
    found = measured(Store(tmp_path / "models"), read_folder(root))
    assert found.bundles[0].evaluation.confusion is None
    accuracy = found.bundles[0].evaluation.metric("accuracy")
    assert accuracy is not None
    assert accuracy.value > 0.8


# ---------------------------------------------------------------- pictures


def test_one_bundle_has_its_plots_at_hand(folder: Folder, tmp_path: Path) -> None:
    publish_tiny(tmp_path / "models")
    _, plots = both(Store(tmp_path / "models"), folder, draw=True)
    assert set(plots) == {"confusion.png", "roc.png", "precision-recall.png", "reliability.png", "mistakes.png"}


def test_several_bundles_have_a_folder_each(folder: Folder, tmp_path: Path) -> None:
    store = Store(tmp_path / "models")
    for seed in (0, 1):
        publish_tiny(store.root, seed=seed)
    _, plots = both(store, folder, draw=True, show=False)
    assert {name for name in plots if "/" not in name} == {"comparison.png"}
    for version in (1, 2):
        assert f"version-{version}/roc.png" in plots
        # Images that may not be shown are not shown.
        assert f"version-{version}/mistakes.png" not in plots


def test_nothing_is_drawn_that_is_not_wanted(folder: Folder, tmp_path: Path) -> None:
    publish_tiny(tmp_path / "models")
    found, plots = both(Store(tmp_path / "models"), folder)
    assert plots == {}
    assert json.loads(found.model_dump_json())["bundles"][0]["mistakes"]


# ---------------------------------------------------------------- which bundles


def test_all_bundles_are_read_if_none_are_named(tmp_path: Path) -> None:
    for seed in (0, 1):
        publish_tiny(tmp_path, seed=seed)
    store = Store(tmp_path)
    assert [bundle.manifest.version for bundle in read_bundles(store, "shapes", ())] == [1, 2]
    assert [bundle.manifest.version for bundle in read_bundles(store, "shapes", (2, 1, 2))] == [2, 1]


def test_what_is_not_there_is_told(tmp_path: Path, store_root: Path) -> None:
    publish_tiny(tmp_path / "models")
    store = Store(tmp_path / "models")
    with pytest.raises(UnknownTask, match="holds no task 'pills'"):
        read_bundles(store, "pills", ())
    with pytest.raises(UnknownVersion, match="shapes has no version 3; there are 1"):
        read_bundles(store, "shapes", (1, 3))
    with pytest.raises(UnknownVersion, match="shapes has no bundle yet"):
        read_bundles(Store(store_root), "shapes", ())


def test_bundles_that_answer_in_another_way_do_not_compare(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    publish_tiny(tmp_path, activation="sigmoid")
    with pytest.raises(NotComparable, match="do not compare"):
        read_bundles(Store(tmp_path), "shapes", ())
    assert len(read_bundles(Store(tmp_path), "shapes", (2,))) == 1

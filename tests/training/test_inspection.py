"""What a folder holds: classes with their colours, copies with the borders that they cross, refused and flat files."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.bundles import encode
from tests.training.pictures import paint
from training.errors import ImagesInvalid
from training.folders import read_folder
from training.inspection import Cluster, Inspection, inspect_folder
from training.split import Split

Watch = Callable[[Iterable[Any]], Iterable[Any]]


def write(root: Path, files: dict[str, tuple[str, str, str]]) -> Path:
    """An index.csv of these files with their label, group and source; a painted image where there is none."""
    for number, path in enumerate(files):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if not (root / path).exists():
            (root / path).write_bytes(encode(paint(1000 + number)))
    rows = "\n".join(f"{path},{','.join(rest)}" for path, rest in files.items())
    (root / "index.csv").write_text(f"path,label,group,source\n{rows}\n")
    return root


FILES = {f"{label}/{number}.png": (label, f"{label}{number}", "drawn") for label in "ab" for number in range(4)}


def no_bar(_doing: str, _count: int) -> Watch:
    return iter


def inspect(root: Path, split: Split | None = None) -> Inspection:
    return inspect_folder(read_folder(root), split, no_bar, max_pixels=10**6)


def paths(cluster: Cluster) -> list[str]:
    return [sample.path for sample in cluster.samples]


# ---------------------------------------------------------------- classes


def test_classes_are_counted_as_listed(tmp_path: Path) -> None:
    files = {
        "1.png": ("b", "g1", "s1"),
        "2.png": ("a", "g2", "s1"),
        "3.png": ("b", "g1", "s2"),
        "4.png": ("b", "g3", "s2"),
    }
    (tmp_path / "4.png").write_bytes(b"torn")
    found = inspect(write(tmp_path, files))
    counts = [(item.label, item.images, item.groups, item.sources) for item in found.classes]
    assert counts == [("a", 1, 1, {"s1": 1}), ("b", 3, 2, {"s1": 1, "s2": 2})]
    assert [refused.sample.path for refused in found.refused] == ["4.png"]
    assert [look.sample.path for look in found.looks] == ["1.png", "2.png", "3.png"]


def test_an_image_of_several_labels_counts_for_each(tmp_path: Path) -> None:
    files = {"1.png": ("a|b", "g1", "s"), "2.png": ("a", "g2", "s"), "3.png": ("|", "g3", "s")}
    found = inspect(write(tmp_path, files))
    assert [(item.label, item.images) for item in found.classes] == [("a", 2), ("b", 1)]


def test_colours_weigh_every_image_the_same(tmp_path: Path) -> None:
    shades = {"a/0.png": ((0, 10, 20), (40, 40)), "a/1.png": ((100, 110, 220), (20, 200))}
    for path, (colour, size) in shades.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        Image.new("RGB", size, colour).save(tmp_path / path)
    found = inspect(write(tmp_path, FILES | dict.fromkeys(shades, ("c", "g", "s"))))
    shown = found.classes[-1].shades
    assert shown is not None
    assert shown.channels == ("red", "green", "blue")
    assert shown.mean == pytest.approx((50, 60, 120))
    assert shown.deviation == pytest.approx((50, 50, 100))
    assert [len(levels) for levels in shown.histogram] == [256] * 3
    assert shown.histogram[2][20] == shown.histogram[2][220] == pytest.approx(0.5)


def test_a_class_of_grey_images_has_one_channel(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    for number in range(4):
        grey = paint(number, grey=True)
        (tmp_path / f"a/{number}.png").write_bytes(encode(grey if number else np.stack([grey] * 3, axis=-1)))
    (tmp_path / "b/0.png").write_bytes(encode(paint(9, grey=True)))
    grey_class, mixed = (item.shades for item in inspect(tmp_path).classes)
    assert grey_class is not None
    assert mixed is not None
    assert grey_class.channels == ("grey",)
    assert grey_class.mean == pytest.approx([np.mean([paint(number, grey=True).mean() for number in range(4)])])
    assert sum(grey_class.histogram[0]) == pytest.approx(1)
    assert mixed.channels == ("red", "green", "blue")


def test_a_class_of_refused_images_has_no_colours(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    for number in range(4):
        (tmp_path / f"b/{number}.png").write_bytes(b"torn")
    found = inspect(tmp_path)
    assert [item.shades is None for item in found.classes] == [False, True]
    assert len(found.refused) == 4


def test_a_folder_without_one_readable_image_is_refused(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    for path in FILES:
        (tmp_path / path).write_bytes(b"torn")
    with pytest.raises(ImagesInvalid, match=r"Not one image of .* can be decoded; a/0.png: This is not a JPEG"):
        inspect(tmp_path)


# ---------------------------------------------------------------- copies


def test_copies_are_told_by_what_they_share(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    shutil.copy(tmp_path / "a/0.png", tmp_path / "b/0.png")
    Image.open(tmp_path / "a/1.png").save(tmp_path / "a/2.png", compress_level=1)
    Image.open(tmp_path / "b/1.png").save(tmp_path / "b/2.png", format="JPEG", quality=50)
    found = inspect(tmp_path).copies
    assert [(cluster.kind, paths(cluster)) for cluster in found] == [
        ("same file", ["a/0.png", "b/0.png"]),
        ("same pixels", ["a/1.png", "a/2.png"]),
        ("near copies", ["b/1.png", "b/2.png"]),
    ]
    assert [cluster.crosses("labels") for cluster in found] == [True, False, False]
    assert [cluster.crosses("group") for cluster in found] == [True, True, True]
    assert [cluster.crosses("parts") for cluster in found] == [False] * 3


def test_exact_and_near_copies_of_one_picture_are_one_cluster(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    shutil.copy(tmp_path / "b/0.png", tmp_path / "a/0.png")
    Image.open(tmp_path / "b/0.png").save(tmp_path / "a/3.png", format="JPEG", quality=50)
    shutil.copy(tmp_path / "a/3.png", tmp_path / "b/3.png")
    (cluster,) = inspect(tmp_path).copies
    assert cluster.kind == "near copies"
    assert paths(cluster) == ["a/0.png", "a/3.png", "b/0.png", "b/3.png"]
    assert [sample.path for sample in cluster.across("labels")] == ["a/0.png", "b/0.png"]


def test_copies_in_a_split_know_their_parts(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    shutil.copy(tmp_path / "a/0.png", tmp_path / "a/1.png")
    shutil.copy(tmp_path / "b/2.png", tmp_path / "b/3.png")
    samples = read_folder(tmp_path).samples
    split = Split(samples[::2][:3], samples[6:], samples[1:6:2])
    found = inspect(tmp_path, split)
    assert found.parts == {"train": 3, "validation": 2, "test": 3}
    assert [cluster.parts for cluster in found.copies] == [("train", "test"), ("validation", "validation")]
    assert [cluster.crosses("parts") for cluster in found.copies] == [True, False]
    assert [sample.path for sample in found.copies[0].across("parts")] == ["a/0.png", "a/1.png"]


def test_flat_images_are_named_and_only_equal_ones_are_copies(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    for path, level in (("a/0.png", 0), ("a/1.png", 255), ("b/0.png", 255)):
        Image.new("L", (50, 50), level).save(tmp_path / path)
    found = inspect(tmp_path)
    assert [sample.path for sample in found.flat] == ["a/0.png", "a/1.png", "b/0.png"]
    assert [(cluster.kind, paths(cluster)) for cluster in found.copies] == [("same file", ["a/1.png", "b/0.png"])]


# ---------------------------------------------------------------- shortcuts and progress


def test_clues_are_measured_where_images_differ_in_them(tmp_path: Path) -> None:
    files = {f"{label}/{n}.png": (label, f"{label}{n}", f"s{n % 2}") for label in "ab" for n in range(6)}
    write(tmp_path, files)
    for number in range(6):
        Image.fromarray(paint(number, width=200)).save(tmp_path / f"a/{number}.png", format="JPEG")
    shortcuts = inspect(tmp_path).shortcuts
    assert shortcuts == {"source": pytest.approx(0.0), "file type": 1.0, "size": 1.0, "shape": 1.0}


def test_shapes_are_alike_when_sizes_are_not(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    for number, edge in enumerate((60, 80, 100, 150)):
        for label, height in (("a", edge), ("b", edge // 2)):
            (tmp_path / f"{label}/{number}.png").write_bytes(encode(paint(number, width=edge, height=height)))
    shortcuts = inspect(tmp_path).shortcuts
    assert shortcuts == {"size": pytest.approx(0.5), "shape": 1.0}


def test_progress_is_shown_while_reading_and_comparing(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []

    def bar(doing: str, count: int) -> Watch:
        def watch(steps: Iterable[Any]) -> Iterable[Any]:
            yielded = list(steps)
            seen.append((doing, len(yielded)))
            assert len(yielded) == count
            return yielded

        return watch

    inspect_folder(read_folder(write(tmp_path, FILES)), None, bar, max_pixels=10**6)
    assert seen == [("Reading 8 images", 8), ("Comparing them", 1)]

"""What is said about a folder, worst first, and that nothing is said where nothing is wrong."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from training.cautions import cautions
from training.folders import Folder, Sample
from training.inspection import Class, Cluster, Inspection
from training.looks import Kind, Look, Refused

KIND = Kind("image/png", "colour", "8")


def samples(label: str, count: int, per_group: int = 1) -> list[Sample]:
    return [Sample(f"{label}/{n}.png", (label,), f"{label}{n // per_group}", "drawn") for n in range(count)]


def look(sample: Sample, width: int = 300, height: int = 200) -> Look:
    return Look(sample, KIND, width, height, "", "", np.zeros((3, 256), np.float32), np.zeros((64, 64), np.uint8))


def inspection(
    shown: Sequence[Sample],
    *,
    grouped: bool = True,
    copies: Sequence[Cluster] = (),
    refused: Sequence[Refused] = (),
    flat: Sequence[Sample] = (),
    shortcuts: dict[str, float] | None = None,
    small: Sequence[tuple[Sample, int, int]] = (),
) -> Inspection:
    everything = (*shown, *(one.sample for one in refused))
    labels = tuple(sorted({sample.label for sample in everything}))
    classes = []
    for label in labels:
        own = [sample for sample in everything if sample.label == label]
        classes.append(Class(label, len(own), len({sample.group for sample in own}), {"drawn": len(own)}, None))
    return Inspection(
        Folder(Path("images"), everything, labels, grouped=grouped, multilabel=False, sha256=""),
        tuple(classes),
        (*(look(sample) for sample in shown), *(look(*one) for one in small)),
        tuple(refused),
        tuple(flat),
        tuple(copies),
        {},
        shortcuts or {},
    )


def said(found: Inspection) -> dict[str, str]:
    """What is said, by what it is about, after checking that it is sentences."""
    warnings = cautions(found)
    for caution in warnings:
        assert caution.sentence[0].isupper() or caution.sentence[0].isdigit() or caution.about == "imbalance"
        assert caution.sentence.endswith(".")
    assert len({caution.about for caution in warnings}) == len(warnings)
    return {caution.about: caution.sentence for caution in warnings}


GOOD = [*samples("a", 40), *samples("b", 60)]


def cluster(*members: Sample, parts: tuple[str, ...] = ()) -> Cluster:
    return Cluster("near copies", members, parts)


def test_nothing_is_said_of_a_good_folder() -> None:
    assert said(inspection(GOOD, shortcuts={"source": 0.6, "size": 0.5})) == {}


def test_copies_across_parts_come_first() -> None:
    torn = [
        cluster(GOOD[0], GOOD[1], parts=("train", "train")),
        cluster(GOOD[2], GOOD[3], GOOD[4], parts=("train", "train", "test")),
    ]
    warnings = said(inspection(GOOD, copies=torn))
    assert list(warnings) == ["leakage", "torn groups", "copies"]
    assert warnings["leakage"].startswith(
        "3 images have copies in another part of the split, as a/2.png and a/4.png. What is learnt from one is"
    )


def test_copies_with_another_label_are_told() -> None:
    one, other = GOOD[0], GOOD[-1]
    warnings = said(inspection(GOOD, copies=[cluster(one, other)]))
    assert list(warnings) == ["conflicting labels", "torn groups", "copies"]
    assert warnings["conflicting labels"].startswith("2 images have copies with another label, as a/0.png and b/59.png")


def test_copies_within_a_group_only_shrink_the_folder() -> None:
    paired = samples("a", 60, per_group=2)
    warnings = said(inspection([*paired, *samples("b", 60)], copies=[cluster(*paired[:2]), cluster(*paired[4:6])]))
    assert warnings == {"copies": "Of 120 images, 118 are different pictures; the others are copies."}


def test_a_folder_without_groups_is_told_with_its_copies() -> None:
    risk = said(inspection(GOOD, grouped=False, copies=[cluster(*GOOD[:3])]))
    assert list(risk) == ["no groups", "copies"]
    assert "split off alone: 3 images have copies that a split may part." in risk["no groups"]
    none = said(inspection(GOOD, grouped=False))
    assert "split off alone: two views of one thing may be parted." in none["no groups"]


@pytest.mark.parametrize(("told", "warned"), [(0.74, False), (0.75, True), (1.0, True)])
def test_a_clue_that_goes_half_the_way_to_knowing_is_told(told: float, warned: bool) -> None:  # noqa: FBT001
    warnings = said(inspection(GOOD, shortcuts={"size": told, "source": 0.5}))
    assert ("shortcut" in warnings) is warned
    if warned:
        assert (
            f"The size of an image alone tells its class with a balanced accuracy of {told:.2f}" in warnings["shortcut"]
        )
        assert "guessing has 0.50" in warnings["shortcut"]
        assert "Prepare all classes alike" in warnings["shortcut"]


def test_the_most_telling_clue_comes_first_and_sources_have_their_own_remedy() -> None:
    sentences = [one.sentence for one in cautions(inspection(GOOD, shortcuts={"size": 0.8, "source": 0.9}))]
    assert [sentence.split()[1] for sentence in sentences] == ["source", "size"]
    assert "Measure with one source left out" in sentences[0]


def test_guessing_depends_on_the_number_of_classes() -> None:
    ten = [sample for label in "abcdefghij" for sample in samples(label, 40)]
    assert "shortcut" in said(inspection(ten, shortcuts={"size": 0.56}))
    assert "shortcut" not in said(inspection(ten, shortcuts={"size": 0.54}))


def test_where_one_class_is_left_no_clue_is_told() -> None:
    refused = [Refused(sample, "The file is empty.") for sample in samples("b", 40)]
    assert list(said(inspection(samples("a", 40), refused=refused, shortcuts={"size": 1.0}))) == ["refused files"]


def test_refused_files_are_told_with_the_first_reason() -> None:
    refused = [Refused(Sample("b/torn.png", ("b",), "t", "drawn"), "The PNG file is damaged.")]
    warnings = said(inspection(GOOD, refused=refused))
    assert warnings == {
        "refused files": "1 file cannot be used, and training would stop there, as b/torn.png: The PNG file is damaged."
    }


def test_tiny_classes_and_classes_of_few_groups_are_told_once() -> None:
    shown = [*samples("many", 60), *samples("few", 29), *samples("one", 1), *samples("runs", 45, per_group=5)]
    sentences = [one.sentence for one in cautions(inspection(shown)) if one.about == "tiny classes"]
    assert sentences == [
        "Fewer than 30 images say little about a class: few (29), one (1).",
        "Fewer than 10 groups say little about a class, however many images they hold: runs (9).",
    ]


def test_many_names_are_cut() -> None:
    shown = [sample for label in "abcdefgh" for sample in samples(label, 3)]
    assert said(inspection(shown))["tiny classes"].endswith("a (3), b (3), c (3), d (3), e (3) and 3 more.")


@pytest.mark.parametrize(("largest", "warned"), [(120, False), (121, True)])
def test_imbalance_is_more_than_three_to_one(largest: int, warned: bool) -> None:  # noqa: FBT001
    warnings = said(inspection([*samples("a", 40), *samples("b", largest)]))
    assert ("imbalance" in warnings) is warned
    if warned:
        assert warnings["imbalance"].startswith("b has 3.0 times as many images as a (121 and 40)")


@pytest.mark.parametrize(("width", "height", "warned"), [(111, 111, True), (112, 20, False), (20, 112, False)])
def test_small_images_are_those_with_both_sides_small(width: int, height: int, warned: bool) -> None:  # noqa: FBT001
    warnings = said(inspection(GOOD, small=[(GOOD[0], width, height)]))
    assert ("small images" in warnings) is warned
    if warned:
        assert "both sides of 1 image have fewer than 112, as a/0.png (111 x 111)" in warnings["small images"]


def test_flat_images_are_told_with_their_classes() -> None:
    warnings = said(inspection(GOOD, flat=[GOOD[0], GOOD[-1], GOOD[-2]]))
    assert warnings == {"flat images": "All but one shade: 3 images, as a/0.png; of the classes b (2), a (1)."}


def test_everything_at_once_is_in_order() -> None:
    found = inspection(
        [*samples("a", 3), *samples("b", 60)],
        grouped=False,
        copies=[cluster(GOOD[0], GOOD[-1], parts=("train", "test"))],
        refused=[Refused(Sample("b/torn.png", ("b",), "t", "drawn"), "The PNG file is damaged.")],
        flat=[GOOD[0]],
        shortcuts={"source": 1.0},
        small=[(GOOD[0], 50, 50)],
    )
    assert list(said(found)) == [
        "leakage",
        "conflicting labels",
        "no groups",
        "shortcut",
        "refused files",
        "tiny classes",
        "imbalance",
        "small images",
        "flat images",
        "copies",
    ]

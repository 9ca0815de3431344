"""Rounds: every image is tested once, no group is on two sides, and a source is left out whole."""

from pathlib import Path

import pytest

from training.errors import ImagesInvalid
from training.folders import Folder, Sample
from training.rounds import by_fold, by_source


def sample(number: int, label: str, group: str, source: str = "clinic") -> Sample:
    return Sample(f"{label}/{number:03}.png", (label,) if label else (), group, source)


def folder(samples: list[Sample]) -> Folder:
    labels = tuple(sorted({label for each in samples for label in each.labels}))
    return Folder(Path("images"), tuple(samples), labels, grouped=True, multilabel=False, sha256="0" * 64)


def shapes(sources: dict[str, tuple[str, ...]], each: int = 12) -> Folder:
    """Images of the labels that each source holds, two per group."""
    return folder(
        [
            sample(100 * place + number, label, f"{source} {label} {number // 2}", source)
            for place, (source, labels) in enumerate(sources.items())
            for label in labels
            for number in range(each)
        ]
    )


TWO = shapes({"a": ("disc", "square"), "b": ("disc", "square")})


@pytest.mark.parametrize("count", [3, 5])
def test_every_image_is_tested_once_and_no_group_is_on_two_sides(count: int) -> None:
    rounds, missing = by_fold(TWO, count, 1)
    assert [each.name for each in rounds] == [f"fold {number + 1}" for number in range(count)]
    assert not missing
    tested = [sample.path for each in rounds for sample in each.split.test]
    assert sorted(tested) == sorted(sample.path for sample in TWO.samples)
    for each in rounds:
        parts = dict(each.split.parts())
        assert sum(len(part) for part in parts.values()) == len(TWO.samples)
        groups = [{sample.group for sample in part} for part in parts.values()]
        assert sum(map(len, groups)) == len(set.union(*groups))
        for part in parts.values():
            assert {sample.label for sample in part} == {"disc", "square"}


def test_the_next_fold_chooses_the_checkpoint() -> None:
    rounds, _ = by_fold(TWO, 4, 1)
    for number, each in enumerate(rounds):
        assert each.split.validation == rounds[(number + 1) % 4].split.test


def test_two_folds_leave_nothing_to_train_on() -> None:
    with pytest.raises(ImagesInvalid, match="2 folds are too few"):
        by_fold(TWO, 2, 1)


def test_folds_without_enough_groups_are_told() -> None:
    with pytest.raises(ImagesInvalid, match=r"fold .* would hold no image of"):
        by_fold(shapes({"a": ("disc", "square")}, each=4), 3, 1)


def test_each_source_is_left_out_whole() -> None:
    three = shapes({"a": ("disc", "square"), "b": ("disc",), "c": ("disc", "square")})
    rounds, missing = by_source(three, 4, 1)
    assert [each.name for each in rounds] == ["a", "b", "c"]
    assert not missing
    for each in rounds:
        assert {sample.source for sample in each.split.test} == {each.name}
        assert {sample.source for sample in (*each.split.train, *each.split.validation)} == {"a", "b", "c"} - {
            each.name
        }
        assert sum(len(part) for _, part in each.split.parts()) == len(three.samples)
        groups = [{sample.group for sample in part} for _, part in each.split.parts()]
        assert sum(map(len, groups)) == len(set.union(*groups))
        # One fold in four.
        assert len(each.split.train) == pytest.approx(3 * len(each.split.validation), abs=8)


def test_a_source_that_alone_has_a_label_is_not_left_out() -> None:
    rounds, missing = by_source(shapes({"a": ("disc", "square", "cross"), "b": ("disc", "square")}), 3, 1)
    assert [each.name for each in rounds] == ["b"]
    assert missing == ("a is not left out: without it there is no image of cross.",)


def test_a_source_whose_absence_leaves_too_few_groups_is_not_left_out() -> None:
    few = [sample(number, label, f"b {label} {number}", "b") for label in ("disc", "square") for number in (500, 501)]
    rounds, missing = by_source(folder([*shapes({"a": ("disc", "square")}).samples, *few]), 3, 1)
    assert [each.name for each in rounds] == ["b"]
    assert missing[0].startswith(
        "a is not left out: of the others, the fold 3 of 3 would hold no image of disc, square"
    )


@pytest.mark.parametrize(
    ("sources", "reason"),
    [
        ({"a": ("disc", "square")}, "No source can be left out. images holds the images of one source."),
        (
            {"a": ("disc",), "b": ("square",)},
            "No source can be left out. a is not left out: without it there is no image of disc. b is",
        ),
    ],
)
def test_where_no_source_can_be_left_out_it_is_told(sources: dict[str, tuple[str, ...]], reason: str) -> None:
    with pytest.raises(ImagesInvalid) as refused:
        by_source(shapes(sources), 3, 1)
    assert str(refused.value).startswith(reason)

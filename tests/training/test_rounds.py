"""Rounds: every image is tested once, no group is on two sides, and a source is left out whole."""

from pathlib import Path
from typing import Any

import pytest

from training.errors import ImagesInvalid
from training.folders import Folder, Sample
from training.recipe import Material
from training.rounds import Round, by_fold, by_source


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


def material(**changes: Any) -> Material:
    """Of a recipe that says nothing of sources, unless it is given."""
    fields = {"name": "Shapes", "licence": "None needed.", "split": (0.6, 0.2, 0.2), "balance": "none"}
    return Material.model_validate(fields | changes)


def sources(samples: tuple[Sample, ...]) -> set[str]:
    return {sample.source for sample in samples}


def require_whole(each: Round, whole: Folder) -> None:
    """No image is lost or in two parts, and no group is on two sides."""
    everything = [sample for _, part in each.split.parts() for sample in part]
    assert sorted(sample.path for sample in everything) == sorted(sample.path for sample in whole.samples)
    groups = [{sample.group for sample in part} for _, part in each.split.parts()]
    assert sum(map(len, groups)) == len(set.union(*groups))


PLAIN = material()
TWO = shapes({"a": ("disc", "square"), "b": ("disc", "square")})


@pytest.mark.parametrize("count", [3, 5])
def test_every_image_is_tested_once_and_no_group_is_on_two_sides(count: int) -> None:
    rounds, missing = by_fold(TWO, count, 1, PLAIN)
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
    rounds, _ = by_fold(TWO, 4, 1, PLAIN)
    for number, each in enumerate(rounds):
        assert each.split.validation == rounds[(number + 1) % 4].split.test


def test_two_folds_leave_nothing_to_train_on() -> None:
    with pytest.raises(ImagesInvalid, match="2 folds are too few"):
        by_fold(TWO, 2, 1, PLAIN)


def test_folds_without_enough_groups_are_told() -> None:
    with pytest.raises(ImagesInvalid, match=r"fold .* would hold no image of"):
        by_fold(shapes({"a": ("disc", "square")}, each=4), 3, 1, PLAIN)


def test_each_source_is_left_out_whole() -> None:
    three = shapes({"a": ("disc", "square"), "b": ("disc",), "c": ("disc", "square")}, each=24)
    rounds, missing = by_source(three, 4, 1, PLAIN)
    assert [each.name for each in rounds] == ["a", "b", "c"]
    assert not missing
    for each in rounds:
        assert {sample.source for sample in each.split.test} == {each.name}
        assert {sample.source for sample in (*each.split.train, *each.split.validation)} == {"a", "b", "c"} - {
            each.name
        }
        require_whole(each, three)
        # One fold in four.
        assert len(each.split.train) == pytest.approx(3 * len(each.split.validation), abs=8)


def test_a_source_that_alone_has_a_label_is_not_left_out() -> None:
    rounds, missing = by_source(shapes({"a": ("disc", "square", "cross"), "b": ("disc", "square")}), 3, 1, PLAIN)
    assert [each.name for each in rounds] == ["b"]
    assert missing == ("a is not left out: without it there is no image of cross.",)


def test_a_source_whose_absence_leaves_too_few_groups_is_not_left_out() -> None:
    few = [sample(number, label, f"b {label} {number}", "b") for label in ("disc", "square") for number in (500, 501)]
    rounds, missing = by_source(folder([*shapes({"a": ("disc", "square")}).samples, *few]), 3, 1, PLAIN)
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
        by_source(shapes(sources), 3, 1, PLAIN)
    assert str(refused.value).startswith(reason)


# ---------------------------------------------------------------- sources that go together, or are never measured on

MIXED = shapes({"a": ("disc",), "b": ("square",), "c": ("disc", "square"), "d": ("disc", "square")})


def test_sources_can_be_left_out_together() -> None:
    rounds, missing = by_source(MIXED, 3, 1, material(holdouts=(("a", "b"), ("c",))))
    assert [each.name for each in rounds] == ["a + b", "c"]
    assert not missing
    for each, left_out in zip(rounds, ({"a", "b"}, {"c"}), strict=True):
        assert sources(each.split.test) == left_out
        assert sources((*each.split.train, *each.split.validation)) == {"a", "b", "c", "d"} - left_out
        require_whole(each, MIXED)


def test_of_holdouts_one_that_takes_a_label_away_is_told() -> None:
    rounds, missing = by_source(MIXED, 3, 1, material(holdouts=(("a", "c", "d"), ("b",))))
    assert [each.name for each in rounds] == ["b"]
    assert missing == ("a + c + d is not left out: without it there is no image of disc.",)


DRAWN = shapes({"a": ("disc", "square"), "b": ("disc", "square"), "drawn": ("disc", "square")})


@pytest.mark.parametrize("divide", [by_fold, by_source])
def test_what_is_trained_on_only_is_trained_on_in_every_round(divide: Any) -> None:
    rounds, missing = divide(DRAWN, 3, 1, material(training_only=("drawn",)))
    assert not missing
    assert len(rounds) == (3 if divide is by_fold else 2)
    drawn = {sample for sample in DRAWN.samples if sample.source == "drawn"}
    for each in rounds:
        assert drawn <= set(each.split.train)
        assert "drawn" not in sources((*each.split.validation, *each.split.test))
        require_whole(each, DRAWN)
    tested = [sample.path for each in rounds for sample in each.split.test]
    assert sorted(tested) == sorted(sample.path for sample in set(DRAWN.samples) - drawn)


def test_a_label_may_be_left_to_drawn_pictures_alone() -> None:
    """With its only real source left out, it is still trained on."""
    mixed = shapes({"a": ("disc", "square"), "b": ("square",), "c": ("square",), "drawn": ("disc",)})
    rounds, missing = by_source(mixed, 3, 1, material(training_only=("drawn",)))
    assert [each.name for each in rounds] == ["a", "b", "c"]
    assert not missing
    assert {sample.label for sample in rounds[0].split.train} == {"disc", "square"}


def test_nothing_but_drawn_pictures_cannot_choose_a_checkpoint() -> None:
    wanted = material(training_only=("drawn",), holdouts=(("b", "a"), ("b",)))
    rounds, missing = by_source(DRAWN, 3, 1, wanted)
    assert [each.name for each in rounds] == ["b"]
    assert missing == ("b + a is not left out: there is no other source to choose a checkpoint by.",)


@pytest.mark.parametrize("divide", [by_fold, by_source])
def test_an_unknown_source_is_refused_with_those_there_are(divide: Any) -> None:
    with pytest.raises(
        ImagesInvalid, match=r"material.training_only names the source 'drwan'; there are a, b, drawn\."
    ):
        divide(DRAWN, 3, 1, material(training_only=("drwan",)))


def test_what_is_never_measured_on_is_no_holdout_either() -> None:
    wanted = material(training_only=("drawn",), holdouts=(("a",), ("drawn",)))
    with pytest.raises(ImagesInvalid, match=r"material.holdouts names the source 'drawn'; there are a, b\."):
        by_source(DRAWN, 3, 1, wanted)


def test_one_source_beside_the_drawn_ones_cannot_be_left_out() -> None:
    one = shapes({"a": ("disc", "square"), "drawn": ("disc", "square")})
    with pytest.raises(ImagesInvalid, match="No source can be left out"):
        by_source(one, 3, 1, material(training_only=("drawn",)))

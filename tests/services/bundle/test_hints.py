import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from services.bundle.hints import MOST_HINT, RULE, Rule, hintable, matches, rerank, take_hint
from services.bundle.task import LabelText


def label(name: str, *hints: str) -> LabelText:
    return LabelText(label=name, title=name.title(), explanation="Drawn.", hints=hints)


PILLS = (
    label("biogesic", "biogesic", "ul 500"),
    label("bioflu", "bioflu"),
    label("kremil s", "kremil s", "kremil"),
    label("fish oil", "fish oil"),
    label("plain"),
)
LABELS = tuple(pill.label for pill in PILLS)


def chances(*values: float) -> NDArray[np.float64]:
    return np.array(values, np.float64)


# ---------------------------------------------------------------- what a hint names


@pytest.mark.parametrize(
    ("hint", "named"),
    [
        ("biogesic", "biogesic"),
        ("  BioGesic® 500 mg, tablet!", "biogesic"),
        ("biogesic500mg", "biogesic"),
        ("bíogésic", "biogesic"),
        ("ＢＩＯＧＥＳＩＣ", "biogesic"),  # noqa: RUF001 - letters as wide as the signs they stand among
        ("Kremil-S", "kremil s"),
        ("KREMILS", "kremil s"),
        ("fishoil", "fish oil"),
        ("ul500", "biogesic"),
        ("UL-500", "biogesic"),
        ("it says UL 500 on it", "biogesic"),
    ],
)
def test_a_name_is_found_however_it_is_written(hint: str, named: str) -> None:
    assert matches(hint, PILLS) == (named,)


@pytest.mark.parametrize(
    "slip", ["biogesik", "biogsic", "biogessic", "boigesic", "xbiogesic", "biogesi", "bogesic tablet"]
)
def test_one_slip_is_forgiven(slip: str) -> None:
    assert matches(slip, PILLS) == ("biogesic",)


@pytest.mark.parametrize("slips", ["biogezik", "boigseic", "gesic", "kremlin", "ul 400", "ul 5000", "vl 500", "u1 500"])
def test_two_slips_and_slips_in_a_number_are_not(slips: str) -> None:
    assert matches(slips, PILLS) == ()


def test_a_beginning_names_a_label_if_it_is_long_enough_and_all_there_is() -> None:
    assert matches("biog", PILLS) == ("biogesic",)
    assert matches("krem", PILLS) == ("kremil s",)
    for hint in ("bio", "kre", "biog tablet", "tablet biog"):
        assert matches(hint, PILLS) == ()


def test_a_name_that_is_there_beats_one_that_is_nearly_there() -> None:
    near = (label("decolgen", "decolgen"), label("decolgin", "decolgin"))
    assert matches("decolgin", near) == ("decolgin",)
    assert matches("decolgan", near) == ("decolgen", "decolgin")


def test_a_hint_may_name_several_labels_or_none() -> None:
    assert matches("bioflu or biogesic", PILLS) == ("biogesic", "bioflu")
    for hint in ("", "   ", "...", "plain", "paracetamol", "\x00", "生理食塩水"):
        assert matches(hint, PILLS) == ()


def test_a_word_inside_another_is_not_read() -> None:
    assert matches("antibioflux", PILLS) == ()


def test_long_hints_are_read_as_far_as_they_may_be() -> None:
    # One character that comes apart into eighteen.
    assert matches("\ufdfa" * MOST_HINT + " bioflu", PILLS) == ()
    assert matches("x " * (MOST_HINT // 2 - 3) + "bioflu", PILLS) == ("bioflu",)


def test_a_task_takes_hints_only_where_some_are_written_down() -> None:
    assert hintable(PILLS)
    assert not hintable(PILLS[-1:])


# ---------------------------------------------------------------- the rule


def test_the_odds_of_the_named_label_are_multiplied() -> None:
    weighed, effect = rerank(chances(0.6, 0.3, 0.1), 1)
    assert effect == "weighed"
    assert weighed.sum() == pytest.approx(1)
    assert weighed[1] / (1 - weighed[1]) == pytest.approx(RULE.ratio * 0.3 / 0.7)
    # What the image says of the others among themselves stays.
    assert weighed[0] / weighed[2] == pytest.approx(6)


def test_the_image_is_not_changed_in_place() -> None:
    given = chances(0.6, 0.3, 0.1)
    rerank(given, 1)
    assert given.tolist() == [0.6, 0.3, 0.1]


def test_an_image_alone_that_is_confident_is_never_overridden() -> None:
    generous = Rule(ratio=1e6, confident=RULE.confident, plausible=0.0)
    given = chances(RULE.confident, 1 - RULE.confident, 0.0)
    weighed, effect = rerank(given, 1, generous)
    assert effect == "contradicted"
    assert weighed.tolist() == given.tolist()
    below = math.nextafter(RULE.confident, 0)
    assert rerank(chances(below, 1 - below, 0.0), 1, generous)[1] == "weighed"


def test_no_hint_overrides_a_confident_image_whatever_it_names() -> None:
    random = np.random.default_rng(0)
    several = random.dirichlet(np.full(5, 0.15), 500)
    confident = several[several.max(axis=1) >= RULE.confident]
    assert len(confident) > 50
    for row, named in itertools.product(confident, range(5)):
        weighed, _ = rerank(row, named)
        assert weighed.argmax() == row.argmax()
        assert weighed.max() >= row.max() - 1e-12


def test_a_hint_changes_the_first_label_to_the_one_it_names_or_not_at_all() -> None:
    random = np.random.default_rng(1)
    changed = 0
    for row, named in itertools.product(random.dirichlet(np.ones(5), 200), range(5)):
        first = rerank(row, named)[0].argmax()
        assert first in {row.argmax(), named}
        changed += first != row.argmax()
    assert changed > 100


def test_what_the_image_makes_implausible_is_not_raised() -> None:
    given = chances(0.5, 0.5 - RULE.plausible / 2, RULE.plausible / 2)
    weighed, effect = rerank(given, 2)
    assert effect == "implausible"
    assert weighed.tolist() == given.tolist()
    assert rerank(chances(0.5, 0.5 - RULE.plausible, RULE.plausible), 2)[1] == "weighed"


def test_a_hint_that_agrees_makes_surer() -> None:
    weighed, effect = rerank(chances(0.95, 0.03, 0.02), 0)
    assert effect == "agreed"
    assert weighed[0] == pytest.approx(0.95 * RULE.ratio / (0.95 * RULE.ratio + 0.05))


# ---------------------------------------------------------------- both together


@pytest.mark.parametrize(
    ("hint", "given", "effect", "first", "note"),
    [
        ("biogesic", (0.5, 0.3, 0.1, 0.06, 0.04), "agreed", "biogesic", "agree on Biogesic"),
        (
            "bioflu",
            (0.5, 0.3, 0.1, 0.06, 0.04),
            "weighed",
            "bioflu",
            "alone puts Biogesic first; with the hint it is Bioflu",
        ),
        ("bioflu", (0.85, 0.06, 0.03, 0.03, 0.03), "weighed", "biogesic", "still puts Biogesic first"),
        (
            "bioflu",
            (0.92, 0.08, 0.0, 0.0, 0.0),
            "contradicted",
            "biogesic",
            "names Bioflu, but the image alone is confident",
        ),
        (
            "kremil",
            (0.5, 0.49, 0.01, 0.0, 0.0),
            "implausible",
            "biogesic",
            "Kremil S, which the image makes implausible",
        ),
        ("aspirin", (0.5, 0.3, 0.1, 0.06, 0.04), "unknown", "biogesic", "none of the labels"),
        ("bioflu kremil", (0.5, 0.3, 0.1, 0.06, 0.04), "ambiguous", "biogesic", "several labels"),
    ],
)
def test_a_hint_is_weighed_and_told(hint: str, given: tuple[float, ...], effect: str, first: str, note: str) -> None:
    hinted = take_hint(hint, PILLS, LABELS, chances(*given))
    assert hinted.effect == effect
    assert LABELS[hinted.probabilities.argmax()] == first
    assert note in hinted.note
    if effect not in {"agreed", "weighed"}:
        assert hinted.probabilities.tolist() == list(given)


def test_labels_are_told_by_name_and_not_by_their_order_in_the_task() -> None:
    turned = LABELS[::-1]
    hinted = take_hint("bioflu", PILLS, turned, chances(0.04, 0.06, 0.1, 0.3, 0.5))
    assert turned[hinted.probabilities.argmax()] == "bioflu"


def test_a_note_never_repeats_what_was_written() -> None:
    for hint in ("patient Reyes bioflu", "patient Reyes", "patient Reyes bioflu biogesic"):
        assert "Reyes" not in take_hint(hint, PILLS, LABELS, chances(0.5, 0.3, 0.1, 0.06, 0.04)).note

"""Pieces of Markdown that say what they were given."""

from training.markdown import bullets, listed, section, table


def test_a_bar_or_a_line_break_in_a_cell_does_not_break_a_table() -> None:
    assert table(("a", "b"), [("this | that", "one\ntwo")]) == "| a | b |\n| --- | --- |\n| this \\| that | one two |"


def test_names_are_joined_as_in_a_sentence() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_sections_and_bullets() -> None:
    assert section("Use", bullets(("One.", "Two."))) == "## Use\n\n- One.\n- Two.\n"

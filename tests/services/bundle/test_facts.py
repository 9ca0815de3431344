import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.bundle.facts import Facts
from services.bundle.hints import matches
from services.bundle.task import LabelText

ROOT = Path(__file__).parents[3]


def entry() -> dict[str, Any]:
    return {
        "variant": "Drawn, the tablet.",
        "ingredients": ["Ink 5 mg"],
        "use": "Relief of blank paper.",
        "dose_form": "Tablet of ink 5 mg.",
        "warnings": ["Stains."],
        "notes": ["The packaging is right."],
        "sources": [{"title": "The printer's leaflet", "url": "https://example.org/ink,-in-general/?a=1#dose"}],
        "checked": "2026-11-21",
    }


def read(facts: dict[str, Any]) -> Facts:
    return Facts.model_validate_json(json.dumps(facts))


def test_facts_are_read() -> None:
    facts = read(entry())
    assert facts.checked == date(2026, 11, 21)
    assert facts.sources[0].url.startswith("https://example.org/")


@pytest.mark.parametrize("field", list(Facts.model_fields))
def test_no_fact_may_be_left_out(field: str) -> None:
    facts = entry()
    del facts[field]
    with pytest.raises(ValidationError, match=field):
        read(facts)


@pytest.mark.parametrize("field", ["ingredients", "warnings", "notes", "sources"])
def test_no_list_may_be_empty(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        read(entry() | {field: []})


def test_nothing_more_may_be_said() -> None:
    with pytest.raises(ValidationError, match="dosing"):
        read(entry() | {"dosing": "Two at night."})


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "javascript:alert(1)",
        "https://name:word@example.org/",
        "https://example.org/<script>",
        'https://example.org/"onclick',
        "https://example.org/a b",
        "https://example.org\n/",
        "https://localhost/",
        "https://example.org/" + "a" * 500,
        "",
    ],
)
def test_a_source_is_a_plain_address_over_https(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        read(entry() | {"sources": [{"title": "A leaflet", "url": url}]})


@pytest.mark.parametrize("hint", ["a", "", "Ink", "ink-5", " ink", "ink  5", "ink\n", "x" * 41])
def test_a_hint_is_a_few_words_in_small_letters(hint: str) -> None:
    label = {"label": "ink", "title": "Ink", "explanation": "Black.", "hints": [hint]}
    with pytest.raises(ValidationError, match="hints"):
        LabelText.model_validate_json(json.dumps(label))


# ---------------------------------------------------------------- the entries of the task drugs


def drugs() -> list[LabelText]:
    task = tomllib.loads((ROOT / "model_store" / "drugs" / "task.toml").read_text("utf-8"))
    return [LabelText.model_validate_json(json.dumps(label, default=str)) for label in task["labels"]]


@pytest.mark.parametrize("drug", drugs(), ids=lambda drug: drug.label)
def test_every_drug_has_facts_under_the_packaging(drug: LabelText) -> None:
    assert drug.facts is not None
    assert any("packaging is right" in note for note in drug.facts.notes)
    assert len({source.url for source in drug.facts.sources}) >= 3


@pytest.mark.parametrize("drug", drugs(), ids=lambda drug: drug.label)
def test_a_drug_is_named_by_its_hints_and_its_title_alone(drug: LabelText) -> None:
    assert drug.hints
    for words in (*drug.hints, drug.title, drug.label):
        assert matches(words, drugs()) == (drug.label,)


def test_drugs_that_share_an_ingredient_warn_of_each_other() -> None:
    holding = {drug.title: drug.facts for drug in drugs() if drug.facts and "paracetamol" in drug.facts.dose_form}
    assert len(holding) == 5
    for title, facts in holding.items():
        warnings = " ".join(facts.warnings)
        assert all(other in warnings for other in holding if other != title)

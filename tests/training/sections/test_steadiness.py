"""The table of variants is on the card, with what costs most."""

from typing import Any

from tests.manifests import valid_manifest
from tests.training.sections.filled import manifest
from training.sections.steadiness import steadiness


def variant(title: str, change: float, refused: float | None = 0.0625) -> dict[str, Any]:
    known: dict[str, Any] = valid_manifest()["steadiness"][0]
    return known | {"title": title, "change": change, "refused": refused}


def test_each_variant_is_a_row() -> None:
    text = steadiness(manifest(steadiness=[variant("Blurred", -0.021), variant("Turned", 0.0, None)]))
    assert "| Blurred | 0.750 (0.625 to 0.875) | -2.1 | 93.8 % | 0.250 | 6.2 % |" in text
    assert "| Turned | 0.750 (0.625 to 0.875) | 0.0 | 93.8 % | 0.250 | - |" in text
    assert "What costs most, 2.1 points: Blurred." in text


def test_nothing_is_made_of_variants_that_cost_nothing() -> None:
    assert "No variant costs any accuracy." in steadiness(manifest(steadiness=[variant("Blurred", 0.01)]))
    assert steadiness(manifest(steadiness=[])) == "Not measured."

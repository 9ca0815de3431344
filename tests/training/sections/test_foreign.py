"""The card says what the detector refuses and, in words, what gets through."""

from typing import Any

from tests.manifests import valid_manifest
from tests.training.sections.filled import manifest
from training.sections.foreign import foreign


def kind(name: str, refused: float, *, near: bool = False) -> dict[str, Any]:
    return {"kind": name, "near": near, "images": 50, "auroc": 0.9375, "refused": refused, "withheld": None}


def told(*kinds: dict[str, Any]) -> str:
    return foreign(manifest(novelty=valid_manifest()["novelty"] | {"foreign": list(kinds)}))


def test_the_detector_is_described_with_its_threshold_and_its_shares() -> None:
    text = foreign(manifest())
    assert "Mahalanobis" in text
    assert "Above 1.75 the image is foreign, and the answer is then" in text
    assert "98 % of the validation images pass" in text
    assert "Of the test images 96.9 % pass" in text
    assert "| photographs | no | 50 | 0.9375 | 87.5 % | 0.8750 | 50 % |" in text
    assert "| photographs | no | 50 | 0.9375 | 87.5 % | - | - |" in told(kind("photographs", 0.875))


def test_what_gets_through_is_listed_in_words_the_worst_first() -> None:
    text = told(
        kind("films of adults", 0.25, near=True),
        kind("charts", 0.99),
        kind("photographs", 0.9),
        kind("noise", 1.0),
        kind("other scanners", 1.0, near=True),
    )
    bullets = [line for line in text.splitlines() if line.startswith("- ")]
    assert bullets == [
        "- films of adults: 75 % get through; do not upload them.",
        "- photographs: 10 % get through, though they are not near.",
    ]
    assert "What gets through" not in told(kind("noise", 1.0))


def test_a_bundle_without_a_detector_or_without_its_figures_says_so() -> None:
    assert "no detector of foreign images" in foreign(manifest(novelty=None))
    assert "was not measured" in told()
    assert "| kind |" not in told()

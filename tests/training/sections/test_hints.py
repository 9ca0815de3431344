"""What hints do is on the card of a bundle that takes any."""

from tests.manifests import valid_manifest
from tests.training.sections.filled import manifest
from training.sections.hints import hints


def test_each_way_of_spoiling_is_a_row() -> None:
    known = valid_manifest()["hints"][0]
    text = hints(manifest(hints=[known, known | {"name": "blurred", "title": "Blurred"}]))
    assert "multiplies the odds of the label that it names by 9" in text
    assert "where the image alone is 90 % sure of another label, it does not count" in text
    assert "90 validation images" in text
    for title in ("As they are", "Blurred"):
        assert f"| {title} | 0.750 (0.625 to 0.875) | 0.875 (0.750 to 0.938) |" in text

"""The card says how a picture becomes the model's input."""

import json
from typing import Any

import pytest

from services.bundle.manifest import parse_manifest
from tests.manifests import valid_manifest
from training.sections.origin import making


def input_row(**changed: Any) -> str:
    fields = valid_manifest()
    manifest = parse_manifest(json.dumps(fields | {"preprocessing": fields["preprocessing"] | changed}).encode())
    return next(line for line in making(manifest).splitlines() if line.startswith("| input"))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "pixels |"),
        ({"borders": "trimmed"}, "pixels, plain borders cut off |"),
        ({"levels": "stretched"}, "pixels, grey levels stretched from the percentile 0.5 to 99.5 |"),
        (
            {"borders": "trimmed", "levels": "stretched", "window_percentiles": [1, 99]},
            "pixels, plain borders cut off, grey levels stretched from the percentile 1 to 99 |",
        ),
    ],
)
def test_the_input_is_told(changed: dict[str, Any], told: str) -> None:
    assert input_row(**changed).endswith(told)

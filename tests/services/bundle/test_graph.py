"""A description is data: it says what it may say, in order, and nothing else."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from services.bundle.fields import first_error
from services.bundle.graph import Architecture, Description, LayerGraph
from tests.layers import layer_graph

DESCRIPTION: TypeAdapter[Any] = TypeAdapter(Description)

DENSE = {"name": "logits", "inputs": ["image"], "kind": "Dense", "units": 2, "bias": True, "activation": "linear"}
CONV = {
    "name": "conv",
    "inputs": ["image"],
    "kind": "Conv2D",
    "filters": 4,
    "kernel": [3, 3],
    "strides": [1, 1],
    "padding": "same",
    "dilation": [1, 1],
    "groups": 1,
    "bias": True,
    "activation": "relu",
}
DEPTHWISE = {key: value for key, value in CONV.items() if key not in {"filters", "groups"}} | {
    "kind": "DepthwiseConv2D",
    "multiplier": 1,
}
ADD = {"name": "add", "inputs": ["image", "conv"], "kind": "Add"}


def parse(described: object) -> Any:
    return DESCRIPTION.validate_json(json.dumps(described))


def refused(described: object) -> str:
    with pytest.raises(ValidationError) as error:
        parse(described)
    return first_error(error.value)


def rows(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"layers": list(layers)}


def test_either_kind_of_description_is_told_by_its_fields() -> None:
    backbone = {"backbone": "convnet", "filters": [8], "hidden": []}
    assert parse(backbone) == Architecture(backbone="convnet", filters=(8,), hidden=())
    assert isinstance(parse(rows(DENSE)), LayerGraph)


def test_a_description_survives_json_and_its_own_type() -> None:
    for described in (layer_graph((4, 8), 3), Architecture(backbone="vgg16", filters=(), hidden=(16,))):
        assert DESCRIPTION.validate_json(DESCRIPTION.dump_json(described)) == described
        assert DESCRIPTION.validate_python(described) is described


@pytest.mark.parametrize("foreign", [None, 3, "vgg16", [], {}, {"backbone": "vgg16"}])
def test_what_is_neither_is_told_what_a_backbone_lacks(foreign: object) -> None:
    assert refused(foreign).startswith("backbone")


def test_the_place_of_a_mistake_is_told() -> None:
    assert refused(rows(CONV, DENSE | {"units": 2.5})).startswith("layers.layers.1.Dense.units: ")


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([], "at least 1 item"),
        ([DENSE | {"kind": "Lambda"}], "'kind' should be one of 'Channels'"),
        ([DENSE | {"kind": "os.system"}], "'kind' should be one of 'Channels'"),
        ([DENSE | {"function": "x"}], "Extra inputs are not permitted"),
        ([{key: value for key, value in DENSE.items() if key != "bias"}], "Field required"),
        ([DENSE | {"activation": "__import__"}], "Input should be 'linear'"),
        ([DENSE | {"activation": "softmax"}], "Input should be 'linear'"),
        ([DENSE | {"units": 0}], "greater than or equal to 1"),
        ([DENSE | {"units": -5}], "greater than or equal to 1"),
        ([DENSE | {"units": 2**31}], "less than or equal to 8192"),
        ([DENSE | {"units": True}], "valid integer"),
        ([DENSE | {"bias": 1}], "valid boolean"),
        ([DENSE | {"inputs": []}], "Field required"),
        ([CONV, DENSE | {"inputs": ["image", "conv"]}], "at most 1 item"),
        ([DENSE | {"name": "../logits"}], "String should match pattern"),
        ([DENSE | {"name": "_logits"}], "String should match pattern"),
        ([DENSE | {"name": "x" * 65}], "at most 64 characters"),
        ([CONV | {"kernel": [3, 65]}, DENSE], "less than or equal to 64"),
        ([CONV | {"kernel": [3, 3, 3]}, DENSE], "at most 2 items"),
        ([CONV | {"padding": "causal"}, DENSE], "Input should be 'valid' or 'same'"),
        ([DEPTHWISE | {"strides": [1, 2]}, DENSE | {"inputs": ["conv"]}], "strides of a depthwise convolution are"),
        ([ADD | {"inputs": ["image"]}, DENSE], "at least 2 items"),
        ([CONV, ADD, DENSE], "nothing takes what add gives"),
        ([CONV, DENSE], "nothing takes what conv gives"),
        ([CONV | {"inputs": ["add"]}, ADD, DENSE | {"inputs": ["add"]}], "takes add, which no earlier layer gives"),
        ([DENSE | {"inputs": ["logits"]}], "takes logits, which no earlier layer gives"),
        ([CONV, CONV | {"inputs": ["conv"]}, DENSE], "two layers have the name conv"),
        ([CONV | {"name": "image"}, DENSE], "two layers have the name image"),
        ([DENSE, CONV | {"inputs": ["logits"]}], "the last layer is conv, not logits"),
        ([DENSE] * 1001, "at most 1000 items"),
        (
            [{"name": "logits", "inputs": ["image"], "kind": "Rescaling", "scale": [1e7], "offset": [0.0]}],
            "less than or equal to 1000000",
        ),
        (
            [{"name": "logits", "inputs": ["image"], "kind": "Reshape", "target": [-1]}],
            "greater than or equal to 1",
        ),
    ],
)
def test_a_list_that_makes_no_graph_is_refused(layers: list[dict[str, Any]], reason: str) -> None:
    assert reason in refused(rows(*layers))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_are_finite(number: str) -> None:
    text = json.dumps(rows({"name": "logits", "inputs": ["image"], "kind": "Rescaling", "scale": [1], "offset": [0]}))
    with pytest.raises(ValidationError):
        DESCRIPTION.validate_json(text.replace('"scale": [1]', f'"scale": [{number}]'))
    assert DESCRIPTION.validate_json(text)

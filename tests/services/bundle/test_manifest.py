import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from services.bundle.manifest import parse_manifest, serialise_manifest
from services.bundle.task import parse_task
from services.errors import ManifestInvalid, TaskInvalid
from tests.manifests import valid_manifest, valid_task

Place = tuple[str | int, ...]


def places(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every place in nested dicts and lists, but the root, with what lies there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*place, key), item
        yield from places(item, (*place, key))


def dotted(place: Place) -> str:
    return ".".join(str(part) for part in place)


def told(place: Place, reason: str = "") -> str:
    """What a refusal says of a place, as a pattern; between its parts may stand which of several shapes was tried."""
    return (
        r"^manifest\.json: " + r"\.([A-Za-z]+\.)?".join(re.escape(str(part)) for part in place) + rf"(\.\w+)*: {reason}"
    )


def holding(whole: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(whole)
    parent: Any = changed
    for part in place[:-1]:
        parent = parent[part]
    parent[place[-1]] = value
    return changed


def without(whole: dict[str, Any], place: Place) -> dict[str, Any]:
    changed = copy.deepcopy(whole)
    parent: Any = changed
    for part in place[:-1]:
        parent = parent[part]
    del parent[place[-1]]
    return changed


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def as_toml(task: dict[str, Any]) -> bytes:
    """TOML of a dict with strings, whole numbers, lists of strings, tables of these and one list of such tables."""
    lines = [f"{key} = {_inline(value)}" for key, value in task.items() if key != "labels"]
    for label in task.get("labels", []):
        lines += ["[[labels]]", *(f"{key} = {_inline(value)}" for key, value in label.items())]
    return "\n".join(lines).encode()


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {json.dumps(item)}' for key, item in value.items())} }}"
    return json.dumps(value)


PLACES = list(places(valid_manifest()))
FIELDS = [place for place, _ in PLACES if isinstance(place[-1], str)]
OBJECTS = [(), *(place for place, value in PLACES if isinstance(value, dict))]
NUMBERS = [place for place, value in PLACES if isinstance(value, int | float) or value is None]
KIND = ("origin", "kind")
FIGURES = {"precision", "recall", "specificity", "f1", "roc_auc", "average_precision", "balanced_accuracy"}
TASK_PLACES = list(places(valid_task()))
TASK_FIELDS = [place for place, _ in TASK_PLACES if isinstance(place[-1], str)]


def wrong_values() -> Iterator[Any]:
    """Each place with a value of every JSON type that it must not hold."""
    values: list[Any] = ["1", 1, 0.5, True, None, [], {}]
    for place, value in PLACES:
        allowed = {type(value)}
        if isinstance(value, float):
            allowed |= {int, float}
        if place[-1] in FIGURES:
            allowed |= {dict, type(None)}
        if place[-1] in {"seen", "confusion", "prediction_sets", "novelty", "floors", "refused", "window", "withheld"}:
            # Whether they may be null depends on other fields.
            allowed |= {type(None)}
        for wrong in values:
            # By type, because to Python True is an int; to JSON it is not.
            if type(wrong) not in allowed:
                yield pytest.param(place, wrong, id=f"{dotted(place)}={json.dumps(wrong)}")


# ---------------------------------------------------------------- manifest.json


def test_a_manifest_comes_back_as_it_was_written() -> None:
    manifest = parse_manifest(as_json(valid_manifest()))
    written = serialise_manifest(manifest)
    assert json.loads(written) == valid_manifest()
    assert parse_manifest(written) == manifest
    assert serialise_manifest(parse_manifest(written)) == written
    assert written.endswith(b"}\n")


@pytest.mark.parametrize("place", FIELDS, ids=dotted)
def test_every_field_is_required(place: Place) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(as_json(without(valid_manifest(), place)))
    # Without its kind nobody can say what an origin lacks.
    missing = told(("origin",), "Unable to extract tag") if place == KIND else told(place, "Field required$")
    assert re.search(missing, str(caught.value))


@pytest.mark.parametrize("place", OBJECTS, ids=dotted)
def test_no_level_takes_an_unknown_field(place: Place) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(as_json(holding(valid_manifest(), (*place, "surprise"), 1)))
    assert re.search(told((*place, "surprise"), "Extra inputs"), str(caught.value))


@pytest.mark.parametrize(("place", "wrong"), list(wrong_values()))
def test_no_field_takes_another_type(place: Place, wrong: Any) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(as_json(holding(valid_manifest(), place, wrong)))
    assert re.search(told(place[:1]), str(caught.value))
    assert str(place[-1]) in str(caught.value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("place", NUMBERS, ids=dotted)
def test_no_number_is_infinite_or_none(place: Place, text: str) -> None:
    content = as_json(holding(valid_manifest(), place, "HERE")).replace(b'"HERE"', text.encode())
    with pytest.raises(ManifestInvalid):
        parse_manifest(content)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("task",), "Moles"),
        (("task",), "../moles"),
        (("task",), "m" * 65),
        (("version",), 0),
        (("created",), "yesterday"),
        (("labels",), ["benign"]),
        (("architecture", "backbone"), "keras.Sequential"),
        (("architecture", "filters"), [2]),
        (("architecture", "hidden"), [8, 8]),
        (("architecture", "hidden"), [0]),
        (("preprocessing", "height"), 31),
        (("preprocessing", "width"), 1025),
        (("preprocessing", "pad"), 256),
        (("preprocessing", "colour"), "bgr"),
        (("preprocessing", "borders"), "cut"),
        (("preprocessing", "levels"), "equalised"),
        (("preprocessing", "window_percentiles"), [50, 99.5]),
        (("preprocessing", "window_percentiles"), [0.5, 50]),
        (("preprocessing", "window_percentiles"), [0.5, 50.5, 99.5]),
        (("calibration", "temperature"), 0),
        (("calibration", "temperature"), 101),
        (("calibration", "activation"), "relu"),
        (("weights", "file"), "../../etc/passwd"),
        (("weights", "sha256"), "0" * 63),
        (("weights", "sha256"), "G" * 64),
        (("weights", "size"), 0),
        (("weights", "size"), 2**30),
        (("weights", "halving", "largest_probability_change"), 1.5),
        (("probe", "tensor_tolerance"), 0),
        (("probe", "tensor_tolerance"), 0.02),
        (("probe", "image_tolerance"), 1),
        (("seen", "file"), "../seen.npz"),
        (("seen", "sha256"), "0" * 63),
        (("origin", "data"), ""),
        (("origin", "train", "images"), -1),
        (("evaluation", "metrics", 0, "name"), "Accuracy!"),
        (("evaluation", "per_source", 0, "images"), -1),
        (("evaluation", "confusion", 0, 0), -1),
    ],
    ids=str,
)
def test_no_value_is_out_of_range(place: Place, value: Any) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(as_json(holding(valid_manifest(), place, value)))
    assert re.search(told(place), str(caught.value))


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (("labels",), ["benign", "benign"], "two labels have the same name"),
        (("labels",), ["benign", "other"], "evaluation.per_label and labels differ"),
        (("labels",), ["suspicious", "benign"], "evaluation.per_label and labels differ"),
        (("labels",), ["benign", "suspicious", "third"], "probe.logits and labels differ in length"),
        (("probe", "logits"), [1.0], "probe.logits and labels differ in length"),
        (("probe", "logits"), [1.0, 2.0, 3.0], "probe.logits and labels differ in length"),
        (("evaluation", "per_label"), [], "evaluation.per_label and labels differ"),
        (("evaluation", "confusion"), [[1, 2]], "evaluation.confusion is not square"),
        (("evaluation", "confusion"), [[1, 2], [3]], "evaluation.confusion is not square"),
        (("evaluation", "confusion"), [[1, 2, 3], [4, 5, 6]], "evaluation.confusion is not square"),
        (("evaluation", "metrics"), [], "evaluation.metrics lacks accuracy"),
        (("evaluation", "confusion"), None, "confusion is null, but an image has one label"),
        (("calibration", "activation"), "sigmoid", "confusion is not null, but an image may have several labels"),
        (("seen",), None, "seen is null, but the weights were fitted here"),
        (("operating_points", 0, "threshold"), 0.625, "operating_points are not rule_out, balanced, rule_in"),
        (("operating_points", 1, "name"), "rule_in", "operating_points are not rule_out, balanced, rule_in"),
        (("operating_points", 2, "label"), "benign", "operating_points are not rule_out, balanced, rule_in"),
        (("architecture", "filters"), [16, 32], "filters are for the backbone convnet"),
        (("architecture", "backbone"), "convnet", "filters are for the backbone convnet"),
    ],
)
def test_the_parts_do_not_contradict_each_other(place: Place, value: Any, reason: str) -> None:
    with pytest.raises(ManifestInvalid, match=reason):
        parse_manifest(as_json(holding(valid_manifest(), place, value)))


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{", b'"manifest"', b"\xff\xfe", b"{}", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(ManifestInvalid, match=r"^manifest\.json: "):
        parse_manifest(content)


@pytest.mark.parametrize("place", [place for place, value in PLACES if not isinstance(value, dict | list)], ids=dotted)
def test_the_reason_does_not_repeat_what_was_written(place: Place) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(as_json(holding(valid_manifest(), place, ["x" * 5000])))
    assert len(str(caught.value)) < 200
    assert "xxx" not in str(caught.value)


def test_the_reason_does_not_repeat_the_name_of_an_unknown_field() -> None:
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(as_json(valid_manifest() | {"x" * 5000: 1}))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (1, "publish the bundle again with `python -m training publish`"),
        (0, "publish the bundle again with `python -m training publish`"),
        (2, "publish the bundle again with `python -m training publish`"),
        (3, "publish the bundle again with `python -m training publish`"),
        (4, "publish the bundle again with `python -m training publish`"),
        (6, "it was written by a newer version"),
    ],
)
@pytest.mark.parametrize("rest", [valid_manifest(), {"anything": "else"}], ids=["else whole", "else different"])
def test_another_format_is_told_as_such(number: int, advice: str, rest: dict[str, Any]) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(as_json(rest | {"format": number}))
    assert str(caught.value) == f"manifest.json is of format {number}; this version reads format 5: {advice}"


@pytest.mark.parametrize("seen", [None, {"file": "seen.npz", "sha256": "0" * 64}], ids=["unknown", "known"])
def test_a_manifest_of_imported_weights_comes_back_as_it_was_written(seen: Any) -> None:
    manifest = imported_manifest() | {"seen": seen}
    assert json.loads(serialise_manifest(parse_manifest(as_json(manifest)))) == manifest


@pytest.mark.parametrize("field", ["file", "file_sha256", "data", "split_by", "validation", "test", "software"])
def test_every_field_of_an_import_is_required(field: str) -> None:
    with pytest.raises(ManifestInvalid, match=told(("origin", field), "Field required")):
        parse_manifest(as_json(without(imported_manifest(), ("origin", field))))


def test_an_import_has_no_field_of_a_training() -> None:
    with pytest.raises(ManifestInvalid, match=told(("origin", "recipe"), "Extra inputs")):
        parse_manifest(as_json(holding(imported_manifest(), ("origin", "recipe"), "")))


def imported_manifest() -> dict[str, Any]:
    manifest = valid_manifest()
    kept = ("data", "data_licence", "index_sha256", "split_by", "validation", "test", "seed", "software")
    origin = {name: manifest["origin"][name] for name in kept}
    file = {"kind": "import", "file": "legacy.h5", "file_sha256": manifest["probe"]["sha256"]}
    return manifest | {"seen": None, "origin": origin | file}


def test_a_manifest_of_several_labels_comes_back_as_it_was_written() -> None:
    manifest = holding(valid_manifest(), ("calibration", "activation"), "sigmoid")
    manifest["evaluation"]["confusion"] = manifest["prediction_sets"] = None
    assert json.loads(serialise_manifest(parse_manifest(as_json(manifest)))) == manifest


def test_a_manifest_cannot_be_changed() -> None:
    manifest = parse_manifest(as_json(valid_manifest()))
    for owner, field in ((manifest, "version"), (manifest.preprocessing, "height")):
        with pytest.raises(ValueError, match="frozen"):
            setattr(owner, field, 64)


def test_a_metric_is_found_by_its_name() -> None:
    evaluation = parse_manifest(as_json(valid_manifest())).evaluation
    accuracy = evaluation.metric("accuracy")
    assert accuracy is not None
    assert accuracy.value == 0.75
    assert evaluation.metric("f1") is None


# ---------------------------------------------------------------- task.toml


def test_a_task_is_read() -> None:
    task = parse_task(as_toml(valid_task()), "moles")
    assert task.serve == "latest"
    assert [entry.label for entry in task.labels] == ["benign", "suspicious"]
    assert task.model_dump(mode="json", exclude_defaults=True) == valid_task()


def test_a_task_may_pin_a_version() -> None:
    assert parse_task(as_toml(valid_task() | {"serve": 3}), "moles").serve == 3


@pytest.mark.parametrize("place", TASK_FIELDS, ids=dotted)
def test_every_field_of_a_task_is_required(place: Place) -> None:
    with pytest.raises(TaskInvalid) as caught:
        parse_task(as_toml(without(valid_task(), place)), "moles")
    assert str(caught.value) == f"task.toml: {dotted(place)}: Field required"


@pytest.mark.parametrize("place", [("surprise",), ("labels", 0, "surprise")], ids=dotted)
def test_no_level_of_a_task_takes_an_unknown_field(place: Place) -> None:
    with pytest.raises(TaskInvalid, match=f"{dotted(place)}: Extra inputs"):
        parse_task(as_toml(holding(valid_task(), place, "1")), "moles")


@pytest.mark.parametrize("folder", ["mole", "Moles", "moles ", ""])
def test_a_task_is_named_as_its_folder(folder: str) -> None:
    with pytest.raises(TaskInvalid, match=f"'moles' but lies in the folder '{folder}'"):
        parse_task(as_toml(valid_task()), folder)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("serve",), 0),
        (("serve",), -1),
        (("serve",), "newest"),
        (("serve",), 1.5),
        (("title",), ""),
        (("title",), 1),
        (("title",), "x" * 2001),
        (("out_of_scope",), "Animals."),
        (("name",), "Moles & more"),
        (("labels", 0, "label"), ""),
        (("labels", 0, "label"), "x" * 65),
    ],
    ids=str,
)
def test_no_value_of_a_task_is_out_of_range(place: Place, value: Any) -> None:
    with pytest.raises(TaskInvalid) as caught:
        parse_task(as_toml(holding(valid_task(), place, value)), "moles")
    sentence = str(caught.value)
    assert sentence.startswith(f"task.toml: {dotted(place)}")
    assert len(sentence) < 200


def test_two_labels_of_a_task_differ() -> None:
    twice = holding(valid_task(), ("labels", 1, "label"), "benign")
    with pytest.raises(TaskInvalid, match="two labels have the same name"):
        parse_task(as_toml(twice), "moles")


def test_a_task_has_two_labels_or_more() -> None:
    with pytest.raises(TaskInvalid, match="labels"):
        parse_task(as_toml(without(valid_task(), ("labels", 1))), "moles")


@pytest.mark.parametrize(
    "content", [b"name = ", b"\xff\xfe\x00", b'name = "a"\nname = "b"', b"= 1", "é".encode("latin-1")]
)
def test_what_is_no_toml_in_utf8_is_refused(content: bytes) -> None:
    with pytest.raises(TaskInvalid, match=r"task\.toml cannot be read"):
        parse_task(content, "moles")


@pytest.mark.parametrize("serve", ["3", True, 3.0, 0, "newest"])
def test_a_task_serves_the_latest_version_or_a_number(serve: Any) -> None:
    task = valid_task() | {"serve": serve}
    with pytest.raises(TaskInvalid, match="serve"):
        parse_task(as_toml(task), task["name"])

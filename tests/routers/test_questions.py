"""What a caller asks beside the image, by program."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from services.bundle.calibration import predictive_values
from services.bundle.hints import MOST_HINT
from services.prediction import SALIENCY_CAVEAT
from tests.bundles import EDGE, SHAPES, draw, encode
from tests.dicoms import dicom
from tests.evidence import noise

DISC = encode(draw(0))


def url(task: str) -> str:
    return f"/api/v1/tasks/{task}/predictions"


def ask(client: TestClient, task: str, content: bytes = DISC, **query: Any) -> dict[str, Any]:
    response = client.post(url(task), params=query, files={"image": content})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


# ---------------------------------------------------------------- outcomes


def test_a_finding_comes_with_what_decided_it(wary: TestClient) -> None:
    answer = ask(wary, "chest")
    (prediction,) = answer["predictions"]
    assert (prediction["outcome"], prediction["finding"]["label"]) == ("finding", "healthy")
    assert prediction["prediction_set"] == ["healthy"]
    assert prediction["novelty"]["score"] < prediction["novelty"]["threshold"]
    assert answer["prevalence"] is None
    low, high = answer["operating_points"]
    assert (low["name"], high["name"], low["label"], low["threshold"]) == ("rule_out", "rule_in", "ill", 0.25)
    assert low["sensitivity"] == {"value": 0.98, "low": 0.95, "high": 1.0}
    assert high["specificity"]["value"] == 0.99
    for point in (low, high):
        assert (point["positive_predictive_value"], point["negative_predictive_value"]) == (None, None)


def test_what_lies_between_the_points_is_uncertain_unless_one_is_asked_for(wary: TestClient) -> None:
    (prediction,) = ask(wary, "chest", encode(draw(1)))["predictions"]
    assert (prediction["outcome"], prediction["finding"]) == ("uncertain", None)
    assert prediction["prediction_set"] == ["ill", "healthy"]
    assert prediction["reason"].startswith("The probability of Ill lies between")
    answer = ask(wary, "chest", encode(draw(1)), operating_point="balanced")
    assert answer["predictions"][0]["finding"]["label"] == "ill"
    assert [point["name"] for point in answer["operating_points"]] == ["balanced"]


def test_at_a_prevalence_the_points_say_what_their_answers_are_worth(wary: TestClient) -> None:
    answer = ask(wary, "chest", prevalence=0.02)
    assert answer["prevalence"] == 0.02
    told = [
        (point["positive_predictive_value"], point["negative_predictive_value"]) for point in answer["operating_points"]
    ]
    assert told == [
        pytest.approx(predictive_values(0.98, 0.8, 0.02)),
        pytest.approx(predictive_values(0.7, 0.99, 0.02)),
    ]
    assert told[0][0] == pytest.approx(0.0909, abs=1e-3)


def test_a_foreign_image_is_not_applicable_and_says_which_task_knows_it(wary: TestClient) -> None:
    answer = ask(wary, "chest", encode(noise()), saliency=True, prevalence=0.1)
    (prediction,) = answer["predictions"]
    assert (prediction["outcome"], prediction["finding"], prediction["prediction_set"]) == (
        "not_applicable",
        None,
        None,
    )
    assert prediction["suggested_tasks"] == ["anything"]
    assert "try Anything" in prediction["reason"]
    assert (prediction["saliency"], answer["operating_points"]) == (None, [])
    assert len(prediction["probabilities"]) == 2


def test_among_several_images_a_foreign_one_hides_no_points(wary: TestClient) -> None:
    files = [("image", content) for content in (encode(noise()), b"text", DISC)]
    answer = wary.post(url("chest"), files=files).json()
    assert [each.get("outcome") for each in answer["predictions"]] == ["not_applicable", None, "finding"]
    assert [point["name"] for point in answer["operating_points"]] == ["rule_out", "rule_in"]


# ---------------------------------------------------------------- saliency


def test_saliency_is_rows_of_numbers_a_picture_and_its_caveat(wary: TestClient) -> None:
    (prediction,) = ask(wary, "chest", saliency="true")["predictions"]
    saliency = prediction["saliency"]
    assert list(saliency) == ["label", "values", "overlay", "caveat"]
    assert (saliency["label"], saliency["caveat"]) == ("healthy", SALIENCY_CAVEAT)
    assert len({len(row) for row in saliency["values"]}) == 1
    numbers = [number for row in saliency["values"] for number in row]
    assert max(numbers) > 0 <= min(numbers)
    assert all(number == float(f"{number:.4g}") for number in numbers)
    kind, _, encoded = saliency["overlay"].partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as overlay:
        assert (overlay.format, overlay.size) == ("PNG", (EDGE, EDGE))
    assert ask(wary, "chest", saliency="false")["predictions"][0]["saliency"] is None


# ---------------------------------------------------------------- hints


def test_a_hint_counts_and_is_noted(wary: TestClient) -> None:
    (alone,) = ask(wary, "pills")["predictions"]
    assert (alone["outcome"], alone["notes"]) == ("uncertain", [])
    assert set(alone["prediction_set"]) == set(SHAPES)
    (told,) = ask(wary, "pills", hint="  Disc ")["predictions"]
    assert (told["outcome"], told["finding"]["label"]) == ("finding", "disc")
    assert told["notes"] == ["The hint and the image agree on Disc; the probabilities count both."]
    (blank,) = ask(wary, "pills", hint=" ")["predictions"]
    assert blank["probabilities"] == alone["probabilities"]


def test_the_form_asks_as_well_as_the_query_string_which_wins(wary: TestClient) -> None:
    fields = {"hint": "stripes", "saliency": "true", "frame": "", "operating_point": ""}
    (told,) = wary.post(url("pills"), data=fields, files={"image": DISC}).json()["predictions"]
    assert (told["probabilities"][0]["label"], told["saliency"]["label"]) == ("stripes", "stripes")
    query = {"hint": "disc", "saliency": "false"}
    (told,) = wary.post(url("pills"), params=query, data=fields, files={"image": DISC}).json()["predictions"]
    assert (told["probabilities"][0]["label"], told["saliency"]) == ("disc", None)
    fields = {"prevalence": "0.25", "operating_point": "rule_in"}
    answer = wary.post(url("chest"), data=fields, files={"image": DISC}).json()
    assert (answer["prevalence"], answer["operating_points"][0]["name"]) == (0.25, "rule_in")


# ---------------------------------------------------------------- frames


def test_a_frame_of_several_can_be_chosen(wary: TestClient) -> None:
    content = dicom(np.stack([draw(1), draw(0)]), frames=2, Modality="CR")
    refused = wary.post(url("chest"), files={"image": content})
    assert (refused.status_code, refused.json()["type"]) == (413, "/problems/too-many-frames")
    (prediction,) = ask(wary, "chest", content, frame=2)["predictions"]
    assert prediction["finding"]["label"] == "healthy"
    assert wary.post(url("chest"), params={"frame": 3}, files={"image": content}).status_code == 400


# ---------------------------------------------------------------- refusals


PATIENT = "jane-doe-1961"


@pytest.mark.parametrize(
    ("task", "name", "value", "said"),
    [
        ("chest", "operating_point", PATIENT, "operating_point: Input should be 'rule_out', 'balanced' or 'rule_in'."),
        ("pills", "operating_point", "balanced", "leave out operating_point"),
        ("chest", "prevalence", "0", "prevalence: Input should be greater than 0."),
        ("chest", "prevalence", "1", "prevalence: Input should be less than 1."),
        ("chest", "prevalence", "nan", "prevalence: "),
        ("chest", "prevalence", PATIENT, "prevalence: Input should be a valid number"),
        ("chest", "saliency", PATIENT, "saliency: Input should be a valid boolean"),
        ("chest", "frame", "0", "frame: Input should be greater than or equal to 1."),
        ("chest", "frame", "1.5", "frame: Input should be a valid integer"),
        ("chest", "hint", PATIENT, "leave out hint"),
        ("pills", "hint", PATIENT + "x" * MOST_HINT, f"hint: String should have at most {MOST_HINT} characters."),
        ("pills", "hint", f"{PATIENT}\n2", "hint: it holds control characters."),
        ("pills", "hint", f"{PATIENT}\x9b2", "hint: it holds control characters."),
    ],
)
@pytest.mark.parametrize("where", ["params", "data"])
def test_what_makes_no_sense_is_a_problem_that_does_not_repeat_it(
    wary: TestClient, task: str, name: str, value: str, said: str, where: str
) -> None:
    sent: dict[str, Any] = {where: {name: value}, "files": {"image": DISC}}
    response = wary.post(url(task), **sent)
    assert response.status_code == 400, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "/problems/malformed-request"
    assert said in problem["detail"]
    assert PATIENT not in response.text


def test_a_file_in_the_place_of_a_field_is_refused(wary: TestClient) -> None:
    response = wary.post(url("pills"), files={"image": DISC, "hint": ("a.txt", b"disc")})
    assert response.status_code == 400
    assert response.json()["detail"].startswith("form.hint: ")


# ---------------------------------------------------------------- descriptions


def test_a_task_tells_everything_that_was_measured(wary: TestClient) -> None:
    task = wary.get("/api/v1/tasks/chest").json()
    assert list(task)[:5] == ["name", "title", "summary", "modality", "picture"]
    assert (task["positive"], task["takes_hints"]) == ("ill", False)
    assert task["dicom"] == {"modalities": ["CR", "DX"], "body_parts": ["CHEST"]}
    assert [held_out["sources"] for held_out in task["across"]] == [["north"], ["south"]]
    assert task["across"][1] == {
        "sources": ["south"],
        "images": 1234,
        "groups": 321,
        "metrics": {
            "accuracy": {"value": 0.81, "low": 0.78, "high": 0.84},
            "macro_roc_auc": {"value": 0.85, "low": 0.82, "high": 0.88},
        },
    }
    assert task["floors"]["thumbnail"]["macro_roc_auc"] == {"value": 0.95, "low": 0.92, "high": 0.98}
    assert task["floors"]["border"]["balanced_accuracy"]["value"] == 0.78
    assert [point["name"] for point in task["operating_points"]] == ["rule_out", "balanced", "rule_in"]
    assert task["operating_points"][0]["policy"] == "Chosen on validation for rule_out."
    assert task["prediction_sets"] is None
    assert (task["novelty"]["passed"], task["novelty"]["promised"]) == (0.969, 0.98)
    assert task["novelty"]["foreign"][1] == {
        "kind": "adult films",
        "near": True,
        "images": 40,
        "auroc": 0.7125,
        "refused": 0.225,
        "withheld": None,
    }
    assert task["novelty"]["foreign"][0]["withheld"] == {"auroc": 0.9874, "refused": 0.941}
    blurred = task["steadiness"][1]
    assert (blurred["name"], blurred["change"], blurred["unchanged"], blurred["refused"]) == (
        "blur",
        -0.04,
        0.958,
        None,
    )


def test_a_task_tells_the_facts_of_its_labels_and_whether_hints_count(wary: TestClient) -> None:
    task = wary.get("/api/v1/tasks/pills").json()
    assert task["takes_hints"] is True
    assert task["prediction_sets"]["coverage"] == {"value": 0.93, "low": 0.9, "high": 0.96}
    label = task["labels"][0]
    assert set(label) == {"label", "title", "explanation", "facts"}
    assert label["facts"] == {
        "variant": "Disc <Forte>, the tablet.",
        "ingredients": ["Chalk 500 mg", "Ink 1 mg"],
        "use": "Drawing.",
        "dose_form": "Tablet of 501 mg.",
        "warnings": ["Not to be eaten."],
        "notes": ["Where the packaging says otherwise, the packaging is right."],
        "sources": [{"title": "A leaflet", "url": "https://example.org/leaflet?of=disc&page=1"}],
        "checked": "2026-02-03",
    }


def test_the_list_of_tasks_lets_no_figure_stand_alone(wary: TestClient) -> None:
    tasks = {task["name"]: task for task in wary.get("/api/v1/tasks").json()["tasks"]}
    chest = tasks["chest"]
    assert chest["metrics"]["macro_roc_auc"]["value"] == 0.99
    assert [held_out["metrics"]["macro_roc_auc"]["value"] for held_out in chest["across"]] == [0.91, 0.85]
    assert chest["floors"]["thumbnail"]["macro_roc_auc"]["value"] == 0.95
    assert (tasks["pills"]["takes_hints"], tasks["pills"]["across"]) == (True, [])


def test_the_description_has_a_sentence_for_each_parameter(wary: TestClient) -> None:
    document = wary.get("/openapi.json").json()
    operation = document["paths"][url("chest")]["post"]
    parameters = {each["name"]: each for each in operation["parameters"]}
    assert set(parameters) == {"version", "operating_point", "prevalence", "saliency", "hint", "frame"}
    assert all(each["description"] and not each["required"] for each in parameters.values())
    fields = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert set(fields) == set(parameters) - {"version"} | {"image"}
    assert "$ref" not in json.dumps(fields)

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from main import create_app
from routers.schemas import PredictionsShape
from services.bundle.calibration import probabilities
from services.bundle.preprocessing import prepare
from services.registry import Registry
from services.settings import Settings
from tests.bundles import SHAPES, draw, draw_together, encode, publish_tiny, write_task
from tests.conftest import wait_until_ready

LARGE = np.zeros((2001, 2000, 3), np.uint8)
URL = "/api/v1/tasks/shapes/predictions"


def post(client: TestClient, *contents: bytes, name: str = "picture.png") -> Any:
    return client.post(URL, files=[("image", (name, content)) for content in contents])


# ---------------------------------------------------------------- answers


def test_the_answer_has_exactly_the_fields_of_the_wire(client: TestClient) -> None:
    answer = post(client, encode(draw(0))).json()
    assert list(answer) == ["request_id", "model", "predictions", "operating_points", "prevalence", "timing_ms"]
    assert list(answer["model"]) == ["task", "version", "digest"]
    assert list(answer["timing_ms"]) == ["decode", "queue", "network", "total"]
    (prediction,) = answer["predictions"]
    assert list(prediction) == [
        "filename",
        "outcome",
        "finding",
        "probabilities",
        "prediction_set",
        "novelty",
        "reason",
        "suggested_tasks",
        "notes",
        "saliency",
    ]
    assert prediction["outcome"] == "finding"
    assert [prediction[field] for field in ("prediction_set", "novelty", "reason", "saliency")] == [None] * 4
    assert (answer["operating_points"], answer["prevalence"]) == ([], None)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", answer["model"]["digest"])
    PredictionsShape.model_validate(answer)


@pytest.mark.parametrize("number", range(3))
def test_each_drawing_is_told_and_every_label_is_listed_highest_first(client: TestClient, number: int) -> None:
    (prediction,) = post(client, encode(draw(number, seed=7))).json()["predictions"]
    listed = prediction["probabilities"]
    assert prediction["finding"]["label"] == SHAPES[number] == listed[0]["label"]
    assert prediction["finding"]["probability"] == listed[0]["probability"]
    assert {entry["label"] for entry in listed} == set(SHAPES)
    assert listed == sorted(listed, key=lambda entry: -entry["probability"])
    assert sum(entry["probability"] for entry in listed) == pytest.approx(1)


def test_the_probabilities_are_the_networks_own_divided_by_the_temperature(
    client: TestClient, registry: Registry
) -> None:
    live = registry.live("shapes")
    logits = live.network.logits(prepare(draw(1), live.manifest.preprocessing))
    expected = dict(zip(live.manifest.labels, probabilities(logits, live.manifest.calibration), strict=True))
    (prediction,) = post(client, encode(draw(1))).json()["predictions"]
    for entry in prediction["probabilities"]:
        assert entry["probability"] == pytest.approx(expected[entry["label"]], abs=1e-6)


def test_of_several_labels_each_has_a_probability_of_its_own(several: str, client: TestClient) -> None:
    url = f"/api/v1/tasks/{several}/predictions"
    both, none = (encode(draw_together(*shown, seed=900)) for shown in ((0, 2), ()))
    answer = client.post(url, files=[("image", both), ("image", none)]).json()
    PredictionsShape.model_validate(answer)
    first, second = answer["predictions"]
    assert first["outcome"] == "finding"
    assert first["prediction_set"] == [each["label"] for each in first["probabilities"][:2]]
    assert set(first["prediction_set"]) == {SHAPES[0], SHAPES[2]}
    assert first["finding"]["label"] == first["prediction_set"][0]
    assert first["finding"]["title"] == first["prediction_set"][0].title()
    assert sum(each["probability"] for each in first["probabilities"]) > 1.5
    assert (second["outcome"], second["finding"], second["prediction_set"]) == ("uncertain", None, [])
    assert second["reason"] == "No label reached a probability of one half."
    assert len(second["probabilities"]) == 3
    assert all(each["probability"] < 0.5 for each in second["probabilities"])


def test_a_raw_body_is_answered_like_a_form(client: TestClient) -> None:
    content = encode(draw(2))
    form = post(client, content).json()["predictions"][0]
    raw = client.post(URL, content=content, headers={"content-type": "image/png"}).json()["predictions"][0]
    assert raw["filename"] is None
    assert form["filename"] == "picture.png"
    assert raw["probabilities"] == form["probabilities"]


def test_several_images_are_answered_in_order_and_a_bad_one_stands_in_its_place(client: TestClient) -> None:
    response = post(client, encode(draw(0)), b"not an image", encode(draw(2)))
    assert response.status_code == 200
    first, bad, last = response.json()["predictions"]
    assert first["finding"]["label"] == SHAPES[0]
    assert last["finding"]["label"] == SHAPES[2]
    assert set(bad) == {"filename", "problem"}
    assert bad["problem"]["status"] == 415


def test_a_loaded_version_may_be_asked_for(client: TestClient) -> None:
    content = encode(draw(0))
    assert client.post(f"{URL}?version=1", files={"image": content}).json()["model"]["version"] == 1
    missing = client.post(f"{URL}?version=8", files={"image": content})
    assert missing.status_code == 404
    assert missing.json()["type"] == "/problems/unknown-version"


def test_uploads_are_gone_after_answers_and_after_failures(client: TestClient, settings: Settings) -> None:
    post(client, encode(draw(0)), b"not an image")
    post(client, b"not an image")
    post(client, b"x" * (2**20 + 1))
    client.post(URL, content=b"x" * (2**20 + 1), headers={"content-type": "image/png"})
    assert list(settings.uploads.iterdir()) == []


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("sent", "status", "kind"),
    [
        pytest.param({"files": {"image": b""}}, 415, "unsupported-image", id="empty file"),
        pytest.param({"files": {"image": b"plain text"}}, 415, "unsupported-image", id="text"),
        pytest.param({"files": {"other": encode(draw(0))}}, 400, "malformed-request", id="no image field"),
        pytest.param({"data": {"image": "text"}}, 415, "unsupported-image", id="urlencoded"),
        pytest.param({"json": {"image": "aGVsbG8="}}, 415, "unsupported-image", id="json"),
        pytest.param({"files": {"image": encode(draw(0))[:-60]}}, 422, "undecodable-image", id="truncated"),
        pytest.param({"files": {"image": b"x" * (2**20 + 1)}}, 413, "too-many-bytes", id="too many bytes"),
        pytest.param({"files": [("image", b"x")] * 5}, 413, "too-many-images", id="too many images"),
        pytest.param({"files": {"image": encode(LARGE)}}, 413, "too-many-pixels", id="too many pixels"),
        pytest.param(
            {"content": b"--x\r\nbroken", "headers": {"content-type": "multipart/form-data; boundary=x"}},
            400,
            "malformed-request",
            id="broken form",
        ),
        pytest.param(
            {"content": b"", "headers": {"content-type": "multipart/form-data"}},
            400,
            "malformed-request",
            id="no boundary",
        ),
    ],
)
def test_bad_input_is_a_typed_problem(client: TestClient, sent: dict[str, Any], status: int, kind: str) -> None:
    response = client.post(URL, **sent)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert list(problem) == ["type", "title", "status", "detail", "request_id"]
    assert problem["type"] == f"/problems/{kind}"
    assert problem["status"] == status
    assert problem["request_id"] == response.headers["x-request-id"]


def test_a_wrong_task_is_told_from_a_wrong_address(client: TestClient) -> None:
    assert client.post("/api/v1/tasks/nothing/predictions").json()["type"] == "/problems/unknown-task"
    assert client.get("/api/v1/tasks/nothing").json()["type"] == "/problems/unknown-task"
    assert client.get("/api/v1/nothing").json()["type"] == "/problems/unknown-page"
    assert client.delete("/api/v1/tasks/shapes").json()["type"] == "/problems/method-not-allowed"


# ---------------------------------------------------------------- descriptions


def test_the_list_of_tasks_has_the_fields_of_the_wire(client: TestClient) -> None:
    (task,) = client.get("/api/v1/tasks").json()["tasks"]
    assert list(task) == [
        "name",
        "title",
        "modality",
        "picture",
        "positive",
        "takes_hints",
        "dicom",
        "labels",
        "serving",
        "metrics",
        "across",
        "floors",
    ]
    assert (task["picture"], task["positive"], task["takes_hints"]) == ("a drawing of a shape", "", False)
    assert task["dicom"] == {"modalities": [], "body_parts": []}
    assert (task["across"], task["floors"]) == ([], None)
    assert task["serving"] == 1
    assert task["labels"][0] == {"label": "disc", "title": "Disc"}
    assert set(task["metrics"]["accuracy"]) == {"value", "low", "high"}


def test_a_task_tells_its_limits_and_its_warning(client: TestClient) -> None:
    task = client.get("/api/v1/tasks/shapes").json()
    assert task["warning"]
    assert task["limits"]
    assert task["model"]["version"] == 1
    assert task["multilabel"] is False
    assert task["labels"][0] == {
        "label": "disc",
        "title": "Disc",
        "explanation": "A drawn disc.",
        "facts": None,
    }


def test_a_task_tells_how_each_label_and_each_source_fared(client: TestClient) -> None:
    task = client.get("/api/v1/tasks/shapes").json()
    lows = {"precision": 0.91, "recall": 0.92, "specificity": 0.93, "f1": 0.94, "roc_auc": 0.96}
    figures = {
        name: {"value": 1.0, "low": low, "high": 1.0} for name, low in (lows | {"average_precision": 0.97}).items()
    }
    assert task["per_label"] == [{"label": label, "support": 24, **figures} for label in SHAPES]
    (source,) = task["per_source"]
    assert source == {
        "source": "drawn",
        "images": 72,
        "groups": 72,
        "accuracy": {"value": 1.0, "low": 0.95, "high": 1.0},
        "balanced_accuracy": {"value": 1.0, "low": 0.94, "high": 1.0},
        "roc_auc": {"value": 1.0, "low": 0.93, "high": 1.0},
    }
    assert task["origin"] == {
        "kind": "training",
        "data": "drawn by code",
        "data_licence": "none needed",
        "test_images": 72,
        "test_groups": 72,
        "file": None,
        "file_sha256": None,
    }


def test_a_task_tells_when_its_labels_do_not_exclude_each_other(several: str, client: TestClient) -> None:
    assert client.get(f"/api/v1/tasks/{several}").json()["multilabel"] is True


def test_what_was_not_measured_is_null(store: Path, settings: Settings) -> None:
    shutil.rmtree(store / "shapes" / "1")
    evaluation = publish_tiny(store).evaluation
    label = evaluation.per_label[0].model_copy(update={"precision": None, "roc_auc": None})
    source = evaluation.per_source[0].model_copy(update={"balanced_accuracy": None})
    fewer = {"per_label": (label, *evaluation.per_label[1:]), "per_source": (source,)}
    publish_tiny(store, changes={"evaluation": evaluation.model_copy(update=fewer)})
    with TestClient(create_app(settings)) as client:
        wait_until_ready(client)
        task = client.get("/api/v1/tasks/shapes").json()
    assert task["serving"] == 2
    assert (task["per_label"][0]["precision"], task["per_label"][0]["roc_auc"]) == (None, None)
    assert task["per_label"][0]["recall"]["low"] == 0.92
    assert task["per_source"][0]["balanced_accuracy"] is None


def test_a_task_tells_that_its_weights_come_from_elsewhere(store: Path, settings: Settings) -> None:
    origin = publish_tiny(store, imported=True).origin
    assert origin.kind == "import"
    with TestClient(create_app(settings)) as client:
        wait_until_ready(client)
        told = client.get("/api/v1/tasks/shapes").json()
    assert told["serving"] == 2
    assert told["origin"]["kind"] == "import"
    assert (told["origin"]["file"], told["origin"]["file_sha256"]) == ("legacy.h5", origin.file_sha256)


def test_a_task_without_a_model_tells_no_figures(store: Path, settings: Settings) -> None:
    write_task(store, "empty")
    with TestClient(create_app(settings)) as client:
        task = client.get("/api/v1/tasks/empty").json()
    assert [task[field] for field in ("serving", "model", "multilabel", "origin")] == [None] * 4
    assert (task["metrics"], task["per_label"], task["per_source"], task["across"]) == ({}, [], [], [])
    assert (task["operating_points"], task["steadiness"]) == ([], [])
    assert [task[field] for field in ("prediction_sets", "novelty", "floors")] == [None] * 3


def test_openapi_lists_each_task_with_its_labels_and_its_models_real_answer(client: TestClient, store: Path) -> None:
    (store / "shapes" / "example.png").write_bytes(encode(draw(1)))
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/api/v1/tasks/shapes/predictions"]["post"]
    assert all(f"`{label}`" in operation["description"] for label in SHAPES)
    assert set(operation["requestBody"]["content"]) >= {"multipart/form-data", "image/jpeg"}
    example = operation["responses"]["200"]["content"]["application/json"]["example"]
    asked = post(client, encode(draw(1)), name="example.png").json()
    assert example["predictions"] == asked["predictions"]
    assert example["model"] == asked["model"]
    assert "429" in operation["responses"]


def test_the_description_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs").text
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert address.startswith("/")
        assert client.get(address, headers={"accept": "text/html"}).status_code == 200
    assert "unsafe-inline" not in client.get("/docs").headers["content-security-policy"].split("script-src")[1]


def test_answers_are_json_whatever_a_browser_would_rather_have(client: TestClient) -> None:
    response = client.post(URL, files={"image": b"text"}, headers={"accept": "text/html"})
    assert json.loads(response.text)["status"] == 415

"""Every route is described, answers a stranger without failing, and every setting is documented."""

import tomllib
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from services.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
METHODS = {"get", "post", "put", "patch", "delete"}


def test_every_described_operation_has_a_summary_an_id_and_a_typed_answer(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]
    assert len(operations) >= 7
    assert len({operation["operationId"] for _, _, operation in operations}) == len(operations)
    for path, method, operation in operations:
        assert operation["summary"], (path, method)
        assert operation["description"], (path, method)
        assert operation["responses"]["200"]["content"]["application/json"]["schema"], (path, method)


@pytest.mark.parametrize("accept", ["application/json", "text/html", "*/*", ""])
def test_no_address_fails_whatever_the_method_or_the_wish(client: TestClient, accept: str) -> None:
    paths = [*client.get("/openapi.json").json()["paths"], "/", "/models", "/docs", "/tasks/shapes", "/tasks/nothing"]
    for path in [*paths, "/tasks/shapes/card", "/tasks/nothing/card", "/nowhere", "/static/", "/static/nothing"]:
        for method in METHODS:
            response = client.request(method, path, headers={"accept": accept})
            assert response.status_code < 500, (method, path, response.text)
            if response.status_code >= 400:
                asked_for_page = "html" in accept and not path.startswith(("/api/", "/livez", "/readyz", "/openapi"))
                expected = "text/html" if asked_for_page else "application/problem+json"
                assert response.headers["content-type"].startswith(expected), (method, path)


def test_the_interface_has_the_version_of_the_project(client: TestClient) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert client.get("/openapi.json").json()["info"]["version"] == project["version"]


def test_every_setting_is_documented_and_describes_itself() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"`SIGHTLINE_{name.upper()}`" in readme, f"README does not document SIGHTLINE_{name.upper()}"

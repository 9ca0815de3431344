"""What the README shows is what a user gets."""

import json
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from main import create_app
from services.settings import Settings
from tests.conftest import wait_until_ready

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_answer_to_the_example_is_the_real_one(committed_graphs: Path, tmp_path: Path) -> None:
    shown = re.search(r"```json\n(.*?)\n```", README, re.DOTALL)
    assert shown is not None
    expected = json.loads(shown[1])
    settings = Settings(graph_cache=committed_graphs, uploads=tmp_path)
    with TestClient(create_app(settings)) as client:
        wait_until_ready(client, 600)
        image = (ROOT / "model_store" / "drugs" / "example.png").read_bytes()
        answer = client.post("/api/v1/tasks/drugs/predictions", files={"image": ("example.png", image)}).json()
    assert answer.keys() == expected.keys()
    assert answer["model"] == expected["model"]
    given, wanted = answer["predictions"][0], expected["predictions"][0]
    for entry, written in zip(given.pop("probabilities"), wanted.pop("probabilities"), strict=True):
        assert entry["probability"] == pytest.approx(written["probability"], abs=1e-4)
    assert given["finding"].pop("probability") == pytest.approx(wanted["finding"].pop("probability"), abs=1e-4)
    assert given == wanted


def test_every_make_command_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = set(re.findall(r"\bmake ([a-z]+)", README))
    assert named >= {"serve", "test", "training"}
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_file_it_links_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    assert links
    for link in links:
        assert (ROOT / link).is_file(), link

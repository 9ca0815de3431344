import shutil
from pathlib import Path

from starlette.testclient import TestClient

from main import create_app
from services.settings import Settings


def test_a_service_is_alive_at_once_and_ready_only_when_its_models_are(settings: Settings, tmp_path: Path) -> None:
    cold = settings.model_copy(update={"graph_cache": tmp_path / "cold"})
    with TestClient(create_app(cold)) as client:
        assert client.get("/livez").json() == {"status": "alive"}
        early = client.get("/readyz")
        assert early.status_code == 503
        assert list(early.json()["missing"]) == ["shapes"]
        refused = client.post("/api/v1/tasks/shapes/predictions", files={"image": b"x"})
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0


def test_readiness_names_what_is_missing(client: TestClient, store: Path) -> None:
    assert client.get("/readyz").json() == {"ready": True, "missing": {}}
    shutil.rmtree(store / "shapes" / "1")
    client.post("/api/v1/models/reload")
    late = client.get("/readyz")
    assert late.status_code == 503
    assert late.json() == {"ready": False, "missing": {"shapes": "the model store holds no version of it"}}

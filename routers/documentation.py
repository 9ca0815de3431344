"""The API's description: OpenAPI with a real answer per task, and a page to read it that needs no other server."""

import copy
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles

from routers.answers import predictions_shape
from routers.dependencies import RegistryDep, ServicesDep, StoreDep
from routers.images import Answered, Respondent
from routers.problems import templates
from services.prediction import Question

_EXAMPLE_ID = "0123456789abcdef"


def document(app: FastAPI) -> None:
    """Add `/openapi.json`, `/docs` and the files that the page needs."""
    app.include_router(_router(app))
    app.mount("/docs", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="swagger")


def _router(app: FastAPI) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    page = templates()
    examples: dict[str, dict[str, Any]] = {}

    @router.get("/docs")
    def docs(request: Request) -> HTMLResponse:
        return page.TemplateResponse(request, "docs.html", {})

    @router.get("/openapi.json")
    async def openapi(registry: RegistryDep, services: ServicesDep, store: StoreDep) -> Response:
        described = copy.deepcopy(app.openapi())
        for task in registry.tasks():
            live = registry.serving(task.name)
            image = store.example(task.name)
            if live is None or image is None:
                continue
            if live.digest not in examples:
                examples[live.digest] = await _answer(Respondent.of(services, task.name), image)
            operation = described["paths"][f"/api/v1/tasks/{task.name}/predictions"]["post"]
            operation["responses"]["200"]["content"]["application/json"]["example"] = examples[live.digest]
        return JSONResponse(described)

    return router


async def _answer(respondent: Respondent, image: Path) -> dict[str, Any]:
    """What the live model really says of the task's example image."""
    prediction = await respondent.answer_one(image, Question())
    shape = predictions_shape(_EXAMPLE_ID, respondent.live, [(Answered(image.name, prediction), None)])
    return shape.model_dump(mode="json")

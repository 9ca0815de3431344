"""The JSON of the tasks: the list, and one router per task, drawn from the store."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from routers.access import RequestId
from routers.answers import predictions_shape
from routers.catalogue import TaskShape, TasksShape, TaskSummaryShape
from routers.dependencies import RegistryDep, ServicesDep
from routers.images import Respondent
from routers.problems import problem_of
from routers.questions import Asked
from routers.schemas import PredictionsShape, ProblemShape
from services.bundle.task import Task
from services.errors import SightlineError, UnknownTask
from services.imaging import MEDIA_TYPES

_BINARY = {"type": "string", "format": "binary"}
_IMAGES = {"type": "array", "items": _BINARY, "description": "One image or several."}
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "properties": {"image": _IMAGES, **Asked.model_json_schema()["properties"]},
            }
        },
        **{media_type: {"schema": _BINARY} for media_type in sorted(MEDIA_TYPES)},
    },
}
_FAILURES = {
    400: "The request cannot be understood.",
    404: "The version is not loaded.",
    413: "Too many bytes, pixels, frames or images.",
    415: "Not an accepted image type.",
    422: "The image cannot be decoded, or its header says that it shows something else than the task is about.",
    429: "The queue is full; see Retry-After.",
    503: "No model of the task is live yet; see Retry-After.",
}


class _Query(Asked):
    """What is asked in the query string, where a version can be asked for as well."""

    version: Annotated[int, Field(ge=1)] | None = Field(
        None, description="A loaded version; by default the one that serves."
    )


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of failures, all of one shape."""
    return {
        status: {
            "description": _FAILURES[status],
            "content": {"application/problem+json": {"schema": ProblemShape.model_json_schema()}},
        }
        for status in statuses
    }


def catalogue_router() -> APIRouter:
    """Every task at once."""
    router = APIRouter(prefix="/api/v1", tags=["tasks"])

    @router.get("/tasks", summary="List the tasks", operation_id="list_tasks")
    def tasks(registry: RegistryDep) -> TasksShape:
        """Each task with its labels, the version that answers and its measured figures."""
        return TasksShape(tasks=[TaskSummaryShape.of(task, registry.serving(task.name)) for task in registry.tasks()])

    return router


def task_router(task: Task) -> APIRouter:
    """The routes of one task; its name, labels and limits stand in the API's description."""
    name = task.name
    router = APIRouter(prefix=f"/api/v1/tasks/{name}", tags=[task.title])

    @router.get("", summary=f"Describe: {task.title}", operation_id=f"describe_{name}")
    def describe(registry: RegistryDep) -> TaskShape:
        """The task's labels, intended use, limits and measured figures."""
        return TaskShape.of(registry.task(name), registry.serving(name))

    @router.post(
        "/predictions",
        summary=f"Answer: {task.title}",
        description=_description(task),
        operation_id=f"predict_{name}",
        openapi_extra={"requestBody": _BODY},
        responses=problem_responses(*_FAILURES),
    )
    async def predict(
        request: Request, services: ServicesDep, request_id: RequestId, query: Annotated[_Query, Query()]
    ) -> PredictionsShape:
        respondent = Respondent.of(services, name, query.version)
        asked, answers = await respondent.answer(request, query)
        if len(answers) == 1 and isinstance(answers[0].result, SightlineError):
            raise answers[0].result
        placed = [
            (answer, problem_of(answer.result, request) if isinstance(answer.result, SightlineError) else None)
            for answer in answers
        ]
        return predictions_shape(request_id, respondent.live, placed, asked.prevalence)

    return router


def unknown_task_router() -> APIRouter:
    """Stands behind the routers of the tasks, so that a wrong task's name is told from a wrong address."""
    router = APIRouter(prefix="/api/v1/tasks", include_in_schema=False)

    @router.api_route("/{task}", methods=["GET"])
    @router.api_route("/{task}/predictions", methods=["POST"])
    def unknown(task: str, registry: RegistryDep) -> None:
        registry.live(task)
        message = f"The task {task!r} was added after the service started; restart it."
        raise UnknownTask(message)

    return router


def _description(task: Task) -> str:
    labels = "\n".join(f"- `{entry.label}`: {entry.explanation}" for entry in task.labels)
    limits = "\n".join(f"- {limit}" for limit in task.limits)
    return f"{task.summary}\n\n**{task.warning}**\n\n{task.upload}\n\nLabels:\n\n{labels}\n\nLimits:\n\n{limits}"

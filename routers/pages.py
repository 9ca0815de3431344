"""The pages for people: the tasks, a task's form, its answer, its model card, and the models."""

from collections.abc import Callable
from dataclasses import fields

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from routers.access import RequestId
from routers.contexts import (
    CardPage,
    IndexPage,
    Measured,
    ModelsPage,
    Page,
    ResultPage,
    ShelfEntry,
    TaskEntry,
    TaskPage,
)
from routers.dependencies import PredictorDep, RegistryDep, SettingsDep, StoreDep, UploadsDep
from routers.images import answer_images
from routers.problems import templates
from routers.wording import FILTERS, listed
from services.errors import MalformedRequest, SightlineError, UnknownPage
from services.imaging import MEDIA_TYPES
from services.registry import Registry

_FORMATS = listed([name.replace("WEBP", "WebP") for name in MEDIA_TYPES.values()])


def pages_router() -> APIRouter:
    """Every page; a browser needs nothing else, and no script."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    render = renderer()

    @router.get("/")
    def index(request: Request, registry: RegistryDep) -> Response:
        return render(request, _index(registry))

    @router.get("/tasks/{name}")
    def form(request: Request, name: str, registry: RegistryDep, settings: SettingsDep, store: StoreDep) -> Response:
        live = registry.live(name)
        page = TaskPage(
            task=registry.task(name),
            model=Measured.of(live),
            formats=_FORMATS,
            accept=",".join(MEDIA_TYPES),
            max_bytes=settings.max_upload_bytes,
            max_pixels=settings.max_pixels,
            example=store.example(name) is not None,
        )
        return render(request, page)

    @router.post("/tasks/{name}")
    async def answer(
        request: Request,
        name: str,
        registry: RegistryDep,
        predictor: PredictorDep,
        uploads: UploadsDep,
        settings: SettingsDep,
        request_id: RequestId,
    ) -> Response:
        live = registry.live(name)
        answers = await answer_images(request, live, predictor, uploads, settings, preview=True)
        if len(answers) != 1:
            message = "This page answers one image at a time."
            raise MalformedRequest(message)
        if isinstance(answers[0].result, SightlineError):
            raise answers[0].result
        task, filename = registry.task(name), answers[0].filename
        page = ResultPage.of(task, live, answers[0].result, filename, request_id, _curl(request, name))
        return render(request, page)

    @router.get("/tasks/{name}/example")
    async def example(
        request: Request,
        name: str,
        registry: RegistryDep,
        predictor: PredictorDep,
        store: StoreDep,
        request_id: RequestId,
    ) -> Response:
        live, image = registry.live(name), store.example(name)
        if image is None:
            message = "This task has no example."
            raise UnknownPage(message)
        with predictor.admission(1):
            prediction = await predictor.predict(live, image, preview=True)
        task, filename = registry.task(name), f"{image.name} (the example)"
        page = ResultPage.of(task, live, prediction, filename, request_id, _curl(request, name))
        return render(request, page)

    @router.get("/tasks/{name}/card")
    def card(request: Request, name: str, registry: RegistryDep) -> Response:
        return render(request, CardPage.of(registry.task(name), registry.live(name)))

    @router.get("/models")
    def models(request: Request, registry: RegistryDep) -> Response:
        return render(request, _models(registry))

    return router


def _curl(request: Request, task: str) -> str:
    return f"curl -F image=@image.jpg {request.base_url}api/v1/tasks/{task}/predictions"


def renderer() -> Callable[[Request, Page], Response]:
    """What turns a page's value into a response."""
    pages = templates()
    pages.env.filters.update(FILTERS)

    def render(request: Request, page: Page) -> Response:
        # The page's own fields, not dataclasses.asdict, which would take the values within apart as well.
        context = {field.name: getattr(page, field.name) for field in fields(page)}
        return pages.TemplateResponse(request, page.template, context)

    return render


def _index(registry: Registry) -> IndexPage:
    missing = registry.missing()
    entries = []
    for task in registry.tasks():
        live = registry.serving(task.name)
        reason = None if live else missing.pop(task.name, "it is being loaded")
        entries.append(TaskEntry(task, Measured.of(live) if live else None, reason))
    names = {entry.task.name for entry in entries} | {"model_store"}
    return IndexPage(tuple(entries), tuple((name, why) for name, why in missing.items() if name not in names))


def _models(registry: Registry) -> ModelsPage:
    states = registry.states()
    shelves = tuple(
        ShelfEntry(
            task,
            serving=registry.serving(task.name) is not None,
            versions=tuple(state for state in states if state.task == task.name),
        )
        for task in registry.tasks()
    )
    return ModelsPage(shelves, tuple(registry.missing().items()))

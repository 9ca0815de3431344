"""The pages for people: the tasks, a task's form, its answer, its model card, and the models."""

from collections.abc import Callable
from dataclasses import fields

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from routers.access import RequestId
from routers.cardpage import CardPage
from routers.contexts import Choices, IndexPage, Limits, ModelsPage, Page, ShelfEntry, TaskEntry, TaskPage
from routers.dependencies import RegistryDep, ServicesDep, SettingsDep, StoreDep
from routers.images import Respondent
from routers.measured import Measured
from routers.problems import templates
from routers.questions import Asked, AskedOnPage
from routers.resultpage import ResultPage, Sheet
from routers.wording import FILTERS
from services.errors import MalformedRequest, SightlineError, UnknownPage
from services.prediction import Prediction
from services.registry import Registry


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
            task=live.task,
            model=Measured.of(live),
            limits=Limits.of(live.task, settings),
            choices=Choices.of(live),
            example=store.example(name) is not None,
        )
        return render(request, page)

    @router.post("/tasks/{name}")
    async def answer(request: Request, name: str, services: ServicesDep, request_id: RequestId) -> Response:
        respondent = Respondent.of(services, name)
        asked, answers = await respondent.answer(request, AskedOnPage(), preview=True)
        if len(answers) != 1:
            message = "This page answers one image at a time."
            raise MalformedRequest(message)
        prediction = answers[0].result
        if isinstance(prediction, SightlineError):
            raise prediction
        sheet = Sheet(respondent.live, asked, answers[0].filename, request_id, _address(request, name))
        return render(request, _result(sheet, prediction, services.registry))

    @router.get("/tasks/{name}/example")
    async def example(request: Request, name: str, services: ServicesDep, request_id: RequestId) -> Response:
        respondent, image = Respondent.of(services, name), services.store.example(name)
        if image is None:
            message = "This task has no example."
            raise UnknownPage(message)
        asked = Asked(saliency=True)
        prediction = await respondent.answer_one(image, asked.question(preview=True))
        filename = f"{image.name} (the example)"
        sheet = Sheet(respondent.live, asked, filename, request_id, _address(request, name))
        return render(request, _result(sheet, prediction, services.registry))

    @router.get("/tasks/{name}/card")
    def card(request: Request, name: str, registry: RegistryDep) -> Response:
        return render(request, CardPage.of(registry.live(name)))

    @router.get("/models")
    def models(request: Request, registry: RegistryDep) -> Response:
        return render(request, _models(registry))

    return router


def _address(request: Request, task: str) -> str:
    return f"{request.base_url}api/v1/tasks/{task}/predictions"


def _result(sheet: Sheet, prediction: Prediction, registry: Registry) -> ResultPage:
    return sheet.page(prediction, tuple(registry.task(name) for name in prediction.suggested_tasks))


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

"""Composition root: settings in, application out. Importing this module reads no file and loads no model."""

import contextlib
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from routers.access import Envelope, keep_queries_out_of_the_log
from routers.dependencies import Services
from routers.documentation import document
from routers.models import models_router
from routers.operations import operations_router
from routers.pages import pages_router
from routers.problems import handle_problems
from routers.tasks import catalogue_router, task_router, unknown_task_router
from services.bundle.store import Store
from services.compiler import Compiler
from services.inference import Predictor
from services.registry import Registry
from services.settings import Settings
from services.uploads import Uploads

_ROOT = Path(__file__).resolve().parent


def create_app(settings: Settings) -> FastAPI:
    """Build the application for these settings; models are loaded when it starts, not here."""
    services = _compose(settings)
    app = FastAPI(
        title="Sightline",
        description="One service for many image classifiers. Every answer carries what its model was tested on.",
        version="0.1.0",
        lifespan=_lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    app.add_middleware(Envelope, max_bytes=settings.max_request_bytes)
    handle_problems(app)
    tasks = (task_router(task) for task in services.registry.tasks())
    # The router of unknown tasks comes last of those under its address.
    for router in (
        catalogue_router(),
        *tasks,
        unknown_task_router(),
        models_router(),
        operations_router(),
        pages_router(),
    ):
        app.include_router(router)
    document(app)
    app.mount("/static", StaticFiles(directory=_ROOT / "static"), name="static")
    return app


def _compose(settings: Settings) -> Services:
    store = Store(settings.model_store)
    compiler = Compiler(settings.graph_cache, seconds=settings.compile_seconds, memory_mb=settings.compile_memory_mb)
    registry = Registry(store, compiler, standby=settings.standby_versions)
    predictor = Predictor(
        concurrency=settings.concurrency,
        queue_limit=settings.queue_limit,
        max_pixels=settings.max_pixels,
    )
    uploads = Uploads(settings.uploads, max_bytes=settings.max_upload_bytes)
    return Services(settings, store, compiler, registry, predictor, uploads)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    _log_to_stderr()
    keep_queries_out_of_the_log()
    services.uploads.sweep()
    stop = threading.Event()
    follower = threading.Thread(
        target=services.registry.follow,
        args=(stop,),
        kwargs={"poll_seconds": services.settings.poll_seconds},
        name="model-store",
    )
    follower.start()
    try:
        yield
    finally:
        stop.set()
        services.compiler.close()
        await anyio.to_thread.run_sync(follower.join)


def _log_to_stderr() -> None:
    # Does nothing where the operator, or a test, has set logging up already.
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(name)s: %(message)s")
    # Its own notes of every change event say nothing that the registry does not say better.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)


def __getattr__(name: str) -> Any:
    # `uvicorn main:app` asks for the name; only then is the store read.
    if name == "app":
        app = create_app(Settings())
        globals()["app"] = app
        return app
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)

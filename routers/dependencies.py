"""The services of this process, as named types that a route asks for."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from services.bundle.store import Store
from services.compiler import Compiler
from services.inference import Predictor
from services.registry import Registry
from services.settings import Settings
from services.uploads import Uploads


@dataclass(frozen=True, slots=True)
class Services:
    """What main composed; lies on `app.state.services`."""

    settings: Settings
    store: Store
    compiler: Compiler
    registry: Registry
    predictor: Predictor
    uploads: Uploads


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _settings(request: Request) -> Settings:
    return _services(request).settings


def _store(request: Request) -> Store:
    return _services(request).store


def _registry(request: Request) -> Registry:
    return _services(request).registry


ServicesDep = Annotated[Services, Depends(_services)]
SettingsDep = Annotated[Settings, Depends(_settings)]
StoreDep = Annotated[Store, Depends(_store)]
RegistryDep = Annotated[Registry, Depends(_registry)]

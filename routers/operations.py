"""For those who run the service: is it alive, is it ready."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from routers.dependencies import RegistryDep


class LiveShape(BaseModel):
    """The process answers."""

    status: str


class ReadyShape(BaseModel):
    """Whether every task has a live model; `missing` gives the reason for each that has none."""

    ready: bool
    missing: dict[str, str]


def operations_router() -> APIRouter:
    """Liveness and readiness."""
    router = APIRouter(tags=["operations"])

    @router.get("/livez", summary="Is the process alive", operation_id="livez")
    async def livez() -> LiveShape:
        """Answers as soon as the process listens."""
        return LiveShape(status="alive")

    @router.get("/readyz", summary="Is every task ready", operation_id="readyz", responses={503: {"model": ReadyShape}})
    async def readyz(registry: RegistryDep, response: Response) -> ReadyShape:
        """200 when every task has a live model, else 503 with what is missing."""
        missing = registry.missing()
        if missing:
            response.status_code = 503
        return ReadyShape(ready=not missing, missing=missing)

    return router

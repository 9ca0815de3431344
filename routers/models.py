"""The JSON of the models: every version's state with the reason, and the reload."""

import anyio.to_thread
from fastapi import APIRouter

from routers.access import Operator
from routers.dependencies import RegistryDep
from routers.schemas import ModelsShape


def models_router() -> APIRouter:
    """Catalogue of versions, and the order to look at the store now."""
    router = APIRouter(prefix="/api/v1/models", tags=["models"])

    @router.get("", summary="List every version of every task", operation_id="list_models")
    def models(registry: RegistryDep) -> ModelsShape:
        """State, reason and digest of each version, newest first."""
        return ModelsShape.of(registry.states())

    @router.post(
        "/reload", summary="Look at the model store now", operation_id="reload_models", dependencies=[Operator]
    )
    async def reload(registry: RegistryDep) -> ModelsShape:
        """Bring what is live in line with the store and answer when that is done."""
        await anyio.to_thread.run_sync(registry.scan)
        return ModelsShape.of(registry.states())

    return router

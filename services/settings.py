"""Every setting of the service, each with its sentence; environment variables begin with SIGHTLINE_."""

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """What an operator may choose. Read by `main` and passed on; no other module looks at the environment."""

    model_config = SettingsConfigDict(env_prefix="SIGHTLINE_", frozen=True, extra="forbid")

    model_store: Path = Field(_ROOT / "model_store", description="Folder of tasks and bundles; may be read-only.")
    uploads: Path = Field(_ROOT / "uploads", description="Folder where uploads lie while they are being answered.")
    graph_cache: Path = Field(
        _ROOT / ".cache" / "graphs", description="Folder of compiled graphs; safe to delete, must not be shared."
    )
    max_upload_bytes: int = Field(20 * 2**20, gt=0, description="Most bytes that one image may have.")
    max_images: int = Field(16, gt=0, description="Most images that one request may hold.")
    max_request_bytes: int = Field(64 * 2**20, gt=0, description="Most bytes that one request may have, all images in.")
    max_pixels: int = Field(50_000_000, gt=0, description="Most pixels that an image's header may declare.")
    concurrency: int = Field(
        default_factory=lambda: os.cpu_count() or 1, gt=0, description="Predictions that run at once, one core each."
    )
    queue_limit: int = Field(64, ge=0, description="Predictions that may wait; one more is answered 429.")
    standby_versions: int = Field(2, ge=0, description="Older versions per task kept loaded beside the live one.")
    compile_seconds: int = Field(300, gt=0, description="Time after which a compilation is given up.")
    compile_memory_mb: int = Field(8192, gt=0, description="Address space of the compiling process, in MiB.")
    poll_seconds: float = Field(
        5.0, gt=0, description="How often the model store is looked at besides its change events, for network drives."
    )
    operator_key: SecretStr | None = Field(
        None, description="Key that a reload must carry as a bearer token; without one only this machine may reload."
    )

"""The one owner of uploads/: every upload lies there under a name of ours while it is answered, then it is gone."""

import contextlib
import secrets
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path

import anyio

from services.errors import TooManyBytes

_SUFFIX = ".upload"


class Uploads:
    """A folder of uploads in flight.

    Waiting requests hold a file instead of memory: with a full queue of large images that is the difference between
    a few and a few thousand megabytes.

    Args:
        folder: made if missing; must belong to this process alone.
        max_bytes: the most bytes that one upload may have.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes

    def sweep(self) -> None:
        """Delete what a killed process left behind."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.glob(f"*{_SUFFIX}"):
            path.unlink(missing_ok=True)

    @contextlib.asynccontextmanager
    async def keep(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[Path]:
        """Keep an upload while the block runs, and delete it however the block ends.

        Args:
            chunks: the bytes as they arrive; they are counted as they arrive.

        Raises:
            TooManyBytes: at the first chunk that exceeds the limit.
        """
        path = self._folder / f"{secrets.token_hex(16)}{_SUFFIX}"
        try:
            await self._write(path, chunks)
            yield path
        finally:
            path.unlink(missing_ok=True)

    async def _write(self, path: Path, chunks: AsyncIterable[bytes]) -> None:
        size = 0
        async with await anyio.open_file(path, "xb") as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > self._max_bytes:
                    message = f"The image is larger than {self._max_bytes / 2**20:g} MiB."
                    raise TooManyBytes(message)
                await file.write(chunk)

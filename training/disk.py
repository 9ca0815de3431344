"""Files that are there whole or not at all."""

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a process that is killed meanwhile leaves the old one, or none.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    incoming = path.with_name(f"incoming.{path.name}")
    try:
        with incoming.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        incoming.replace(path)
    except OSError as failed:
        incoming.unlink(missing_ok=True)
        raise OSError(failed.errno, failed.strerror, str(path)) from failed

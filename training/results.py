"""A folder of results that is there whole or not at all."""

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from training.errors import ResultsTaken


def require_free(folder: Path) -> None:
    """Make sure that results may go to a folder, before the work that they take.

    Raises:
        ResultsTaken: something lies there.
        OSError: the folder above it cannot be read.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = f"{folder} is not an empty folder; name another, so that nothing is overwritten."
        raise ResultsTaken(message)


def write_results(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a new folder, so that it has all of them or does not exist.

    Args:
        folder: not there yet, or empty; folders above it are made.
        files: contents by name; a name may have folders, with forward slashes.

    Raises:
        ResultsTaken: something lies there.
        OSError: it cannot be written; nothing of it is left.
    """
    require_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    incoming = folder.with_name(f".incoming-{secrets.token_hex(8)}")
    try:
        incoming.mkdir()
        for name, content in files.items():
            path = incoming / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        incoming.replace(folder)
    except OSError as failed:
        raise OSError(failed.errno, failed.strerror, str(folder)) from failed
    finally:
        shutil.rmtree(incoming, ignore_errors=True)

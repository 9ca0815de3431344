"""The parent of the child that parses a legacy file: starts it with limits, and trusts nothing that it says."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from training.legacy.contents import Contents
from training.legacy.refusal import refuse

REFUSED = 3
"""Exit status of the child: its output is the reason."""

MEMORY_MB = 2048
SECONDS = 60
MOST_TOLD = 64 * 2**20
"""Limits of the child: address space in MiB, seconds of computing, bytes of output."""

_ROOT = Path(__file__).resolve().parents[2]
_LONGEST_REASON = 500


def inspect(file: IO[bytes]) -> Contents:
    """Have a child process tell what is in a file.

    Args:
        file: opened; the child reads this very file, whatever becomes of its path.

    Raises:
        Refused: the child refused it, or broke on it.
    """
    with tempfile.TemporaryFile() as output:
        try:
            child = subprocess.run(
                [sys.executable, "-m", "training.legacy"],
                check=False,
                cwd=_ROOT,
                env=_environment(),
                stdin=file,
                stdout=output,
                stderr=subprocess.DEVNULL,
                timeout=2 * SECONDS,
            )
        except subprocess.TimeoutExpired:
            refuse("reading it takes too long")
        output.seek(0)
        told = output.read(MOST_TOLD).decode("utf-8", "replace")
    if child.returncode == REFUSED:
        refuse(told[:_LONGEST_REASON])
    try:
        return Contents.model_validate_json(told if child.returncode == 0 else "")
    except ValidationError:
        refuse("the HDF5 library breaks on it")


def _environment() -> dict[str, str]:
    # The child is told nothing but what it needs. Threads of NumPy's libraries would count against its memory.
    passed = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH")
    kept = {name: os.environ[name] for name in passed if name in os.environ}
    return kept | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

"""What every command shares at the terminal: progress bars, plain errors, a quiet start."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.bundle.manifest import Manifest
from services.errors import SightlineError

HERE = Path(__file__).resolve().parent
MODEL_STORE = HERE.parent / "model_store"
RUNS = Path("runs")

_INTERRUPTED = 130
_GOES_ON = "The same command goes on where it stopped."

Watch = Callable[[Iterable[Any]], Iterable[Any]]


def bar(doing: str, count: int) -> Watch:
    """A progress bar on standard error, around anything that yields `count` things."""

    def watch(things: Iterable[Any]) -> Iterable[Any]:
        return track(things, doing, count, console=Console(stderr=True))

    return watch


@contextlib.contextmanager
def plain_errors(interrupted: str = _GOES_ON) -> Iterator[None]:
    """One sentence instead of a traceback, for what the person at the terminal can do something about.

    Args:
        interrupted: what to say after "Interrupted.".
    """
    try:
        yield
    except SightlineError as refused:
        fail(str(refused), 1)
    except OSError as failed:
        fail(_sentence(failed), 1)
    except KeyboardInterrupt:
        fail(f"Interrupted. {interrupted}", _INTERRUPTED)


def fail(sentence: str, code: int) -> NoReturn:
    """Say why and leave with an exit status."""
    Console(stderr=True).print(f"Error: {sentence}", markup=False, emoji=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def _sentence(failed: OSError) -> str:
    where = f"{failed.filename}: " if failed.filename else ""
    return " ".join(f"{where}{failed.strerror or failed}".split())


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Around the imports of Keras: hold back what TensorFlow's native code writes meanwhile, unless loading fails."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # By itself TensorFlow leaves these kernels out on processors without AVX-512, where they are faster as well.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        loaded = False
        try:
            yield
            loaded = True
            # It says so each time that one process trains another network, as a search does.
            logging.getLogger("tensorflow").setLevel(logging.ERROR)
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            if not loaded:
                held.seek(0)
                os.write(2, held.read())


def say(sentence: str) -> None:
    """One line on standard output, as it is."""
    Console().print(sentence, markup=False, emoji=False, highlight=False, soft_wrap=True)


def show_bundle(manifest: Manifest, model_store: Path) -> None:
    """The figures of a bundle that was just published, and where it lies."""
    table = Table("test figure", "value", "95 % interval", title=f"{manifest.task}, version {manifest.version}")
    for metric in manifest.evaluation.metrics:
        table.add_row(metric.name, f"{metric.value:.4f}", f"{metric.low:.4f} to {metric.high:.4f}")
    Console().print(table)
    say(f"Published {model_store / manifest.task / str(manifest.version)}")

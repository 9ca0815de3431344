"""The command line of the factory: `python -m training`."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.bundle.manifest import Manifest
from services.bundle.store import Store
from services.errors import SightlineError

_HERE = Path(__file__).resolve().parent
_MODEL_STORE = _HERE.parent / "model_store"
_RUNS = Path("runs")
_INTERRUPTED = 130

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)


@app.callback()
def _about() -> None:
    """Train image classifiers on folders of images, and publish them as bundles that the service serves."""


@app.command()
def train(
    task: Annotated[str, typer.Argument(help="A folder of the model store that holds a task.toml.")],
    data: Annotated[Path, typer.Option(help="Folder with one sub-folder per label and, if it has one, an index.csv.")],
    recipe: Annotated[Path | None, typer.Option(help="The recipe.", show_default="training/recipes/TASK.toml")] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Weights to start from, a Keras .weights.h5 of the backbone; a bundle has one.",
            show_default="their usual source",
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Folder of the checkpoints; an interrupted run goes on from it.", show_default="runs/TASK"),
    ] = None,
    model_store: Annotated[
        Path, typer.Option(help="Where the bundle goes.", show_default="model_store of the project")
    ] = _MODEL_STORE,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the run folder after publishing.")] = False,  # noqa: FBT002
    fresh: Annotated[bool, typer.Option("--fresh", help="Drop an earlier run of this folder first.")] = False,  # noqa: FBT002
) -> None:
    """Fine-tune a backbone in two phases, measure it on the test part, and publish a bundle.

    Example: `python -m training train drugs --data DIR`

    Stopped and started again with the same arguments, it goes on after the last whole epoch.
    """
    store, folder = Store(model_store), run or _RUNS / task
    with _plain_errors(folder):
        with _quiet_start():
            # TensorFlow takes seconds to load; --help and a mistyped option should not wait for it.
            from training import pipeline, plan, runs  # noqa: PLC0415
        chosen = plan.draw_up(task, data, recipe or _HERE / "recipes" / f"{task}.toml", store)
        if fresh:
            runs.drop_run(folder)
        manifest = pipeline.train(chosen, folder, weights, store, _bar, keep=keep)
    _show(manifest, model_store)


def _bar(part: str, images: int) -> Callable[[Iterable[Any]], Iterable[Any]]:
    def watch(decoded: Iterable[Any]) -> Iterable[Any]:
        return track(decoded, f"Decoding {images} {part} images", images, console=Console(stderr=True))

    return watch


def _show(manifest: Manifest, model_store: Path) -> None:
    table = Table("test figure", "value", "95 % interval", title=f"{manifest.task}, version {manifest.version}")
    for metric in manifest.evaluation.metrics:
        table.add_row(metric.name, f"{metric.value:.4f}", f"{metric.low:.4f} to {metric.high:.4f}")
    console = Console()
    console.print(table)
    path = model_store / manifest.task / str(manifest.version)
    console.print(f"Published {path}", markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _plain_errors(run: Path) -> Iterator[None]:
    """One sentence instead of a traceback, for what the person at the terminal can do something about."""
    try:
        yield
    except SightlineError as refused:
        _fail(str(refused), 1)
    except OSError as failed:
        _fail(_sentence(failed), 1)
    except KeyboardInterrupt:
        _fail(f"Interrupted. The same command goes on after the last whole epoch, from {run}.", _INTERRUPTED)


def _sentence(failed: OSError) -> str:
    where = f"{failed.filename}: " if failed.filename else ""
    return " ".join(f"{where}{failed.strerror or failed}".split())


def _fail(sentence: str, code: int) -> NoReturn:
    Console(stderr=True).print(f"Error: {sentence}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)


@contextlib.contextmanager
def _quiet_start() -> Iterator[None]:
    """Hold back what TensorFlow's native code writes while it is loaded, unless loading fails."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        loaded = False
        try:
            yield
            loaded = True
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            if not loaded:
                held.seek(0)
                os.write(2, held.read())


if __name__ == "__main__":
    app()

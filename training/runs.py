"""The run folder: what an interrupted training goes on from. It belongs to one recipe and one set of images."""

import hashlib
import json
import shutil
from pathlib import Path

from training.disk import write_whole
from training.errors import RunMismatch, WeightsUnavailable

RECIPE, SPLIT, SEEN = "recipe.toml", "split.csv", "seen.npz"
"""Files of a run folder: the recipe, the split, and what the weights that it began from have seen."""

_IDENTITY = "run.json"
# By their full names: a run folder may be one where people keep weights of their own.
_OWN = (
    _IDENTITY,
    *(
        f"{prefix}{name}"
        for name in (RECIPE, SPLIT, SEEN, "initial.json", "epochs.csv")
        for prefix in ("", "incoming.")
    ),
    *(f"{phase}.{kind}" for phase in ("head", "fine_tuning") for kind in ("weights.h5", "finished.json", "backup")),
    *(f"incoming.{phase}.{kind}" for phase in ("head", "fine_tuning") for kind in ("weights.h5", "finished.json")),
)
_NAMES = {
    "task": "of another task",
    "recipe_sha256": "of another recipe",
    "index_sha256": "of other images",
    "split_sha256": "of another split",
    "weights_sha256": "begun from other weights",
}


def open_run(folder: Path, identity: dict[str, str], weights: Path | None, *, finished: bool = False) -> None:
    """Make the folder ready for a run, or for the rest of it.

    A folder of checkpoints that does not say whose they are is taken to be of this run.

    Args:
        folder: the run folder; made where there is none.
        identity: of training.plan.Plan.
        weights: the file of initial weights, which belongs to the identity too.
        finished: whatever weights the run began from will do; they are not needed any more.

    Raises:
        RunMismatch: the folder is of another run, or holds other things.
    """
    wanted = identity if finished else identity | {"weights_sha256": weights_digest(weights) if weights else ""}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _IDENTITY
    if path.exists():
        _require_same(folder, _read(path), wanted)
    elif any(folder.iterdir()) and not any((folder / name).exists() for name in _OWN):
        message = f"{folder} is not empty and holds no training run; name another folder with --run."
        raise RunMismatch(message)
    else:
        write_whole(path, (json.dumps(wanted, indent=1) + "\n").encode())


def drop_run(folder: Path) -> None:
    """Remove what training wrote there, and the folder if nothing else is in it."""
    for path in (folder / name for name in _OWN):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _require_same(folder: Path, found: object, wanted: dict[str, str]) -> None:
    if not isinstance(found, dict):
        message = f"{folder / _IDENTITY} is damaged; --fresh starts again."
        raise RunMismatch(message)
    for key, value in wanted.items():
        if found.get(key) != value:
            message = (
                f"{folder} holds a run {_NAMES[key]}; name another folder with --run, or start again with --fresh."
            )
            raise RunMismatch(message)


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError:
        return None


def weights_digest(weights: Path) -> str:
    """The SHA-256 of a weights file.

    Raises:
        WeightsUnavailable: it is not a file.
    """
    if not weights.is_file():
        message = f"{weights} is not a file."
        raise WeightsUnavailable(message)
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

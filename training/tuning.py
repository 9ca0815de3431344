"""Tuning: a training per candidate recipe, compared on the validation part alone; the test part is never opened."""

import errno
import hashlib
import math
import tempfile
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import optuna

from services.bundle.manifest import Preprocessing
from training.checkpoints import History, read_history
from training.errors import ResultsTaken, TrainingDiverged
from training.finetuning import fine_tune
from training.images import Bar, Images, load_images
from training.pipeline import precision
from training.plan import Plan, require_backbone
from training.pruning import Pruning
from training.recipe import Recipe
from training.runs import drop_run, weights_digest
from training.search import Space, Values, candidate, corners, describe, grid, read_space, rewrite, show
from training.study import Ending, Rule, Study, Tried, open_study, values_of

Method = Literal["grid", "bayes"]
Say = Callable[[str], None]

TRIALS = 20
"""Of a Bayesian search, where nobody says how many."""

_CHOSEN = "# Chosen by `python -m training tune"
_WIDTH = 110
_TRIAL = "trial-"


@dataclass(frozen=True, slots=True)
class Search:
    """A search, before it starts.

    Attributes:
        plan: of the recipe that it varies.
        where: names the recipe in sentences.
        space: what is tried.
        grid: the combinations in their order; None for a Bayesian search.
        recipes: of the corners of the space: each is possible.
        trials: at most so many in all.
    """

    plan: Plan
    where: str
    space: Space
    grid: tuple[Values, ...] | None
    recipes: tuple[Recipe, ...]
    trials: int

    def rule(self) -> Rule:
        """How trials are compared: by the monitored figure, and not before the second epoch of the last phase."""
        return Rule(self.plan.recipe.monitor == "val_accuracy", self.offset() + 1, self.plan.recipe.seed)

    def offset(self) -> int:
        """The most epochs before the last phase: epochs of that phase are counted from there in every trial."""
        return max(sum(phase.epochs for phase in list(each.phases().values())[:-1]) for each in self.recipes)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search found.

    Attributes:
        best: the trial of the best figure.
        text: of its recipe.
    """

    tried: tuple[Tried, ...]
    best: Tried
    text: str


def plan_search(plan: Plan, recipe: Path, method: Method, trials: int | None) -> Search:
    """Read the recipe's [search], and refuse what could not be tried, before any training.

    Args:
        plan: of the recipe.
        recipe: its file.
        method: "grid" takes lists; "bayes" lists and ranges.
        trials: at most so many; None is the whole grid, or TRIALS.

    Raises:
        RecipeInvalid: there is no search, or some of its candidates is no recipe.
    """
    where = f"The recipe {recipe}"
    space = read_space(plan.recipe, where)
    combinations = tuple(grid(space, where)) if method == "grid" else None
    recipes = tuple(candidate(plan.recipe, values, where) for values in combinations or corners(space, where))
    for each in recipes:
        require_backbone(each, recipe)
    return Search(plan, where, space, combinations, recipes, trials or len(combinations or ()) or TRIALS)


def tune(search: Search, run: Path, path: Path, weights: Path | None, bar: Bar, say: Say) -> Outcome:
    """Run the trials that are left to run; started again with the same folder and study, go on where it stopped.

    Args:
        search: what is tried.
        run: folder of the trials' checkpoints; each trial's are dropped once it is over.
        path: the SQLite file of the study.
        weights: a local file of initial weights, or None.
        bar: makes a progress bar of a name and a number of images.
        say: is told how each trial ended.

    Raises:
        TrainingDiverged: every trial did.
        TrainingError: as the steps do.
        OSError: the disk is full or cannot be written.
    """
    plan = search.plan
    images = _Decoded(plan, bar)
    identity = plan.identity() | {"weights_sha256": weights_digest(weights) if weights else ""}
    with open_study(path, identity, search.space, search.grid, search.rule()) as study:
        if not len(study):
            _rehearse(search, images, weights)
        while len(study) < search.trials and (trial := study.ask()) is not None:
            if study.repeats(trial):
                continue
            title = f"Trial {len(study) + 1} of {search.trials}"
            say(f"{title}: {describe(values_of(trial))}")
            tried = _try(search, study, trial, images, _folder(run, identity, values_of(trial)), weights)
            say(f"{title}: {_told(tried, plan.recipe.monitor)}")
        _drop_trials(run)
        return _outcome(search, study)


def _told(tried: Tried, monitor: str) -> str:
    if tried.figure is None:
        return f"diverged after {tried.seconds:.0f} s"
    pruned = ", where it was pruned" if tried.ending == "pruned" else ""
    return f"{monitor} {tried.figure:.4f} after {tried.epochs} epochs, {tried.seconds:.0f} s{pruned}"


# ---------------------------------------------------------------- a trial


class _Decoded:
    """The images for training and for validation, decoded once for all trials that take them alike."""

    def __init__(self, plan: Plan, bar: Bar) -> None:
        self._plan, self._bar = plan, bar
        self._kept: dict[Preprocessing, tuple[Images, Images]] = {}

    def of(self, recipe: Recipe) -> tuple[Images, Images]:
        key = recipe.preprocessing
        if key not in self._kept:
            split = self._plan.split
            train, validation = (
                load_images(self._plan.folder, part, key, self._bar(f"Decoding {len(part)} {name} images", len(part)))
                for name, part in (("train", split.train), ("validation", split.validation))
            )
            self._kept[key] = (train, validation)
        return self._kept[key]


class _Rehearsed(Exception):
    """A training would begin now."""


class _Rehearsal(keras.callbacks.Callback):  # type: ignore[misc]
    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        del logs
        raise _Rehearsed


def _rehearse(search: Search, images: _Decoded, weights: Path | None) -> None:
    """Go as far as the first batch with each graph: weights that are not at hand must not show in the last trial."""
    graphs = {
        (each.architecture, each.initial_weights, *(phase.unfreeze for phase in each.phases().values())): each
        for each in search.recipes
    }
    for each in {each.preprocessing: each for each in search.recipes}.values():
        images.of(each)
    for each in graphs.values():
        with tempfile.TemporaryDirectory() as run, precision(each):
            try:
                fine_tune(each, *images.of(each), Path(run), weights, callbacks=[_Rehearsal()])
            except _Rehearsed:
                keras.utils.clear_session()


def _folder(run: Path, identity: Mapping[str, str], values: Values) -> Path:
    # By what is trained, not by number: an interrupted trial comes back under another one.
    digest = hashlib.sha256(show({**identity, "values": values}).encode()).hexdigest()
    return run / f"{_TRIAL}{digest[:16]}"


def _try(
    search: Search, study: Study, trial: optuna.Trial, images: _Decoded, folder: Path, weights: Path | None
) -> Tried:
    recipe = candidate(search.plan.recipe, values_of(trial), search.where)
    ending: Ending = "finished"
    try:
        with precision(recipe):
            callbacks = [Pruning(trial, recipe, search.offset(), folder)]
            fine_tune(recipe, *images.of(recipe), folder, weights, callbacks=callbacks)
    except optuna.TrialPruned:
        ending = "pruned"
    except TrainingDiverged:
        ending = "diverged"
    history = read_history(folder)
    # A trial may be pruned because its loss is no longer a number.
    lost = ending == "diverged" or (ending == "pruned" and math.isnan(history["loss"][-1]))
    figure = None if lost else reached(history, recipe.monitor)
    tried = study.end(trial, "diverged" if figure is None else ending, figure, history)
    drop_run(folder)
    keras.utils.clear_session()
    return tried


def reached(history: History, monitor: str) -> float | None:
    """The monitored figure of the checkpoint that a training ends with: the best epoch of its last phase.

    Args:
        history: figures per epoch over both phases, each of which counts its epochs from one.
        monitor: "val_accuracy" or "val_loss".

    Returns:
        None if no epoch gave a number.
    """
    epochs = history["epoch"]
    begins = max(index for index, epoch in enumerate(epochs) if index == 0 or epoch <= epochs[index - 1])
    figures = [figure for figure in history[monitor][begins:] if not math.isnan(figure)]
    if not figures:
        return None
    return max(figures) if monitor == "val_accuracy" else min(figures)


# ---------------------------------------------------------------- the best recipe


def drop_search(run: Path, path: Path) -> None:
    """Remove the study and the checkpoints of its trials."""
    _drop_trials(run)
    for file in (path, path.with_name(f"{path.name}-journal")):
        file.unlink(missing_ok=True)


def _drop_trials(run: Path) -> None:
    for folder in run.glob(f"{_TRIAL}*"):
        drop_run(folder)


def require_place(out: Path) -> None:
    """Make sure, before any training, that the best recipe may be written there.

    Raises:
        ResultsTaken: something else is there.
        OSError: there is no such folder.
    """
    if not out.parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "there is no such folder", str(out.parent))
    if out.exists() and not (out.is_file() and out.read_bytes().startswith(_CHOSEN.encode())):
        message = f"{out} is there already and was not written by a search; name another file with --out."
        raise ResultsTaken(message)


def _outcome(search: Search, study: Study) -> Outcome:
    best, tried = study.best(), study.tried()
    if best is None:
        message = "No trial ended with a checkpoint. Lower the learning rates in [search]."
        raise TrainingDiverged(message)
    recipe, method = search.plan.recipe, "bayes" if search.grid is None else "grid"
    said = (
        f"{_CHOSEN[2:]} {recipe.task} --data DIR --method {method}`: {recipe.monitor} {best.figure:.4f}, the best of "
        f"{len(tried)} trials, with {describe(best.values)}. The best of several trials owes some of its figure to "
        "luck, and the figure is of the validation part: what `train` measures on the test part is what counts."
    )
    return Outcome(tuple(tried), best, rewrite(search.plan.text, best.values, textwrap.fill(said, _WIDTH)))

"""A study: the trials of a search in an SQLite file, so that an interrupted search goes on. Optuna keeps it."""

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from training.checkpoints import History
from training.errors import RunBusy, RunMismatch
from training.search import Choices, Range, Space, Values, show

Ending = Literal["finished", "pruned", "diverged"]

_IDENTITY = "identity"
_ENDING, _FIGURE, _EPOCHS, _SECONDS, _REPEATS = "ending", "figure", "epochs", "seconds", "repeats"
_NAMES = {
    "task": "of another task",
    "recipe_sha256": "of another recipe",
    "index_sha256": "of other images",
    "split_sha256": "of another split",
    "weights_sha256": "begun from other weights",
    "search": "of another search",
    "method": "by another method",
}
_OVER = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
# So many trials are the yardstick of the first one that may be pruned.
_UNPRUNED = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """How trials are compared.

    Attributes:
        higher: whether a higher figure is the better one.
        warmup: epochs, counted over both phases, after which a trial may be pruned.
        seed: of what a Bayesian search chooses.
    """

    higher: bool
    warmup: int
    seed: int


@dataclass(frozen=True, slots=True)
class Tried:
    """A trial that is over.

    Attributes:
        figure: the monitored one: of the checkpoint, or of the best epoch until the trial was pruned; None if the
            trial diverged.
        epochs: over both phases.
        seconds: that they took.
    """

    values: Values
    ending: Ending
    figure: float | None
    epochs: int
    seconds: float


class Study:
    """The trials of one search.

    Args:
        study: Optuna's, which keeps them.
        space: what is tried.
        grid: the combinations in their order; None lets Optuna's tree-structured Parzen estimator choose (Bergstra et
            al. 2011, "Algorithms for Hyper-Parameter Optimization").
        seed: of the choice.
    """

    def __init__(self, study: optuna.Study, space: Space, grid: Sequence[Values] | None, seed: int) -> None:
        self._study, self._grid, self._seed = study, grid, seed
        self._distributions = {name: _distribution(tried) for name, tried in space.items()}
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            # Nobody but us writes here, so its process is dead.
            study.tell(trial.number, state=TrialState.FAIL)

    def __len__(self) -> int:
        """How many trials are over, those that repeat another one among them."""
        return len(self._over())

    def tried(self) -> list[Tried]:
        """The trials that are over, in their order."""
        return [_tried(trial) for trial in self._over() if _REPEATS not in trial.user_attrs]

    def best(self) -> Tried | None:
        """The trial of the best figure, the first of several, among those that were neither pruned nor diverged."""
        sign = 1 if self._study.direction is optuna.study.StudyDirection.MAXIMIZE else -1
        finished = [each for each in self.tried() if each.ending == "finished" and each.figure is not None]
        return max(finished, key=lambda each: sign * (each.figure or 0.0), default=None)

    def ask(self) -> optuna.Trial | None:
        """The next trial, which after an interruption is the interrupted one; None after the last of the grid."""
        if self._grid is not None and not self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            following = self._of_grid(self._grid)
            if following is None:
                return None
            self._study.enqueue_trial(following)
        # The choice follows from the trials that are over, and from their number, but not from interrupted ones. So an
        # interrupted search chooses as an uninterrupted one, and the interrupted trial comes back.
        self._study.sampler = optuna.samplers.TPESampler(seed=self._seed + len(self))
        return self._study.ask(self._distributions)

    def repeats(self, trial: optuna.Trial) -> bool:
        """End a trial of values that were tried before by the same outcome, if it is one."""
        earlier = next((over for over in self._over() if over.params == trial.params), None)
        if earlier is None:
            return False
        trial.set_user_attr(_REPEATS, earlier.number)
        self._study.tell(trial, earlier.value if earlier.state is TrialState.COMPLETE else None, earlier.state)
        return True

    def end(self, trial: optuna.Trial, ending: Ending, figure: float | None, history: History) -> Tried:
        """Write down how a trial ended.

        Args:
            trial: of `ask`.
            ending: how.
            figure: the monitored one: of the checkpoint, or the best until it was pruned; None if it diverged.
            history: figures per epoch over both phases.
        """
        trial.set_user_attr(_ENDING, ending)
        trial.set_user_attr(_FIGURE, figure)
        trial.set_user_attr(_EPOCHS, len(history["epoch"]))
        trial.set_user_attr(_SECONDS, round(sum(history["seconds"]), 1))
        states = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "diverged": TrialState.FAIL}
        self._study.tell(trial, figure if ending == "finished" else None, states[ending])
        return _tried(self._study.get_trials(deepcopy=False)[trial.number])

    def _over(self) -> list[FrozenTrial]:
        trials = self._study.get_trials(deepcopy=False, states=_OVER)
        return [trial for trial in trials if trial.state is not TrialState.FAIL or _is_over(trial)]

    def _of_grid(self, grid: Sequence[Values]) -> dict[str, Any] | None:
        done = [trial.params for trial in self._over()]
        every = ({name: show(value) for name, value in values.items()} for values in grid)
        return next((params for params in every if params not in done), None)


def values_of(trial: optuna.Trial | FrozenTrial) -> Values:
    """What a trial tries, by the dotted names of the recipe's fields."""
    return {name: _value(shown, trial.distributions[name]) for name, shown in trial.params.items()}


def _value(shown: Any, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return json.loads(shown)
    if isinstance(distribution, FloatDistribution):
        # As many digits as a person would write into a recipe.
        rounded = float(f"{shown:.4g}")
        return rounded if distribution.low <= rounded <= distribution.high else shown
    return shown


def _is_over(trial: FrozenTrial) -> bool:
    """Whether a failed trial is not just an interrupted one."""
    return trial.user_attrs.get(_ENDING) == "diverged" or _REPEATS in trial.user_attrs


def _tried(trial: FrozenTrial) -> Tried:
    said = trial.user_attrs
    return Tried(values_of(trial), said[_ENDING], said[_FIGURE], said[_EPOCHS], said[_SECONDS])


def _distribution(tried: Choices | Range) -> BaseDistribution:
    if isinstance(tried, Choices):
        # As text: a database keeps no lists.
        return CategoricalDistribution([show(value) for value in tried.values])
    if tried.whole:
        return IntDistribution(int(tried.low), int(tried.top), tried.log, int(tried.step or 1))
    return FloatDistribution(tried.low, tried.top, tried.log, tried.step)


# ---------------------------------------------------------------- the file


@contextlib.contextmanager
def open_study(
    path: Path, identity: Mapping[str, str], space: Space, grid: Sequence[Values] | None, rule: Rule
) -> Iterator[Study]:
    """Open a study, or begin one; while it is open, no other process may.

    Args:
        path: its SQLite file; its folder is made where there is none.
        identity: of training.plan.Plan, and what else decides the figures.
        space: what is tried.
        grid: the combinations in their order; None for a Bayesian search.
        rule: how trials are compared and pruned.

    Raises:
        RunMismatch: the file holds other trials, or is no study.
        RunBusy: another process has it open.
        OSError: it cannot be read or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    wanted = {**identity, "method": "bayes" if grid is None else "grid", "search": show(_document(space))}
    with _alone(path.parent), _readable(path):
        storage = _storage(path)
        try:
            study = optuna.create_study(
                storage=storage,
                study_name="tune",
                load_if_exists=True,
                direction="maximize" if rule.higher else "minimize",
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED, n_warmup_steps=rule.warmup),
            )
            _require_same(study, wanted, path)
            yield Study(study, space, grid, rule.seed)
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _storage(path: Path) -> optuna.storages.RDBStorage:
    try:
        return optuna.storages.RDBStorage(f"sqlite:///{path.absolute()}")
    except RuntimeError as other:
        message = f"{path} was written by another version of Optuna: {other}"
        raise RunMismatch(message) from other


def _document(space: Space) -> dict[str, Any]:
    return {name: tried.values if isinstance(tried, Choices) else tried.model_dump() for name, tried in space.items()}


def _require_same(study: optuna.Study, wanted: dict[str, str], path: Path) -> None:
    found = study.user_attrs.get(_IDENTITY)
    if found is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(_IDENTITY, wanted)
        return
    for key, value in wanted.items():
        if not isinstance(found, dict) or found.get(key) != value:
            message = (
                f"{path} holds a study {_NAMES[key]}; name another file with --study, or start again with --fresh."
            )
            raise RunMismatch(message)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as busy:
        message = f"Another process is tuning in {folder}; wait for it, or name another folder with --run."
        raise RunBusy(message) from busy


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as failed:
        reason = str(failed.__cause__ or failed).splitlines()[0]
        raise OSError(errno.EIO, f"the study cannot be read or written: {reason}", str(path)) from failed

"""Cross-validation: as many trainings as there are folds, or sources, each measured on images that it has not seen."""

import hashlib
import io
import statistics
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from services.bundle.evaluation import Evaluation
from services.bundle.fields import Count, Frozen, Number, Sentence, Sha256
from services.bundle.manifest import Calibration, Part
from training import seen
from training.answers import Answers, answer
from training.devices import device, software
from training.disk import write_whole
from training.errors import RunMismatch
from training.evaluation import evaluate
from training.finetuning import fine_tune
from training.folders import Sample
from training.images import Bar, Images, Pixels, load_images, truths_of
from training.pipeline import precision
from training.plan import Plan
from training.reporting import confusion, forest
from training.rounds import Round
from training.runs import drop_run, open_run
from training.split import part_of
from training.temperature import fit_temperature

Say = Callable[[str], None]

NOTE = (
    "The spread over folds is not a confidence interval: the trainings share images, so their figures are not "
    "independent, and no unbiased estimate of their variance exists (Bengio & Grandvalet 2004, JMLR 5:1089-1105)."
)
"""Stands beside every spread."""

HEADLINES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "macro_roc_auc": "macro ROC AUC",
}
"""The figures that are shown, by their names in an evaluation; the report has every one."""

_ROUND = "round-"


class RoundReport(Frozen):
    """What one training gave.

    Attributes:
        temperature: fitted on the validation part.
        evaluation: of the test part.
    """

    name: Sentence
    train: Part
    validation: Part
    test: Part
    temperature: Number
    epochs: Count
    seconds: Number
    evaluation: Evaluation


class Spread(Frozen):
    """One figure over the rounds that have it.

    Attributes:
        deviation: sample standard deviation; null for a single round.
        rounds: how many have the figure; a source with one label has no area under the curve.
    """

    name: str
    mean: Number
    deviation: Number | None
    lowest: Number
    highest: Number
    rounds: Count


class Report(Frozen):
    """What a cross-validation gave.

    Attributes:
        by: "fold" or "source".
        left_out: why some source is not among the rounds.
        confusion: of all rounds, each image answered by a network that has not seen it; row = truth, column = answer;
            null where an image may have several labels.
    """

    task: str
    by: str
    note: Sentence
    left_out: tuple[Sentence, ...]
    labels: tuple[str, ...]
    data: Sentence
    index_sha256: Sha256
    recipe: str
    device: Sentence
    software: Sentence
    rounds: tuple[RoundReport, ...]
    spread: tuple[Spread, ...]
    confusion: tuple[tuple[Count, ...], ...] | None


# ---------------------------------------------------------------- the trainings


def cross_validate(
    plan: Plan, rounds: Sequence[Round], run: Path, weights: Path | None, bar: Bar, say: Say
) -> tuple[RoundReport, ...]:
    """Train and measure each round; started again with the same run folder, go on where it stopped.

    Args:
        plan: its recipe is trained with; its split is not used.
        rounds: who is trained on what.
        run: folder of the checkpoints, and of the answers of the rounds that are over.
        weights: a local file of initial weights, or None.
        bar: makes a progress bar of a name and a number of images.
        say: is told which round begins.

    Raises:
        TrainingError: as the steps do; weights of a bundle that has seen the images are refused, too.
        OSError: the disk is full or cannot be written.
    """
    before = seen.inherited(weights)
    samples = plan.folder.samples
    seen.require_unseen(before, plan.folder, samples)
    open_run(run, plan.identity() | {"split_sha256": _digest(rounds)}, weights)
    title = f"Decoding {len(samples)} images"
    # All of them before the first epoch: a damaged image must not show only in the last round.
    images = load_images(plan.folder, samples, plan.recipe.preprocessing, bar(title, len(samples)))
    reports = []
    for number, each in enumerate(rounds, start=1):
        path = run / f"{_ROUND}{number}.npz"
        if not path.exists():
            say(f"Training {number} of {len(rounds)}: {each.name} is the test part.")
            _train(plan, each, images, run / f"{_ROUND}{number}", path, weights)
        reports.append(_measure(plan, each, path))
    return tuple(reports)


def drop_rounds(run: Path) -> None:
    """Remove what a cross-validation keeps in its run folder, and the folder if nothing else is in it."""
    for path in sorted(run.glob(f"{_ROUND}*")):
        if path.is_dir():
            drop_run(path)
        elif path.suffix == ".npz":
            path.unlink()
    drop_run(run)


def _digest(rounds: Sequence[Round]) -> str:
    lines = (f"{each.name} {part} {s.path}" for each in rounds for part, samples in each.split.parts() for s in samples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Some of the images, without a copy of their pixels."""

    pixels: Pixels
    places: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.places), *self.pixels.shape[1:])

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, chosen: Any) -> NDArray[np.uint8]:
        return self.pixels[self.places[chosen]]


def _chosen(images: Images, samples: Sequence[Sample]) -> Images:
    place = {sample.path: number for number, sample in enumerate(images.samples)}
    places = np.array([place[sample.path] for sample in samples])
    return Images(_Chosen(images.pixels, places), images.truths[places], tuple(samples))


def _train(plan: Plan, each: Round, images: Images, run: Path, path: Path, weights: Path | None) -> None:
    train, validation, test = (_chosen(images, part) for _, part in each.split.parts())
    with precision(plan.recipe):
        tuned = fine_tune(plan.recipe, train, validation, run, weights)
        chosen, asked = answer(tuned.classifier, validation), answer(tuned.classifier, test)
    file = io.BytesIO()
    np.savez(
        file,
        logits=asked.logits,
        temperature=np.float64(fit_temperature(chosen, plan.recipe.activation)),
        epochs=np.int64(tuned.epochs),
        seconds=np.float64(tuned.seconds),
    )
    write_whole(path, file.getvalue())
    drop_run(run)
    keras.utils.clear_session()


def _measure(plan: Plan, each: Round, path: Path) -> RoundReport:
    test = each.split.test
    truths = truths_of(test, plan.folder.labels)
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            logits, epochs, seconds = file["logits"], int(file["epochs"]), float(file["seconds"])
            temperature = float(file["temperature"])
        answers = Answers(logits.reshape(truths.shape), truths, test)
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as broken:
        message = f"{path} is damaged; remove it, and the same command trains that round again."
        raise RunMismatch(message) from broken
    calibration = Calibration(temperature=temperature, activation=plan.recipe.activation)
    return RoundReport(
        name=each.name,
        train=part_of(each.split.train),
        validation=part_of(each.split.validation),
        test=part_of(test),
        temperature=temperature,
        epochs=epochs,
        seconds=round(seconds, 1),
        evaluation=evaluate(answers, plan.folder.labels, calibration, plan.recipe.seed),
    )


# ---------------------------------------------------------------- the report


def summarise(plan: Plan, by: str, rounds: Sequence[RoundReport], left_out: Iterable[str]) -> Report:
    """Put the rounds together.

    Args:
        plan: of the cross-validation.
        by: "fold" or "source".
        rounds: at least one.
        left_out: why some source is not among them.
    """
    counts = [each.evaluation.confusion for each in rounds if each.evaluation.confusion is not None]
    pooled = np.sum(counts, axis=0).tolist() if counts else None
    return Report(
        task=plan.task.name,
        by=by,
        note=NOTE,
        left_out=tuple(left_out),
        labels=plan.folder.labels,
        data=plan.recipe.material.name,
        index_sha256=plan.folder.sha256,
        recipe=plan.text,
        device=device(),
        software=software(),
        rounds=tuple(rounds),
        spread=tuple(_spreads(rounds)),
        confusion=None if pooled is None else tuple(tuple(row) for row in pooled),
    )


def _spreads(rounds: Sequence[RoundReport]) -> Iterable[Spread]:
    names = dict.fromkeys(metric.name for each in rounds for metric in each.evaluation.metrics)
    for name in names:
        found = [each.evaluation.metric(name) for each in rounds]
        values = [metric.value for metric in found if metric is not None]
        yield Spread(
            name=name,
            mean=statistics.fmean(values),
            deviation=statistics.stdev(values) if len(values) > 1 else None,
            lowest=min(values),
            highest=max(values),
            rounds=len(values),
        )


def report_files(report: Report) -> dict[str, bytes]:
    """The report as JSON, and plots of it, by file name."""
    evaluations = {each.name: each.evaluation for each in report.rounds}
    title = f"{report.task}: each {report.by} in turn as the test part"
    files = {
        "report.json": (report.model_dump_json(indent=1) + "\n").encode(),
        "spread.png": forest(evaluations, HEADLINES, title),
    }
    if report.confusion is not None:
        pooled = report.rounds[0].evaluation.model_copy(update={"confusion": report.confusion})
        files["confusion.png"] = confusion(pooled, title)
    return files

"""Bundles measured side by side on the same images, and the report of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.bundle.classifier import load_classifier
from services.bundle.evaluation import Evaluation, Floors
from services.bundle.fields import Frozen
from services.bundle.store import Bundle, Store
from services.errors import UnknownTask, UnknownVersion
from training.answers import Answers, answer
from training.comparison import COMPARED, Comparison, Contender, compare
from training.errors import NotComparable
from training.evaluation import Measured, measure, summarise
from training.floors import PREPROCESSING, floors
from training.folders import Folder, Sample
from training.images import Bar, Images, load_images
from training.metrics import TITLES
from training.mistakes import Mistake, mistakes_grid, worst_mistakes
from training.reporting import diagrams, forest
from training.selection import Selection

SEED = 0
"""Of the resampling: the same images give the same intervals."""

_BATCH = 64


class Assessed(Frozen):
    """What was measured of one bundle."""

    version: int
    digest: str
    evaluation: Evaluation
    mistakes: tuple[Mistake, ...]


class Assessment(Frozen):
    """What was measured of several bundles of a task.

    Attributes:
        images: says which.
        index_sha256: of the folder's index.
        notes: sentences that must stand beside the figures.
        bundles: in the order in which they were asked for.
        comparison: of each bundle with the first; None for one bundle.
        floors: of the same images; None where they were not asked for.
    """

    task: str
    images: str
    index_sha256: str
    notes: tuple[str, ...]
    bundles: tuple[Assessed, ...]
    comparison: Comparison | None
    floors: Floors | None


@dataclass(frozen=True, slots=True)
class _Trial:
    """A bundle's answers, with its figures in every resample."""

    bundle: Bundle
    answers: Answers
    measured: Measured
    assessed: Assessed

    @property
    def name(self) -> str:
        return f"version {self.assessed.version}"


def read_bundles(store: Store, task: str, versions: Sequence[int]) -> tuple[Bundle, ...]:
    """Read bundles of a task; all of them if none are named.

    Raises:
        UnknownTask, UnknownVersion: the store has no such task or bundle.
        BundleRefused: a bundle is not whole.
        NotComparable: some give one label per image, others several.
    """
    if task not in store.tasks():
        message = f"The model store {store.root} holds no task {task!r}."
        raise UnknownTask(message)
    known = store.versions(task)
    for version in versions:
        if version not in known:
            message = f"{task} has no version {version}; there are {', '.join(map(str, known)) or 'none'}."
            raise UnknownVersion(message)
    if not known:
        message = f"{task} has no bundle yet: `python -m training train {task} --data DIR` makes one."
        raise UnknownVersion(message)
    bundles = tuple(store.read(task, version) for version in dict.fromkeys(versions or known))
    if len({bundle.manifest.calibration.activation for bundle in bundles}) > 1:
        message = f"Some versions of {task} give each image one label, others several: they do not compare."
        raise NotComparable(message)
    return bundles


def assess(
    bundles: Sequence[Bundle],
    folder: Folder,
    selection: Selection,
    bar: Bar,
    *,
    draw: bool,
    show: bool,
    train: Sequence[Sample] | None = None,
) -> tuple[Assessment, dict[str, bytes]]:
    """Measure bundles on the same images, and compare them with the first.

    Args:
        bundles: at least one, all of one task.
        folder: of the images.
        selection: of the images.
        bar: makes a progress bar of a text and a number.
        draw: whether plots are wanted.
        show: whether the worst mistakes may be shown as images among them.
        train: images that the floors are fitted to; None for no floors.

    Returns:
        What was measured, and the plots by file name.

    Raises:
        ImagesInvalid: an image cannot be decoded.
        BundleRefused: the inside of a weights file is not what its manifest says.
    """
    labels, task = bundles[0].manifest.labels, bundles[0].manifest.task
    # One order of labels for all, also for a label that the folder has no image of.
    ordered = replace(folder, labels=labels)
    trials: list[_Trial] = []
    plots: dict[str, bytes] = {}
    images: Images | None = None
    for number, bundle in enumerate(bundles):
        manifest, classifier = bundle.manifest, load_classifier(bundle.weights.read_bytes(), bundle.manifest)
        if images is None or manifest.preprocessing != bundles[number - 1].manifest.preprocessing:
            doing = f"Decoding {len(selection.samples)} images"
            watch = bar(doing, len(selection.samples))
            images = load_images(ordered, selection.samples, manifest.preprocessing, watch)
        trial = _try(bundle, labels, classifier, images, bar)
        trials.append(trial)
        if draw:
            place = "" if len(bundles) == 1 else f"version-{manifest.version}/"
            title = f"{task}, {trial.name}: {selection.title}"
            drawn = diagrams(trial.answers, trial.assessed.evaluation, manifest.calibration, title)
            if show and trial.assessed.mistakes:
                drawn["mistakes.png"] = mistakes_grid(classifier, images, labels, trial.assessed.mistakes, title)
            plots |= {place + name: png for name, png in drawn.items()}
    assessment = Assessment(
        task=task,
        images=selection.title,
        index_sha256=folder.sha256,
        notes=selection.notes,
        bundles=tuple(trial.assessed for trial in trials),
        comparison=_compared(trials),
        floors=None if train is None else _floors(ordered, selection, bundles[0], train, bar),
    )
    if draw and len(trials) > 1:
        evaluations = {trial.name: trial.assessed.evaluation for trial in trials}
        names = {name: TITLES[name] for name in COMPARED}
        plots["comparison.png"] = forest(evaluations, names, f"{task}: {selection.title}")
    return assessment, plots


def _try(bundle: Bundle, labels: tuple[str, ...], classifier: object, images: Images, bar: Bar) -> _Trial:
    manifest = bundle.manifest
    watch = bar(f"Asking version {manifest.version}", -(-len(images.samples) // _BATCH))
    given = answer(classifier, images, _BATCH, watch)
    # Versions may have the same labels in another order.
    own = [manifest.labels.index(label) for label in labels]
    answers = replace(given, logits=given.logits[:, own])
    measured = measure(answers, manifest.calibration, SEED)
    assessed = Assessed(
        version=manifest.version,
        digest=bundle.digest,
        evaluation=summarise(measured, answers, labels, manifest.calibration, SEED),
        mistakes=worst_mistakes(answers, labels, manifest.calibration),
    )
    return _Trial(bundle, answers, measured, assessed)


def _compared(trials: Sequence[_Trial]) -> Comparison | None:
    if len(trials) == 1:
        return None
    contenders = {
        trial.name: Contender(trial.answers, trial.bundle.manifest.calibration, trial.measured) for trial in trials
    }
    return compare(contenders, SEED)


def _floors(ordered: Folder, selection: Selection, bundle: Bundle, train: Sequence[Sample], bar: Bar) -> Floors:
    parts = (train, selection.samples)
    fitted_to, measured_on = (
        load_images(ordered, part, PREPROCESSING, bar(f"Decoding {len(part)} images for the floors", len(part)))
        for part in parts
    )
    return floors(fitted_to, measured_on, bundle.manifest.calibration.activation, SEED)

"""card.md: the model card of a bundle, written from its manifest.

The fields are those of Mitchell et al. 2019 (arXiv:1810.03993) and of the Model Facts label of Sendak et al. 2020
(npj Digital Medicine 3:41): use, warnings, data, validation, figures with their intervals.
"""

from services.bundle.manifest import Manifest, Training
from services.bundle.task import Task
from training.markdown import bullets, section
from training.sections import decisions, figures, origin, use, yardsticks
from training.sections.estimates import interval
from training.sections.foreign import foreign
from training.sections.hints import hints
from training.sections.steadiness import steadiness
from training.split import Split


def write_card(manifest: Manifest, task: Task, split: Split | None) -> str:
    """The card as Markdown; "{version}" stands where the store will write the number.

    Args:
        manifest: of the bundle; every figure comes from it.
        task: what a person wrote about use and limits.
        split: for the number of images per label and source; None for weights that were fitted elsewhere.
    """
    sections = {
        "Use": use.purpose(manifest, task),
        "Outcome": use.outcome(manifest, task),
        "Warnings and limits": bullets((*task.limits, *use.warnings(manifest))),
        "Never tested on": bullets(use.untested(manifest)),
        "Data": origin.data(manifest, split),
        "Validation": origin.validation(manifest),
        "On sources it never saw": yardsticks.across(manifest, task),
        "Floors": yardsticks.floors(manifest),
        "Figures": figures.overall(manifest),
        "Labels": figures.labels(manifest, task),
        "Sources": figures.sources(manifest),
        "Confusion matrix": figures.confusion(manifest),
        "Calibration": figures.calibration(manifest),
        "Operating points": decisions.operating_points(manifest, task),
        "Prediction sets": decisions.prediction_sets(manifest),
        "Foreign images": foreign(manifest),
        "Steadiness": steadiness(manifest),
        **({"Hints": hints(manifest)} if manifest.hints else {}),
        "Half precision": origin.halving(manifest),
        "Making": origin.making(manifest),
    }
    return "\n".join((_head(manifest, task), *(section(title, body) for title, body in sections.items())))


def _head(manifest: Manifest, task: Task) -> str:
    accuracy = manifest.evaluation.metric("accuracy")
    measured = "" if accuracy is None else f"Test accuracy {interval(accuracy)} on {_tested(manifest)}.\n\n"
    return (
        f"# {task.title}\n\n"
        f"Version {{version}}, {manifest.created:%d %B %Y}. {task.summary}\n\n"
        f"**{task.warning}**\n\n"
        f"{measured}{yardsticks.beside(manifest)}\n"
    )


def _tested(manifest: Manifest) -> str:
    images = f"{manifest.origin.test.images} images"
    if isinstance(manifest.origin, Training):
        return f"{images} that training never saw"
    return f"{images}; the weights were fitted elsewhere, so nobody knows whether they were fitted to these images"

"""Figures on sources that a network never saw, from the report of a cross-validation by source to a bundle."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from services.bundle.evaluation import HeldOut
from services.bundle.fields import first_error
from training.crossvalidation import Report
from training.errors import RunMismatch
from training.evidence import Elsewhere
from training.folders import read_folder
from training.plan import Plan
from training.recipe import Recipe, parse_recipe

_NAMES = {"name", "licence", "split", "holdouts", "familiar"}
"""Of a recipe's material: what decides nothing of a training whose test part is a source."""


def elsewhere(
    plan: Plan, across: Path | None, foreign: Sequence[Path] | None, near: Sequence[Path] | None
) -> Elsewhere:
    """Read and check what is known beyond a plan's folder, before any work.

    Args:
        plan: of the bundle.
        across: a report of `cross-validate --by source`, or None.
        foreign: folders of other tasks' images.
        near: the same of images much like the task's own.

    Raises:
        RunMismatch: the report is not of this plan.
        RecipeInvalid: the report's recipe is none of this version's.
        ImagesInvalid: a folder cannot be read.
    """
    for root in (*(foreign or ()), *(near or ())):
        read_folder(root)
    return Elsewhere(read_across(across, plan) if across else (), tuple(foreign or ()), tuple(near or ()))


def read_across(path: Path, plan: Plan) -> tuple[HeldOut, ...]:
    """Read what networks of the same recipe made of sources that were held out.

    Args:
        path: report.json of `cross-validate --by source`.
        plan: of the bundle; its recipe must be the report's but for what it calls things and how it would split them.

    Raises:
        RunMismatch: no such report, or one of another task, of other images, of folds, or of another recipe.
        RecipeInvalid: the report's recipe is none of this version's.
    """
    try:
        report = Report.model_validate_json(path.read_bytes())
    except OSError as missing:
        message = f"{path} cannot be read: {missing.strerror}."
        raise RunMismatch(message) from missing
    except ValidationError as invalid:
        message = f"{path} is no report of `cross-validate`: {first_error(invalid)}."
        raise RunMismatch(message) from invalid
    told = parse_recipe(report.recipe, f"The recipe in {path}")
    checks = {
        f"of the task {report.task!r}": report.task == plan.task.name,
        "of folds, not of sources": report.by == "source",
        "of other images": report.index_sha256 == plan.folder.sha256,
        "of another recipe": _decisive(told) == _decisive(plan.recipe),
    }
    for what, right in checks.items():
        if not right:
            message = f"{path} is a report {what}."
            raise RunMismatch(message)
    return tuple(
        HeldOut(
            sources=tuple(each.name.split(" + ")),
            images=each.test.images,
            groups=each.test.groups,
            metrics=each.evaluation.metrics,
            per_label=each.evaluation.per_label,
        )
        for each in report.rounds
    )


def _decisive(recipe: Recipe) -> str:
    return recipe.model_dump_json(exclude={"search": True, "material": _NAMES})

"""Cross-validation: each round is trained once and measured on what it has not seen; the spread is put in words."""

import hashlib
import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.bundle.evaluation import Evaluation
from services.bundle.manifest import Part
from services.bundle.store import Store
from tests.bundles import publish_tiny
from tests.training.conftest import draw_images
from tests.training.test_tuning import QUICK
from training import seen
from training.crossvalidation import NOTE, Report, RoundReport, cross_validate, drop_rounds, report_files, summarise
from training.errors import ImagesInvalid, NotPublishable, RunMismatch
from training.folders import SEPARATOR
from training.plan import Plan, draw_up
from training.rounds import Round, by_fold, by_source

LEARNS = QUICK.replace("epochs = 2", "epochs = 5").replace("filters = [8]", "filters = [16, 32]")


def still(doing: str, count: int) -> Any:
    del doing, count

    def watch(things: Iterable[Any]) -> Iterable[Any]:
        return things

    return watch


def run_rounds(
    plan: Plan, rounds: tuple[Round, ...], run: Path, said: list[str] | None = None
) -> tuple[RoundReport, ...]:
    return cross_validate(plan, rounds, run, None, still, (said if said is not None else []).append)


@pytest.fixture
def plan(tmp_path: Path, store_root: Path) -> Plan:
    (tmp_path / "r.toml").write_text(QUICK)
    return draw_up("shapes", draw_images(tmp_path / "images", each=10), tmp_path / "r.toml", Store(store_root))


# ---------------------------------------------------------------- rounds


def test_each_fold_is_trained_once_and_measured_on_what_it_has_not_seen(tmp_path: Path, store_root: Path) -> None:
    (tmp_path / "r.toml").write_text(LEARNS)
    plan = draw_up("shapes", draw_images(tmp_path / "images", each=12), tmp_path / "r.toml", Store(store_root))
    rounds, _ = by_fold(plan.folder, 3, 1, plan.recipe.material)
    said: list[str] = []
    measured = run_rounds(plan, rounds, tmp_path / "run", said)
    assert said == [f"Training {number} of 3: fold {number} is the test part." for number in (1, 2, 3)]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        *(f"round-{number}.npz" for number in (1, 2, 3)),
        "run.json",
    ]
    for each, part in zip(measured, rounds, strict=True):
        assert (each.name, each.epochs) == (part.name, 5)
        assert (each.train.images, each.validation.images, each.test.images) == (12, 12, 12)
        assert each.evaluation.confusion is not None
        assert sum(map(sum, each.evaluation.confusion)) == 12
    report = summarise(plan, "fold", measured, ())
    accuracy = next(spread for spread in report.spread if spread.name == "accuracy")
    # Answers that were put to other images' truths would be right one time in three.
    assert accuracy.mean > 0.6

    # Started again, nothing is trained; a round whose answers are gone is.
    (tmp_path / "run" / "round-2.npz").unlink()
    again: list[str] = []
    assert [each.evaluation for each in run_rounds(plan, rounds, tmp_path / "run", again)] == [
        each.evaluation for each in measured
    ]
    assert again == ["Training 2 of 3: fold 2 is the test part."]
    drop_rounds(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_is_kept_of_a_round_are_numbers(plan: Plan, tmp_path: Path) -> None:
    rounds, _ = by_source(plan.folder, 2, 1, plan.recipe.material)
    first, _ = run_rounds(plan, rounds, tmp_path / "run")
    path = tmp_path / "run" / "round-1.npz"
    with np.load(path, allow_pickle=False) as file:
        assert {name: file[name].dtype.kind for name in file} == {
            "logits": "f",
            "temperature": "f",
            "epochs": "i",
            "seconds": "f",
        }
        logits = file["logits"]
        assert logits.shape == (first.test.images, 3)
        assert float(file["temperature"]) == first.temperature > 0
    for spoilt in (path.read_bytes()[:100], b"", b"numbers"):
        path.write_bytes(spoilt)
        with pytest.raises(RunMismatch, match=r"round-1\.npz is damaged; remove it"):
            run_rounds(plan, rounds, tmp_path / "run")
    np.savez(path, logits=logits[:-1], temperature=1.0, epochs=1, seconds=1.0)
    with pytest.raises(RunMismatch, match=r"round-1\.npz is damaged"):
        run_rounds(plan, rounds, tmp_path / "run")


def test_a_run_of_other_folds_is_told(plan: Plan, tmp_path: Path) -> None:
    (plan.folder.root / plan.folder.samples[0].path).write_bytes(b"\x89PNG\r\n\x1a\n torn")
    for count in (3, 4):
        rounds, _ = by_fold(plan.folder, count, 1, plan.recipe.material)
        with pytest.raises(ImagesInvalid if count == 3 else RunMismatch) as refused:
            run_rounds(plan, rounds, tmp_path / "run")
        told = {3: plan.folder.samples[0].path, 4: "holds a run of another split"}
        assert told[count] in str(refused.value)


def test_weights_that_have_seen_the_images_are_refused(plan: Plan, store_root: Path, tmp_path: Path) -> None:
    publish_tiny(store_root, "shapes")
    bundle = store_root / "shapes" / "1"
    # As if it had been trained on two images of one group, and on one of two of another.
    known = seen.pack(seen.fingerprints(plan.folder, plan.folder.samples[:3]))
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["seen"]["sha256"] = hashlib.sha256(known).hexdigest()
    (bundle / "seen.npz").write_bytes(known)
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    rounds, _ = by_fold(plan.folder, 3, 1, plan.recipe.material)
    with pytest.raises(NotPublishable, match="on 4 images that training has seen, or whose group it has seen"):
        cross_validate(plan, rounds, tmp_path / "run", bundle / "model.weights.h5", still, print)
    assert not (tmp_path / "run").exists()


def test_several_labels_of_an_image_are_measured_too(tmp_path: Path, store_root: Path) -> None:
    images = draw_images(tmp_path / "images", each=12)
    index = (images / "index.csv").read_text()
    both = SEPARATOR.join(("disc", "square"))
    (images / "index.csv").write_text(index.replace("disc/000.png,disc,", f"disc/000.png,{both},"))
    (tmp_path / "r.toml").write_text(QUICK.replace("batch_size = 8", 'batch_size = 8\nactivation = "sigmoid"'))
    plan = draw_up("shapes", images, tmp_path / "r.toml", Store(store_root))
    rounds, _ = by_source(plan.folder, 2, 1, plan.recipe.material)
    report = summarise(plan, "source", run_rounds(plan, rounds, tmp_path / "run"), ())
    assert report.confusion is None
    assert sorted(report_files(report)) == ["report.json", "spread.png"]


# ---------------------------------------------------------------- the report


def reported(plan: Plan, *accuracies: float) -> tuple[RoundReport, ...]:
    """Rounds of which only the accuracy is of interest; the last one lacks the area under the curve."""

    def metric(name: str, value: float) -> dict[str, Any]:
        return {"name": name, "value": value, "low": 0.0, "high": 1.0}

    rounds = []
    for number, accuracy in enumerate(accuracies):
        metrics = [metric("accuracy", accuracy)]
        if number < len(accuracies) - 1:
            metrics.append(metric("macro_roc_auc", 0.5))
        labels = [
            dict.fromkeys(("precision", "recall", "specificity", "f1", "roc_auc", "average_precision"))
            | {"label": label, "support": 4}
            for label in plan.folder.labels
        ]
        counts = [[3, 1, 0], [0, 4, 0], [number, 0, 4 - number]]
        document = {"metrics": metrics, "per_label": labels, "per_source": [], "confusion": counts}
        part = Part(images=12, groups=6)
        rounds.append(
            RoundReport(
                name=f"fold {number + 1}",
                train=part,
                validation=part,
                test=part,
                temperature=1.5,
                epochs=2,
                seconds=3.5,
                evaluation=Evaluation.model_validate_json(json.dumps(document)),
            )
        )
    return tuple(rounds)


def test_the_spread_is_over_the_rounds_that_have_the_figure(plan: Plan) -> None:
    report = summarise(plan, "fold", reported(plan, 0.5, 0.7, 0.9), ())
    accuracy, area = report.spread
    assert (accuracy.name, accuracy.rounds, accuracy.lowest, accuracy.highest) == ("accuracy", 3, 0.5, 0.9)
    assert accuracy.mean == pytest.approx(0.7)
    assert accuracy.deviation == pytest.approx(statistics.stdev((0.5, 0.7, 0.9))) == pytest.approx(0.2)
    assert (area.name, area.rounds) == ("macro_roc_auc", 2)
    # Every image once, by a network that has not seen it.
    assert report.confusion == ((9, 3, 0), (0, 12, 0), (3, 0, 9))
    assert "not a confidence interval" in report.note == NOTE


def test_one_round_has_no_spread(plan: Plan) -> None:
    (accuracy,) = summarise(plan, "source", reported(plan, 0.5), ("b is not left out: …",)).spread
    assert accuracy.deviation is None


def test_the_report_is_written_as_it_is(plan: Plan) -> None:
    report = summarise(plan, "source", reported(plan, 0.5, 0.7), ("b is not left out: …",))
    files = report_files(report)
    assert sorted(files) == ["confusion.png", "report.json", "spread.png"]
    assert Report.model_validate_json(files["report.json"]) == report
    for name in ("confusion.png", "spread.png"):
        assert files[name].startswith(b"\x89PNG")
    assert (report.by, report.left_out, report.labels) == ("source", ("b is not left out: …",), plan.folder.labels)
    assert report.recipe == QUICK

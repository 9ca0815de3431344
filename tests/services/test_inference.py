import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from services.bundle.decision import PointName
from services.bundle.hints import MOST_HINT
from services.bundle.store import Store
from services.compiler import Compiler
from services.errors import MalformedRequest, Overloaded, TooManyFrames, UndecodableImage, WrongModality
from services.inference import Predictor
from services.network import Answer, Network
from services.prediction import Prediction, Question
from services.registry import Registry
from tests.bundles import EDGE, SHAPES, draw, draw_together, encode
from tests.dicoms import dicom
from tests.evidence import noise, publish_anything, publish_chest, publish_pills

FORM = "This does not look like the pictures that the model knows: it wants {}."


@pytest.fixture
def predictor() -> Predictor:
    return Predictor(concurrency=2, queue_limit=1, max_pixels=10**6)


@pytest.fixture(scope="session")
def wary(tmp_path_factory: pytest.TempPathFactory, graphs: Path) -> Iterator[Registry]:
    """The tasks of tests.evidence, live."""
    root = tmp_path_factory.mktemp("wary")
    for publish in (publish_chest, publish_pills, publish_anything):
        publish(root)
    compiler = Compiler(graphs, seconds=120, memory_mb=8192)
    registry = Registry(Store(root), compiler, standby=0)
    registry.scan()
    yield registry
    compiler.close()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An upload: what the networks take for their first label."""
    path = tmp_path / "image"
    path.write_bytes(encode(draw(0)))
    return path


def answer(
    predictor: Predictor, registry: Registry, image: Path, question: Question | None = None, *, task: str = "shapes"
) -> Prediction:
    live = registry.live(task)

    async def ask() -> Prediction:
        return await predictor.predict(live, image, question, registry.others(task))

    return anyio.run(ask)


def test_the_finding_is_the_first_of_the_probabilities_with_its_title(
    predictor: Predictor, registry: Registry, image: Path
) -> None:
    image.write_bytes(encode(draw(1)))
    prediction = answer(predictor, registry, image)
    assert prediction.outcome == "finding"
    assert prediction.finding is not None
    assert prediction.finding.label == SHAPES[1] == prediction.probabilities[0].label
    assert prediction.finding.title == registry.live("shapes").titles[SHAPES[1]]
    assert (prediction.prediction_set, prediction.novelty, prediction.reason) == (None, None, None)
    assert (prediction.operating_points, prediction.suggested_tasks, prediction.notes) == ((), (), ())
    assert (prediction.preview, prediction.saliency) == (None, None)
    assert prediction.timing.total >= prediction.timing.network > 0


# ---------------------------------------------------------------- several labels


@pytest.mark.parametrize("shown", [(0,), (1,), (2,), (0, 1), (0, 2), (2, 1)])
def test_of_several_labels_all_that_are_shown_are_named_highest_first(
    predictor: Predictor, several: str, registry: Registry, tmp_path: Path, shown: tuple[int, ...]
) -> None:
    image = tmp_path / "image"
    image.write_bytes(encode(draw_together(*shown, seed=900)))
    prediction = answer(predictor, registry, image, task=several)
    assert prediction.prediction_set is not None
    assert set(prediction.prediction_set) == {SHAPES[number] for number in shown}
    assert prediction.prediction_set == tuple(entry.label for entry in prediction.probabilities[: len(shown)])
    assert prediction.finding is not None
    assert (prediction.outcome, prediction.reason) == ("finding", None)
    assert prediction.finding.label == prediction.prediction_set[0]
    assert prediction.finding.probability == prediction.probabilities[0].probability
    listed = [entry.probability for entry in prediction.probabilities]
    assert listed == sorted(listed, reverse=True)
    assert listed[len(shown) - 1] >= 0.5 > max(0.0, *listed[len(shown) :])
    # Each for itself: what one label takes, no other loses.
    assert sum(listed) == pytest.approx(len(shown), abs=0.45)


def test_where_several_labels_may_be_none_need_be(
    predictor: Predictor, several: str, registry: Registry, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    image.write_bytes(encode(draw_together(seed=900)))
    prediction = answer(predictor, registry, image, task=several)
    assert (prediction.outcome, prediction.finding, prediction.prediction_set) == ("uncertain", None, ())
    assert prediction.reason == "No label reached a probability of one half."
    assert max(entry.probability for entry in prediction.probabilities) < 0.5
    # Of one label per image the likeliest is named all the same.
    assert answer(predictor, registry, image).finding is not None


@pytest.mark.parametrize(
    ("logits", "named"),
    [
        ((0.0, -1e-6, -3.0), (SHAPES[0],)),
        ((-1e-6, -1.0, -1e-3), ()),
        ((1.0, 3.0, 2.0), (SHAPES[1], SHAPES[2], SHAPES[0])),
    ],
)
def test_a_label_is_named_from_a_probability_of_one_half(
    predictor: Predictor,
    several: str,
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logits: tuple[float, ...],
    named: tuple[str, ...],
) -> None:
    image = tmp_path / "image"
    image.write_bytes(encode(draw(0)))
    given = Answer(np.array(logits, np.float32), np.zeros(1, np.float32), None)
    monkeypatch.setattr(Network, "answer", lambda *_, **__: given)
    assert answer(predictor, registry, image, task=several).prediction_set == named


# ---------------------------------------------------------------- the image


def test_the_preview_is_what_the_model_saw(predictor: Predictor, registry: Registry, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(encode(draw(0, width=90, height=30)))
    preview = answer(predictor, registry, image, Question(preview=True)).preview
    assert preview is not None
    with Image.open(io.BytesIO(preview)) as seen:
        assert (seen.format, seen.size) == ("JPEG", (EDGE, EDGE))
        assert b"Exif" not in preview
        assert abs(int(np.asarray(seen.convert("L"))[0, 0]) - 127) < 8  # the letterbox


def test_a_deep_image_is_answered_with_a_note_of_its_window(
    predictor: Predictor, registry: Registry, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    grey = np.asarray(Image.fromarray(draw(2)).convert("L")).astype(np.uint16)
    Image.fromarray(grey * 16).save(image, "TIFF")
    (note,) = answer(predictor, registry, image).notes
    assert "0.5th to 99.5th percentile" in note


def test_what_imaging_refuses_is_refused(predictor: Predictor, registry: Registry, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(encode(draw(0))[:50])
    with pytest.raises(UndecodableImage):
        answer(predictor, registry, image)


def test_where_the_network_looked_is_shown_on_request(predictor: Predictor, registry: Registry, image: Path) -> None:
    saliency = answer(predictor, registry, image, Question(saliency=True)).saliency
    assert saliency is not None
    assert saliency.label == SHAPES[0]
    assert saliency.values.ndim == 2
    assert saliency.values.min() >= 0
    assert saliency.values.max() > 0
    with Image.open(io.BytesIO(saliency.overlay)) as overlay:
        assert (overlay.format, overlay.size) == ("PNG", (EDGE, EDGE))


# ---------------------------------------------------------------- foreign images


def test_a_foreign_image_is_not_answered_and_a_task_that_knows_it_is_named(
    predictor: Predictor, wary: Registry, image: Path
) -> None:
    image.write_bytes(encode(noise()))
    prediction = answer(predictor, wary, image, Question(saliency=True, preview=True), task="chest")
    assert (prediction.outcome, prediction.finding, prediction.prediction_set) == ("not_applicable", None, None)
    assert prediction.novelty is not None
    assert prediction.novelty.foreign
    assert prediction.novelty.score > prediction.novelty.threshold
    assert prediction.suggested_tasks == ("anything",)
    assert prediction.reason == f"{FORM.format('a chest X-ray')} It looks like anything at all: try Anything."
    assert (prediction.operating_points, prediction.saliency) == ((), None)
    assert prediction.preview is not None
    assert len(prediction.probabilities) == 2


def test_a_task_of_the_same_pictures_is_named_without_contradiction(
    predictor: Predictor, wary: Registry, image: Path
) -> None:
    image.write_bytes(encode(noise()))
    other = wary.live("anything")
    alike = replace(other, task=other.task.model_copy(update={"picture": "a chest X-ray"}))

    async def ask() -> Prediction:
        return await predictor.predict(wary.live("chest"), image, None, [alike])

    reason = anyio.run(ask).reason
    assert reason == "This is not quite what the model knows, although it looks like a chest X-ray: try Anything."


def test_where_no_other_task_knows_it_none_is_named(predictor: Predictor, wary: Registry, image: Path) -> None:
    image.write_bytes(encode(noise()))

    async def ask() -> Prediction:
        return await predictor.predict(wary.live("pills"), image, None, [wary.live("chest")])

    prediction = anyio.run(ask)
    assert (prediction.outcome, prediction.suggested_tasks) == ("not_applicable", ())
    assert prediction.reason == FORM.format("a photograph of loose pills")


def test_a_blank_image_is_never_answered(predictor: Predictor, registry: Registry, image: Path) -> None:
    image.write_bytes(encode(np.full((60, 50, 3), 90, np.uint8)))
    # Whether or not there is a detector.
    assert registry.live("shapes").detector is None
    prediction = answer(predictor, registry, image)
    assert (prediction.outcome, prediction.finding, prediction.suggested_tasks) == ("not_applicable", None, ())
    assert prediction.reason == "The image is nearly blank, so there is nothing to answer."


def test_an_image_of_the_models_own_kind_costs_no_other_run(
    predictor: Predictor, wary: Registry, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    asked = Network.answer

    def counted(network: Network, tensor: NDArray[np.uint8], *, saliency: bool = False) -> Answer:
        runs.append(saliency)
        return asked(network, tensor, saliency=saliency)

    monkeypatch.setattr(Network, "answer", counted)
    prediction = answer(predictor, wary, image, task="chest")
    assert prediction.novelty is not None
    assert not prediction.novelty.foreign
    assert prediction.suggested_tasks == ()
    assert runs == [False]


def test_an_inverted_image_is_told_by_its_negative(predictor: Predictor, wary: Registry, image: Path) -> None:
    image.write_bytes(encode(255 - draw(0)))
    prediction = answer(predictor, wary, image, task="chest")
    assert prediction.outcome == "not_applicable"
    inverted = "The image is probably inverted: its negative looks like what the model knows."
    assert prediction.notes == (inverted,)
    image.write_bytes(encode(noise()))
    assert inverted not in answer(predictor, wary, image, task="chest").notes


# ---------------------------------------------------------------- operating points


@pytest.mark.parametrize(
    ("number", "point", "outcome", "label", "decided"),
    [
        (0, None, "finding", "healthy", ["rule_out", "rule_in"]),
        (1, None, "uncertain", None, ["rule_out", "rule_in"]),
        (1, "balanced", "finding", "ill", ["balanced"]),
        (1, "rule_in", "finding", "healthy", ["rule_in"]),
    ],
)
def test_operating_points_decide(
    predictor: Predictor,
    wary: Registry,
    image: Path,
    number: int,
    point: PointName | None,
    outcome: str,
    label: str | None,
    decided: list[str],
) -> None:
    image.write_bytes(encode(draw(number)))
    prediction = answer(predictor, wary, image, Question(operating_point=point), task="chest")
    assert prediction.outcome == outcome
    assert (prediction.finding and prediction.finding.label) == label
    assert [used.name for used in prediction.operating_points] == decided
    assert (prediction.reason is None) == (outcome == "finding")
    assert set(prediction.prediction_set or ()) == ({label} if label else {"healthy", "ill"})
    if prediction.finding is not None:
        # The probability is that of the label named, whichever is likelier.
        chances = {entry.label: entry.probability for entry in prediction.probabilities}
        assert prediction.finding.probability == chances[prediction.finding.label]


def test_an_operating_point_is_refused_where_a_task_has_none(predictor: Predictor, wary: Registry, image: Path) -> None:
    with pytest.raises(MalformedRequest, match="leave out operating_point"):
        answer(predictor, wary, image, Question(operating_point="balanced"), task="pills")


# ---------------------------------------------------------------- hints


def test_a_hint_decides_between_labels_that_the_image_leaves_open(
    predictor: Predictor, wary: Registry, image: Path
) -> None:
    alone = answer(predictor, wary, image, task="pills")
    assert (alone.outcome, alone.finding) == ("uncertain", None)
    assert set(alone.prediction_set or ()) == set(SHAPES)
    told = answer(predictor, wary, image, Question(hint=SHAPES[0]), task="pills")
    assert told.outcome == "finding"
    assert told.finding is not None
    assert told.finding.label == SHAPES[0]
    assert told.finding.probability > alone.probabilities[0].probability
    assert told.notes == ("The hint and the image agree on Disc; the probabilities count both.",)
    other = answer(predictor, wary, image, Question(hint=SHAPES[2]), task="pills")
    assert other.probabilities[0].label == SHAPES[2]
    assert "with the hint it is Stripes" in other.notes[0]


def test_a_hint_says_nothing_of_a_foreign_image(predictor: Predictor, wary: Registry, image: Path) -> None:
    image.write_bytes(encode(noise()))
    prediction = answer(predictor, wary, image, Question(hint=SHAPES[0]), task="pills")
    assert (prediction.outcome, prediction.notes) == ("not_applicable", ())


def test_a_hint_that_means_nothing_is_not_repeated(predictor: Predictor, wary: Registry, image: Path) -> None:
    hint = "jane doe " * (MOST_HINT // 9)
    prediction = answer(predictor, wary, image, Question(hint=hint), task="pills")
    assert "jane" not in str(prediction)
    assert prediction.notes == ("The hint names none of the labels, so it was not counted.",)


@pytest.mark.parametrize("task", ["chest", "anything"])
def test_a_hint_is_refused_where_a_task_takes_none(
    predictor: Predictor, wary: Registry, image: Path, task: str
) -> None:
    with pytest.raises(MalformedRequest, match="leave out hint") as refusal:
        answer(predictor, wary, image, Question(hint="jane doe"), task=task)
    assert "jane" not in str(refusal.value)


# ---------------------------------------------------------------- DICOM files


def test_of_a_file_of_several_frames_the_one_that_is_asked_for_is_answered(
    predictor: Predictor, wary: Registry, image: Path
) -> None:
    frames = np.stack([draw(1), draw(0)])
    image.write_bytes(dicom(frames, frames=2, Modality="CR", BodyPartExamined="CHEST"))
    with pytest.raises(TooManyFrames):
        answer(predictor, wary, image, task="chest")
    for frame, likeliest in ((1, "ill"), (2, "healthy")):
        prediction = answer(predictor, wary, image, Question(frame=frame), task="chest")
        assert prediction.probabilities[0].label == likeliest
    with pytest.raises(MalformedRequest):
        answer(predictor, wary, image, Question(frame=3), task="chest")


def test_a_file_that_says_that_it_shows_something_else_is_refused(
    predictor: Predictor, wary: Registry, image: Path
) -> None:
    image.write_bytes(dicom(draw(0), Modality="CT", BodyPartExamined="CHEST"))
    with pytest.raises(WrongModality, match="a CT of the CHEST"):
        answer(predictor, wary, image, task="chest")
    with pytest.raises(WrongModality, match="takes no DICOM files"):
        answer(predictor, wary, image, task="pills")


# ---------------------------------------------------------------- the queue


def test_places_are_counted_and_given_back(predictor: Predictor) -> None:
    with predictor.admission(2), predictor.admission(1):
        with pytest.raises(Overloaded) as refusal, predictor.admission(1):
            pytest.fail("there is no fourth place")
        assert refusal.value.retry_after >= 1
        with pytest.raises(Overloaded):
            predictor.require_room()
    with predictor.admission(3):
        pass


def test_places_are_given_back_after_a_failure(predictor: Predictor) -> None:
    with pytest.raises(ZeroDivisionError), predictor.admission(3):
        raise ZeroDivisionError
    predictor.require_room(3)

import io
from pathlib import Path

import anyio
import numpy as np
import pytest
from PIL import Image

from services.errors import Overloaded, UndecodableImage
from services.inference import Prediction, Predictor
from services.network import Network
from services.registry import Registry
from tests.bundles import EDGE, SHAPES, draw, draw_together, encode


@pytest.fixture
def predictor() -> Predictor:
    return Predictor(concurrency=2, queue_limit=1, max_pixels=10**6)


def answer(
    predictor: Predictor, registry: Registry, image: Path, *, task: str = "shapes", preview: bool = False
) -> Prediction:
    live = registry.live(task)

    async def ask() -> Prediction:
        return await predictor.predict(live, image, preview=preview)

    return anyio.run(ask)


def test_the_finding_is_the_first_of_the_probabilities_with_its_title(
    predictor: Predictor, registry: Registry, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    image.write_bytes(encode(draw(1)))
    prediction = answer(predictor, registry, image)
    assert prediction.outcome == "finding"
    assert prediction.finding is not None
    assert prediction.finding.label == SHAPES[1] == prediction.probabilities[0].label
    assert prediction.finding.title == registry.live("shapes").titles[SHAPES[1]]
    assert prediction.prediction_set is None
    assert prediction.reason is None
    assert prediction.notes == ()
    assert prediction.preview is None
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
    monkeypatch.setattr(Network, "logits", lambda *_: np.array(logits))
    assert answer(predictor, registry, image, task=several).prediction_set == named


# ---------------------------------------------------------------- the image


def test_the_preview_is_what_the_model_saw(predictor: Predictor, registry: Registry, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(encode(draw(0, width=90, height=30)))
    preview = answer(predictor, registry, image, preview=True).preview
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

"""Answered images to the JSON of the wire."""

from dataclasses import asdict
from typing import Any

from routers.images import Answered
from routers.problems import Problem
from routers.schemas import ModelShape, PredictionShape, PredictionsShape, ProblemInPlace, ProblemShape, TimingShape
from services.inference import Prediction
from services.shelf import Live


def predictions_shape(request_id: str, live: Live, answered: list[tuple[Answered, Problem | None]]) -> PredictionsShape:
    """Shape the answers of one request; a problem stands in the place of its image."""
    predictions: list[PredictionShape | ProblemInPlace] = []
    timings = []
    for answer, problem in answered:
        if isinstance(answer.result, Prediction):
            predictions.append(_prediction(answer.filename, answer.result))
            timings.append(answer.result.timing)
        elif problem is not None:
            shape = ProblemShape.model_validate(asdict(problem))
            predictions.append(ProblemInPlace(filename=answer.filename, problem=shape))
    return PredictionsShape(
        request_id=request_id,
        model=ModelShape.of(live),
        predictions=predictions,
        timing_ms=TimingShape(
            decode=round(sum(timing.decode for timing in timings), 2),
            queue=max((timing.queue for timing in timings), default=0.0),
            network=round(sum(timing.network for timing in timings), 2),
            total=max((timing.total for timing in timings), default=0.0),
        ),
    )


def _prediction(filename: str | None, prediction: Prediction) -> PredictionShape:
    fields: dict[str, Any] = asdict(prediction)
    del fields["timing"], fields["preview"]
    return PredictionShape(filename=filename, **fields)

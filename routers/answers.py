"""Answered images to the JSON of the wire."""

from dataclasses import asdict

from routers.images import Answered
from routers.problems import Problem
from routers.schemas import (
    FindingShape,
    ForeignnessShape,
    LabelProbabilityShape,
    ModelShape,
    PointUsedShape,
    PredictionShape,
    PredictionsShape,
    ProblemInPlace,
    ProblemShape,
    SaliencyShape,
    TimingShape,
)
from services.prediction import Prediction
from services.shelf import Live


def predictions_shape(
    request_id: str, live: Live, answered: list[tuple[Answered, Problem | None]], prevalence: float | None = None
) -> PredictionsShape:
    """Shape the answers of one request; a problem stands in the place of its image.

    Args:
        request_id: of the request.
        live: what answered.
        answered: each image with the problem that it is, if it is one.
        prevalence: at which the operating points are weighed.
    """
    predictions: list[PredictionShape | ProblemInPlace] = []
    made = []
    for answer, problem in answered:
        if isinstance(answer.result, Prediction):
            predictions.append(_prediction(answer.filename, answer.result))
            made.append(answer.result)
        elif problem is not None:
            shape = ProblemShape.model_validate(asdict(problem))
            predictions.append(ProblemInPlace(filename=answer.filename, problem=shape))
    # All images of a request are decided alike, but those that are foreign are not decided at all.
    points = next((each.operating_points for each in made if each.operating_points), ())
    return PredictionsShape(
        request_id=request_id,
        model=ModelShape.of(live),
        predictions=predictions,
        operating_points=[PointUsedShape.of(point, prevalence) for point in points],
        prevalence=prevalence,
        timing_ms=_timing(made),
    )


def _timing(made: list[Prediction]) -> TimingShape:
    timings = [prediction.timing for prediction in made]
    return TimingShape(
        decode=round(sum(timing.decode for timing in timings), 2),
        queue=max((timing.queue for timing in timings), default=0.0),
        network=round(sum(timing.network for timing in timings), 2),
        total=max((timing.total for timing in timings), default=0.0),
    )


def _prediction(filename: str | None, prediction: Prediction) -> PredictionShape:
    finding, novelty, saliency = prediction.finding, prediction.novelty, prediction.saliency
    return PredictionShape(
        filename=filename,
        outcome=prediction.outcome,
        finding=FindingShape.model_validate(finding) if finding else None,
        probabilities=[LabelProbabilityShape.model_validate(each) for each in prediction.probabilities],
        prediction_set=None if prediction.prediction_set is None else list(prediction.prediction_set),
        novelty=ForeignnessShape.model_validate(novelty) if novelty else None,
        reason=prediction.reason,
        suggested_tasks=list(prediction.suggested_tasks),
        notes=list(prediction.notes),
        saliency=SaliencyShape.of(saliency) if saliency else None,
    )

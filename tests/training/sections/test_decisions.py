"""Operating points say what they are for and what their answers are worth; sets say how often they hold the truth."""

from tests.manifests import valid_manifest
from tests.training.sections.filled import estimate, evaluation, manifest, task
from training.sections.decisions import operating_points, prediction_sets

SIGMOID = {"temperature": 1.0, "activation": "sigmoid"}


def test_operating_points_are_listed_with_policy_and_measured_figures() -> None:
    text = operating_points(manifest(), task())
    assert "| rule-out | 0.125 | Chosen for tests. | 0.750 (0.625 to 0.875) | 0.625 (0.500 to 0.750) |" in text
    assert "| rule-in | 0.875 | Chosen for tests. |" in text
    for purpose in ("- Rule-out: to set the negative aside", "- Balanced: for", "- Rule-in: to act on the positive"):
        assert purpose in text
    assert "the probability of Suspicious counts as positive" in text


def test_predictive_values_are_those_of_bayes() -> None:
    # 0.75 * 0.01 / (0.75 * 0.01 + 0.375 * 0.99), 0.625 * 0.99 / (0.625 * 0.99 + 0.25 * 0.01), and so on.
    text = operating_points(manifest(), task())
    assert "| operating point | where 1 % have it | where 10 % have it | where 50 % have it |" in text
    assert "| rule-out | 0.020 / 0.996 | 0.182 / 0.957 | 0.667 / 0.714 |" in text


def test_an_answer_that_is_never_given_has_no_predictive_value() -> None:
    points = valid_manifest()["operating_points"]
    points[0] |= {"sensitivity": estimate(1.0), "specificity": estimate(0.0)}
    text = operating_points(manifest(operating_points=points), task())
    assert "| rule-out | 0.010 / - | 0.100 / - | 0.500 / - |" in text


def test_why_there_are_no_operating_points() -> None:
    assert "no positive finding" in operating_points(manifest(operating_points=[]), task(positive=""))
    assert operating_points(manifest(operating_points=[]), task()) == "There are none. None were chosen."


def test_prediction_sets_tell_promise_and_measure() -> None:
    text = prediction_sets(manifest())
    assert "a probability of at least 0.0625" in text
    for row in (
        "| promised coverage | 90 % |",
        "| measured coverage | 0.938 (0.875 to 0.969) |",
        "| labels per set, mean | 1.250 |",
        "| share of sets of one label | 0.750 (0.625 to 0.875) |",
    ):
        assert row in text


def test_why_there_are_no_prediction_sets() -> None:
    assert "operating points take their place" in prediction_sets(manifest(prediction_sets=None))
    assert prediction_sets(manifest(prediction_sets=None, operating_points=[])) == "There are none."
    several = manifest(
        prediction_sets=None, operating_points=[], calibration=SIGMOID, evaluation=evaluation(confusion=None)
    )
    assert "an image may have several labels" in prediction_sets(several)

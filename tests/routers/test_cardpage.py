"""What the card says of a model that was measured in every way, and of one that was not."""

from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.routers.reading import BROWSER, Outline, text_of

SECTIONS = ("across", "floors", "points", "worths", "sets", "foreign", "steadiness", "hints")


def card(client: TestClient, task: str) -> Any:
    answer = client.get(f"/tasks/{task}/card", headers=BROWSER)
    assert answer.status_code == 200
    return answer


def section(html: str, identity: str) -> str:
    _, _, rest = html.partition(f'<h2 id="{identity}"')
    return unescape(text_of(rest.partition("<h2")[0].partition(">")[2]))


@pytest.mark.parametrize(
    ("task", "there"),
    [
        ("chest", {"across", "floors", "points", "worths", "foreign", "steadiness"}),
        ("pills", {"sets", "foreign", "steadiness", "hints"}),
        ("anything", {"foreign"}),
    ],
)
def test_a_section_is_there_where_the_manifest_has_it(wary: TestClient, task: str, there: set[str]) -> None:
    html = card(wary, task).text
    identities = {attributes.get("id") for _, attributes in Outline(html).tags}
    assert identities & set(SECTIONS) == there
    assert "outcomes" in identities


def test_a_card_without_a_detector_promises_no_refusal(client: TestClient) -> None:
    html = card(client, "shapes").text
    assert not {attributes.get("id") for _, attributes in Outline(html).tags} & set(SECTIONS)
    text = section(html, "outcomes")
    assert "Finding The likeliest label, with its calibrated probability." in text
    assert "Uncertain" not in text
    assert "Not this kind of image" not in text


def test_unseen_sources_are_listed_each_by_itself(wary: TestClient) -> None:
    text = section(card(wary, "chest").text, "across")
    assert "north 1,234 321 87.0 % 84.0 % to 90.0 % \N{EN DASH} 0.9100 0.8800 to 0.9400" in text
    assert "south 1,234 321 81.0 % 78.0 % to 84.0 % \N{EN DASH} 0.8500 0.8200 to 0.8800" in text


def test_the_skill_above_each_floor_is_worked_out(wary: TestClient) -> None:
    text = section(card(wary, "chest").text, "floors")
    # 7.5 of the 12 points that the thumbnail leaves, and 15 of the 16 that its border leaves.
    assert "Balanced accuracy 95.5 % 92.5 % to 98.5 % A thumbnail 88.0 % 85.0 % to 91.0 % 62.5 %" in text
    assert "ROC AUC, each label against the rest, mean 0.9900 0.9600 to 1.0000 Its border 0.8400" in text
    assert text.endswith("93.8 %")


def test_operating_points_are_explained_and_weighed_at_three_prevalences(wary: TestClient) -> None:
    text = section(card(wary, "chest").text, "points")
    assert "Rule-out 0.250 98.0 % 95.0 % to 100 % 80.0 % 77.0 % to 83.0 % Misses few of those who have it" in text
    assert "Chosen on validation for rule_in." in text
    # 0.98 x 0.01 of 0.98 x 0.01 + 0.2 x 0.99
    for row in ("1.0 % Rule-out 4.7 % >99.9 %", "10.0 % Balanced 50.0 % 98.8 %", "50.0 % Rule-in 98.6 % 76.7 %"):
        assert row in text


def test_prediction_sets_tell_what_was_promised_and_what_was_held(wary: TestClient) -> None:
    text = section(card(wary, "pills").text, "sets")
    for said in (
        "Promised 90.0 %",
        "Held on the test images 93.0 % 95 % interval 90.0 % to 96.0 %",
        "Threshold 0.100",
        "Labels per set 1.31",
        "Sets of one label 72.0 %",
    ):
        assert said in text


def test_foreign_images_are_told_by_kind_and_near_ones_are_marked(wary: TestClient) -> None:
    text = section(card(wary, "chest").text, "foreign")
    assert "96.9 % of the test images pass" in text
    assert "photographs 500 98.6 % 0.9991 94.1 %" in text
    assert "adult films near: many are expected to get through 40 22.5 % 0.7125 was shown none" in text


def test_steadiness_is_told_by_variant(wary: TestClient) -> None:
    text = section(card(wary, "chest").text, "steadiness")
    assert "Saved as WebP 72 97.0 % 94.0 % to 100 % 0.0 95.8 % 0.312 1.0 %" in text
    assert "Blurred by 2 pixels 72 93.0 % 90.0 % to 96.0 % \N{MINUS SIGN}4.0 95.8 % 0.312 \N{EN DASH}" in text


def test_what_hints_do_is_told_where_the_task_takes_any(wary: TestClient) -> None:
    text = section(card(wary, "pills").text, "hints")
    assert "60 validation images" in text
    assert "Blurred 81.0 %" in text
    assert "83.0 %" in text


@pytest.mark.parametrize("path", ["/tasks/chest", "/tasks/chest/card", "/"])
def test_no_page_shows_the_main_figure_alone(wary: TestClient, path: str) -> None:
    text = text_of(wary.get(path, headers=BROWSER).text)
    for said in ("0.9900", "0.8500", "0.8200 to 0.8800", "the lowest of 2", "a thumbnail alone reaches 0.9500"):
        assert said in text
    if path == "/":
        assert "0.9900 area under the ROC curve on 48 test images" in text
        assert "97.9 % balanced accuracy on 72 test images" in text
        assert "on sources it never saw: not measured" in text
    else:
        assert "Measured area under the ROC curve 0.9900 95 % interval 0.9600 to 1.0000 On sources it never saw" in text
    assert "Measured balanced accuracy 97.9 %" in text_of(wary.get("/tasks/pills", headers=BROWSER).text)


# ---------------------------------------------------------------- the form


def test_the_form_offers_what_the_task_and_its_model_have_means_for(wary: TestClient) -> None:
    fields = {}
    for task in ("chest", "pills", "anything"):
        outline = Outline(wary.get(f"/tasks/{task}", headers=BROWSER).text)
        inputs = outline.of("input")
        fields[task] = {each["name"] for each in inputs}
        labelled = {label.get("for") for label in outline.of("label")}
        assert all(each["type"] in {"radio", "checkbox"} or each["id"] in labelled for each in inputs), (
            "each has a label"
        )
        (saliency,) = [each for each in inputs if each["name"] == "saliency"]
        assert "checked" in saliency
    assert fields == {
        "chest": {"image", "operating_point", "prevalence_percent", "saliency", "frame"},
        "pills": {"image", "hint", "saliency"},
        "anything": {"image", "saliency"},
    }


def test_the_form_leaves_it_open_unless_a_point_is_chosen(wary: TestClient) -> None:
    answer = wary.get("/tasks/chest", headers=BROWSER)
    points = [each for each in Outline(answer.text).of("input") if each["name"] == "operating_point"]
    assert [each["value"] for each in points] == ["", "rule_out", "balanced", "rule_in"]
    assert ["checked" in each for each in points] == [True, False, False, False]
    text = text_of(answer.text)
    assert "Leave it open between rule-out and rule-in" in text
    assert "JPEG, PNG, WebP, BMP, TIFF or DICOM" in text
    assert "What stands on the pill or its box? (optional)" in text_of(wary.get("/tasks/pills").text)

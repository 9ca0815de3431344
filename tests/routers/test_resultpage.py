"""What the page of an answer says of each outcome."""

import base64
import io
import re
from html import unescape
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from routers.wording import probability
from services.prediction import SALIENCY_CAVEAT
from tests.bundles import EDGE, SHAPES, draw, encode
from tests.evidence import noise
from tests.routers.reading import BROWSER, Outline, text_of

DISC, SQUARE = encode(draw(0)), encode(draw(1))


def ask(client: TestClient, task: str, content: bytes = DISC, **fields: str) -> Any:
    answer = client.post(f"/tasks/{task}", data=fields, files={"image": ("picture.png", content)}, headers=BROWSER)
    assert answer.status_code == 200, answer.text
    return answer


def main_of(answer: Any) -> str:
    return unescape(text_of(answer.text.partition("<main")[2]))


def section(answer: Any, identity: str) -> str:
    """What stands from a heading to the next one of its level or above."""
    _, _, rest = answer.text.partition(f'id="{identity}"')
    return unescape(text_of(rest.partition("<h2")[0].partition(">")[2]))


# ---------------------------------------------------------------- the outcomes


def test_a_finding_is_called_one_and_comes_with_its_calibrated_probability(wary: TestClient) -> None:
    answer = ask(wary, "chest")
    (found,) = answer.context["found"]
    assert f"Chest · Finding Healthy {probability(found.probability)} (calibrated)" in main_of(answer)
    assert answer.context["open"] == ()


def test_an_uncertain_answer_gives_the_reason_and_what_stays_open(wary: TestClient) -> None:
    answer = ask(wary, "chest", SQUARE)
    text = main_of(answer)
    assert "Chest Uncertain The probability of Ill lies between the rule-out threshold of" in text
    assert [left.title for left in answer.context["open"]] == ["Ill", "Healthy"]
    likeliest = answer.context["open"][0]
    assert f"the likeliest first: Ill {probability(likeliest.probability)} (calibrated) A drawn ill." in text
    assert "Finding" not in text.partition("How it was decided")[0]
    assert not any(bar.found for bar in answer.context["bars"])


def test_of_a_foreign_image_no_label_can_be_read(wary: TestClient) -> None:
    answer = ask(wary, "chest", encode(noise()), saliency="true", prevalence_percent="10")
    text = main_of(answer)
    assert "Chest Not this kind of image This does not look like the pictures that the model knows" in text
    for said in ("Healthy", "Ill", "(calibrated)", "Probability of every label", "Where it looked", "was decided"):
        assert said not in text
    assert answer.context["bars"] == answer.context["found"] == answer.context["open"] == ()
    assert '<a href="/tasks/anything">Anything</a>' in answer.text
    # What was sent is shown all the same, so that a wrong file can be told.
    assert "What the model saw." in text


@pytest.mark.parametrize(
    ("task", "content", "outcome", "word"),
    [
        ("chest", DISC, "finding", "Finding"),
        ("chest", SQUARE, "uncertain", "Uncertain"),
        ("pills", DISC, "uncertain", "Uncertain"),
        ("chest", encode(noise()), "not_applicable", "Not this kind of image"),
    ],
)
def test_json_page_and_card_agree_on_the_words(
    wary: TestClient, task: str, content: bytes, outcome: str, word: str
) -> None:
    told = wary.post(f"/api/v1/tasks/{task}/predictions", files={"image": content}).json()
    assert told["predictions"][0]["outcome"] == outcome
    assert word in main_of(ask(wary, task, content))
    card = text_of(wary.get(f"/tasks/{task}/card").text)
    assert word in card.partition("What the answers mean")[2]


# ---------------------------------------------------------------- how it was decided


def test_the_points_that_decided_stand_with_what_they_were_measured_at(wary: TestClient) -> None:
    text = section(ask(wary, "chest"), "decided")
    assert "By the probability of Ill: from the upper threshold on the answer is positive" in text
    assert "Rule-out 0.250 98.0 % 95.0 % to 100 % 80.0 % 77.0 % to 83.0 %" in text
    assert "Rule-in 0.970 70.0 %" in text
    assert "answer is right" not in text
    assert "Of 100 people" not in text
    one = section(ask(wary, "chest", SQUARE, operating_point="balanced"), "decided")
    assert "Balanced 0.500 90.0 %" in one
    assert "Rule-out" not in one


@pytest.mark.parametrize(
    ("content", "point", "percent", "said"),
    [
        # 18 of 1000 are found and 98 more are not ill.
        (
            SQUARE,
            "balanced",
            "2",
            "Where 2.0 % of the people asked about have it: Of 100 people with this answer, about 16 have",
        ),
        # 10 of 1000 are missed and 400 are rightly left alone.
        (
            DISC,
            "",
            "50",
            "Where 50.0 % of the people asked about have it: Of 100 people with this answer, about 2 have",
        ),
        (DISC, "", "0.1", "fewer than 1 has"),
    ],
)
def test_at_a_prevalence_the_answer_is_counted_in_people(
    wary: TestClient, content: bytes, point: str, percent: str, said: str
) -> None:
    answer = ask(wary, "chest", content, operating_point=point, prevalence_percent=percent)
    text = section(answer, "decided")
    assert said in text
    assert ("all the same." in text) == (content is DISC)
    assert "A positive answer is right A negative answer is right" in text


def test_an_uncertain_answer_is_worth_nothing_in_people(wary: TestClient) -> None:
    text = section(ask(wary, "chest", SQUARE, prevalence_percent="10"), "decided")
    assert "Of 100 people" not in text
    assert "A positive answer is right" in text


# ---------------------------------------------------------------- where it looked


def test_the_map_stands_beside_the_picture_with_its_caveat(wary: TestClient) -> None:
    answer = ask(wary, "chest", saliency="true")
    picture, overlay = Outline(answer.text).of("img")[-2:]
    assert picture["src"] is not None
    assert picture["src"].startswith("data:image/jpeg;base64,")
    kind, _, encoded = (overlay["src"] or "").partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as seen:
        assert seen.size == (EDGE, EDGE)
    assert overlay["alt"] == "The same image with the places marked that raised the score of Healthy"
    assert SALIENCY_CAVEAT in main_of(answer)
    plain = ask(wary, "chest")
    assert plain.context["map"] is None
    assert "Grad-CAM" not in plain.text


# ---------------------------------------------------------------- facts


def test_the_facts_of_a_finding_are_there_to_be_compared_with_the_packaging(wary: TestClient) -> None:
    answer = ask(wary, "pills", hint="disc")
    text = section(answer, "compare")
    for said in (
        "Please confirm the name by the packaging or the imprint",
        "Product Disc <Forte>, the tablet.",
        "Active ingredients Chalk 500 mg Ink 1 mg",
        "What it is for Drawing.",
        "Form Tablet of 501 mg.",
        "Warnings Not to be eaten.",
        "Notes Where the packaging says otherwise",
        "Checked 3 February 2026",
    ):
        assert said in text
    (source,) = [link for link in Outline(answer.text).of("a") if (link["href"] or "").startswith("https:")]
    assert source == {"href": "https://example.org/leaflet?of=disc&page=1", "rel": "noreferrer noopener"}
    assert "Disc &lt;Forte&gt;" in answer.text
    assert "<details>" not in answer.text.partition('id="compare"')[2].partition("<h2")[0]


def test_the_facts_of_what_stays_open_are_folded_away(wary: TestClient) -> None:
    answer = ask(wary, "pills")
    folded = re.findall(r"<details>\s*<summary>(\w+)</summary>", answer.text)
    assert folded == [left.title for left in answer.context["open"]]
    assert sorted(folded) == sorted(label.title() for label in SHAPES)
    assert "<details open" not in answer.text


def test_what_is_known_of_no_fact_is_not_compared(wary: TestClient) -> None:
    assert "Compare with the packaging" not in ask(wary, "chest").text


# ---------------------------------------------------------------- what was asked


def test_what_a_person_wrote_is_not_repeated(wary: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    answer = ask(wary, "pills", hint="<b>jane-doe-1961</b>", saliency="true")
    assert "jane-doe" not in answer.text + caplog.text
    assert "The hint names none of the labels" in main_of(answer)
    assert answer.context["curl"].startswith("curl -F image=@image.jpg -F saliency=true -F hint=HINT http")


def test_the_command_asks_what_the_page_asked(wary: TestClient) -> None:
    answer = ask(wary, "chest", operating_point="rule_in", prevalence_percent="12.3", frame="1")
    fields = dict(re.findall(r"-F (\w+)=(\S+)", answer.context["curl"]))
    assert fields == {"image": "@image.jpg", "operating_point": "rule_in", "prevalence": "0.123", "frame": "1"}
    del fields["image"]
    url = answer.context["curl"].rpartition(" ")[2].removeprefix("http://testserver")
    told = wary.post(url, data=fields, files={"image": DISC}).json()
    assert (told["prevalence"], told["operating_points"][0]["name"]) == (0.123, "rule_in")


@pytest.mark.parametrize(
    ("name", "value"),
    [("prevalence_percent", "0"), ("prevalence_percent", "100"), ("frame", "-1"), ("operating_point", "any")],
)
def test_a_field_that_makes_no_sense_is_a_page_that_says_so(wary: TestClient, name: str, value: str) -> None:
    answer: Any = wary.post("/tasks/chest", data={name: value}, files={"image": DISC}, headers=BROWSER)
    assert answer.status_code == 400
    assert answer.template.name == "error.html"
    assert f"form.{name}: Input should be" in text_of(answer.text)
    assert 'href="/tasks/chest">Back to the task</a>' in answer.text

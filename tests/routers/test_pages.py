import base64
import contextlib
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import pytest
from jinja2 import StrictUndefined, UndefinedError, meta
from PIL import Image
from starlette.requests import Request
from starlette.testclient import TestClient

from main import create_app
from routers import wording
from routers.cardpage import CardPage
from routers.contexts import IndexPage, ModelsPage, Page, TaskPage
from routers.pages import renderer
from routers.problems import TABLE, Problem, templates
from routers.resultpage import ResultPage
from routers.wording import FILTERS
from services.inference import Predictor
from services.settings import Settings
from tests.bundles import SHAPES, draw, draw_together, encode, publish_tiny, write_task
from tests.routers.reading import BROWSER, Outline, get, send, text_of

PATHS: dict[type[Page], str] = {
    IndexPage: "/",
    TaskPage: "/tasks/shapes",
    CardPage: "/tasks/shapes/card",
    ModelsPage: "/models",
}


@contextlib.contextmanager
def started(settings: Settings, **options: Any) -> Iterator[TestClient]:
    """A service that has looked at its whole store; unlike `client`, not all of it need be ready."""
    with TestClient(create_app(settings), **options) as client:
        deadline = time.monotonic() + 60
        while _loading(client.get("/readyz").json()["missing"]):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield client


def _loading(missing: dict[str, str]) -> bool:
    return "shapes" in missing or any(" being " in reason for reason in missing.values())


# ---------------------------------------------------------------- templates and what they receive


@pytest.mark.parametrize("page", get_args(Page))
def test_each_page_receives_exactly_the_fields_of_its_context(client: TestClient, page: type[Page]) -> None:
    answer = send(client, encode(draw(0))) if page is ResultPage else get(client, PATHS[page])
    assert answer.status_code == 200
    assert answer.template.name == page.template
    assert set(answer.context) == {field.name for field in fields(page)} | {"request"}


@pytest.mark.parametrize("page", get_args(Page))
def test_each_template_asks_for_exactly_the_fields_of_its_context(page: type[Page]) -> None:
    assert asked_for(page.template) - {"request"} == {field.name for field in fields(page)}


def test_the_error_page_asks_for_the_problem_alone() -> None:
    assert asked_for("error.html") == {"request", "problem"}


def asked_for(template: str) -> set[str]:
    """The names that a template, its base and its parts take from the context."""
    environment = templates().env
    environment.filters.update(FILTERS)
    assert environment.loader is not None
    source, _, _ = environment.loader.get_source(environment, template)
    tree = environment.parse(source)
    names = set(meta.find_undeclared_variables(tree))
    for other in meta.find_referenced_templates(tree):
        assert other is not None
        names |= asked_for(other)
    return names


def test_a_missing_name_is_an_error_and_not_an_empty_place(client: TestClient) -> None:
    context = get(client, "/").context
    pages = templates()
    assert pages.env.undefined is StrictUndefined
    with pytest.raises(UndefinedError, match="problem"):
        pages.TemplateResponse(context["request"], "error.html", {})


# ---------------------------------------------------------------- every page


@pytest.fixture(params=["/", "/tasks/shapes", "/tasks/shapes/card", "/models", "/tasks/none", "POST"])
def html(request: pytest.FixtureRequest, client: TestClient) -> str:
    answer = send(client, encode(draw(0))) if request.param == "POST" else get(client, request.param)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    text: str = answer.text
    return text


def test_a_page_obeys_its_own_security_policy(html: str) -> None:
    outline = Outline(html)
    assert outline.inline == ""
    assert not outline.of("style")
    for tag, attributes in outline.tags:
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "action"):
            address = attributes.get(name) or "/"
            assert address.startswith(("/", "#", "data:image/jpeg;base64,")), address
            assert not address.startswith("//")


def test_a_page_reads_well_by_ear(html: str) -> None:
    outline = Outline(html)
    assert outline.levels[0] == 1
    assert outline.levels.count(1) == 1
    assert all(deeper - upper <= 1 for upper, deeper in zip(outline.levels, outline.levels[1:], strict=False))
    identities = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(identities) == len(set(identities))
    named = {
        attributes[key] for _, attributes in outline.tags for key in ("for", "aria-labelledby") if key in attributes
    }
    described = {name for _, each in outline.tags for name in (each.get("aria-describedby") or "").split()}
    assert named | described <= set(identities)
    assert all("alt" in image for image in outline.of("img"))
    assert outline.of("html") == [{"lang": "en"}]
    assert outline.of("a")[0] == {"class": "skip", "href": "#main"}


def test_a_page_leads_only_to_what_is_there(html: str, client: TestClient) -> None:
    links = {link["href"] for link in Outline(html).of("a") + Outline(html).of("link")} - {"#main"}
    assert {link for link in links if get(client, link or "").status_code != 200} == set()


# ---------------------------------------------------------------- the list of tasks


def test_the_list_shows_each_task_with_its_measured_accuracy(client: TestClient) -> None:
    text = text_of(get(client, "/").text)
    assert "Shapes" in text
    assert "Which shape was drawn." in text
    assert "drawing · 3 labels" in text
    assert "100 % correct on 72 test images" in text
    assert "95 % interval 95.0 % to 100 %" in text


def test_the_list_says_why_a_task_cannot_be_asked(settings: Settings) -> None:
    write_task(settings.model_store, "empty")
    broken = settings.model_store / "broken" / "task.toml"
    broken.parent.mkdir()
    broken.write_text("name = 3", "utf-8")
    with started(settings) as client:
        html = get(client, "/").text
        assert "The model store holds no version of it." in html
        assert "task.toml: " in html
        links = [link["href"] for link in Outline(html).of("a")]
        assert "/tasks/shapes" in links
        assert "/tasks/empty" not in links


def test_an_empty_store_is_told_in_words(settings: Settings, tmp_path: Path) -> None:
    with TestClient(create_app(settings.model_copy(update={"model_store": tmp_path / "nothing"}))) as client:
        assert "No task is installed." in get(client, "/").text


# ---------------------------------------------------------------- the form


def test_the_form_needs_no_script_and_tells_its_limits(client: TestClient) -> None:
    html = get(client, "/tasks/shapes").text
    outline = Outline(html)
    assert outline.of("form") == [{"method": "post", "enctype": "multipart/form-data", "data-upload": None}]
    field, *others = outline.of("input")
    assert [other["name"] for other in others] == ["saliency"]
    assert field["accept"] == "image/jpeg,image/png,image/webp,image/bmp,image/tiff"
    assert field["data-max-bytes"] == str(2**20)
    assert {"name": "image", "type": "file"}.items() <= field.items()
    assert [button["type"] for button in outline.of("button")] == ["submit"]
    text = text_of(html)
    assert "JPEG, PNG, WebP, BMP or TIFF; one still image, at most 1 MiB and 4 million pixels ." in text
    for said in ("A drawing for tests; means nothing.", "Tests.", "Anything but tests.", "A drawn disc."):
        assert said in text


def test_an_example_is_offered_where_there_is_one(settings: Settings) -> None:
    with started(settings) as client:
        assert "/example" not in get(client, "/tasks/shapes").text
        assert client.get("/tasks/shapes/example", headers={"accept": "text/html"}).status_code == 404
        (settings.model_store / "shapes" / "example.png").write_bytes(encode(draw(0)))
        assert 'href="/tasks/shapes/example"' in get(client, "/tasks/shapes").text
        shown = get(client, "/tasks/shapes/example").text
        assert "Disc" in shown
        assert "example.png (the example)" in shown


# ---------------------------------------------------------------- the answer


@pytest.mark.parametrize("number", range(3))
def test_the_answer_is_the_finding_before_everything_else(client: TestClient, number: int) -> None:
    answer = send(client, encode(draw(number)))
    page, text = answer.context, text_of(answer.text.partition("<main")[2])
    (found,) = page["found"]
    assert found.label == SHAPES[number]
    assert page["bars"][0].label == SHAPES[number]
    assert sorted(bar.label for bar in page["bars"]) == sorted(SHAPES)
    said = [
        f"Shapes · Finding {SHAPES[number].title()}",
        "(calibrated)",
        f"A drawn {SHAPES[number]}.",
        "means nothing.",
    ]
    places = [text.index(part) for part in said]
    assert places == sorted(places)
    assert 'class="warning"' in answer.text


def test_the_answer_tells_model_measure_limits_and_how_to_ask_by_program(client: TestClient) -> None:
    answer = send(client, encode(draw(0)))
    digest = client.get("/api/v1/models").json()["models"][0]["digest"]
    text = text_of(answer.text)
    for said in (
        f"version 1, {digest[:19]}",
        "100 % 95 % interval 95.0 % to 100 %",
        "72 test images that the model never saw. The images were split one by one",
        "Drawn by code; no real image was seen.",
        answer.headers["x-request-id"],
        "curl -F image=@image.jpg http://testserver/api/v1/tasks/shapes/predictions",
    ):
        assert said in text
    assert digest in answer.text


def test_the_answer_shows_what_the_model_saw(client: TestClient) -> None:
    answer = send(client, encode(draw(0)))
    _, _, encoded = answer.context["picture"].source.partition("base64,")
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (32, 32))
    assert "The whole image, scaled to fit 32 \N{MULTIPLICATION SIGN} 32 pixels" in answer.text


def test_the_page_and_the_api_say_the_same(client: TestClient) -> None:
    content = encode(draw(2))
    shown = send(client, content).context
    (told,) = client.post("/api/v1/tasks/shapes/predictions", files={"image": content}).json()["predictions"]
    assert [(bar.label, bar.probability) for bar in shown["bars"]] == [
        (each["label"], each["probability"]) for each in told["probabilities"]
    ]


def test_notes_on_the_image_are_shown(client: TestClient) -> None:
    deep = io.BytesIO()
    Image.fromarray(draw(0)[..., 0].astype("uint16") * 16).save(deep, "PNG")
    answer = send(client, deep.getvalue())
    assert answer.context["notes"]
    assert answer.context["notes"][0] in text_of(answer.text)


def test_an_answer_without_a_finding_gives_the_reason(client: TestClient) -> None:
    context = {**send(client, encode(draw(0))).context}
    request = context.pop("request")
    page = replace(ResultPage(**context), found=(), outcome="not_applicable", reason="It is no drawing.", picture=None)
    html = bytes(renderer()(request, page).body).decode()
    assert "Not this kind of image</h1>" in html
    assert "It is no drawing." in html
    assert "(calibrated)" not in html


# ---------------------------------------------------------------- several labels


def shown(client: TestClient, task: str, *numbers: int) -> tuple[Any, str]:
    """The answer to a picture of some shapes: the page's context, and what stands in its main part."""
    answer = send(client, encode(draw_together(*numbers, seed=900)), task=task)
    assert answer.status_code == 200
    return answer.context, text_of(answer.text.partition("<main")[2])


def test_of_several_labels_the_page_shows_all_that_were_found(several: str, client: TestClient) -> None:
    page, text = shown(client, several, 0, 2)
    titles = [found.title for found in page["found"]]
    assert set(titles) == {"Disc", "Stripes"}
    assert [bar.title for bar in page["bars"] if bar.found] == titles
    assert f"Mixed · Finding {titles[0]} and {titles[1]} {titles[0]}" in text
    for found in page["found"]:
        assert f"{found.title} {wording.probability(found.probability)} (calibrated) Of 100 such answers for" in text
        assert found.explanation in text
    assert "A drawn square." not in text
    assert "No other label" not in text
    assert "An image may have several of these labels, or none" in text
    assert "they do not add up to 100 %" in text


def test_one_of_several_labels_is_shown_like_a_finding_and_the_others_are_ruled_out(
    several: str, client: TestClient
) -> None:
    page, text = shown(client, several, 1)
    (found,) = page["found"]
    assert found.title == "Square"
    assert (
        f"Mixed · Finding Square {wording.probability(found.probability)} (calibrated) Of 100 such answers for this"
        in text
    )
    assert "A drawn square. No other label reached a probability of one half." in text


def test_where_no_label_was_found_the_page_says_so(several: str, client: TestClient) -> None:
    page, text = shown(client, several)
    assert page["found"] == ()
    assert "Mixed Uncertain No label reached a probability of one half." in text
    assert "(calibrated)" not in text
    assert not any(bar.found for bar in page["bars"])
    assert len(page["bars"]) == 3


def test_no_bar_leads_where_nothing_was_found(several: str, client: TestClient) -> None:
    leading = [
        send(client, encode(draw_together(*numbers, seed=900)), task=several).text.count('<tr class="leading">')
        for numbers in ((), (1,), (0, 2))
    ]
    assert leading == [0, 1, 2]


def test_one_label_per_image_is_worded_as_before(several: str, client: TestClient) -> None:
    _, text = shown(client, "shapes", 0)
    for said in ("for this label", "No other label", "several", "every label of an image", "add up"):
        assert said not in text
    for path, said in {
        "/": "100 % with every label right on 72 test images",
        f"/tasks/{several}": "Measured accuracy, every label of an image right 100 %",
        f"/tasks/{several}/card": "it counts as right in the accuracy only if every one of its labels is.",
    }.items():
        assert said in text_of(get(client, path).text)
    assert "3 labels that it can name, of which an image may have several" in get(client, f"/tasks/{several}").text
    assert "one for each label by itself" in get(client, f"/tasks/{several}/card").text
    assert "What was taken for what" not in get(client, f"/tasks/{several}/card").text


# ---------------------------------------------------------------- what was sent


def test_nothing_that_was_sent_is_kept_or_logged(
    client: TestClient, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for content in (encode(draw(0)), b"no image"):
        send(client, content, name="jane-doe-1961.png")
    assert list(settings.uploads.iterdir()) == []
    assert "jane-doe" not in caplog.text


def test_the_upload_is_gone_also_when_inference_fails(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        assert len(list(settings.uploads.iterdir())) == 1
        message = "a secret of the machine"
        raise ZeroDivisionError(message)

    with started(settings, raise_server_exceptions=False) as client:
        monkeypatch.setattr(Predictor, "predict", fail)
        answer = send(client, encode(draw(0)))
    assert answer.status_code == 500
    assert answer.template.name == "error.html"
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert list(settings.uploads.iterdir()) == []
    assert "a secret of the machine" in caplog.text


# ---------------------------------------------------------------- what others wrote is text


def test_what_others_wrote_is_shown_and_never_run(settings: Settings) -> None:
    attack = "<script>alert(1)</script>"
    labels = (attack, "square", "stripes")
    publish_tiny(settings.model_store, "hostile", labels=labels)
    escaped = "&lt;script&gt;alert(1)&lt;/script&gt;"
    with started(settings) as client:
        answer = send(client, encode(draw(0)), name=f"{attack}.png", task="hostile")
        assert answer.context["found"][0].label == attack
        assert answer.context["filename"] == f"{attack}.png"
        assert answer.text.count(escaped.replace("script", "Script").replace("alert", "Alert")) >= 2
        assert f"{escaped}.png" in answer.text
        for html in (answer.text, get(client, "/tasks/hostile").text, get(client, "/tasks/hostile/card").text):
            assert attack.casefold() not in html.casefold()
            assert Outline(html).inline == ""


def test_an_address_that_does_not_exist_cannot_write_into_the_page(client: TestClient) -> None:
    html = get(client, "/tasks/%22%3E%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script>alert" not in html


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("contents", "status", "said"),
    [
        ((b"",), 415, "The file is empty."),
        ((b"just text",), 415, "This is not a JPEG"),
        ((encode(draw(0))[:200],), 422, "damaged or incomplete"),
        ((b"\xff" * (2**20 + 1),), 413, "larger than 1 MiB"),
        ((encode(draw(0)), encode(draw(1))), 400, "one image at a time"),
    ],
)
def test_a_refusal_is_a_page_that_says_what_to_do(
    client: TestClient, contents: tuple[bytes, ...], status: int, said: str
) -> None:
    answer = send(client, *contents)
    assert answer.status_code == status
    assert answer.template.name == "error.html"
    assert said in text_of(answer.text)
    assert "What to do." in answer.text
    assert 'href="/tasks/shapes">Back to the task</a>' in answer.text


def test_sending_no_file_asks_for_one(client: TestClient) -> None:
    # What a browser sends when nothing was chosen.
    body = b'--b\r\nContent-Disposition: form-data; name="image"; filename=""\r\n\r\n\r\n--b--\r\n'
    headers = {**BROWSER, "content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/tasks/shapes", content=body, headers=headers)
    assert answer.status_code == 400
    assert "Choose an image first" in answer.text


def test_an_unknown_task_leads_to_the_list(client: TestClient) -> None:
    for path in ("/tasks/none", "/tasks/none/card"):
        answer = get(client, path)
        assert answer.status_code == 404
        assert "Back to the task" not in answer.text
        assert '<a class="button" href="/">All tasks</a>' in answer.text


def test_a_task_without_a_model_says_when_to_try_again(settings: Settings) -> None:
    write_task(settings.model_store, "empty")
    with started(settings) as client:
        answer = get(client, "/tasks/empty")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert 'href="/tasks/empty">Try again</a>' in answer.text


@pytest.mark.parametrize("slug", sorted({slug for _, slug, _ in TABLE.values()}))
def test_every_problem_has_its_own_advice(slug: str) -> None:
    problem = Problem(f"/problems/{slug}", "Title", 400, "Detail.", "0123456789abcdef")
    request = Request({"type": "http", "method": "GET", "path": "/tasks/shapes", "query_string": b"", "headers": []})
    html = bytes(templates().TemplateResponse(request, "error.html", {"problem": problem}).body).decode()
    assert "Start again from the list of tasks." not in html


# ---------------------------------------------------------------- the card and the models


def test_the_card_holds_every_figure_of_the_manifest(settings: Settings) -> None:
    manifest = publish_tiny(settings.model_store, "cards", temperature=1.7)
    with started(settings) as client:
        answer = get(client, "/tasks/cards/card")
    text, training = text_of(answer.text), manifest.origin
    assert training.kind == "training"
    assert "Model card, version 1" in text
    assert "Temperature 1.7000" in text
    for said in (training.data, training.data_licence, training.initial_weights, training.device, training.software):
        assert said in text
    for digest in (manifest.weights.sha256, training.index_sha256):
        assert digest in text
    for label in SHAPES:
        assert (
            f"{label.title()} 24 100 % 91.0 % to 100 % 100 % 92.0 % to 100 % 100 % 93.0 % to 100 % "
            "1.0000 0.9400 to 1.0000 1.0000 0.9600 to 1.0000 1.0000 0.9700 to 1.0000"
        ) in text
    assert "Label Images Precision Recall Specificity F1 ROC AUC Average precision" in text
    assert "drawn 72 72 100 % 95.0 % to 100 % 100 % 94.0 % to 100 %" in text
    assert "Architecture convnet, blocks of 16, 32, 64, 128 filters Started from" in text
    assert "Training 72 72 Validation 72 72 Test 72 72" in text
    assert "Disc 24 0 0 Square 0 24 0 Stripes 0 0 24" in text
    assert "Halving the weights changed 0 of 72 validation answers" in text
    assert 'task = "shapes"' in text.replace("&#34;", '"')


def test_the_card_leaves_a_dash_where_nothing_was_measured(settings: Settings) -> None:
    evaluation = publish_tiny(settings.model_store, "first").evaluation
    label = evaluation.per_label[0].model_copy(update={"precision": None, "roc_auc": None})
    source = evaluation.per_source[0].model_copy(update={"balanced_accuracy": None})
    fewer = {"per_label": (label, *evaluation.per_label[1:]), "per_source": (source,)}
    publish_tiny(settings.model_store, "second", changes={"evaluation": evaluation.model_copy(update=fewer)})
    with started(settings) as client:
        text = text_of(get(client, "/tasks/second/card").text)
    assert (
        "Disc 24 \N{EN DASH} 100 % 92.0 % to 100 % 100 % 93.0 % to 100 % 1.0000 0.9400 to 1.0000 \N{EN DASH} 1.0"
        in text
    )
    assert "drawn 72 72 100 % 95.0 % to 100 % \N{EN DASH}" in text


def test_the_card_says_what_nobody_knows_of_imported_weights(settings: Settings) -> None:
    origin = publish_tiny(settings.model_store, "bought", imported=True).origin
    assert origin.kind == "import"
    with started(settings) as client:
        card = text_of(get(client, "/tasks/bought/card").text)
        pages = [card, *(text_of(get(client, path).text) for path in ("/tasks/bought", "/"))]
    for said in (
        f"taken over from the file legacy.h5 ( sha256:{origin.file_sha256} )",
        "Nobody knows to which images they were fitted, so the test images may have been among them",
        "Data that it was measured on drawn by code",
        "Part Images Groups Validation 72 72 Test 72 72",
        "Architecture imported graph of 11 layers Imported from legacy.h5",
    ):
        assert said in card
    for said in ("Started from", "epochs in", "The recipe", "Training data"):
        assert said not in card
    assert "72 test images. The weights were fitted elsewhere, and nobody knows to which images" in pages[1]
    # The other task's model has never seen its test images, and says so.
    assert pages[2].count("which the model may have seen") == 1
    assert not any("the model never saw. The images were split" in page for page in pages)


def test_the_calibration_error_is_shown_where_it_was_measured(settings: Settings) -> None:
    evaluation = publish_tiny(settings.model_store, "first").evaluation
    accuracy = evaluation.metrics[0]
    more = [
        accuracy.model_copy(update={"name": "ece_uncalibrated", "value": 0.05, "low": 0.04, "high": 0.06}),
        accuracy.model_copy(update={"name": "expected_calibration_error", "value": 0.01, "low": 0.005, "high": 0.02}),
    ]
    richer = evaluation.model_copy(update={"metrics": (accuracy, *more)})
    publish_tiny(settings.model_store, "second", changes={"evaluation": richer})
    with started(settings) as client:
        text = text_of(get(client, "/tasks/second/card").text.partition('id="calibration"')[2])
        assert "Calibration error before calibration 0.0500 95 % interval 0.0400 to 0.0600" in text
        assert "Calibration error (ECE) 0.0100" in text
        assert "Calibration error" not in get(client, "/tasks/first/card").text


def test_the_models_page_tells_each_version_and_why(settings: Settings, drop: Callable[[int], Path]) -> None:
    (drop(2) / "model.weights.h5").write_bytes(b"torn")
    write_task(settings.model_store, "empty")
    with started(settings) as client:
        text = text_of(get(client, "/models").text)
        states = {each["version"]: each for each in client.get("/api/v1/models").json()["models"]}
    assert "Version 1 live since" in text
    assert states[1]["digest"][:19] in text
    assert "Version 2 quarantined since" in text
    assert states[2]["reason"] in text
    assert "empty : the model store holds no version of it" in text

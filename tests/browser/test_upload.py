from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.chromium import Tab
from tests.bundles import draw, encode

SHOWN = "!document.querySelector('[data-preview]').hidden && document.querySelector('[data-preview]').naturalWidth > 0"
HIDDEN = "document.querySelector('[data-preview]').hidden"
BUTTON = "button[type=submit]"
ENTER, TAB = 13, 9


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Put a file where the browser's user finds it."""

    def writing(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return writing


@pytest.fixture
def form(tab: Tab, server: str) -> Tab:
    """A tab that shows the form."""
    tab.open(f"{server}/tasks/shapes")
    return tab


@pytest.fixture
def plain(tab: Tab, server: str) -> Tab:
    """The same in a browser that runs no script."""
    tab.scripts(allowed=False)
    tab.open(f"{server}/tasks/shapes")
    return tab


Write = Callable[[str, bytes], Path]


# ---------------------------------------------------------------- with a script


@pytest.mark.parametrize("target", ["[data-zone]", "h1"])
def test_a_file_dropped_on_the_zone_or_beside_it_is_shown_and_answered(form: Tab, write: Write, target: str) -> None:
    form.drag(target, write("square.png", encode(draw(1))))
    form.until(SHOWN)
    assert form.evaluate("document.querySelector('[data-preview]').naturalWidth") == 48
    assert form.text("[data-status]").startswith("square.png, ")
    with form.loading():
        form.click(BUTTON)
    assert form.text("h1") == "Square"
    assert "square.png" in form.text("main")
    assert form.complaints == []


def test_the_zone_lights_up_only_while_a_file_is_over_it(form: Tab, write: Write) -> None:
    file = write("square.png", encode(draw(1)))
    lit = "document.querySelector('[data-zone]').classList.contains('over')"
    form.drag("[data-zone]", file, kinds=("dragEnter", "dragOver"))
    assert form.evaluate(lit)
    form.drag("h1", file, kinds=("dragOver",))
    assert form.evaluate(lit)
    # The protocol tells no page that the pointer left the window.
    form.evaluate("document.querySelector('h1').dispatchEvent(new DragEvent('dragleave', { bubbles: true }))")
    assert not form.evaluate(lit)


def test_of_several_dropped_files_the_first_is_taken_and_that_is_said(form: Tab, write: Write) -> None:
    form.drag("[data-zone]", write("one.png", encode(draw(0))), write("two.png", encode(draw(1))))
    form.until(SHOWN)
    assert "Only the first of 2 files was taken." in form.text("[data-status]")
    assert form.evaluate("document.querySelector('input').files.length") == 1


def test_an_image_can_be_pasted(form: Tab) -> None:
    form.evaluate(
        """(() => {
          const canvas = new OffscreenCanvas(20, 10);
          canvas.getContext("2d").fillRect(0, 0, 9, 9);
          return canvas.convertToBlob().then((blob) => {
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([blob], "pasted.png", { type: "image/png" }));
            document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
          });
        })()"""
    )
    form.until(SHOWN)
    assert form.text("[data-status]").startswith("pasted.png, ")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"\0" * (2**20 + 1), "This file has 1.1 MiB; at most 1 MiB are accepted."), (b"", "This file is empty.")],
)
def test_a_file_that_would_be_refused_is_not_sent(form: Tab, write: Write, content: bytes, complaint: str) -> None:
    form.choose("#image", write("bad.png", content))
    form.until("document.querySelector('[data-status]').textContent")
    assert form.text("[data-status]") == complaint
    assert form.evaluate(HIDDEN)
    form.click(BUTTON)
    assert form.evaluate("location.pathname + document.querySelector('h1').textContent") == "/tasks/shapesShapes"
    assert form.text(BUTTON) == "Get the answer"
    form.choose("#image", write("good.png", encode(draw(0))))
    form.until(SHOWN)
    with form.loading():
        form.click(BUTTON)
    assert form.text("h1") == "Disc"


def test_a_type_that_the_browser_cannot_show_can_still_be_sent(form: Tab, write: Write) -> None:
    form.choose("#image", write("scan.tiff", encode(draw(2), "TIFF")))
    form.until("document.querySelector('[data-status]').textContent.includes('cannot show it, but it can be sent')")
    assert form.evaluate(HIDDEN)
    with form.loading():
        form.click(BUTTON)
    assert form.text("h1") == "Stripes"


def test_no_picture_stays_in_memory_after_its_preview(form: Tab, write: Write) -> None:
    form.evaluate(
        """(() => {
          window.made = []; window.freed = [];
          const make = URL.createObjectURL, free = URL.revokeObjectURL;
          URL.createObjectURL = (file) => { const url = make.call(URL, file); made.push(url); return url; };
          URL.revokeObjectURL = (url) => { freed.push(url); free.call(URL, url); };
        })()"""
    )
    for number in range(3):
        form.choose("#image", write(f"{number}.png", encode(draw(number))))
        form.until(f"made.length === {number + 1} && {SHOWN} && freed.length === {number + 1}")
    assert form.evaluate("String(made) === String(freed)")


def test_the_button_says_that_it_works_and_is_itself_again_on_the_way_back(form: Tab, write: Write) -> None:
    form.choose("#image", write("disc.png", encode(draw(0))))
    form.until(SHOWN)
    # Stop the submission where it would leave the page, to look at the moment before.
    form.evaluate("addEventListener('submit', (event) => event.preventDefault(), { once: true })")
    form.click(BUTTON)
    form.until("document.querySelector('button').disabled")
    assert form.text(BUTTON) == "Working…"
    assert form.text("[data-status]") == "The image is being sent and answered."
    form.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    assert not form.evaluate("document.querySelector('button').disabled")
    assert form.text(BUTTON) == "Get the answer"
    with form.loading():
        form.click(BUTTON)
    assert form.text("h1") == "Disc"
    form.evaluate("history.back()")
    form.until("document.readyState === 'complete' && document.querySelector('button') !== null")
    form.until("document.querySelector('button').textContent === 'Get the answer'")
    assert not form.evaluate("document.querySelector('button').disabled")


def test_the_keyboard_alone_reaches_everything(form: Tab) -> None:
    form.press("Tab", TAB)
    assert form.text(":focus") == "Skip to the content"
    assert form.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    form.press("Enter", ENTER, "\r")
    form.until("document.activeElement.id === 'main'")
    reached = []
    for _ in range(5):
        form.press("Tab", TAB)
        reached.append(form.evaluate("document.activeElement.localName"))
        assert form.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached == ["input", "input", "button", "a", "summary"]
    form.press("Enter", ENTER, "\r")
    form.until("document.querySelector('details').open")


def test_a_screen_reader_hears_the_names_of_field_button_and_status(form: Tab) -> None:
    form.call("Accessibility.enable")
    nodes = form.call("Accessibility.getFullAXTree")["nodes"]
    heard = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if "role" in node}
    assert ("button", "Get the answer") in heard
    assert ("heading", "Send an image") in heard
    assert "status" in {role for role, _ in heard}
    assert any("Image file" in name for role, name in heard if role == "button")


# ---------------------------------------------------------------- without a script


def test_without_a_script_an_image_is_answered_all_the_same(plain: Tab, write: Write) -> None:
    assert "drop the file" not in plain.text("main")
    plain.choose("#image", write("stripes.png", encode(draw(2))))
    with plain.loading():
        plain.click(BUTTON)
    assert plain.text("h1") == "Stripes"
    with plain.loading():
        plain.click("a.button")
    assert plain.text("h1") == "Shapes"


def test_without_a_script_the_browser_asks_for_a_file(plain: Tab) -> None:
    plain.click(BUTTON)
    assert plain.text("h1") == "Shapes"
    assert plain.evaluate("document.querySelector('input').validity.valueMissing")


@pytest.mark.parametrize(
    ("size", "said"), [(2**20 + 1, "larger than 1 MiB"), (5 * 2**20, "larger than 4 MiB"), (200, "not a JPEG")]
)
def test_without_a_script_a_refusal_is_a_page(plain: Tab, write: Write, size: int, said: str) -> None:
    plain.choose("#image", write("bad.png", b"x" * size))
    with plain.loading():
        plain.click(BUTTON)
    assert said in plain.text("main")
    with plain.loading():
        plain.click("a.button")
    assert plain.text("h1") == "Shapes"

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import Tab
from tests.bundles import draw, draw_together, encode, publish_tiny

LONG = ("supercalifragilistic-" * 3 + "x", "Aluminium hydroxide with simeticone", "c", *"defghijkl")
PATHS = ("/", "/tasks/shapes", "/tasks/long/card", "/tasks/bought/card", "/models", "/tasks/none", "result", "several")

# WCAG 2.2, 1.4.3: relative luminance and contrast of each text with what is painted behind it.
POOR_CONTRAST = """(() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).slice(0, 3).map((c) => {
      c /= 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      const alpha = channels(colour)[3];
      if (alpha === undefined || alpha === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility({ visibilityProperty: true })) continue;
    const style = getComputedStyle(element);
    const [dark, light] = [luminance(style.color), luminance(behind(element))].sort((a, b) => a - b);
    const ratio = (light + 0.05) / (dark + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 600);
    if (ratio < (large ? 3 : 4.5)) poor.push(`${ratio.toFixed(2)} ${text}`);
  }
  return poor;
})()"""


@pytest.fixture
def show(tab: Tab, server: str, tmp_path: Path) -> Callable[[str], Tab]:
    """Go to a page; "result" and "several" are those that a form leads to, with one finding and with two."""
    image = tmp_path / f"{'a-very-long-name-' * 6}.png"

    def showing(path: str) -> Tab:
        if path.startswith("/"):
            tab.open(server + path)
            return tab
        image.write_bytes(encode(draw(0) if path == "result" else draw_together(0, 2, seed=900)))
        tab.open(f"{server}/tasks/{'long' if path == 'result' else 'mixed'}")
        tab.choose("#image", image)
        # The preview moves the button down when it comes.
        tab.until("document.querySelector('[data-preview]').naturalWidth > 0")
        with tab.loading():
            tab.click("button[type=submit]")
        return tab

    return showing


@pytest.fixture
def store(store: Path, mixed: Path) -> Path:
    """The usual store with tasks of many and long labels, of several labels per image, and of imported weights."""
    publish_tiny(store, "long", labels=LONG)
    publish_tiny(store, "bought", seed=1, imported=True)
    shutil.copytree(mixed / "mixed", store / "mixed")
    return store


Show = Callable[[str], Any]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_fits_is_legible_and_obeys_its_policy(tab: Tab, show: Show, width: int, scheme: str) -> None:
    tab.screen(width, 800, scheme=scheme)
    for path in PATHS:
        show(path)
        assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        assert tab.evaluate(POOR_CONTRAST) == [], path
        allowed = "the server responded with a status of 404" if path == "/tasks/none" else None
        assert [text for text in tab.complaints if allowed is None or allowed not in text] == [], path


@pytest.mark.parametrize("path", ["result", "several"])
def test_the_finding_is_the_largest_text_and_all_of_it_is_on_a_phones_first_screen(
    tab: Tab, show: Show, path: str
) -> None:
    tab.screen(360, 740)
    show(path)
    sizes = tab.evaluate(
        "[...document.querySelectorAll('main *')].map((e) => [getComputedStyle(e).fontSize, e.localName])"
    )
    assert max(sizes, key=lambda pair: float(pair[0].removesuffix("px")))[1] == "h1"
    for part in ("h1", ".probability", ".warning"):
        lowest = f"Math.max(...[...document.querySelectorAll('{part}')].map((e) => e.getBoundingClientRect().bottom))"
        assert tab.evaluate(lowest) < 740, part


def test_labels_stay_in_sight_while_a_phone_draws_their_figures_past_them(tab: Tab, show: Show) -> None:
    tab.screen(360, 740)
    show("/tasks/long/card")
    table = "document.querySelector('.data.wide')"
    left = f"{table}.querySelector('tbody th').getBoundingClientRect().left"
    before = tab.evaluate(left)
    assert tab.evaluate(f"{table}.parentElement.scrollWidth > 2 * {table}.parentElement.clientWidth")
    tab.evaluate(f"{table}.parentElement.scrollLeft = 200")
    assert tab.evaluate(f"{table}.getBoundingClientRect().left") == pytest.approx(before - 200)
    assert tab.evaluate(left) == pytest.approx(before)


def test_bars_are_as_long_as_their_probabilities(tab: Tab, show: Show) -> None:
    show("result")
    shares = tab.evaluate(
        "[...document.querySelectorAll('.meter')].map((meter) => "
        "meter.querySelector('.level').getBoundingClientRect().width / meter.getBoundingClientRect().width)"
    )
    assert len(shares) == len(LONG)
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=0.01)


def test_a_printed_answer_leaves_out_what_paper_cannot_do(tab: Tab, show: Show) -> None:
    show("result")
    tab.screen(800, 1100, scheme="dark", medium="print")
    hidden = "nav, .skip, .actions, details"
    assert tab.evaluate(f"[...document.querySelectorAll('{hidden}')].every((e) => !e.checkVisibility())")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.evaluate("document.querySelector('.warning').checkVisibility()")

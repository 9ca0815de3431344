"""One browser for the whole run, a tab for each test."""

import shutil
from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium, Tab

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A running Chromium."""
    binary = next(filter(None, map(shutil.which, _NAMES)), None)
    if binary is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(_NAMES)} is on the path")
    with Chromium(binary, tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def tab(browser: Chromium) -> Iterator[Tab]:
    """A new tab of a desktop's size."""
    tab = browser.tab()
    tab.screen(1280, 900)
    yield tab
    tab.close()

"""A headless Chromium spoken to over two pipes in its own DevTools protocol; needs no package and opens no port.

with Chromium(binary, folder) as browser:
    tab = browser.tab()
    tab.open("http://127.0.0.1:8000/")
    tab.evaluate("document.title")
"""

import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import signal
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_SECONDS = 30.0
_ARGUMENTS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # pages of our own alone; a container's root has no sandbox
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


class Chromium:
    """One browser process with a profile of its own.

    Args:
        binary: the program.
        folder: for the profile and everything else that the process writes; must exist.
    """

    def __init__(self, binary: str, folder: Path) -> None:
        commands, self._commands = _high_pipe()
        self._answers, answers = _high_pipe()
        arguments = [binary, *_ARGUMENTS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
        quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
        pipes = [(os.POSIX_SPAWN_DUP2, commands, 3), (os.POSIX_SPAWN_DUP2, answers, 4)]
        environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder), "XDG_CONFIG_HOME": str(folder)}
        # The protocol wants its pipes on the descriptors 3 and 4, which subprocess cannot promise.
        self._process = os.posix_spawn(binary, arguments, environment, file_actions=[*quiet, *pipes], setpgroup=0)
        os.close(commands)
        os.close(answers)
        self._numbers = itertools.count(1)
        self._buffer = b""
        self.events: deque[dict[str, Any]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError, TimeoutError, RuntimeError):
            self.call("Browser.close")
        os.close(self._commands)
        os.close(self._answers)
        self._reap()

    def call(self, method: str, *, session: str | None = None, **parameters: Any) -> Any:
        """Give one command and return its result.

        Raises:
            RuntimeError: the browser refused it.
            TimeoutError: no answer in time.
        """
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters}
        if session is not None:
            command["sessionId"] = session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        deadline = time.monotonic() + _SECONDS
        while (message := self._receive(deadline)).get("id") != number:
            if "method" in message:
                self.events.append(message)
        if "error" in message:
            refusal = f"{method}: {message['error']['message']}"
            raise RuntimeError(refusal)
        return message["result"]

    def tab(self) -> "Tab":
        """Open a tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Tab(self, target, session)

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                message = "the browser gives no answer"
                raise TimeoutError(message)
            chunk = os.read(self._answers, 2**20)
            if not chunk:
                message = "the browser has ended"
                raise RuntimeError(message)
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\0")
        decoded: dict[str, Any] = json.loads(line)
        return decoded

    def _reap(self) -> None:
        deadline = time.monotonic() + _SECONDS
        while not (ended := os.waitpid(self._process, os.WNOHANG)[0]) and time.monotonic() < deadline:
            time.sleep(0.05)
        # What is left of its children ends with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process, signal.SIGKILL)
        if not ended:
            os.waitpid(self._process, 0)


class Tab:
    """One page of a browser; `complaints` holds what its console, its scripts and its security policy said."""

    def __init__(self, browser: Chromium, target: str, session: str) -> None:
        self._browser, self._target, self._session = browser, target, session
        for domain in ("Page", "Runtime", "Log", "DOM", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Give this tab a command."""
        return self._browser.call(method, session=self._session, **parameters)

    def close(self) -> None:
        """Close it."""
        self._browser.call("Target.closeTarget", targetId=self._target)

    def open(self, address: str) -> None:
        """Go to an address and wait until it is loaded."""
        with self.loading():
            self.call("Page.navigate", url=address)

    @contextlib.contextmanager
    def loading(self) -> Iterator[None]:
        """Wait, after the block, until the page that it caused is loaded."""
        self._browser.events.clear()
        yield
        self.until_event("Page.loadEventFired")

    def until_event(self, name: str) -> None:
        """Wait for an event of the protocol."""
        deadline = time.monotonic() + _SECONDS
        while all(event["method"] != name for event in self._browser.events):
            if time.monotonic() > deadline:
                message = f"{name} does not come"
                raise TimeoutError(message)
            self.call("Runtime.getIsolateId")
            time.sleep(0.02)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; works in a page that may run no scripts of its own."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression holds."""
        deadline = time.monotonic() + _SECONDS
        while not self.evaluate(expression):
            if time.monotonic() > deadline:
                message = f"never true: {expression}"
                raise TimeoutError(message)
            time.sleep(0.02)

    def text(self, selector: str) -> str:
        """What a reader sees of the first element that matches."""
        found: str = self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")
        return found

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in a file field, as its dialogue does."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def drag(self, selector: str, *files: Path, kinds: tuple[str, ...] = ("dragEnter", "dragOver", "drop")) -> None:
        """Drag files of the desktop over an element and, unless `kinds` says otherwise, let go."""
        x, y = self._centre(selector)
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in kinds:
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def click(self, selector: str) -> None:
        """Press and release the mouse in the middle of an element."""
        x, y = self._centre(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def screen(self, width: int, height: int, *, scheme: str = "light", medium: str = "") -> None:
        """Pretend to be a screen of this size and taste."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=medium, features=features)

    def scripts(self, *, allowed: bool) -> None:
        """Let pages run scripts, or not, from the next page on."""
        self.call("Emulation.setScriptExecutionDisabled", value=not allowed)

    def screenshot(self) -> bytes:
        """A PNG of the whole page."""
        picture = self.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        return base64.b64decode(picture["data"])

    @property
    def complaints(self) -> list[str]:
        """What was logged since the last page was asked for: errors, refused styles and scripts."""
        self.call("Runtime.getIsolateId")
        entries = [event["params"] for event in self._browser.events if event["method"] == "Log.entryAdded"]
        thrown = [event["params"] for event in self._browser.events if event["method"] == "Runtime.exceptionThrown"]
        return [entry["entry"]["text"] for entry in entries] + [entry["exceptionDetails"]["text"] for entry in thrown]

    def _centre(self, selector: str) -> tuple[float, float]:
        target = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{target}.scrollIntoView({{block: 'center'}})")
        box: dict[str, float] = self.evaluate(f"{target}.getBoundingClientRect().toJSON()")
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def _high_pipe() -> tuple[int, int]:
    # Away from 3 and 4, which the browser's own ends will take.
    low = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in low]
    for end in low:
        os.close(end)
    return high[0], high[1]

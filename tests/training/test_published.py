"""The published files are those that Keras knows, come whole or not at all, and are told when they cannot come."""

import hashlib
import inspect
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import keras
import pytest

from services.bundle.architectures import BACKBONES
from training.errors import WeightsUnavailable
from training.published import PUBLISHED, Published, cache_folder, fetch

CONTENT = bytes(range(256)) * 4096
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
SLOW = {"inception_resnet_v2", "efficientnet_b0", "densenet121"}


class Asked(BaseException):
    """Raised in the place of Keras's download, which comes after Keras has built the network."""


@pytest.mark.parametrize("backbone", sorted(PUBLISHED.keys() - SLOW))
def test_is_what_keras_would_fetch(backbone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(name: str, url: str, cache_subdir: str, file_hash: str | None = None) -> None:
        raise Asked(name, url, cache_subdir, file_hash)

    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", ask)
    application, published = BACKBONES[backbone].application, PUBLISHED[backbone]
    assert application is not None
    with pytest.raises(Asked) as asked:
        application(include_top=False, weights="imagenet", input_shape=(224, 224, 3))
    assert asked.value.args == (published.name, published.url, "models", published.md5)


@pytest.mark.parametrize("backbone", sorted(SLOW))
def test_is_what_the_source_of_keras_says(backbone: str) -> None:
    application, published = BACKBONES[backbone].application, PUBLISHED[backbone]
    assert application is not None
    source = inspect.getsource(sys.modules[application.__module__])
    assert f'"{published.md5}"' in source
    assert published.name.removeprefix("inception_resnet_v2_weights_").removeprefix("efficientnetb0") in source


def test_each_backbone_of_keras_has_its_file() -> None:
    assert set(PUBLISHED) == {name for name, row in BACKBONES.items() if row.application}


# ---------------------------------------------------------------- from a server


class Handler(BaseHTTPRequestHandler):
    """Serves the content whole, torn in the middle, other content, or nothing."""

    def do_GET(self) -> None:
        if self.path.startswith("/missing/"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        whole = CONTENT[::-1] if self.path.startswith("/other/") else CONTENT
        self.wfile.write(whole[: len(whole) // 2] if self.path.startswith("/torn/") else whole)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        del format, args


@pytest.fixture
def address() -> Iterator[str]:
    """Of a server on a socket."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that closing waits for the answers
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of Keras's own, so that nobody's cache is touched."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "keras"


def left(home: Path) -> list[str]:
    return sorted(path.name for path in home.rglob("*") if path.name != "models")


@pytest.mark.parametrize("md5", [MD5, None])
def test_comes_once_and_then_from_the_cache(md5: str | None, address: str, home: Path) -> None:
    path = fetch("vgg16", Published(f"{address}/whole/weights.h5", md5))
    assert path == home / "models" / "weights.h5"
    assert path.read_bytes() == CONTENT
    assert left(home) == ["weights.h5"]
    # Nobody answers here, and nobody is asked.
    assert fetch("vgg16", Published("http://127.0.0.1:1/weights.h5", md5)) == path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("missing", "404"), ("torn", "not the whole file"), ("other", "not the whole file")],
)
def test_nothing_is_left_of_what_did_not_come_whole(kind: str, reason: str, address: str, home: Path) -> None:
    url = f"{address}/{kind}/weights.h5"
    with pytest.raises(WeightsUnavailable, match=reason) as refused:
        fetch("vgg16", Published(url, MD5))
    assert left(home) == []
    told = str(refused.value)
    assert told.startswith("The ImageNet weights of vgg16 could not be downloaded: ")
    assert f"fetch {url} (md5 {MD5}) and put it at {home}/models/weights.h5, or pass it with --weights PATH." in told


def test_a_torn_file_without_a_digest_is_told_by_its_length(address: str, home: Path) -> None:
    with pytest.raises(WeightsUnavailable, match="not the whole file"):
        fetch("mobilenet_v2", Published(f"{address}/torn/weights.h5", None))
    assert left(home) == []


def test_without_a_network_it_says_what_to_fetch(home: Path) -> None:
    with pytest.raises(WeightsUnavailable, match=r"Connection refused.* fetch http://127.0.0.1:1/w.h5 and put it at "):
        fetch("mobilenet_v2", Published("http://127.0.0.1:1/w.h5", None))
    assert left(home) == []


def test_another_file_in_its_place_is_neither_read_nor_replaced(address: str, home: Path) -> None:
    path = home / "models" / "weights.h5"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    with pytest.raises(WeightsUnavailable, match=r"weights.h5 is not the file that Keras publishes at .* delete it"):
        fetch("vgg16", Published(f"{address}/whole/weights.h5", MD5))
    assert path.read_bytes() == b"mine"


def test_a_folder_that_cannot_be_written_is_told(home: Path, address: str) -> None:
    home.write_text("not a folder")
    with pytest.raises(WeightsUnavailable, match=r"could not be downloaded: .*keras"):
        fetch("vgg16", Published(f"{address}/whole/weights.h5", MD5))


def test_the_cache_is_where_keras_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".keras" / "models"

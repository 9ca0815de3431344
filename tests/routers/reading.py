"""How tests of pages ask for them, and how they read what comes."""

import re
from html.parser import HTMLParser
from typing import Any

from starlette.testclient import TestClient

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Outline(HTMLParser):
    """What a page is made of: its tags with their attributes, its headings' levels, and the text inside scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.lasttag in {"script", "style"}:
            self.inline += data.strip()

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def levels(self) -> list[int]:
        return [int(tag[1]) for tag, _ in self.tags if re.fullmatch(r"h[1-6]", tag)]


def get(client: TestClient, path: str) -> Any:
    return client.get(path, headers=BROWSER)


def send(client: TestClient, *contents: bytes, name: str = "picture.png", task: str = "shapes") -> Any:
    files = [("image", (name, content)) for content in contents]
    return client.post(f"/tasks/{task}", files=files, headers=BROWSER)


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())

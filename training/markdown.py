"""Pieces of a Markdown text."""

from collections.abc import Iterable, Sequence


def section(title: str, body: str) -> str:
    """A second-level heading and what stands below it."""
    return f"## {title}\n\n{body}\n"


def bullets(sentences: Iterable[str]) -> str:
    """One item per sentence."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; a bar or a line break in a cell does not break it."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")

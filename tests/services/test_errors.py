import inspect
import re
from collections.abc import Iterator

import pytest

from services import errors
from services.errors import NotReady, Overloaded, SightlineError

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__]
PUBLIC = [cls for cls in CLASSES if not cls.__name__.startswith("_")]


def drawn() -> Iterator[tuple[str, str]]:
    """(class, its parent) for each line of the tree in the module's docstring."""
    above: list[str] = []
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]
        if branch := re.match(r"^((?:│   |    )*(?:├── |└── )|)([A-Z]\w+)(?: |$)", line):
            depth = len(branch[1]) // 4
            above[depth:] = [branch[2]]
            if depth:
                yield branch[2], above[depth - 1]


def real() -> Iterator[tuple[str, str]]:
    """(class, its nearest public ancestor) for each public class."""
    for cls in PUBLIC:
        if cls is not SightlineError:
            yield cls.__name__, next(base.__name__ for base in cls.__mro__[1:] if base in PUBLIC)


def test_the_tree_is_as_drawn() -> None:
    assert len(list(drawn())) > 20
    assert sorted(drawn()) == sorted(real())


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_descends_from_the_root(cls: type) -> None:
    assert issubclass(cls, SightlineError)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_says_what_it_is(cls: type) -> None:
    assert cls.__doc__ is not None
    assert cls.__doc__.splitlines()[0].endswith(".")


@pytest.mark.parametrize("cls", [Overloaded, NotReady])
def test_what_time_may_heal_says_when_to_try_again(cls: type[Overloaded] | type[NotReady]) -> None:
    error = cls("Please wait.", retry_after=5)
    assert error.retry_after == 5
    assert str(error) == "Please wait."

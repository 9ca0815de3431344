"""Why a legacy file cannot be taken over, as the end of a sentence that begins with the file's name."""

from typing import NoReturn


class Refused(Exception):
    """The message goes on after "x.h5 cannot be imported: " and has no full stop."""


def refuse(reason: str) -> NoReturn:
    """Stop here."""
    raise Refused(reason)

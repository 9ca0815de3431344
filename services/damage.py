"""What decoders of images let escape on hostile or torn files, and the one sentence for it."""

import struct
import zlib

from services.errors import UndecodableImage

# None of these says anything about our own code where they are caught, because nothing but a decoder runs inside the
# guarded blocks. A warning is raised only where warnings are errors.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    Warning,
    struct.error,
    zlib.error,
)
"""What Pillow, pydicom and its plug-ins raise on files that they cannot read."""


def damaged(kind: str) -> UndecodableImage:
    """The error for a file that breaks its decoder; `kind` is the format's name for people."""
    return UndecodableImage(f"The {kind} file is damaged or incomplete and cannot be decoded.")


def sprawling(kind: str) -> UndecodableImage:
    """The error for a file of absurdly many parts; `kind` is the format's name for people."""
    return UndecodableImage(f"The {kind} file is made of too many parts; save it anew in an image editor.")

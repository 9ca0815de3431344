"""The transfer syntaxes of DICOM that are read, each by the one plug-in that may decode it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from services.errors import UndecodableImage

_STANDARD_UID = re.compile(r"1\.2\.840\.10008\.[0-9.]{1,40}")


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a DICOM file stores its elements and its pixels.

    Attributes:
        implicit: whether elements leave out what type they are of.
        big_endian: whether the high byte comes first.
        deflated: whether all elements are squeezed together.
        plugin: the name by which pydicom knows the decoder of compressed frames; None where they are not compressed.
        codestream: the family of the compressed frames.
        frames: for JPEG and JPEG-LS, the second bytes of the markers that may begin a frame (SOF).
    """

    implicit: bool = False
    big_endian: bool = False
    deflated: bool = False
    plugin: Literal["pillow", "pyjpegls", "pylibjpeg", "runlengths", "turbojpeg"] | None = None
    codestream: Literal["JPEG", "JPEG-LS", "JPEG 2000", "RLE"] | None = None
    frames: frozenset[int] = frozenset()


FORMAT = "DICOM"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"

_LOSSLESS_JPEG = Syntax(plugin="turbojpeg", codestream="JPEG", frames=frozenset({0xC3}))
_JPEGLS = Syntax(plugin="pyjpegls", codestream="JPEG-LS", frames=frozenset({0xF7}))
_JPEG_2000 = Syntax(plugin="pylibjpeg", codestream="JPEG 2000")

SYNTAXES: Mapping[str, Syntax] = {
    "1.2.840.10008.1.2": Syntax(implicit=True),
    EXPLICIT_LITTLE_ENDIAN: Syntax(),
    "1.2.840.10008.1.2.2": Syntax(big_endian=True),
    "1.2.840.10008.1.2.1.99": Syntax(deflated=True),
    "1.2.840.10008.1.2.5": Syntax(plugin="runlengths", codestream="RLE"),
    "1.2.840.10008.1.2.4.50": Syntax(plugin="pillow", codestream="JPEG", frames=frozenset({0xC0})),
    "1.2.840.10008.1.2.4.51": Syntax(plugin="turbojpeg", codestream="JPEG", frames=frozenset({0xC0, 0xC1})),
    "1.2.840.10008.1.2.4.57": _LOSSLESS_JPEG,
    "1.2.840.10008.1.2.4.70": _LOSSLESS_JPEG,
    "1.2.840.10008.1.2.4.80": _JPEGLS,
    "1.2.840.10008.1.2.4.81": _JPEGLS,
    "1.2.840.10008.1.2.4.90": _JPEG_2000,
    "1.2.840.10008.1.2.4.91": _JPEG_2000,
    "1.2.840.10008.1.2.4.201": _JPEG_2000,
    "1.2.840.10008.1.2.4.202": _JPEG_2000,
    "1.2.840.10008.1.2.4.203": _JPEG_2000,
}
"""Unique identifier to syntax: not compressed, deflated, RLE, JPEG (baseline, extended, lossless), JPEG-LS, JPEG 2000
and High-Throughput JPEG 2000."""

_FILMS = {
    "100": "MPEG-2",
    "101": "MPEG-2",
    "102": "MPEG-4",
    "103": "MPEG-4",
    "104": "MPEG-4",
    "105": "MPEG-4",
    "106": "MPEG-4",
    "107": "HEVC",
    "108": "HEVC",
    "110": "JPEG XL",
    "111": "JPEG XL",
    "112": "JPEG XL",
    "94": "JPIP",
    "95": "JPIP",
}
"""Known syntaxes that are not read, by the last part of their identifiers."""


def require_syntax(uid: str) -> Syntax:
    """Look a transfer syntax up in the allow-list.

    Raises:
        UndecodableImage: it is not there; the sentence names it.
    """
    if uid in SYNTAXES:
        return SYNTAXES[uid]
    # Only an identifier of the standard's own is repeated: whatever else stands there may be anybody's.
    name = _FILMS.get(uid.removeprefix("1.2.840.10008.1.2.4."))
    told = f"{name}, {uid}" if name else uid if _STANDARD_UID.fullmatch(uid) else "a private one"
    message = f"The DICOM file's transfer syntax ({told}) is not read; save it without compression or as JPEG 2000."
    raise UndecodableImage(message)

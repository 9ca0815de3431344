"""A plug-in for pydicom: run lengths, by Pillow's decoder, which stops where the picture ends whatever the runs say.

pydicom asks a plug-in's module for `is_available` and `DECODER_DEPENDENCIES`.
"""

import struct

import numpy as np
from PIL import Image
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import RLELossless

DECODER_DEPENDENCIES = {RLELossless: ("pillow",)}

_HEADER = struct.Struct("<16I")
"""How many segments there are, and where each of at most 15 begins; PS3.5 Annex G."""


def is_available(uid: str) -> bool:
    """Whether this plug-in decodes a transfer syntax."""
    return uid in DECODER_DEPENDENCIES


def decode_frame(frame: bytes, runner: DecodeRunner) -> bytes:
    """Decode one frame, its samples in planes.

    Raises:
        ValueError: torn, or of another number of segments than its samples have bytes; pydicom makes a RuntimeError
            of it, as of what the others are.
    """
    count, *begins = _HEADER.unpack_from(frame)
    width = runner.bits_allocated // 8
    if count != runner.samples_per_pixel * width:
        raise ValueError
    ends = [*begins[1:count], len(frame)]
    pixels = runner.rows * runner.columns
    segments = [
        Image.frombytes("L", (pixels, 1), frame[begin:end], "packbits", "L")
        for begin, end in zip(begins, ends, strict=False)
    ]
    # The high byte has the first segment.
    bytes_of = np.stack([np.asarray(segment)[0] for segment in segments]).reshape(-1, width, pixels)[:, ::-1]
    runner.set_option("planar_configuration", 1)
    return bytes_of.transpose(0, 2, 1).tobytes()

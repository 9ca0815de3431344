"""A plug-in for pydicom: JPEG with more than 8 bits or without loss, by libjpeg-turbo through imagecodecs.

pydicom asks a plug-in's module for `is_available` and `DECODER_DEPENDENCIES`.
"""

from imagecodecs import jpeg8_decode
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1

DECODER_DEPENDENCIES = dict.fromkeys((JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1), ("imagecodecs",))


def is_available(uid: str) -> bool:
    """Whether this plug-in decodes a transfer syntax."""
    return uid in DECODER_DEPENDENCIES


def decode_frame(frame: bytes, runner: DecodeRunner) -> bytes:
    """Decode one frame, its colours as stored; pydicom turns them to RGB where the file says that they are not.

    Raises:
        imagecodecs.Jpeg8Error: torn; pydicom turns it into a RuntimeError.
    """
    space = "GRAYSCALE" if runner.samples_per_pixel == 1 else "RGB"
    # Named alike, so that nothing is converted.
    pixels = jpeg8_decode(frame, colorspace=space, outcolorspace=space)
    runner.set_option("bits_allocated", 8 * pixels.dtype.itemsize)
    runner.set_option("planar_configuration", 0)
    return pixels.tobytes()

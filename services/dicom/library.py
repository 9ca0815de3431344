"""pydicom as it is used here: silent, patient with odd texts, and with plug-ins of ours for what its own cannot do.

This is done when the module is imported, once for the process, because none of pydicom's switches belongs to a thread.
"""

import io
import logging

from pydicom import Dataset, config, dcmread
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.uid import UID

from services.dicom import runlengths, turbojpeg

# Its messages may quote what a file says; none of them is for our log.
_log = logging.getLogger("pydicom")
_log.addHandler(logging.NullHandler())
_log.setLevel(logging.CRITICAL + 1)
_log.propagate = False

# A value that breaks a rule of spelling does not spoil a picture, and is not worth a warning.
config.settings.reading_validation_mode = config.IGNORE

for _plugin in (runlengths, turbojpeg):
    for _uid in _plugin.DECODER_DEPENDENCIES:
        get_decoder(_uid).add_plugin(_plugin.__name__.rpartition(".")[2], (_plugin.__name__, "decode_frame"))


def parse(content: bytes) -> Dataset:
    """The elements of a DICOM file without pixels."""
    return dcmread(io.BytesIO(content))


def decoder(uid: str) -> Decoder:
    """The decoder of a transfer syntax, with its plug-ins."""
    return get_decoder(UID(uid))

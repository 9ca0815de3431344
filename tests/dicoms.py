"""DICOM files of drawn pictures, with a patient's name in each, written by pydicom or byte by byte.

content = dicom(radiograph(), WindowCenter=600, WindowWidth=1600)
content = dicom(radiograph(), syntax=uid.RLELossless)                   # compressed by pydicom
content = compressed(codestream, uid.JPEGLosslessSV1, like=radiograph())   # compressed by whoever
content = elements(element(0x0028, 0x0010, b"US", struct.pack("<H", 48)))  # honest or not
"""

import io
import struct
from typing import Any

import numpy as np
from pydicom import uid
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate

from tests.images import Pixels

PATIENT = "Rumpelstiltskin"
"""Part of everything in these files that tells who was imaged."""


def dataset(pixels: Pixels, *, syntax: str = uid.ExplicitVRLittleEndian, frames: int = 1, **said: Any) -> FileDataset:
    """A data set of [rows, columns], [rows, columns, 3] or, of several frames, [frames, rows, columns] pixels.

    Args:
        pixels: uint8, uint16 or int16.
        syntax: one that pydicom writes.
        frames: how many the first axis holds.
        said: elements by their keywords; they win. None leaves an element out.
    """
    big = syntax == uid.ExplicitVRBigEndian
    meta = FileMetaDataset()
    # What is compressed is so later.
    meta.TransferSyntaxUID = uid.UID(uid.ExplicitVRLittleEndian if uid.UID(syntax).is_encapsulated else syntax)
    meta.MediaStorageSOPClassUID = uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = uid.generate_uid(entropy_srcs=[PATIENT])
    made = FileDataset(
        "",
        {},
        file_meta=meta,
        preamble=bytes(128),
        is_implicit_VR=syntax == uid.ImplicitVRLittleEndian,
        is_little_endian=not big,
    )
    shape = pixels.shape[1:] if frames > 1 else pixels.shape
    bits = 8 * pixels.dtype.itemsize
    described = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "PatientName": f"{PATIENT}^Ronald",
        "PatientID": f"{PATIENT}-4711",
        "PatientBirthDate": "19010203",
        "InstitutionName": f"{PATIENT} Hospital",
        "Rows": shape[0],
        "Columns": shape[1],
        "SamplesPerPixel": 3 if len(shape) == 3 else 1,
        "PhotometricInterpretation": "RGB" if len(shape) == 3 else "MONOCHROME2",
        "PlanarConfiguration": 0 if len(shape) == 3 else None,
        "NumberOfFrames": frames if frames > 1 else None,
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": None,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
    }
    described |= said
    if described["HighBit"] is None:
        described["HighBit"] = described["BitsStored"] - 1
    for keyword, value in described.items():
        if value is not None:
            setattr(made, keyword, value)
    made.PixelData = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">" if big else "<")).tobytes()
    made["PixelData"].VR = "OB" if bits == 8 else "OW"
    return made


def dicom(pixels: Pixels, *, syntax: str = uid.ExplicitVRLittleEndian, frames: int = 1, **said: Any) -> bytes:
    """A whole file of what `dataset` makes, compressed where the syntax is."""
    made = dataset(pixels, syntax=syntax, frames=frames, **said)
    if uid.UID(syntax).is_encapsulated:
        made.compress(syntax, generate_instance_uid=False)
    return written(made)


def compressed(codestream: bytes, syntax: str, *, like: Pixels, **said: Any) -> bytes:
    """A whole file of one compressed frame, whose header describes the pixels `like`."""
    made = dataset(like, **said)
    made.file_meta.TransferSyntaxUID = uid.UID(syntax)
    made.PixelData = encapsulate([codestream])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return written(made)


def written(made: FileDataset) -> bytes:
    """The bytes of a data set's file."""
    buffer = io.BytesIO()
    syntax = made.file_meta.TransferSyntaxUID
    made.save_as(
        buffer,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=syntax.is_little_endian,
        enforce_file_format=True,
    )
    return buffer.getvalue()


def elements(*parts: bytes, syntax: str = uid.ExplicitVRLittleEndian) -> bytes:
    """A file of these encoded elements behind its preamble and the name of its syntax."""
    name = syntax.encode()
    name += b"\0" * (len(name) % 2)
    return bytes(128) + b"DICM" + element(2, 0x10, b"UI", name) + b"".join(parts)


def element(group: int, number: int, kind: bytes, value: bytes, *, length: int | None = None) -> bytes:
    """One element with an explicit type, which may lie about its length."""
    length = len(value) if length is None else length
    if kind in {b"OB", b"OW", b"SQ", b"UN", b"UT"}:
        return struct.pack("<HH2sHI", group, number, kind, 0, length) + value
    return struct.pack("<HH2sH", group, number, kind, length) + value

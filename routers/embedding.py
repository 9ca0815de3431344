"""Pictures as data: addresses, so that an answer needs no second request and nothing of it is kept."""

import base64


def data_address(content: bytes, media_type: str) -> str:
    """Write a picture into an address.

    Args:
        content: of a PNG or JPEG file.
        media_type: of the file.
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"

"""The files of ImageNet weights that Keras publishes, and the folder where Keras and we keep them."""

import hashlib
import http.client
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from training.errors import WeightsUnavailable

_SECONDS = 30
_BUCKET = "https://storage.googleapis.com/tensorflow/keras-applications/"


@dataclass(frozen=True, slots=True)
class Published:
    """One published file.

    Attributes:
        url: where it can be fetched.
        md5: its digest in hexadecimal digits, or None where Keras knows none.
    """

    url: str
    md5: str | None

    @property
    def name(self) -> str:
        """Of the file, as Keras keeps it."""
        return self.url.rpartition("/")[2]


PUBLISHED = {
    "vgg16": Published(
        f"{_BUCKET}vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc"
    ),
    "vgg19": Published(
        f"{_BUCKET}vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "253f8cb515780f3b799900260a226db6"
    ),
    "resnet50": Published(
        f"{_BUCKET}resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "4d473c1dd8becc155b73f8504c6f6626"
    ),
    "resnet50_v2": Published(
        f"{_BUCKET}resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "fac2f116257151a9d068a22e544a4917"
    ),
    "inception_resnet_v2": Published(
        f"{_BUCKET}inception_resnet_v2/inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "d19885ff4a710c122648d3b5c3b684e4",
    ),
    "efficientnet_b0": Published(
        "https://storage.googleapis.com/keras-applications/efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d"
    ),
    "mobilenet_v2": Published(
        f"{_BUCKET}mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", None
    ),
    "mobilenet_v3_small": Published(
        f"{_BUCKET}mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        "d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
    "mobilenet_v3_large": Published(
        f"{_BUCKET}mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        "07fb09a5933dd0c8eaafa16978110389",
    ),
    "densenet121": Published(
        f"{_BUCKET}densenet/densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "30ee3e1110167f948a6b9946edeeb738",
    ),
}
"""By backbone, as keras.applications has them in its source."""


def cache_folder() -> Path:
    """Where Keras keeps what it downloads."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def fetch(backbone: str, published: Published) -> Path:
    """Find a published file in Keras's cache, or download it there.

    Raises:
        WeightsUnavailable: it cannot be downloaded, or what lies there is another file.
    """
    path = cache_folder() / published.name
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="incoming-", dir=path.parent) as folder:
                incoming = Path(folder) / published.name
                _download(published, incoming)
                incoming.replace(path)
        except (OSError, http.client.HTTPException) as failed:
            if isinstance(failed, urllib.error.HTTPError):
                failed.close()
            known = f" (md5 {published.md5})" if published.md5 else ""
            message = (
                f"The ImageNet weights of {backbone} could not be downloaded: {failed}. Where a network allows it, "
                f"fetch {published.url}{known} and put it at {path}, or pass it with --weights PATH."
            )
            raise WeightsUnavailable(message) from failed
    elif not _is_intact(path, published):
        message = (
            f"{path} is not the file that Keras publishes at {published.url} (md5 {published.md5}): delete it, "
            "or pass it with --weights PATH if it is meant."
        )
        raise WeightsUnavailable(message)
    return path


def _download(published: Published, target: Path) -> None:
    with urllib.request.urlopen(published.url, timeout=_SECONDS) as answer, target.open("wb") as file:  # noqa: S310
        shutil.copyfileobj(answer, file)
        promised = int(answer.headers.get("Content-Length", file.tell()))
    if target.stat().st_size != promised or not _is_intact(target, published):
        message = "what came is not the whole file"
        raise OSError(message)


def _is_intact(path: Path, published: Published) -> bool:
    if published.md5 is None:
        return True
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return digest.hexdigest() == published.md5

"""What a classifier said of labelled images."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.folders import Sample
from training.images import Images, Watch, classes_of


@dataclass(frozen=True, slots=True)
class Answers:
    """What a classifier said of labelled images.

    Attributes:
        logits: float64 [n, labels].
        truths: bool [n, labels], which labels each image has.
        samples: the n images.
    """

    logits: NDArray[np.float64]
    truths: NDArray[np.bool_]
    samples: tuple[Sample, ...]

    @property
    def classes(self) -> NDArray[np.int64]:
        """The truth as positions in the labels, int64 [n], where each image has one."""
        return classes_of(self.truths)


def answer(model: Any, images: Images, batch_size: int = 64, watch: Watch = iter) -> Answers:
    """Ask a Keras classifier about many images, in batches.

    Args:
        model: RGB float32 [batch, height, width, 3] in 0..255 -> logits [batch, labels].
        images: at least one, with what they show.
        batch_size: images per call.
        watch: passes on what it is given, one batch at a time; a progress bar fits here.
    """
    starts = range(0, len(images.pixels), batch_size)
    batches = (images.pixels[start : start + batch_size] for start in starts)
    logits = [np.asarray(model.predict_on_batch(batch.astype(np.float32)), np.float64) for batch in watch(batches)]
    return Answers(np.concatenate(logits), images.truths, images.samples)

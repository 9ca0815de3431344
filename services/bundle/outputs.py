"""What a served graph gives beside the logits: features that tell foreign images, and saliency."""

import math
from collections.abc import Iterator
from typing import Any

import keras
from keras import layers, ops

from services.bundle.saliency import explainable, explained

_MAP_RANK = 4
_LEVELS = 2


def served(classifier: Any) -> Any:
    """A classifier with every output that serving asks for; the weights are shared.

    Args:
        classifier: of services.bundle.architectures.build, for images of one size.

    Returns:
        keras.Model: RGB float32 [batch, height, width, 3] in 0..255 -> {"logits": float32 [batch, labels], "features":
        float32 [batch, features]} and, where the head allows it, "saliency" as services.bundle.saliency has it.
    """
    outputs = explained(classifier).output if explainable(classifier) else {"logits": classifier.output}
    return keras.Model(classifier.input, {**outputs, "features": features(classifier)}, name=classifier.name)


def features(classifier: Any) -> Any:
    """What the detector of foreign images looks at: means of feature maps over their places, [batch, features].

    Of each of the two resolutions before the coarsest, the last map: what the layer that halves it reads. The coarsest
    one has learnt to see only what tells the labels apart, and lets too much through; finer ones see the grain of the
    picture. A network of one resolution gives what its head reads, one without any map the mean colour.
    """
    height = classifier.input.shape[1]
    last = {round(math.log2(height / tensor.shape[1])): tensor for tensor in _maps(classifier)} or {0: classifier.input}
    chosen = [last[level] for level in sorted(last)[:-1]][-_LEVELS:] or [last[max(last)]]
    means = [_Mean(f"mean_{number}")(tensor) for number, tensor in enumerate(chosen)]
    return layers.Concatenate(dtype="float32", name="novelty")(means) if len(means) > 1 else means[0]


def _maps(classifier: Any) -> Iterator[Any]:
    """Every feature map, from the input to the head."""
    pooled: set[int] = set()
    for layer in classifier.layers[1:]:
        # Squeeze-and-excitation works on means in between, of no place and of no resolution.
        means = isinstance(layer, layers.GlobalAveragePooling2D | layers.GlobalMaxPooling2D)
        if means or all(id(tensor) in pooled for tensor in keras.tree.flatten(layer.input)):
            pooled.add(id(layer.output))
        # Padding changes a side by a pixel or two and adds nothing to see.
        elif len(layer.output.shape) == _MAP_RANK and not isinstance(layer, layers.ZeroPadding2D):
            yield layer.output


class _Mean(layers.Layer):  # type: ignore[misc]
    """Mean of a feature map over its places, in single precision."""

    def __init__(self, name: str) -> None:
        super().__init__(dtype="float32", name=name)

    def call(self, maps: Any) -> Any:
        return ops.mean(ops.cast(maps, "float32"), axis=(1, 2))

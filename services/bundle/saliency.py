"""Which places of an image speak for each label: Grad-CAM in closed form, as part of the graph.

Selvaraju et al. 2017 (arXiv:1610.02391): the map of a label is ReLU(sum_k alpha_k A_k), where A_k is a channel of the
last feature map and alpha_k the mean over its places of the gradient of the label's logit. Under global average pooling
of h' x w' places that gradient is the same everywhere, the gradient with respect to the pooled channel divided by
h' w', and a head of Dense layers gives it as a product of its kernels and the mask of its ReLU. So no autodiff is
needed, and an inference engine can do it.
"""

from typing import Any

import keras
from keras import layers, ops

from services.errors import ManifestInvalid


def explainable(classifier: Any) -> bool:
    """Whether a classifier ends in global average pooling, at most one Dense+ReLU, and Dense logits.

    Args:
        classifier: keras.Model from image to logits.
    """
    return _head(classifier) is not None


def explained(classifier: Any) -> Any:
    """Add maps of saliency to a classifier; the weights are shared.

    Args:
        classifier: of services.bundle.architectures.build, or one with such a head.

    Returns:
        keras.Model: RGB float32 [batch, height, width, 3] in 0..255 -> {"logits": float32 [batch, labels], "saliency":
        float32 [batch, labels, h', w']}, where h' and w' are the sides of the last feature map. Saliency is in logits
        per place of the feature map: not negative, not normalised.

    Raises:
        ManifestInvalid: the classifier has another head.
    """
    head = _head(classifier)
    if head is None:
        message = "the architecture has no saliency: it does not end in global average pooling and a Dense head"
        raise ManifestInvalid(message)
    pooled, *dense = head
    hidden = [layer.output for layer in dense[:-1]]
    maps = _GradCam(dense)([pooled.input, *hidden])
    return keras.Model(classifier.input, {"logits": dense[-1].output, "saliency": maps}, name=classifier.name)


def _head(classifier: Any) -> list[Any] | None:
    """The pooling layer and the one or two Dense layers after it, if those are the last layers."""
    working = [layer for layer in classifier.layers if not isinstance(layer, layers.Dropout)]
    for activations in ([keras.activations.linear], [keras.activations.relu, keras.activations.linear]):
        pooled, *dense = working[-1 - len(activations) :]
        if (
            isinstance(pooled, layers.GlobalAveragePooling2D)
            and all(isinstance(layer, layers.Dense) for layer in dense)
            and [layer.activation for layer in dense] == activations
        ):
            return [pooled, *dense]
    return None


class _GradCam(layers.Layer):  # type: ignore[misc]
    """[feature map, activations of the hidden layer if there is one] -> maps; see the module's docstring."""

    def __init__(self, dense: list[Any]) -> None:
        super().__init__(dtype="float32", name="saliency")
        self._dense = dense

    def call(self, inputs: list[Any]) -> Any:
        features, *hidden = inputs
        # Gradient of each logit with respect to each pooled channel: [channels, labels], one per image with a mask.
        alpha = self._dense[-1].kernel
        if hidden:
            mask = ops.cast(hidden[0] > 0, "float32")
            alpha = ops.matmul(self._dense[0].kernel, mask[:, :, None] * alpha)[:, None]
        places = ops.cast(ops.shape(features)[1] * ops.shape(features)[2], "float32")
        return ops.transpose(ops.relu(ops.matmul(features, alpha)) / places, (0, 3, 1, 2))

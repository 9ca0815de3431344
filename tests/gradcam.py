"""Grad-CAM by TensorFlow's gradients, to compare the closed form with."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


def grad_cam(model: Any, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Selvaraju et al. 2017, equations 1 and 2.

    Args:
        model: of services.bundle.architectures.build.
        pixels: float32 [batch, height, width, 3].

    Returns:
        float32 [batch, labels, h', w'].
    """
    features = keras.Model(model.input, model.get_layer("features").output)(pixels, training=False)
    head = model.layers[model.layers.index(model.get_layer("pooled")) :]
    maps = []
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(features)
        logits = features
        for layer in head:
            logits = layer(logits, training=False)
        chosen = [logits[:, label] for label in range(logits.shape[1])]
    for logit in chosen:
        alpha = tf.reduce_mean(tape.gradient(logit, features), axis=(1, 2), keepdims=True)
        maps.append(tf.nn.relu(tf.reduce_sum(alpha * features, axis=-1)))
    return np.asarray(tf.stack(maps, axis=1))

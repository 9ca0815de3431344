"""Grad-CAM by automatic differentiation, and how alike two sets of maps are: what closed forms are measured by."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Maps = NDArray[np.float32]


def grad_cam(model: Any, pixels: NDArray[np.float32]) -> Maps:
    """Selvaraju et al. 2017, equations 1 and 2, with the gradients that TensorFlow computes.

    Args:
        model: keras.Model from images to logits, whose head begins with the layer "pooled".
        pixels: [n, height, width, 3] in 0..255.

    Returns:
        [n, labels, h', w'].
    """
    pooled = model.get_layer("pooled")
    features = keras.Model(model.input, pooled.input)(pixels, training=False)
    head = model.layers[model.layers.index(pooled) :]
    maps = []
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(features)
        logits = features
        for layer in head:
            logits = layer(logits, training=False)
        chosen = tf.unstack(logits, axis=1)
    for logit in chosen:
        alpha = tf.reduce_mean(tape.gradient(logit, features), axis=(1, 2), keepdims=True)
        maps.append(tf.nn.relu(tf.reduce_sum(alpha * features, axis=-1)))
    return np.asarray(tf.stack(maps, axis=1))


def rank_correlation(one: Maps, other: Maps) -> float:
    """Spearman's, of each map with its counterpart, averaged; a map that is nothing everywhere correlates with none."""
    found = []
    for mine, theirs in zip(one.reshape(-1, one[0, 0].size), other.reshape(-1, one[0, 0].size), strict=True):
        if np.ptp(mine) > 0:
            ranks = [np.unique(side, return_inverse=True)[1] for side in (mine, theirs)]
            found.append(float(np.corrcoef(ranks[0], ranks[1])[0, 1]) if np.ptp(theirs) > 0 else 0.0)
    assert len(found) > 10
    return float(np.mean(found))

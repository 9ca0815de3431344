"""A small network to train from scratch: per number of filters one block of convolution, normalisation and pooling."""

from typing import Any

import keras
from keras import layers


def convnet(image: Any, filters: tuple[int, ...], *, dropout: float = 0.0, l2: float = 0.0) -> Any:
    """Draw the blocks, each of which halves the sides of the image.

    Args:
        image: RGB float [batch, h, w, 3] in 0..255.
        filters: of each block's 3 x 3 convolution.
        dropout: share of whole feature maps that each block drops in training (Tompson et al. 2015, arXiv:1411.4280).
        l2: weight of the squared kernels in the loss.

    Returns:
        Feature map [batch, h / 2**n, w / 2**n, filters[-1]] after n blocks, rounded down.
    """
    x = layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32", name="input_scaling")(image)
    for number, count in enumerate(filters, start=1):
        name = f"block{number}"
        regulariser = keras.regularizers.L2(l2) if l2 else None
        convolution = layers.Conv2D(
            count, 3, padding="same", use_bias=False, kernel_regularizer=regulariser, name=f"{name}_conv"
        )
        x = layers.BatchNormalization(name=f"{name}_bn")(convolution(x))
        x = layers.ReLU(name=f"{name}_relu")(x)
        x = layers.MaxPooling2D(name=f"{name}_pool")(x)
        x = layers.SpatialDropout2D(dropout, name=f"{name}_dropout")(x) if dropout else x
    return x

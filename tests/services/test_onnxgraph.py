"""The graph is the model, however large its arrays are, and no engine's shortcut changes it."""

import numpy as np
import onnx
import onnxruntime
import pytest
from keras import Input, Model, initializers, layers
from keras.utils import set_random_seed

from services.compiler.onnxgraph import to_onnx
from services.network import UNSOUND

PIXELS = np.random.default_rng(0).integers(0, 256, (1, 24, 20, 3), np.uint8)


def network(filters: int) -> Model:
    """Convolution, zeros around negative numbers, pooling."""
    set_random_seed(0)
    image = Input((24, 20, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = layers.Conv2D(filters, 3, bias_initializer=initializers.Constant(-1.0))(x)
    padded = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))
    logits = layers.Dense(2, kernel_initializer="random_normal")(layers.Flatten()(layers.Dropout(0.5)(padded)))
    return Model(image, {"logits": logits, "features": padded})


@pytest.mark.parametrize("filters", [4, 700])
def test_gives_what_the_model_gives(filters: int) -> None:
    model = network(filters)
    graph = to_onnx(model, 24, 20)
    session = onnxruntime.InferenceSession(graph, disabled_optimizers=list(UNSOUND))
    assert [(given.name, given.type, given.shape) for given in session.get_inputs()] == [
        ("image", "tensor(uint8)", [1, 24, 20, 3])
    ]
    expected = model(PIXELS.astype(np.float32), training=False)
    for name in ("logits", "features"):
        (found,) = session.run([name], {"image": PIXELS})
        np.testing.assert_allclose(found, expected[name], rtol=1e-4, atol=1e-4)
    # The dense kernel of the wide one is large, and the file holds every array once.
    numbers = sum(np.prod(variable.shape) for variable in model.trainable_variables)
    assert 4 * numbers <= len(graph) < 4 * numbers + 10_000


def test_what_no_image_changes_is_computed_beforehand() -> None:
    model = onnx.load_from_string(to_onnx(network(700), 24, 20))
    constants = {array.name for array in model.graph.initializer}
    idle = [node.op_type for node in model.graph.node if set(node.input) <= constants]
    assert idle == []


def test_zeros_around_negative_numbers_stay_zeros() -> None:
    """The engine's own shortcut is wrong; if this fails because it no longer is, UNSOUND can go."""
    model = network(4)
    graph = to_onnx(model, 24, 20)
    expected = model(PIXELS.astype(np.float32), training=False)["features"]
    (wrong,) = onnxruntime.InferenceSession(graph).run(["features"], {"image": PIXELS})
    assert np.abs(wrong - expected).max() > 0.01

"""A Keras model to an ONNX graph. Imports TensorFlow: only the child process may import this module."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx

from services.network import UNSOUND

_OPSET = 18
_LARGE = 2**16
"""Numbers from which on an array is kept out of the conversion."""


def to_onnx(model: Any, height: int, width: int) -> bytes:
    """Convert a model for one image of a fixed size.

    tf2onnx copies a graph with all its constants at each of some thirty steps: 54 million weights took it 9 GB of
    memory. So the large arrays are inputs of the graph while it is converted, and become its constants afterwards.

    Args:
        model: keras.Model, RGB float32 [batch, height, width, 3] -> a dict of tensors by name.
        height: of the image in pixels.
        width: of the image in pixels.

    Returns:
        A serialised graph: uint8 `image` [1, height, width, 3] -> what the model gives, under the same names.
    """
    count = len(model.trainable_variables)
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    large = [number for number, variable in enumerate(variables) if np.prod(variable.shape) > _LARGE]
    image = tf.TensorSpec((1, height, width, 3), tf.uint8, name="image")
    arrays = [tf.TensorSpec(variables[number].shape, tf.float32, name=f"weights_{number}") for number in large]

    @tf.function(input_signature=[image, *arrays])  # type: ignore[untyped-decorator]
    def network(image: tf.Tensor, *given: tf.Tensor) -> dict[str, tf.Tensor]:
        values = [tf.convert_to_tensor(variable.value) for variable in variables]
        for number, array in zip(large, given, strict=True):
            values[number] = array
        pixels = tf.cast(image, tf.float32)
        outputs: dict[str, tf.Tensor]
        outputs, _ = model.stateless_call(values[:count], values[count:], pixels, training=False)
        return outputs

    graph, _ = tf2onnx.convert.from_function(network, network.input_signature, opset=_OPSET)
    _fill_in(graph.graph, {f"weights_{number}": np.asarray(variables[number]) for number in large})
    return _folded(graph.SerializeToString())


def _fill_in(graph: Any, arrays: dict[str, Any]) -> None:
    for name, array in arrays.items():
        graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    image = [given for given in graph.input if given.name not in arrays]
    del graph.input[:]
    graph.input.extend(image)


def _folded(graph: bytes) -> bytes:
    """What depends on no image is computed once, here, and not whenever the graph is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "folded.onnx"
        options = onnxruntime.SessionOptions()
        # Beyond the basic level come operators that only this version of the engine on this processor may know.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(target)
        onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=list(UNSOUND)
        )
        return target.read_bytes()

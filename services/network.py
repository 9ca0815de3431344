"""A compiled graph on ONNX Runtime: one thread per run, as many runs at once as callers bring."""

import ctypes
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from services.errors import CompileFailed

_LOAD_FAILURES = (
    onnxruntime.capi.onnxruntime_pybind11_state.Fail,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidGraph,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument,
    onnxruntime.capi.onnxruntime_pybind11_state.NoSuchFile,
    onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented,
)


UNSOUND = ("Pad_Fusion",)
"""Rewritings that ONNX Runtime must not do: this one takes zeros around a MaxPool for its own padding, which is minus
infinity, and so changes what lies at the edges of a feature map with negative numbers."""


class Network:
    """Logits of one input at a time; safe to call from several threads at once.

    Raises:
        CompileFailed: the file is not a graph that this runtime can run.
    """

    def __init__(self, graph: Path) -> None:
        options = onnxruntime.SessionOptions()
        # The runtime's own threads waste cores that other requests could use; concurrency comes from the callers.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(graph), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(UNSOUND)
            )
        except _LOAD_FAILURES as broken:
            message = "the compiled graph cannot be loaded"
            raise CompileFailed(message) from broken

    def logits(self, tensor: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the graph.

        Args:
            tensor: uint8 [height, width, 3] of services.bundle.preprocessing.prepare.

        Returns:
            float32 [labels].
        """
        (result,) = self._session.run(["logits"], {"image": tensor[np.newaxis]})
        logits: NDArray[np.float32] = result[0]
        return logits


def give_back_memory() -> None:
    """Return what retired graphs have freed to the system, where the C library can (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

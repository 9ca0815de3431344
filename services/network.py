"""A compiled graph on ONNX Runtime: one thread per run, as many runs at once as callers bring."""

import ctypes
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a graph makes of one image.

    Attributes:
        logits: float32 [labels].
        features: float32 [features], for the detector of foreign images.
        saliency: float32 [labels, h', w'], see services.bundle.saliency; None where it was not asked for or the
            architecture has none.
    """

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    saliency: NDArray[np.float32] | None


class Network:
    """Answers one input at a time; safe to call from several threads at once.

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
        self._explained = "saliency" in {output.name for output in self._session.get_outputs()}

    def answer(self, tensor: NDArray[np.uint8], *, saliency: bool = False) -> Answer:
        """Run the graph.

        Args:
            tensor: uint8 [height, width, 3] of services.bundle.preprocessing.prepare.
            saliency: whether the maps are wanted.
        """
        wanted = ["logits", "features", *(["saliency"] if saliency and self._explained else [])]
        logits, features, *maps = self._session.run(wanted, {"image": tensor[np.newaxis]})
        return Answer(logits[0], features[0], maps[0][0] if maps else None)

    def logits(self, tensor: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The logits alone, float32 [labels]; as `answer` otherwise."""
        return self.answer(tensor).logits


def give_back_memory() -> None:
    """Return what retired graphs have freed to the system, where the C library can (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

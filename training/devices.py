"""Which devices the chosen Keras backend computes on."""

import importlib

import keras


def gpu_count() -> int:
    """How many GPUs the backend sees; asked in the one way that each backend answers without one."""
    if keras.backend.backend() == "torch":
        return int(importlib.import_module("torch").cuda.device_count())
    return sum(name.lower().startswith(("gpu", "cuda", "rocm")) for name in keras.distribution.list_devices())

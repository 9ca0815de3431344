"""What a training runs on: the devices of the chosen Keras backend, and the versions of the software."""

import importlib
import os
import platform

import keras
import numpy as np


def gpu_count() -> int:
    """How many GPUs the backend sees; asked in the one way that each backend answers without one."""
    if keras.backend.backend() == "torch":
        return int(importlib.import_module("torch").cuda.device_count())
    return sum(name.lower().startswith(("gpu", "cuda", "rocm")) for name in keras.distribution.list_devices())


def device() -> str:
    """The device in words."""
    gpus = gpu_count()
    if gpus:
        return f"{gpus} GPU{'s' if gpus > 1 else ''}"
    return f"CPU, {os.cpu_count()} cores, {platform.machine()}"


def software() -> str:
    """The versions in words."""
    backend = keras.backend.backend()
    version = importlib.import_module(backend).__version__
    return (
        f"Keras {keras.__version__} on {backend} {version}, NumPy {np.__version__}, "
        f"Python {platform.python_version()}, {platform.system()}"
    )

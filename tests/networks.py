"""Networks that misbehave in one way each, and the way to put one in the place of a live one."""

import threading
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from starlette.testclient import TestClient

from services.network import Answer, Network
from services.registry import Registry


class FailingNetwork(Network):
    """Raises what nobody foresaw."""

    def __init__(self) -> None:
        pass

    def answer(self, tensor: NDArray[np.uint8], *, saliency: bool = False) -> Answer:
        raise RuntimeError(f"a secret of the server, {tensor.shape}, {saliency}")


class WaitingNetwork(Network):
    """Holds every run until it is let go."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()

    def answer(self, tensor: NDArray[np.uint8], *, saliency: bool = False) -> Answer:
        self.entered.release()
        assert self.go.wait(30)
        return self._network.answer(tensor, saliency=saliency)


def put_in_place(client: TestClient, network: Network, version: int = 1) -> None:
    """Let `network` answer for a loaded version of "shapes"."""
    registry: Registry = client.app.state.services.registry  # type: ignore[attr-defined]
    # A scan that is under way would put back what it found before.
    with registry._scanning:
        shelf = registry._shelves["shapes"]
        entry = shelf.entries[version]
        assert entry.live is not None
        live = replace(entry.live, network=network)
        registry._shelves["shapes"] = shelf.including(version, replace(entry, live=live))

"""What a runtime promises: B payloads in, float32 (B, D) out, from any thread, the same bits for the same batch.

Where what it runs on is gone it says so, by an error of its own: trying again is then of no use in this process.
"""

from collections.abc import Sequence
from typing import Protocol

from model.inputs import Payload
from service.records import Float32s


class DeviceLost(Exception):
    """What the backend runs on is gone, for as long as this process lives; the message says how that showed."""


class Backend(Protocol):
    """One way to run the bundle's net.

    Attributes:
        name: For the log and /info, such as "onnx" or "torch".
        device: "cpu" or "cuda".
        dim: D.
    """

    name: str
    device: str
    dim: int

    def embed(self, items: Sequence[Payload], /) -> Float32s:
        """Embed B payloads -> float32 (B, D), shared with nobody; B may be 0.

        Raises:
            DeviceLost: Neither this batch nor another one can be embedded any more.
        """

"""Nets that cannot stand one picture, white all over: one raises an exception, the other kills its process, as a kernel
that faults would.
"""

import os
import signal
from collections.abc import Sequence

from model.inputs import Payload
from service import app
from service.records import Float32s
from tests.service.crashing import is_white


class Deadly(app.Embedder):
    """No exception, no last word."""

    def embed(self, items: Sequence[Payload]) -> Float32s:
        if any(map(is_white, items)):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(items)


class Fragile(app.Embedder):
    """An exception, as often as it sees it."""

    def embed(self, items: Sequence[Payload]) -> Float32s:
        if any(map(is_white, items)):
            raise ZeroDivisionError("the darkest pixel")
        return super().embed(items)

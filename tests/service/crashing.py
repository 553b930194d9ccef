"""The real service with a net that crashes at one picture: white all over."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from model.inputs import Payload
from service.pipeline.examining import Embeds
from service.records import Float32s
from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running

WHITE = [16] * 64


def is_white(x: Payload) -> bool:
    """Whether it is the picture."""
    return bool(np.asarray(x).min() > 0.99)


class Crashing:
    """A net that cannot stand it, until it is mended."""

    def __init__(self, net: Embeds) -> None:
        self._net = net
        self.is_mended = False

    def embed(self, items: Sequence[Payload], /) -> Float32s:
        if not self.is_mended and any(map(is_white, items)):
            raise ZeroDivisionError("the darkest pixel\nsecond line")
        return self._net.embed(items)


@contextmanager
def fragile(**settings: Any) -> Iterator[tuple[Inside, Crashing]]:
    """A running service, and its net."""
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        read = Settings.read({}, data_dir=Path(folder), **settings)
        with running(read, digits.bundle()) as inside:
            decider = inside.app.state.context.streams.default.pipeline._decider
            net = decider._embedder = decider._ahead._embedder = Crashing(decider._embedder)
            yield inside, net

"""A stage is timed whether or not spans are made."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Histogram

from service.pipeline.stages import Stage


class Told:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, ...]] = []

    @contextmanager
    def stage(self, stream: str, name: str) -> Iterator[None]:
        self.seen.append(("begin", stream, name))
        try:
            yield
        finally:
            self.seen.append(("end", stream, name))


@pytest.mark.parametrize("is_told", [False, True])
def test_each_time_is_observed_once(is_told: bool) -> None:
    """Also of what fails."""
    registry, told = CollectorRegistry(), Told()
    spans: Any = told if is_told else None
    stage = Stage("a", "embed", Histogram("seconds", "Of it.", registry=registry), spans)
    with stage.time():
        pass
    with pytest.raises(ValueError, match="fails"), stage.time():
        raise ValueError("fails")

    assert 2 == registry.get_sample_value("seconds_count")
    assert ([("begin", "a", "embed"), ("end", "a", "embed")] * 2 if is_told else []) == told.seen

"""Pauses between two tries are so short that no test waits for them, and long enough for others to have their turn."""

import pytest

from service.pipeline import asking, deciding, pausing, pipeline

_PAUSE_S = 0.005


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many tries as the time in which the service would make seven; patience ends in tests of its own."""
    for module in (asking, pipeline):
        monkeypatch.setattr(module, "RETRY_S", (_PAUSE_S,))
    monkeypatch.setattr(deciding, "PAUSE_S", _PAUSE_S)
    monkeypatch.setattr(pausing, "_PATIENCE_S", (_PAUSE_S,) * 12_000)

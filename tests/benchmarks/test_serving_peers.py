"""Peers that are not there are skipped, and the row says why."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import serving_peers
from benchmarks.serving_peers import PEERS, peers
from tests.service import digits


async def test_a_bundle_without_a_graph_has_no_peers() -> None:
    """They would have to build the net."""
    rows = await peers(digits.bundle(), np.zeros((1, 64), dtype=np.uint8), python=None, requests=1)

    assert list(PEERS) == [row["peer"] for row in rows]
    assert {"the bundle has no embedder.onnx"} == {row["note"] for row in rows}


async def test_a_peer_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row says what to give."""
    monkeypatch.setattr(serving_peers, "find_spec", lambda _: None)
    bundle = replace(digits.bundle(), onnx=b"graph")
    x = np.zeros((1, 64), dtype=np.uint8)
    rows = await peers(bundle, x, python=None, requests=1)

    assert all("--peers-python" in row["note"] for row in rows)


async def test_another_python_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked."""
    monkeypatch.setattr(serving_peers, "PEERS", {"no_such_peer": ""})
    bundle = replace(digits.bundle(), onnx=b"graph")
    rows = await peers(bundle, np.zeros((1, 64), dtype=np.uint8), python=Path(sys.executable), requests=1)

    assert "has no no_such_peer" in rows[0]["note"]

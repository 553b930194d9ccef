"""The benchmark of idle sockets opens real ones, and says what each costs."""

import json
from pathlib import Path

import pytest

from benchmarks import idle_sockets
from benchmarks.idle_sockets import Sizes


@pytest.mark.long
def test_every_way_is_measured_beside_the_bare_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Greeted, used and watching sockets, and those of an application that does nothing."""
    monkeypatch.setattr(idle_sockets, "QUICK", Sizes(sockets=20, before=2, epochs=1))
    file = tmp_path / "report.json"

    idle_sockets.main(["--quick", "--json", str(file)])

    rows = {row["way"]: row for row in json.loads(file.read_text(encoding="utf-8"))["sockets"]}
    assert ["stream", "used", "watch", "bare"] == list(rows)
    assert all(row["sockets"] == 20 for row in rows.values())

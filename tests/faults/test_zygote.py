"""Forked services are processes like any other."""

import asyncio
import os
import random
import signal
import tempfile
from pathlib import Path

import pytest

from service.state.packing import unpack_entry
from tests.faults.oracle import read_state
from tests.faults.rig import Rig
from tests.faults.zygote import Zygote, set_clock
from tests.service import digits
from tests.service.processes import Serve, none_left

pytestmark = pytest.mark.slow


def test_a_command_that_fails_says_so(zygote: Zygote, tmp_path: Path) -> None:
    """Its status and its words are those of a command line."""
    log = tmp_path / "log"
    ended = zygote.spawn(["serve", str(tmp_path / "none")], environ=dict(os.environ), log=log)

    assert ended.wait(20) == 1
    assert "none" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_it_takes_its_store_with_it(zygote: Zygote, tmp_path: Path) -> None:
    """Killed, it leaves neither itself nor the embedded server."""
    with Serve(digits.bundle_dir(), tmp_path, launch=zygote.spawn) as service:
        family = service.ready().family()
        assert len(family) == 2
        service.kill()
        none_left(family)

    assert service.process.poll() == -signal.SIGKILL


def test_the_clock_moves_while_it_runs(zygote: Zygote) -> None:
    """What the log has as the time of an item is a day later, and right again afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="fs-") as folder,
        Rig(rng=random.Random(0), folder=Path(folder), zygote=zygote, binary=None) as rig,
    ):
        clock = rig.clock()
        service = rig.serve(clock=clock).ready()
        for shift in (0.0, 86_400.0, 0.0):
            set_clock(clock, shift)
            service.classify(rig.items(1))
        state = asyncio.run(read_state(service.socket, digits.bundle()))

    entries = [unpack_entry(record.payload, first_seq=record.first_seq) for record in state.records]
    times = [entry[0].t[0] for entry in entries if isinstance(entry, tuple)]
    assert [0, 1, 0] == [round((t - times[0]) / 86_400) for t in times]

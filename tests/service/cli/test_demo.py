"""The demo: an honest stream, a table with the same keys whatever was found, and the whole of it with a kill.

What it does is shown with a bundle that is trained already; the whole of it, as a person starts it, takes minutes.
"""

import io
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from model.datasets import load_dataset
from model.datasets.split import split
from service.cli import demo
from service.cli.demo import HOLD_OUT, DemoConfig, DemoFailed, _wait_for_compiler, make_stream, run_demo
from service.cli.writable import CannotWrite
from tests.service import digits


def asked(folder: Path, **options: Any) -> DemoConfig:
    """What is asked for: as little as can be, but for `options`."""
    least = {
        "once": True,
        "json_file": None,
        "crash": False,
        "upgrade": False,
        "rate": 0,
        "port": 0,
        "seed": 0,
    }
    return DemoConfig(folder=folder, **(least | options))


def test_fresh() -> None:
    """No item of the stream was used for fitting or calibration, and none comes twice."""
    parts = split(load_dataset("digits", data_dir=None), HOLD_OUT, seed=0)
    stream = make_stream(0)
    rows = [int(item["id"].removeprefix("digit-")) for item in (*stream.items, *stream.later)]

    assert len(set(rows)) == len(rows)
    assert set() == {*rows} & {*parts.fit.tolist(), *parts.calibrate.tolist()}
    assert {*parts.fresh.tolist(), *parts.unseen.tolist()} == {*rows}


def test_known_first() -> None:
    """The stream begins with what the net knows; the new classes come late, and mixed with it."""
    stream = make_stream(0)
    is_new = [stream.truth[item["id"]] in HOLD_OUT for item in stream.items]
    first = is_new.index(True)

    assert first > 100
    assert {*stream.truth.values()} == {stream.truth[item["id"]] for item in stream.later}
    assert not all(is_new[first:])
    assert {*HOLD_OUT} <= {*stream.truth.values()}


def test_seed() -> None:
    """A seed decides the stream."""
    assert make_stream(1) == make_stream(1)
    assert make_stream(1).items != make_stream(2).items


def test_folder_of_others(tmp_path: Path) -> None:
    """A folder that no demo made is not cleared."""
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DemoFailed, match="another --folder"):
        run_demo(asked(tmp_path), Console(file=io.StringIO()))

    assert "mine" == (tmp_path / "thesis.txt").read_text()


@pytest.mark.parametrize("json_file", ["nowhere/table.json", "."])
def test_json_nowhere(tmp_path: Path, json_file: str) -> None:
    """Whether the results can be written is asked before the training, not after the stream."""
    screen = io.StringIO()
    config = asked(tmp_path / "demo", json_file=tmp_path / json_file)
    with pytest.raises(CannotWrite, match=r"Cannot write .* --json"):
        run_demo(config, Console(file=screen))

    assert "" == screen.getvalue()


@pytest.mark.parametrize(("answers", "expected"), [([False], []), ([True, True, False], [0, 1])])
def test_compiler(answers: list[bool], expected: list[int]) -> None:
    """A compiler that is not done after the training has a line of its own until it is; else there is none."""
    shown: list[tuple[str, int]] = []
    _wait_for_compiler(lambda: answers.pop(0), lambda stage, done, _total, _note: shown.append((stage, done)))

    assert [("compile", done) for done in expected] == shown
    assert [] == answers


@pytest.mark.slow
def test_interrupted_training(tmp_path: Path) -> None:
    """Ctrl-C while it trains ends it, with one line and status 130, long before the training would be done."""
    with subprocess.Popen(
        [sys.executable, "-m", "service.cli.main", "demo", "--once", "--folder", str(tmp_path / "[/demo]")],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as demo:
        assert demo.stderr is not None
        while "1 Train" not in demo.stderr.readline():
            assert demo.poll() is None
        demo.send_signal(signal.SIGINT)
        said = demo.stderr.read()

    assert 130 == demo.returncode, said
    assert "firstseen: stopped by Ctrl-C." == said.strip().splitlines()[-1]
    assert "Traceback" not in said
    assert not (tmp_path / "[/demo]" / "bundle").exists()


@pytest.mark.slow
def test_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in mid-stream and sent again: no verdict changes, both new classes are found, and are known once named."""

    def trained(_: object, *, out: Path, **_others: object) -> None:
        shutil.copytree(digits.bundle_dir(), out)

    monkeypatch.setattr(demo, "train_bundle", trained)
    screen, table = io.StringIO(), tmp_path / "table.json"
    status = run_demo(asked(tmp_path / "demo", json_file=table, crash=True), Console(file=screen, width=400))
    found = json.loads(table.read_text())

    assert 0 == status, screen.getvalue()
    assert [] == found["verdicts_changed_by_crash"]
    assert 2 == found["clusters_found"]
    assert ["as they came", "after a kill -9"] == [*found["named"]]
    assert "every id has the verdict it had" in screen.getvalue()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_whole_of_it(tmp_path: Path) -> None:
    """As a person starts it, from the training on; what was named is known: as the later items come, after a kill, and
    to a net that was taught it.
    """
    table = tmp_path / "table.json"
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "service.cli.main", "demo", "--once", "--crash", "--upgrade"),
            *("--rate", "0", "--port", "0", "--json", str(table), "--folder", str(tmp_path / "demo")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(table.read_text())

    assert 0 == ended.returncode, ended.stderr[-2000:]
    assert [] == found["verdicts_changed_by_crash"]
    assert 2 == found["clusters_found"]
    assert found["known_accuracy"] > 0.9
    assert ["as they came", "after a kill -9", "after an upgrade"] == [*found["named"]]
    for by_class in found["named"].values():
        named = [by_class[label] for label in HOLD_OUT]
        assert sum(one["right"] for one in named) >= 0.95 * sum(one["items"] for one in named)
    assert [] == found["clusters_changed_by_upgrade"]
    assert "every id has the verdict it had" in " ".join(ended.stderr.split())

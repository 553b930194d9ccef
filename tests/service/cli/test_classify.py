"""`firstseen classify` against a running service: order, exit status, and going on after whatever ended it."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.cli import main as cli
from service.lines.output import Output
from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running
from tests.service.waiting import until

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def service() -> Iterator[Inside]:
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        settings = Settings.read({}, data_dir=Path(folder), log_level="warning")
        with running(settings, digits.bundle()) as inside:
            yield inside


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def write(name: str, lines: list[Any]) -> Path:
    path = Path(name)
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def lines_of(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


def printed(shown: str) -> list[dict[str, Any]]:
    """The lines of standard output, among what the service in this process logs there."""
    return [json.loads(line) for line in re.findall(r'\{"id".*\}$', shown, re.MULTILINE)]


def seq(service: Inside) -> int:
    found: int = httpx.get(f"{service.url}/info", trust_env=False).json()["seq"]
    return found


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit status of `firstseen classify ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["firstseen", "classify", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    code = ended.value.code
    assert isinstance(code, int)
    return code


def test_in_order(monkeypatch: pytest.MonkeyPatch, service: Inside) -> None:
    """A line in, a line out, whatever came between."""
    given = digits.many("cli-order", 700)
    write("items.jsonl", given)

    assert 0 == run(
        monkeypatch, "items.jsonl", "--url", service.url, "--out", "verdicts.jsonl", "--batch", "50"
    )
    found = lines_of("verdicts.jsonl")
    assert [item["id"] for item in given] == [line["id"] for line in found]
    names = ["id", "seq", "verdict", "label", "cluster_id", "novelty", "nearest", "distance"]
    assert names == list(found[0])


def test_from_standard_input_to_standard_output(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], service: Inside
) -> None:
    """As in a pipe; what is for people goes elsewhere, and without a terminal that is one line."""
    path = write("items.jsonl", digits.many("cli-pipe", 3))
    with path.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert 0 == run(monkeypatch, "--url", service.url)
    shown = capfd.readouterr()

    assert ["cli-pipe-0", "cli-pipe-1", "cli-pipe-2"] == [line["id"] for line in printed(shown.out)]
    assert 1 == len(shown.err.splitlines())
    assert shown.err.startswith("3 items: ")


def test_bad_lines(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], service: Inside
) -> None:
    """Each has its problem in its place, the reasons are summed up, and the exit status says so: 1."""
    write("items.jsonl", [digits.raw(), "{torn", [1, 2], {"id": "x", "y": 1}, "", digits.raw(1)])

    assert 1 == run(monkeypatch, "items.jsonl", "--url", service.url)
    shown = capfd.readouterr()
    out = printed(shown.out)
    assert [False, True, True, True, False] == ["problem" in line for line in out]
    assert [2, 3, 4] == [line["line"] for line in out if "problem" in line]
    assert "1 refused: invalid-body, first line 2" in shown.err
    assert "2 refused: invalid-item, first line 3" in shown.err
    assert "5 items" in shown.err


def test_items_without_ids_count_once(monkeypatch: pytest.MonkeyPatch, service: Inside) -> None:
    """The same file again gets the same verdicts."""
    write("items.jsonl", [digits.raw(n) for n in range(5)])
    before = seq(service)
    for name in ("first.jsonl", "again.jsonl"):
        assert 0 == run(monkeypatch, "items.jsonl", "--url", service.url, "--out", name)

    assert lines_of("first.jsonl") == lines_of("again.jsonl")
    assert before + 5 == seq(service)


def test_going_on_after_a_kill_between_output_and_checkpoint(
    monkeypatch: pytest.MonkeyPatch, service: Inside
) -> None:
    """What was written after the checkpoint is cut off and written again: no line is doubled, none is lost."""
    write("items.jsonl", [digits.raw(n) for n in range(300)])
    command = [
        "items.jsonl",
        "--url",
        service.url,
        "--out",
        "v.jsonl",
        "--checkpoint",
        "c.json",
        "--batch",
        "10",
    ]
    assert 0 == run(monkeypatch, *command)
    whole, done = Path("v.jsonl").read_bytes(), json.loads(Path("c.json").read_text())
    before = seq(service)
    end = len(b"".join(whole.splitlines(keepends=True)[:100]))
    offset = len(b"".join(Path("items.jsonl").read_bytes().splitlines(keepends=True)[:100]))
    earlier = {"place": {"file": 0, "offset": offset, "line": 100}, "output": end, "counts": {"known": 100}}
    with Path("v.jsonl").open("r+b") as file, Path("v.jsonl").open("rb") as readable:
        earlier["tail"] = Output(file, readable=readable).tail(end)
    Path("c.json").write_text(json.dumps({**done, **earlier}))
    Path("v.jsonl").write_bytes(whole[: end + 777])  # torn in the middle of a line
    assert 0 == run(monkeypatch, *command)

    assert whole == Path("v.jsonl").read_bytes()
    assert before == seq(service)
    assert 300 == sum(json.loads(Path("c.json").read_text())["counts"].values())


def test_all_done_is_done(monkeypatch: pytest.MonkeyPatch, service: Inside) -> None:
    """Again, it sends nothing; when the file has grown, what is new."""
    command = ["items.jsonl", "--url", service.url, "--out", "v.jsonl", "--checkpoint", "c.json"]
    seen = []
    for n in (5, 5, 7):
        write("items.jsonl", [digits.raw(k) for k in range(n)])
        assert 0 == run(monkeypatch, *command)
        seen.append(lines_of("v.jsonl"))

    assert [5, 5, 7] == [len(lines) for lines in seen]
    assert seen[0] == seen[1] == seen[2][:5]


def test_tables_and_texts(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], service: Inside
) -> None:
    """Rows go as rows, under their ids; a service of images says what it takes."""
    write("rows.csv", ["number,text", "17,how", '18,"do, I"'])

    assert 1 == run(monkeypatch, "rows.csv", "--url", service.url, "--id", "number", "--text", "text")
    out = printed(capfd.readouterr().out)
    assert ["17", "18"] == [line["id"] for line in out]
    assert all("64 numbers" in line["problem"]["detail"] for line in out)


def test_only_asking(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], service: Inside
) -> None:
    """Nothing is counted, and each line says why."""
    write("items.jsonl", [digits.raw(n) for n in range(3)])
    before = seq(service)

    assert 0 == run(monkeypatch, "items.jsonl", "--url", service.url, "--no-learn", "--explain")
    assert before == seq(service)
    out = printed(capfd.readouterr().out)
    assert all(line["seq"] is None and line["explanation"]["sentence"] for line in out)


@pytest.mark.parametrize(
    "arguments",
    [
        ("none.jsonl",),
        ("--batch", "0"),
        ("--format", "xml"),
        ("--url", "somewhere"),
        ("--checkpoint", "c.json", "--out", "/dev/null"),
        ("rows.csv", "--id", "none"),
        ("--stream", "no/such stream"),
    ],
)
def test_asked_wrongly(monkeypatch: pytest.MonkeyPatch, service: Inside, arguments: tuple[str, ...]) -> None:
    """Exit status 2, and what to give instead."""
    path = write("items.jsonl", [digits.raw()])
    write("rows.csv", ["a,b", "1,2"])
    with path.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert 2 == run(monkeypatch, "--url", service.url, *arguments)


def test_the_service_is_away(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit status 3, and how to go on."""
    write("items.jsonl", [digits.raw()])
    command = [
        "items.jsonl",
        "--url",
        "http://127.0.0.1:1",
        "--patience",
        "0",
        "--out",
        "v",
        "--checkpoint",
        "c",
    ]

    assert 3 == run(monkeypatch, *command)
    assert "The same command goes on" in capfd.readouterr().err


def start(*arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "service.cli.main", "classify", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_going_on(service: Inside, signum: int) -> None:
    """Ended by Ctrl-C or kill -9 while it reads a pipe, it goes on when the pipe brings the same: each item once."""
    lines = [f"{digits.raw(n)}\n".encode() for n in range(300)]
    command = ["--url", service.url, "--out", "v.jsonl", "--checkpoint", "c.json"]
    before = seq(service)
    with start(*command) as first:
        assert first.stdin is not None
        first.stdin.write(b"".join(lines[:200]))
        first.stdin.flush()
        until(
            lambda: Path("v.jsonl").exists() and len(Path("v.jsonl").read_bytes().splitlines()) == 200,
            "written",
        )
        first.send_signal(signum)
        assert (130 if signum == signal.SIGINT else -signal.SIGKILL) == first.wait(20)
    with start(*command) as second:
        second.communicate(b"".join(lines), timeout=60)

    assert 0 == second.returncode
    found = lines_of("v.jsonl")
    assert 300 == len(found)
    assert [n + 1 for n in range(300)] == [int(line["id"].split("-")[0]) for line in found]
    assert 300 == seq(service) - before
    assert {1} == set(Counter(line["id"] for line in found).values())


def test_help(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Every option, examples, every exit status."""
    assert 0 == run(monkeypatch, "--help")
    shown = capfd.readouterr().out

    assert "firstseen classify < items.jsonl > verdicts.jsonl" in shown
    assert "130 Ctrl-C" in shown
    assert "FIRSTSEEN_API_KEY" in shown

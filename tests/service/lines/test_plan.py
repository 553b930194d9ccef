"""What a run is to do, held against what is there."""

import io
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from service.errors import ClientError
from service.lines.checkpoint import write_checkpoint
from service.lines.parsing import Columns, Format
from service.lines.plan import Plan, make_plan


def planned(tmp_path: Path, files: list[str], **options: Any) -> Plan:
    with ExitStack() as open_files, (tmp_path / "stdout").open("ab") as stdout:
        return make_plan(
            [Path(name) if name == "-" else tmp_path / name for name in files],
            **{
                "format": Format.AUTO,
                "columns": Columns(),
                "out": None,
                "checkpoint": None,
                "stream": "",
                "stdin": lambda: io.BytesIO(b"[1]\n"),
                "stdout": stdout,
                "drawn": "run",
                "open_files": open_files,
                **options,
            },
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_standard_input_is_the_default(folder: Path) -> None:
    """And is - among files."""
    assert ["standard input"] == [one.name for one in planned(folder, []).inputs]
    assert 2 == len(planned(folder, ["a.jsonl", "-"]).inputs)
    with pytest.raises(ClientError, match="once"):
        planned(folder, ["-", "-"])


def test_going_on(folder: Path) -> None:
    """The output is cut, the run keeps its name, and its inputs the fingerprints that their ids come from."""
    keep, out = folder / "keep.json", folder / "out.jsonl"
    begun = planned(folder, ["a.jsonl"], checkpoint=keep, out=out)
    write_checkpoint(keep, begun.before)
    out.write_bytes(b"torn")
    (folder / "a.jsonl").write_bytes(b"a.jsonl and more")
    goes_on = planned(folder, ["a.jsonl"], checkpoint=keep, out=out, drawn="another")

    assert "run" == goes_on.before.run
    assert begun.before.fingerprints == tuple(one.fingerprint for one in goes_on.inputs)
    assert b"" == out.read_bytes()
    assert goes_on.note is None


def test_an_output_that_was_begun_anew_is_filled_anew(folder: Path) -> None:
    """As by a shell's >; the ids stay, so that nothing counts twice, and a person is told."""
    keep, out = folder / "keep.json", folder / "out.jsonl"
    begun = planned(folder, ["a.jsonl"], checkpoint=keep, out=out).before
    write_checkpoint(keep, type(begun)(run=begun.run, fingerprints=begun.fingerprints, output=99, tail="00"))
    goes_on = planned(folder, ["a.jsonl"], checkpoint=keep, out=out, drawn="another")

    assert begun == goes_on.before
    assert "all is sent again" in (goes_on.note or "")


@pytest.mark.parametrize("files", [["b.jsonl"], ["a.jsonl", "b.jsonl"], []])
def test_other_inputs(folder: Path, files: list[str]) -> None:
    """Are not what the checkpoint was written for."""
    keep, out = folder / "keep.json", folder / "out.jsonl"
    write_checkpoint(keep, planned(folder, ["a.jsonl"], checkpoint=keep, out=out).before)

    with pytest.raises(ClientError, match="another --checkpoint"):
        planned(folder, files, checkpoint=keep, out=out)


def test_standard_output_that_is_a_file_can_be_cut(folder: Path) -> None:
    """What was in it before stays."""
    (folder / "stdout").write_bytes(b"a title\n")
    plan = planned(folder, ["a.jsonl"], checkpoint=folder / "keep.json")

    assert 8 == plan.before.output


def test_a_pipe_cannot(folder: Path) -> None:
    """And the message says what can."""
    with Path("/dev/null").open("wb") as null, pytest.raises(ClientError, match="--out FILE"):
        planned(folder, ["a.jsonl"], checkpoint=folder / "keep.json", stdout=null)


def test_a_file_that_is_not_there(folder: Path) -> None:
    """Is named by the system."""
    with pytest.raises(FileNotFoundError, match=r"none\.jsonl"):
        planned(folder, ["none.jsonl"])


@pytest.mark.usefixtures("folder")
def test_a_run_stays_in_its_stream(tmp_path: Path) -> None:
    """Half of an output from one stream and half from another would be nobody's verdicts."""
    kept: dict[str, Any] = {"out": tmp_path / "out", "checkpoint": tmp_path / "progress"}
    plan = planned(tmp_path, ["a.jsonl"], **kept, stream="lines")
    write_checkpoint(tmp_path / "progress", plan.before)

    with pytest.raises(ClientError, match=r"is of stream lines, and this would go to the default stream"):
        planned(tmp_path, ["a.jsonl"], **kept)
    assert "lines" == planned(tmp_path, ["a.jsonl"], **kept, stream="lines").before.stream

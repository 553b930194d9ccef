"""A file whose checksums are right may still hold no stream: what is wrong is told before anything is written."""

import io
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from service.records import Verdict, VerdictKind
from service.state.archive import ArchiveUnreadable, Chunk, DlqPage, Frame, IdsPage, LogPage, Start, Writer
from service.state.batches import Append, checksums
from service.state.inspecting import inspect
from service.state.packing import pack_verdict
from service.state.snapshots import Description, cut

BLOBS = (b"older", b"newer")


def entry(seq: int) -> tuple[int, dict[str, bytes]]:
    batch = Append(first_seq=seq, count=2, payload=b"%d" % seq, verdicts=())
    return seq, {"n": b"2", "p": batch.payload, "s": checksums(batch), "e": b"1"}


def verdict(seq: int) -> tuple[bytes, bytes]:
    made = Verdict(
        id="",
        seq=seq,
        verdict=VerdictKind.OUTLIER,
        label=None,
        cluster_id=None,
        novelty=0.5,
        nearest="a",
        distance=1.0,
    )
    return b"id-%d" % seq, pack_verdict(made, ["a"])


def whole() -> list[Any]:
    """A stream of 8 items, a horizon of 4, snapshots at 2 and 6."""
    kept = [Description.of(blob, generation=n + 1, seq=(2, 6)[n]) for n, blob in enumerate(BLOBS)]
    head = {"seq": b"8", "horizon": b"4", "idgen": b"1", "gen": b"2", "trimmed": b"2"}
    head |= {"prev": kept[0].format().encode(), "cur": kept[1].format().encode()}
    return [
        Start(stream="s", bundle="b", epoch=2, head=head),
        LogPage(entries=[entry(2), entry(4)]),
        LogPage(entries=[entry(6)]),
        IdsPage(generation=0, verdicts=[verdict(0), verdict(3)]),
        IdsPage(generation=1, verdicts=[verdict(4), verdict(7)]),
        Chunk(generation=1, n=0, data=cut(BLOBS[0], 0)),
        Chunk(generation=2, n=0, data=cut(BLOBS[1], 0)),
        DlqPage(fields=[(b"a", b""), (b"b", b"")]),
    ]


def archive(frames: list[Frame]) -> io.BytesIO:
    file = io.BytesIO()
    writer = Writer(file)
    for frame in frames:
        writer.write(frame)
    writer.end()
    file.seek(0)
    return file


def test_a_whole_stream() -> None:
    """It comes with its head."""
    found = inspect(archive(whole()))

    assert ("s", "b", 2, 8, 2) == (
        found.start.stream,
        found.start.bundle,
        found.start.epoch,
        found.head.seq,
        found.head.trimmed,
    )
    assert found.size == len(found.file.getvalue())  # type: ignore[attr-defined]  # it is a BytesIO


def without(at: int) -> Callable[[list[Any]], object]:
    return lambda frames: frames.pop(at)


def head(**fields: bytes) -> Callable[[list[Any]], object]:
    def change(frames: list[Any]) -> None:
        frames[0] = msgspec.structs.replace(frames[0], head=frames[0].head | fields)

    return change


def put(at: int, frame: Frame) -> Callable[[list[Any]], object]:
    def change(frames: list[Any]) -> None:
        frames[at] = frame

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without(0), "does not begin with a frame `start`"),
        (without(1), "items 2 to 5 are missing from the log"),
        (without(2), "items 6 to 7 are missing from the log"),
        (without(5), "chunk 0 of snapshot 2 is out of order"),
        (without(6), "chunk 0 of snapshot 2 is missing"),
        (lambda frames: frames.reverse(), "does not begin"),
        (lambda frames: frames.insert(3, frames.pop(5)), "is out of order"),
        (lambda frames: frames[1].entries.reverse(), "items 2 to 3 are missing"),
        (lambda frames: frames[1].entries[0][1].update(p=b"x"), "log entry 2-1 has a wrong checksum"),
        (lambda frames: frames[3].verdicts.reverse(), "id b'id-0' is not in order"),
        (lambda frames: frames[3].verdicts.append(frames[3].verdicts[-1]), "is not in order"),
        (put(3, IdsPage(generation=0, verdicts=[(b"i", b"?")])), "verdict of seq None"),
        (put(4, IdsPage(generation=1, verdicts=[verdict(8)])), "verdict of seq 8 in generation 1"),
        (put(3, IdsPage(generation=0, verdicts=[verdict(4)])), "verdict of seq 4 in generation 0"),
        (put(4, IdsPage(generation=2, verdicts=[verdict(7)])), "ids of generation 2"),
        (put(5, Chunk(generation=1, n=0, data=cut(b"other", 0))), "not those of one snapshot"),
        (put(5, Chunk(generation=1, n=0, data=b"x" * 20)), "wrong checksum"),
        (put(7, DlqPage(fields=[(b"b", b""), (b"a", b"")])), "not in order"),
        (head(seq=b"x"), "seq is 'x'"),
        (head(idgen=b"0"), "idgen is 0"),
        (head(saving=b"2 1"), "a save under way"),
        (put(0, msgspec.structs.replace(whole()[0], epoch=0)), "cannot be one"),
        (put(0, msgspec.structs.replace(whole()[0], stream="a b")), "stream name 'a b'"),
    ],
)
def test_what_is_no_stream(change: Callable[[list[Any]], object], told: str) -> None:
    """Though every frame is as it was written."""
    frames = whole()
    change(frames)

    with pytest.raises(ArchiveUnreadable, match=told):
        inspect(archive(frames))


def test_counts() -> None:
    """The last frame has to agree."""
    file = io.BytesIO()
    writer = Writer(file)
    for frame in whole():
        writer.write(frame)
    writer.counts.ids += 1
    writer.end()
    file.seek(0)

    with pytest.raises(ArchiveUnreadable, match="it counts"):
        inspect(file)

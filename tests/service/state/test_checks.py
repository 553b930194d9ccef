"""Checks are pure: what was read goes in, what is wrong comes out. On whole streams they are in test_verifying.py."""

import pytest

from service.state.batches import Append, checksums
from service.state.checks import (
    TOLD,
    Findings,
    LogWalk,
    Outcome,
    Places,
    head_faults,
    owner_faults,
    parse_head,
)
from service.state.reading import Cut, Entry
from service.state.snapshots import Description

HEAD = {b"seq": b"8", b"horizon": b"4", b"idgen": b"1", b"gen": b"2", b"trimmed": b"2"}
OLDER = Description.of(b"older", generation=1, seq=2).format().encode()
NEWER = Description.of(b"newer", generation=2, seq=6).format().encode()
WHOLE = HEAD | {b"prev": OLDER, b"cur": NEWER}


def entry(seq: int, count: int = 1) -> Entry:
    batch = Append(first_seq=seq, count=count, payload=b"p", verdicts=())
    return b"%d-1" % seq, {b"n": b"%d" % count, b"p": b"p", b"s": checksums(batch), b"e": b"1"}


class TestFindings:
    def test_order_and_outcome(self) -> None:
        """A fault outweighs a warning, a warning that all is well; checks stand in the order they were made."""
        found = Findings()
        found.passed("a", "fine")
        found.warned("b", "careful")
        found.passed("b", "fine")
        found.failed("c", "broken")
        found.passed("c", "fine")
        found.skipped("d", "c is broken")

        assert [("a", "ok"), ("b", "warning"), ("c", "failed"), ("d", "skipped")] == [
            (check.name, check.outcome.value) for check in found.checks()
        ]
        assert found.has_failed()
        assert found.has_failed("c")
        assert not found.has_failed("a", "b")

    def test_later_faults(self) -> None:
        """What was in order so far is not any more."""
        found = Findings()
        found.passed("a", "fine")
        found.failed("a", "broken")
        (check,) = found.checks()

        assert (Outcome.FAILED, ("broken",)) == (check.outcome, check.details)

    def test_many(self) -> None:
        """A few are told, the rest counted."""
        found = Findings()
        for n in range(TOLD + 3):
            found.failed("a", str(n))
        (check,) = found.checks()

        assert ("0", "1", "2", "3", "4", "and 3 more") == check.details


class TestHead:
    def test_whole(self) -> None:
        """With both snapshots, with none, with a save under way."""
        head = parse_head(WHOLE | {b"saving": b"2 7"})

        assert ((0, 1), (1, 2), (2, 7)) == (
            head.live_ids,
            tuple(d.generation for d in head.snapshots),
            head.saving,
        )
        assert [] == head_faults(head)
        assert [] == head_faults(parse_head(HEAD | {b"trimmed": b"0"}))
        assert (0,) == parse_head(HEAD | {b"idgen": b"0"}).live_ids

    @pytest.mark.parametrize("seq", [0, 1, 4, 5, 8, 9])
    def test_generation_of_the_newest_id(self, seq: int) -> None:
        """That of the last item: with a horizon of 4, items 4 to 7 are of generation 1."""
        idgen = max(seq - 1, 0) // 4
        young = {
            b"seq": b"%d" % seq,
            b"horizon": b"4",
            b"idgen": b"%d" % idgen,
            b"gen": b"0",
            b"trimmed": b"0",
        }

        assert [] == head_faults(parse_head(young))
        assert 1 == len(head_faults(parse_head(young | {b"idgen": b"%d" % (idgen + 1)})))

    @pytest.mark.parametrize("field", list(HEAD))
    @pytest.mark.parametrize("value", [None, b"", b"-1", b"1.5", b"x", b"9" * 17])
    def test_no_count(self, field: bytes, value: bytes | None) -> None:
        """The field is named."""
        fields = {name: v for name, v in (WHOLE | {field: value}).items() if v is not None}
        with pytest.raises(ValueError, match=f"{field.decode()} is "):
            parse_head(fields)

    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            ({b"seq": b"5"}, "cur stands at seq 6, beyond the head at 5"),
            ({b"gen": b"1"}, "cur has generation 2, and only 1 were handed out"),
            ({b"prev": NEWER}, "prev is not older than cur"),
            ({b"trimmed": b"3"}, "trimmed is 3"),
            ({b"saving": b"1 7"}, "the save under way has generation 1"),
            ({b"cur": b"2 6 9 5 00"}, "cur has 5 bytes in 9 chunks"),
        ],
    )
    def test_contradictions(self, changed: dict[bytes, bytes], told: str) -> None:
        """Figures that cannot be true together."""
        assert any(fault.startswith(told) for fault in head_faults(parse_head(WHOLE | changed)))

    @pytest.mark.parametrize("saving", [b"", b"1", b"1 x", b"1 2 3"])
    def test_saving(self, saving: bytes) -> None:
        """Two numbers, or nothing."""
        with pytest.raises(ValueError, match="saving is"):
            parse_head(WHOLE | {b"saving": saving})


@pytest.mark.parametrize(
    ("epoch", "lease", "faults"),
    [
        (b"1 me", None, 0),
        (b"1 me", b"me", 0),
        (b"1 me", b"you", 1),
        (None, None, 1),
        (b"1", None, 1),
        (b"0 me", None, 1),
        (b"x me", None, 1),
    ],
)
def test_owner(epoch: bytes | None, lease: bytes | None, faults: int) -> None:
    """A token, and a lease of the same owner."""
    assert faults == len(owner_faults(Cut(bundle=None, epoch=epoch, lease=lease, head={})))


class TestLogWalk:
    def walked(self, entries: list[Entry], *, start: int = 0, seq: int = 6) -> list[str]:
        found = Findings()
        walk = LogWalk(found, start)
        for one in entries:
            walk.step(one)
        walk.end(seq)
        faults = [detail for check in found.checks() for detail in check.details]

        assert walk.is_whole == (not faults)
        return faults

    def test_whole(self) -> None:
        """One after the other, up to the head."""
        assert [] == self.walked([entry(0, 2), entry(2), entry(3, 3)])
        assert [] == self.walked([], start=6)

    @pytest.mark.parametrize(
        ("entries", "told"),
        [
            ([entry(0, 2), entry(3, 3)], "items 2 to 2 are missing from the log"),
            ([entry(0, 2), entry(2)], "items 3 to 5 are missing from the log"),
            ([entry(0, 4), entry(2, 4)], "the next entry stands at seq 2, but the log goes on at 4"),
            ([entry(0, 7)], "the head stands at seq 6, but the log goes on at 7"),
            ([(b"0-1", entry(1, 6)[1])], "log entry 0-1 has a wrong checksum"),
            ([(b"0-2", entry(0, 6)[1])], "log entry 0-2 is not one that firstseen writes"),
            ([(b"0-1", {b"n": b"6"})], "log entry 0-1 lacks a field (b'p')"),
        ],
    )
    def test_broken(self, entries: list[Entry], told: str) -> None:
        """One fault, named once: the walk goes on behind it."""
        assert [told] == self.walked(entries)


class TestPlaces:
    def test_who_is_where(self) -> None:
        """The id of a place is known, others are told apart."""
        places = Places(10)
        places.put(10, (b"a", b"b"), 2)
        places.put(12, (), 1)

        assert places.is_at(10, b"a")
        assert not places.is_at(10, b"b")
        assert not places.is_at(12, b"a"), "a change of parameters is nobody's place"

    def test_who_can_be_anywhere(self) -> None:
        """Before the log, behind it, in a hole or in an entry that cannot be read, nobody can say."""
        places = Places(10)
        places.put(12, None, 2)
        places.put(14, (b"a",), 1)
        places.put(11, (b"x",), 1)

        assert all(places.is_at(seq, b"q") for seq in (9, 10, 11, 12, 13, 15))
        assert not places.is_at(14, b"q")

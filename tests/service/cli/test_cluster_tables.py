"""How clusters and decisions look: every kind of decision has its words, and others' text cannot drive a terminal."""

import io
from typing import Any

import msgspec
import pytest
from rich.console import Console

from service.cli.cluster_tables import about, clusters_table, decided, decisions_table, parts_table, shown
from service.client import Cluster, Decision, SplitPart, SplitPreview
from service.decisions import Action
from tests.service.told import cluster as cluster_as_told

EVIL = "\x1b[31m[red]evil[/red]\n"


def drawn(what: Any) -> str:
    screen = Console(file=io.StringIO(), width=200, force_terminal=True, color_system="truecolor")
    screen.print(what)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def cluster(**changes: Any) -> Cluster:
    return msgspec.convert(msgspec.to_builtins(cluster_as_told(**changes)), Cluster)


def decision(action: str, **fields: Any) -> Decision:
    given: dict[str, Any] = {"decision": 812, "cluster": 3, "time": "2026-11-26T12:00:00.000Z", "who": "open"}
    return Decision(action=action, **(given | fields))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (decision("name", label="a"), "cluster 3 is called 'a'"),
        (decision("name", label=""), "cluster 3 has no name"),
        (decision("promote", label="7"), "cluster 3 is the known class '7'"),
        (decision("link", label="8"), "cluster 3 is part of the known class '8'"),
        (decision("merge", into=2), "cluster 3 goes into 2"),
        (decision("split", created=(4, 5)), "cluster 3 is split; new: 4, 5"),
        (decision("dismiss", until_rate=5), "until it comes 5 times as often"),
        (decision("dismiss", until="2099-12-24T18:00:00.000Z"), "until 2099-12-24 18:00 UTC"),
        (decision("undo", undoes=800, created=(4,)), "decision 800 is taken back; back: 4"),
        (decision("freeze"), "freeze of cluster 3"),
    ],
)
def test_what_was_decided(made: Decision, words: str) -> None:
    """In words, also of a kind that is not known here; and how it is taken back, but for what took back."""
    said = decided(made)

    assert said.startswith("Decision 812: ")
    assert words in said
    assert ("firstseen clusters undo 3 --decision 812" in said) is (made.action != "undo")
    assert words in drawn(decisions_table([made]))


def test_every_action_has_its_words() -> None:
    """None is told of as if it were not known."""
    assert [a for a in Action if f"{a} of cluster" in decided(decision(a.value))] == []


def test_what_was_taken_back() -> None:
    """Says so."""
    assert "taken back by 900" in drawn(decisions_table([decision("name", label="a", undone_by=900)]))


def test_a_cluster() -> None:
    """With all that was decided about it, and nothing about what was not."""
    plain = drawn(about(cluster()))
    full = drawn(
        about(
            cluster(
                name="a",
                label="7",
                dismissed=True,
                merged_into=2,
                parent_id=5,
                variant_of="8",
                exemplars=("x", "y"),
            )
        )
    )

    assert "went into" not in plain
    for part in ("1 'a'", "emerging, dismissed", "7", "cluster 2", "cluster 5", "8", "x, y"):
        assert part in full


def test_clusters_the_largest_first() -> None:
    """A line each."""
    lines = drawn(clusters_table([cluster(id=n, items=n * 10) for n in (1, 3, 2)])).splitlines()

    assert ["3", "2", "1"] == [line.split()[0] for line in lines[1:]]


def test_parts() -> None:
    """Which stay and which leave."""
    parts = tuple(
        SplitPart(
            members=(n,),
            items=9 - n,
        )
        for n in range(3)
    )
    lines = drawn(parts_table(SplitPreview(cluster=1, seq=0, parts=parts), [2])).splitlines()

    assert ["stays", "leaves", "stays"] == [line.split()[1] for line in lines[1:]]


@pytest.mark.parametrize(
    "what",
    [
        clusters_table([cluster(name=EVIL, label=EVIL, nearest=EVIL, nearest_distance=1.0)]),
        about(cluster(name=EVIL, exemplars=(EVIL,), variant_of=EVIL)),
        decisions_table([decision("name", label=EVIL, why=EVIL, who=EVIL, time=EVIL), decision(EVIL)]),
    ],
)
def test_others_text(what: Any) -> None:
    """Neither a control sequence nor markup comes through: what is red is written so."""
    told = drawn(what)

    assert "\x1b[31m" not in told
    assert "[red]" in told


def test_a_line() -> None:
    """Of a cluster, before it is asked what to do with it."""
    assert "Cluster 1 'a', emerging, of class '7', 8 items, near nothing." == shown(
        cluster(name="a", label="7")
    )

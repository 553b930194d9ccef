"""How evidence looks: all that sets a cluster apart and members to look at; others' text cannot drive a terminal."""

import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from service.api.evidence import EXAMPLE_EVIDENCE
from service.cli.evidence_tables import evidence_of, exemplars_of, parts_of
from service.client import SplitPart, SplitPreview
from service.describing.pictures import png_of
from tests.service.told import exemplar

EVIL = "\x1b[31m[red]evil[/red]\n"


def drawn(what: Any, *, colours: bool = False) -> str:
    screen = Console(
        file=io.StringIO(), width=200, force_terminal=colours, color_system="truecolor" if colours else None
    )
    screen.print(what)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_evidence_of_texts() -> None:
    """What it is like, whether it is new, how often it comes, its terms, and members with what they said."""
    told = drawn(evidence_of(EXAMPLE_EVIDENCE))

    for part in (
        "refund, delayed",
        "No known class is missing items",
        "341 of 1,000 items, newer half over older 4.4",
        "0.00068 of 0.01 for this cluster",
        "went into it",
        "128, of 128 of these",
        "83%",
        "my refund is still not there",
        "(not kept)",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ({"kind": "number", "value": 12.5, "share": None, "usual": 3.0, "z": 4.2}, ("12.5", "3", "+4.2")),
        (
            {"kind": "category", "value": "icmp", "share": 0.9, "usual": 0.1, "z": 3.0},
            ("icmp in 90%", "in 10%"),
        ),
        ({"kind": "missing", "value": None, "share": 0.5, "usual": None, "z": 2.0}, ("missing in 50%",)),
    ],
)
def test_evidence_of_rows(feature: dict[str, Any], words: tuple[str, ...]) -> None:
    """Numbers, categories and what is missing, each beside what is usual."""
    told = drawn(evidence_of(EXAMPLE_EVIDENCE | {"terms": [], "features": [{"feature": "bytes", **feature}]}))

    assert "bytes" in told
    assert all(word in told for word in words)


def test_pictures_are_drawn_where_there_are_colours() -> None:
    """And said to be pictures in any case."""
    shown = exemplars_of([exemplar("a", kept=True, picture=png_of(np.ones((1, 4, 4), dtype=np.float32)))])

    assert "\u2580" in drawn(shown, colours=True)
    assert "\u2580" not in drawn(shown)
    assert "(a picture)" in drawn(shown)


def test_nobody_to_look_at() -> None:
    """Of a cluster that is gone; its arrivals are none."""
    gone = EXAMPLE_EVIDENCE | {"exemplars": [], "terms": [], "arrivals": [0, 0], "growth": None, "rate": 0.0}

    assert exemplars_of([]) is None
    assert "shown for" not in drawn(evidence_of(gone))


def test_parts() -> None:
    """Which stay and which leave, and members of each."""
    parts = tuple(
        SplitPart(members=(n,), items=9 - n, exemplars=(exemplar(f"m-{n}", kept=True, payload=f"text {n}"),))
        for n in range(2)
    )
    told = drawn(parts_of(SplitPreview(cluster=1, seq=0, parts=parts), [2]))

    for part in ("stays", "leaves", "Part 1", "text 0", "Part 2", "m-1"):
        assert part in told


def test_others_text_is_text() -> None:
    """Ids, payloads, terms and suggested names may have been anybody's."""
    evil = EXAMPLE_EVIDENCE | {
        "suggested_name": EVIL,
        "terms": [{"term": EVIL, "z": 1.0, "share": 0.5, "elsewhere": 0.1}],
        "exemplars": [EXAMPLE_EVIDENCE["exemplars"][0] | {"id": EVIL, "payload": [EVIL]}],
    }
    parts = SplitPreview(
        cluster=1, seq=0, parts=(SplitPart(members=(1,), items=1, exemplars=(exemplar(EVIL, kept=True),)),)
    )
    told = drawn(evidence_of(evil)) + drawn(parts_of(parts, []))

    assert "\x1b" not in told
    assert 5 == told.count("[red]evil[/red]")

"""Does a cluster keep its id while others come and go?

The stream is `topics`: 40 classes, about a dozen alive at a time. Five further items of each class, probes, are never
learnt. Every 100 items all of them are asked for their cluster, which changes nothing. Of the probes whose topic has
been there for 200 items and is there still, and that had a cluster at the last checkpoint and have one now, those
count as churn that have another. Nothing about their topic has changed, so each is a known thing under a new name:
a verdict that contradicts the last one, an alert for nothing.

    churn      share of such probes at a checkpoint, mean over all checkpoints
    worst      at the worst one
    answered   probes of a topic that has been there for 200 items and is still, that get a cluster at all

Everybody works with the settings that the comparison of answers chose for this kind of stream. Both DBSTREAMs are
measured once more as ones that forget: half of every weight is gone after 500 items, so that a topic which is over is
out of the model while the stream still goes on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.clusterer_grids import ENTRIES, Entry, Facts, Settings, facts_of
from benchmarks.clusterer_quality import BLOCK
from benchmarks.report import Row
from benchmarks.streams import Int64s, Topics, topics

ALIVE = 12
FORGETS = 2e-3
"""Fading an item of those that forget."""


@dataclass(frozen=True, kw_only=True)
class ChurnSizes:
    """What is measured.

    Attributes:
        items: Length of the stream.
        every: Items between checkpoints, a multiple of the block.
        settled: Items that a topic must have been there for.
        seeds: Streams; their checkpoints are taken together.
        entries: Who is compared.
    """

    items: int = 6000
    every: int = 100
    settled: int = 200
    seeds: int = 2
    entries: tuple[Entry, ...] = ENTRIES


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What was found after `items` items: probes that kept their cluster, changed it, and had none now."""

    items: int
    kept: int
    changed: int
    without: int


def churn(
    sizes: ChurnSizes, settings: Mapping[str, Settings], *, progress: Callable[[str], None] = lambda _: None
) -> tuple[list[Row], dict[str, list[Row]]]:
    """A row for each peer that has settings and is installed; and what became of the first stream, by peer."""
    rows, courses = [], {}
    for name, entry, chosen in cases(sizes.entries, settings):
        progress(f"churn: {name}")
        found = []
        for seed in range(sizes.seeds):
            stream = topics(items=sizes.items, seed=100 + seed, alive=ALIVE)
            found.append(checkpoints(sizes, entry, facts_of(stream.x, ALIVE), chosen, stream))
        shares = [c.changed / (c.kept + c.changed) for course in found for c in course if c.kept + c.changed]
        answered = sum(c.kept + c.changed for course in found for c in course)
        asked = answered + sum(c.without for course in found for c in course)
        rows.append(
            {
                "clusterer": name,
                "churn": round(float(np.mean(shares)), 4) if shares else None,
                "worst": round(max(shares), 4) if shares else None,
                "answered": round(answered / asked, 4) if asked else None,
                "checkpoints": len(shares),
            }
        )
        courses[name] = [
            {"items": c.items, "share": round(c.changed / (c.kept + c.changed), 4)}
            for c in found[0]
            if c.kept + c.changed
        ]
    return rows, courses


def cases(
    entries: Sequence[Entry], settings: Mapping[str, Settings]
) -> Iterator[tuple[str, Entry, Settings]]:
    """Each peer with its settings, and DBSTREAMs once more with another fading."""
    for entry in entries:
        if entry.name in settings and entry.is_installed():
            yield entry.name, entry, settings[entry.name]
            if entry.name.endswith("DBSTREAM"):
                yield f"{entry.name}, forgets", entry, {**settings[entry.name], "fading": FORGETS}


def checkpoints(
    sizes: ChurnSizes, entry: Entry, facts: Facts, settings: Settings, stream: Topics
) -> list[Checkpoint]:
    """Learn the stream, ask the probes from time to time."""
    assert sizes.every % BLOCK == 0
    peer = entry.make(facts, settings)
    before: Int64s | None = None
    found = []
    for begin in range(0, len(stream.x), sizes.every):
        for start in range(begin, min(begin + sizes.every, len(stream.x)), BLOCK):
            peer.learn_many(stream.x[start : start + BLOCK])
        now = peer.predict_many(stream.probes)
        if before is not None:
            found.append(compare(stream, before, now, begin=begin, every=sizes.every, settled=sizes.settled))
        before = now
    return found


def compare(
    stream: Topics, before: Int64s, now: Int64s, *, begin: int, every: int, settled: int
) -> Checkpoint:
    """Two answers to the same probes.

    Args:
        stream: Knows which topics are there.
        before: int64 (P,) clusters after `begin` items, -1 for none.
        now: int64 (P,) clusters `every` items later.
        begin: Items at the earlier checkpoint.
        every: Items between both.
        settled: Items that a topic must have been there for at the earlier one.
    """
    lives = stream.lives[stream.probes_y]
    there = (lives[:, 0] + settled <= begin) & (begin + every <= lives[:, 1])
    both = there & (before >= 0) & (now >= 0)
    changed = int((before[both] != now[both]).sum())
    return Checkpoint(
        items=begin + every,
        kept=int(both.sum()) - changed,
        changed=changed,
        without=int(there.sum() - both.sum()),
    )

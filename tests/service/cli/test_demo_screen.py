"""What the demo shows, on a screen of paper."""

import io
from dataclasses import replace
from typing import Any

from rich.console import Console, RenderableType

from service.cli.demo_screen import DemoScreen, results_table
from service.records import Verdict, VerdictKind
from service.scoring import ClassScore, StreamScore


def shown(what: RenderableType) -> str:
    paper = io.StringIO()
    Console(file=paper, width=160).print(what)
    return paper.getvalue()


def verdict(seq: int, kind: VerdictKind, cluster_id: int | None = None) -> Verdict:
    return Verdict(
        id=f"i{seq}",
        seq=seq,
        verdict=kind,
        label=None,
        cluster_id=cluster_id,
        novelty=0.5,
        nearest="8",
        distance=1.0,
    )


def cluster(id: int, items: int) -> dict[str, Any]:
    evidence = {"trials": 40, "hits": 9, "p0": 0.01, "log10_e": 3.4, "log10_threshold": 2.2}
    return {
        "id": id,
        "state": "emerging",
        "items": items,
        "items_to_emerge": 12,
        "nearest": "8",
        "nearest_distance": 1.3,
        "evidence": evidence,
    }


def test_empty() -> None:
    """Before the first item there is something to see."""
    assert "no cluster yet" in shown(DemoScreen(10))


def test_counts() -> None:
    """Verdicts are counted by kind; one that comes again is not counted again."""
    screen = DemoScreen(10)
    screen.count(1, verdict(0, VerdictKind.KNOWN))
    screen.count(2, verdict(1, VerdictKind.OUTLIER))
    screen.count(2, verdict(1, VerdictKind.OUTLIER))
    text = " ".join(shown(screen).split())

    assert "2/10" in text
    assert "known 1" in text
    assert "outlier 1" in text


def test_cluster() -> None:
    """A cluster that emerges is in the table and among the events."""
    screen = DemoScreen(10)
    screen.event({"event": "emerged", "seq": 7, "cluster": cluster(17, 12)})
    text = shown(screen)

    assert "cluster 17 emerged with 12 items" in text
    assert "emerging" in text
    assert "items in it when announced" in text
    assert "10^3.4" in text


def test_note() -> None:
    """What happens to the service is noted at the item it happened at."""
    screen = DemoScreen(10)
    screen.count(1, verdict(0, VerdictKind.KNOWN))
    screen.note("kill -9")

    assert "kill -9" in shown(screen)


def test_results() -> None:
    """The table says of each class when it was found, or that it was not."""
    one = ClassScore(
        label="3",
        items=9,
        first_at=60,
        clusters=(17,),
        found_at=70,
        delay_items=5,
        caught=0.9,
        in_cluster=0.5,
        taken_for="8",
        taken_share=0.1,
        auroc=0.99,
    )
    other = replace(one, label="7", items=8, clusters=(), found_at=None, delay_items=None, caught=0.25)
    score = StreamScore(
        items=100,
        known_accuracy=0.975,
        known_called_new=0.02,
        unseen_caught=0.6,
        clusters_found=1,
        clusters_announced=2,
        false_clusters=1,
        classes={"3": one, "7": other},
    )
    text = shown(results_table(score, known_error_rate=0.02))

    assert "97.5%" in text
    assert "1 of 2" in text
    assert "after 5 of its items" in text
    assert "not found" in text

"""The stream from left to right: a row a class, and marks where things happened."""

import dataclasses
import re

from service.report import timeline
from service.scoring.clusters import ClusterScore
from tests.service.report.drawn import first, styled, words


def false_cluster() -> ClusterScore:
    return ClusterScore(
        cluster=9, announced_at=100, judgement="known", stands_for="a", items=3, own_items=3, purity=1.0
    )


def test_timeline_marks() -> None:
    """A row a class with its flag; nothing false, so no row for that."""
    svg = timeline.draw(first(), "t")

    assert 2 == len(styled(svg, "flag")) == len(styled(svg, "came"))
    assert 2 == sum("found after 6 items" in said for said in words(svg))
    assert "false clusters" not in words(svg)


def test_timeline_false_clusters() -> None:
    """A false cluster is marked where it was announced: a quarter of the way."""
    run = dataclasses.replace(first(), clusters=(*first().clusters, false_cluster()))
    svg = timeline.draw(run, "t")
    (mark,) = styled(svg, "bad-line")
    items = next(e for e in styled(svg, "fill-right") if "d" in e.attrib)
    edges = [float(x) for x in re.findall(r"M([\d.]+) ", items.attrib["d"])]

    assert "false clusters" in words(svg)
    middle = float(re.findall(r"M([\d.]+)", mark.attrib["d"])[0]) + 4
    assert min(edges) < middle < max(edges)
    assert abs((middle - min(edges)) / (max(edges) - min(edges)) - 0.25) < 0.03


def test_timeline_not_found() -> None:
    """A class that was not found says so, and what hides it."""
    lost = dataclasses.replace(
        first().classes[0], found_at=None, delay_items=None, taken_for="b", taken_share=0.4
    )
    svg = timeline.draw(dataclasses.replace(first(), classes=(lost, first().classes[1])), "t")

    assert "not found, 40% as b" in words(svg)


def test_timeline_of_many() -> None:
    """More classes than there is room for are counted."""
    many = tuple(dataclasses.replace(first().classes[0], first_at=n) for n in range(20))
    run = dataclasses.replace(
        first(), classes=many, measures=dataclasses.replace(first().measures, classes_unseen=20)
    )

    assert 16 == len(styled(timeline.draw(run, "t"), "came"))
    assert 4 == timeline.more_classes(run)

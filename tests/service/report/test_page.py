"""The page: one file that parses, fetches nothing, runs nothing, and shows hostile labels as text."""

import dataclasses
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from service.report.page import draw_page
from service.report.records import Report, from_json, to_json
from service.scoring.clusters import DriftScore
from service.scoring.measures import MEASURES
from tests.service.replayed import UNSEEN, a_null_report, a_report
from tests.service.report.drawn import parsed

SPACE = "{http://www.w3.org/1999/xhtml}"


def tree(report: Report) -> ET.Element:
    page = draw_page(report)
    assert page.startswith("<!doctype html>\n")
    return parsed(page)


def words(report: Report) -> str:
    return " ".join(" ".join(tree(report).itertext()).split())


@pytest.mark.parametrize("make", [a_report, a_null_report])
def test_well_formed(make: Callable[[], Report]) -> None:
    """It parses, and every id and every reference to one is unambiguous."""
    page = tree(make())
    ids = [element.attrib["id"] for element in page.iter() if "id" in element.attrib]
    named = [id for e in page.iter() for id in e.get("aria-labelledby", "").split()]

    assert len(set(ids)) == len(ids)
    assert set(named) <= set(ids)
    assert all(svg.get("aria-labelledby") for svg in page.iter() if svg.tag.endswith("}svg"))


def test_nothing_runs_and_nothing_is_fetched() -> None:
    """No script, no address but those of namespaces, no handler; and a policy that forbids the rest."""
    page = draw_page(a_report())
    whole = tree(a_report())

    assert ["default-src 'none'; style-src 'unsafe-inline'"] == [
        e.get("content") for e in whole.iter() if e.get("http-equiv") == "Content-Security-Policy"
    ]
    assert not [
        e
        for e in whole.iter()
        if e.tag.rpartition("}")[2] in {"script", "img", "link", "iframe", "object", "a"}
    ]
    assert not [
        name
        for e in whole.iter()
        for name in e.attrib
        if name.startswith("on") or name in {"href", "src", "style"}
    ]
    assert {"http://www.w3.org/1999/xhtml", "http://www.w3.org/2000/svg"} == set(
        re.findall(r"https?://[^\"<\s]+", page)
    )
    assert "url(" not in page
    assert "@import" not in page


def test_hostile_labels_are_text() -> None:
    """Labels and notes are on the page to the letter."""
    said = words(a_report())

    for label in (*UNSEEN, "<b>places</b>", "A note <i>of</i> the data."):
        assert label in said


def test_every_measure() -> None:
    """All measures are on the page, with what they are; means and spreads where there are several streams."""
    said = words(a_report())

    assert [
        name for name, m in MEASURES.items() if m.title not in said or " ".join(m.formula.split()) not in said
    ] == []
    assert "mean ± sd" in said
    assert "mean ± sd" not in words(a_null_report())


def test_every_stream() -> None:
    """Each has its figures; the first is open."""
    page = tree(a_report())
    opened = [
        d.get("open") for d in page.iter(f"{SPACE}details") if d.find(f"{SPACE}summary/{SPACE}h2") is not None
    ]
    titles = [
        e.text or ""
        for e in page.iter()
        if e.tag.endswith("}title") and (e.get("id") or "").endswith("-title")
    ]

    assert ["open", None] == opened
    for part in ("in order", "ROC curve", "Novelty of", "Answers by class", "from above"):
        assert 2 == sum(part in title for title in titles), part
    assert 1 == sum("Delay" in title for title in titles)


def test_null_stream() -> None:
    """Says that there was nothing new, and has no figure about new items."""
    said = words(a_null_report())

    assert "null stream" in said
    assert "classes found" not in said.partition("All measures")[0]
    assert "from above" not in said


def test_light_and_dark() -> None:
    """Both are there, and every color the figures use is defined in both."""
    style = draw_page(a_report()).partition("<style>")[2].partition("</style>")[0]
    light, _, rest = style.partition("@media(prefers-color-scheme:dark)")
    dark = rest.partition("}}")[0]
    used = set(re.findall(r"var\((--[\w-]+)\)", style))

    assert used <= set(re.findall(r"(--[\w-]+):", light))
    assert used <= set(re.findall(r"(--[\w-]+):", dark))


def test_every_class_of_a_figure_has_a_style() -> None:
    """A figure that names a style nobody wrote would be black."""
    page = draw_page(a_report())
    style = page.partition("<style>")[2].partition("</style>")[0]
    named = {c for value in re.findall(r'class="([^"]+)"', page) for c in value.split()}

    assert {c for c in named if f".{c}" not in style} == set()


def test_from_a_kept_report() -> None:
    """A page can be drawn again from the JSON."""
    kept = from_json(to_json(a_report()))

    assert draw_page(kept) == draw_page(from_json(to_json(kept)))


def test_notes_of_a_stream() -> None:
    """What did not go as planned is said with the stream."""
    run = dataclasses.replace(a_report().runs[0], notes=("Class q ran out.",))

    assert "Class q ran out." in words(dataclasses.replace(a_report(), runs=(run,)))


def test_what_was_taken_back_and_what_was_told_to_be_a_drift() -> None:
    """A cluster that was retracted says so beside its judgement; every drift is told, right or wrong."""
    (run, *_) = a_report().runs
    gone = dataclasses.replace(run.clusters[0], retracted_at=350)
    wrong = DriftScore(cluster=gone.cluster, told_at=350, mostly=gone.stands_for, items=9, is_unseen=True)
    right = DriftScore(cluster=77, told_at=360, mostly="a", items=8, is_unseen=False)
    changed = dataclasses.replace(run, clusters=(gone, *run.clusters[1:]), drifts=(wrong, right))
    said = words(dataclasses.replace(a_report(), runs=(changed,)))

    assert "right, then told to be a drift, at 350" in said
    assert "wrong: it is new" in said
    assert "right: it is known" in said
    assert "drift, at" not in words(a_report())


def test_every_space_of_the_oracle_is_shown() -> None:
    """The measures have the best one's figures."""
    (run, *_) = a_report().runs
    other = dataclasses.replace(run.ceilings[0], space="another space", accuracy=0.123)
    changed = dataclasses.replace(run, ceilings=(*run.ceilings, other))
    said = words(dataclasses.replace(a_report(), runs=(changed,)))

    assert "another space 0.123" in said
    assert f"{run.ceilings[0].space} {run.ceilings[0].accuracy:.3f}" in said

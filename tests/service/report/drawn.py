"""What the tests of figures look for in them."""

import xml.etree.ElementTree as ET

from service.report.records import Run
from tests.service.replayed import a_report


def parsed(markup: str) -> ET.Element:
    """Markup or a page of ours, as a tree; raises where it is not well-formed."""
    return ET.fromstring(markup.removeprefix("<!doctype html>"))  # noqa: S314 - made here, a line ago


def words(svg: str) -> list[str]:
    """Everything that is written."""
    return ["".join(e.itertext()) for e in parsed(svg).iter() if e.tag.endswith("}text")]


def styled(svg: str, name: str) -> list[ET.Element]:
    """The elements of a class."""
    return [e for e in parsed(svg).iter() if name in e.get("class", "").split()]


def first() -> Run:
    """A run to draw."""
    return a_report().runs[0]

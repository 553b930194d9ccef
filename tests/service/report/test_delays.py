"""How long each class took: a dot a stream, and those never found."""

import dataclasses

from service.report import delays
from tests.service.replayed import a_report
from tests.service.report.drawn import first, styled, words


def test_delays() -> None:
    """A dot a stream, and how often a class was never found."""
    svg = delays.draw(a_report(), "d")
    lost = dataclasses.replace(first().classes[0], found_at=None, delay_items=None)
    run = dataclasses.replace(first(), classes=(lost, first().classes[1]))
    with_lost = delays.draw(dataclasses.replace(a_report(), runs=(run, a_report().runs[1])), "d")

    assert 4 == len(styled(svg, "flag"))
    assert 3 == len(styled(with_lost, "flag"))
    assert "1 of 2" in words(with_lost)
    assert "1 of 2" not in words(svg)


def test_delays_of_nothing_found() -> None:
    """Also where no class was found."""
    lost = tuple(dataclasses.replace(c, found_at=None, delay_items=None) for c in first().classes)
    svg = delays.draw(
        dataclasses.replace(a_report(), runs=(dataclasses.replace(first(), classes=lost),)), "d"
    )

    assert 2 == words(svg).count("1 of 1")

"""The gate: its ROC curve, and the novelty of known and of unseen items."""

import dataclasses

from service.report import curves
from tests.service.report.drawn import first, styled, words


def test_roc() -> None:
    """AUROC in words, and the verdicts as a point."""
    svg = curves.draw_roc(first(), "r")

    assert "AUROC 1.000" in words(svg)
    assert 1 == len(styled(svg, "flag"))
    assert 1 == len(styled(svg, "curve"))


def test_novelty() -> None:
    """Both kinds, and ticks at the nines."""
    svg = curves.draw_novelty(first(), "n")

    assert {"known items", "unseen items", ".9", ".99"} <= set(words(svg))


def test_novelty_on_another_scale() -> None:
    """Scores that are no probabilities have plain ticks."""
    pictures = first().pictures
    edges = tuple(float(n) for n in range(-20, 21))
    other = dataclasses.replace(pictures, histogram=dataclasses.replace(pictures.histogram, edges=edges))

    assert {"-20", "20"} <= set(words(curves.draw_novelty(dataclasses.replace(first(), pictures=other), "n")))

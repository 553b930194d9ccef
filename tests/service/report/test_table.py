"""The table in the terminal, on a screen of paper."""

import io

from rich.console import Console

from service.report.records import Report
from service.report.table import SHOWN, report_table
from service.scoring.measures import MEASURES
from tests.service.replayed import UNSEEN, a_null_report, a_report


def shown(report: Report, width: int = 100) -> str:
    paper = io.StringIO()
    Console(file=paper, width=width).print(report_table(report))
    return paper.getvalue()


def test_several_streams() -> None:
    """Mean and spread of what matters, every class, and labels as text."""
    text = shown(a_report())

    assert "± sd" in text
    assert "2 of 2" in text
    assert all(MEASURES[name].title in text for name in SHOWN)
    assert all(label in text for label in UNSEEN)
    assert "A note <i>of</i> the data." in text


def test_null_stream() -> None:
    """One stream has no spread, and a null stream no classes."""
    text = shown(a_null_report())

    assert "± sd" not in text
    assert "Unseen classes" not in text
    assert "AUROC" not in text


def test_narrow() -> None:
    """No line is longer than a terminal."""
    assert max(len(line) for line in shown(a_report(), 80).splitlines()) <= 80

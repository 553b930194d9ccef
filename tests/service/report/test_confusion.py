"""Where the items of each class went."""

from service.report import confusion
from tests.service.report.drawn import first, styled, words


def test_confusion() -> None:
    """A cell a pair, and a number where there are items."""
    svg = confusion.draw(first(), "c")
    table = first().pictures.confusion

    assert len(table.rows) * len(table.columns) == len(styled(svg, "cell"))
    for counts in table.counts:
        assert all(f"{n:,}" in words(svg) for n in counts if n)
    assert all(0.0 <= float(cell.attrib["fill-opacity"]) <= 1.0 for cell in styled(svg, "cell"))

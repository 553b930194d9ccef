"""The unseen items from above."""

from service.report import plane
from tests.service.replayed import UNSEEN, a_null_report, a_report
from tests.service.report.drawn import first, styled, words


def test_plane() -> None:
    """Both panels name every class and every cluster."""
    svg = plane.draw(a_report(), first(), "p")
    assert svg is not None

    assert {*UNSEEN, "by class", "as answered"} <= set(words(svg))
    assert len(first().pictures.plane.x) * 2 == sum(  # type: ignore[union-attr]  # there is one
        path.attrib["d"].count("M") for path in styled(svg, "dot")
    )
    assert plane.draw(a_null_report(), a_null_report().runs[0], "p") is None

"""Suggested names: one short line, always the same."""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from service.describing.features import Feature
from service.describing.naming import LONGEST, suggested
from service.describing.terms import Term


def term(word: str) -> Term:
    return Term(term=word, z=3.0, share=1.0, elsewhere=0.0)


def feature(name: str, kind: str = "number", z: float = 4.0, value: float | str | None = 1.0) -> Feature:
    return Feature(feature=name, kind=kind, z=z, value=value, share=None, usual=None)


def test_each_kind_of_item_has_its_names() -> None:
    """Terms, features, likeness, a drift; and a last resort."""
    plain = partial(suggested, drift_of=None, nearest="8")

    assert "flight, rome" == plain(1, terms=[term("flight"), term("rome")])
    assert "bytes high, port low" == plain(1, features=[feature("bytes"), feature("port", z=-3.0)])
    assert "protocol icmp, user missing" == plain(
        1, features=[feature("protocol", "category", value="icmp"), feature("user", "missing")]
    )
    assert "like 8, no. 17" == plain(17)
    assert "dns, drifted" == suggested(17, drift_of="dns", nearest="8", terms=[term("flight")])
    assert "cluster 17" == suggested(17, drift_of=None, nearest=None)


@given(st.text(max_size=300), st.text(max_size=300))
def test_whatever_it_is_made_of_it_is_one_short_line(name: str, value: str) -> None:
    """What clients sent is in it, and nothing that could break a line, a log or a terminal."""
    found = suggested(1, drift_of=None, nearest=name, features=[feature(name, "category", value=value)])

    assert 0 < len(found) <= LONGEST
    assert found.isprintable()

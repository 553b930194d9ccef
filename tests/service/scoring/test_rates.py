"""Error rates, counted; and that flagging is no way to lower them."""

from hypothesis import given
from hypothesis import strategies as st

from service.scoring.answers import Answers
from service.scoring.clusters import judge
from service.scoring.rates import Rates, rates
from tests.service.answered import answers


def of(found: Answers) -> Rates:
    return rates(found, judge(found))


def test_counted() -> None:
    """Of four known items one is right, one confused, two called new; of five unseen ones two are in a cluster."""
    found = of(answers("aabb xxxxx", "a b . 2  a . . 1 1", at={1: 6}))

    assert (1 / 4, 1 / 4, 2 / 4) == (found.known_accuracy, found.known_confused, found.fnew)
    assert (3 / 5, 1 / 5) == (found.mnew, found.mnew_flag)
    assert ((2 + 3 + 1) / 9, (2 + 1 + 1) / 9) == (found.err, found.err_flag)


def test_all_outliers() -> None:
    """Everything an outlier: every item is an error, though every new one was flagged."""
    found = of(answers("aabxx", ". . . . ."))

    assert (0.0, 1.0, 1.0, 1.0) == (found.known_accuracy, found.fnew, found.mnew, found.err)
    assert (0.0, 3 / 5) == (found.mnew_flag, found.err_flag)


def test_all_in_one_cluster() -> None:
    """Everything in one cluster: it is false where most of it is known, so nothing was found either."""
    found = of(answers("aaabxx", "1 1 1 1 1 1"))

    assert (1.0, 1.0, 1.0) == (found.fnew, found.mnew, found.err)


def test_all_known() -> None:
    """Everything known: no false alarm, and all that is new is missed."""
    found = of(answers("abxx", "a b a b"))

    assert (1.0, 0.0, 1.0, 1.0, 0.5) == (
        found.known_accuracy,
        found.fnew,
        found.mnew,
        found.mnew_flag,
        found.err,
    )


def test_in_a_false_cluster() -> None:
    """An unseen item in a cluster of known ones was not found."""
    found = of(answers("aaax", "1 1 1 1"))

    assert (1.0, 0.0) == (found.mnew, found.mnew_flag)


def test_nothing() -> None:
    """Without items of a kind its rates are none."""
    assert of(answers("a", "a")).mnew is None
    assert of(answers("x", ".")).fnew is None
    assert of(answers("", "")).err is None


@given(st.text("abx", min_size=1, max_size=30), st.data())
def test_flagging_never_pays(labels: str, data: st.DataObject) -> None:
    """Calling one more item an outlier never lowers Err, unless it was a wrong answer already."""
    said = data.draw(
        st.lists(st.sampled_from(["a", "b", ".", "1", "2"]), min_size=len(labels), max_size=len(labels))
    )
    n = data.draw(st.integers(0, len(labels) - 1))
    before = answers(labels, " ".join(said), unseen="x")
    flagged = answers(
        labels,
        " ".join([*said[:n], ".", *said[n + 1 :]]),
        at={a.cluster: a.at for a in before.announced},
        unseen="x",
    )
    clusters = judge(before)  # the clusters are what they were
    first, second = rates(before, clusters), rates(flagged, clusters)

    assert first.err is not None
    assert second.err is not None
    assert second.err >= first.err
    for rate in rates(before, clusters).__dataclass_fields__:
        value = getattr(first, rate)
        assert value is None or 0.0 <= value <= 1.0

"""When items came: what is counted is what came, as long as it is remembered."""

from hypothesis import given
from hypothesis import strategies as st

from service.clustering.arrivals import MOST_SPANS, RATE_SPANS, SPAN, Arrivals, growth, rate

SEQS = st.lists(st.integers(0, 40 * SPAN), max_size=80)


def of(seqs: list[int]) -> Arrivals:
    arrivals = Arrivals()
    for seq in sorted(seqs):
        arrivals.add(seq)
    return arrivals


def literally(seqs: list[int], last: int) -> list[int]:
    """Counts of the latest spans up to `last`, by definition."""
    return [
        sum(seq // SPAN == span for seq in seqs) for span in range(max(0, last - MOST_SPANS + 1), last + 1)
    ]


@given(SEQS)
def test_every_item_counts_in_its_span(seqs: list[int]) -> None:
    """The latest spans, as far as they are remembered."""
    last = max(seqs, default=0) // SPAN

    assert literally(seqs, last) == of(seqs).until(last * SPAN + 1, since=0)
    assert len(of(seqs).counts) <= MOST_SPANS


@given(SEQS, SEQS)
def test_two_that_become_one_have_what_both_had(ours: list[int], theirs: list[int]) -> None:
    """Whichever takes the other in."""
    last = max([*ours, *theirs], default=0) // SPAN
    for one, other in ((ours, theirs), (theirs, ours)):
        both = of(one)
        both.take_in(of(other))

        assert literally([*ours, *theirs], last) == both.until(last * SPAN + 1, since=0)


@given(SEQS, SEQS)
def test_a_part_has_the_share_of_its_members(ours: list[int], theirs: list[int]) -> None:
    """Where all are remembered that came, each has its own, and nothing is lost; nobody has less than nothing."""
    both = of([*ours, *theirs])
    first, before = both.first, list(both.counts)
    gone = both.part(ours, theirs)

    spans = range(first, first + len(before))
    assert [sum(seq // SPAN == span for seq in ours) for span in spans] == gone.counts
    assert [sum(seq // SPAN == span for seq in theirs) for span in spans] == both.counts
    few = of([*ours, *theirs]).part(ours[:1], theirs[:1])
    assert all(0 <= n <= all_ for n, all_ in zip(few.counts, before, strict=True))


def test_a_cluster_that_comes_back_after_an_age_takes_no_more_room() -> None:
    """Not even for a moment: all spans of an age would not fit into memory."""
    seqs = [7, 2**62]

    assert MOST_SPANS == len(of(seqs).counts)
    assert [0] * (MOST_SPANS - 1) + [1] == of(seqs).until(2**62 + 1, since=0)


def test_no_span_before_the_birth_is_shown() -> None:
    """And spans without an item since are."""
    assert [2, 0, 0] == of([5 * SPAN, 5 * SPAN + 1]).until(8 * SPAN, since=5 * SPAN)


def test_rate_and_growth_are_computable_on_paper() -> None:
    """One of five items, then two of five; nothing to compare with is said so."""
    seqs = [*range(0, 4 * SPAN, 5), *range(4 * SPAN, 8 * SPAN, 5), *range(4 * SPAN + 1, 8 * SPAN, 5)]
    counts = of(seqs).until(8 * SPAN, since=0)

    assert RATE_SPANS == 4
    assert 400.0 == rate(counts, 8 * SPAN, since=0)
    assert 2.0 == growth(counts)
    assert growth(of([3]).until(5, since=0)) is None
    assert 500.0 == rate([1], 5, since=3)
    assert 0.0 == rate([0], 0, since=0)

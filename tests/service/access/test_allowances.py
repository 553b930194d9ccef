"""Quotas by family: whose limits hold, what is told, and that the table stays small."""

import pytest

from service.access.allowances import POLICY, TICKETS, Allowances, Limits, limits_of, rate_of
from service.access.bucket import Rate
from service.access.rights import MOST_KEYS
from service.errors import OverQuota
from tests.service.keyed import key_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def allowances(clock: Clock) -> Allowances:
    return Allowances(Limits(), clock=clock, families=lambda: {"kept"})


def test_own_limits_win() -> None:
    """A limit of the key's own, or the default, each by itself."""
    defaults = Limits(rate=Rate(10.0, 10), connections=5, new_streams=2)
    key, _ = key_of(items_per_s=3.5, connections=7)
    plain, _ = key_of()

    assert Limits(rate=Rate(3.5, 4), connections=7, new_streams=2) == limits_of(key, defaults)
    assert defaults == limits_of(plain, defaults)
    assert Limits(new_streams=0, connections=5, rate=Rate(10.0, 10)) == limits_of(
        key_of(new_streams=0)[0], defaults
    )


def test_rate() -> None:
    """Without a burst it is what comes in a second, and at least one."""
    assert rate_of(None, 5) is None
    assert Rate(0.1, 1) == rate_of(0.1, None)
    assert Rate(0.1, 7) == rate_of(0.1, 7)


def test_refused_and_told_when(allowances: Allowances, clock: Clock) -> None:
    """Over the quota nothing is counted; after the time that is told it goes through."""
    rate, mine = Rate(2.0, 10), allowances.of("a")
    mine.demand(10, rate)
    with pytest.raises(
        OverQuota, match="2 items a second and 10 at once; send the same again in 2 s"
    ) as refused:
        mine.demand(4, rate)
    assert refused.value.retry_after_s == 2.0
    allowances.of("b").demand(10, rate)
    clock.now = 2.0

    mine.demand(4, rate)


def test_check(allowances: Allowances, clock: Clock) -> None:
    """Who could not have one item is refused, and it costs nothing to ask."""
    rate, mine = Rate(2.0, 2), allowances.of("a")
    for _ in range(5):
        mine.check(rate)
    mine.demand(2, rate)
    with pytest.raises(OverQuota, match="1 items are over the quota"):
        mine.check(rate)
    clock.now = 0.5

    mine.check(rate)


def test_fields(allowances: Allowances, clock: Clock) -> None:
    """The policy, what is left, and when all is back; a debt leaves nothing."""
    rate, mine = Rate(2.0, 10), allowances.of("a")
    assert (b"ratelimit", f'"{POLICY}";r=10;t=0'.encode()) == mine.fields(rate)[1]
    mine.demand(3, rate)
    assert (b"ratelimit-policy", b'"items";q=10;w=5;qu="items"') == mine.fields(rate)[0]
    assert (b"ratelimit", b'"items";r=7;t=2') == mine.fields(rate)[1]
    clock.now = 1.0
    assert 8.0 == mine.take(17, rate) * 2
    assert (b"ratelimit", b'"items";r=0;t=9') == mine.fields(rate)[1]


def test_connections(allowances: Allowances) -> None:
    """As many as there may be, and a place that is given back is free again."""
    mine = allowances.of("a")
    with mine.connection(1):
        with pytest.raises(OverQuota, match="1 WebSockets open"), mine.connection(1):
            pytest.fail("it is let in")
        with allowances.of("b").connection(1), mine.connection(None):
            pass
    with mine.connection(1):
        pass


def test_streams(allowances: Allowances) -> None:
    """As many as there may be, those being made included; a stream that two requests make counts once."""
    mine = allowances.of("a")
    with (
        mine.making_one("s", 1, 3) as first,
        mine.making_one("s", 1, 3) as beside,
        mine.making_one("t", 1, 3) as other,
    ):
        assert (True, False, True) == (first, beside, other)
        with pytest.raises(OverQuota, match="may create 3"), mine.making_one("u", 1, 3):
            pytest.fail("it is made")
        with mine.making_one("u", 1, None):
            pass
    with pytest.raises(OverQuota), mine.making_one("s", 0, 0):
        pytest.fail("it is made")


def test_tickets(allowances: Allowances, clock: Clock) -> None:
    """So many at once, then by the clock."""
    mine = allowances.of("a")
    for _ in range(TICKETS.burst):
        mine.demand_ticket()
    with pytest.raises(OverQuota, match="a second"):
        mine.demand_ticket()
    clock.now = 0.11

    mine.demand_ticket()


def test_the_table_stays_small(allowances: Allowances) -> None:
    """Families that are gone make place; who has a socket open stays, and so does who has a key."""
    kept = allowances.of("kept")
    with allowances.of("connected").connection(None):
        connected = allowances.of("connected")
        for n in range(3 * MOST_KEYS):
            allowances.of(f"gone-{n}")
            assert len(allowances) <= MOST_KEYS
        assert connected is allowances.of("connected")
    assert kept is allowances.of("kept")

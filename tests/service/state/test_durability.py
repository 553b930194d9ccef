"""What each tier asks of a server, as a table."""

import pytest

from service.state.durability import Durability, Findings, ServerFacts, Tier, judge

GOOD = {
    "name": "redis",
    "version": (7, 2, 4),
    "eviction": "noeviction",
    "has_aof": True,
    "appendfsync": "always",
}


def found(tier: Tier, **facts: object) -> Findings:
    return judge(ServerFacts(**{**GOOD, **facts}), Durability(tier=tier))  # type: ignore[arg-type]  # values by name


@pytest.mark.parametrize("tier", list(Tier))
def test_a_good_server(tier: Tier) -> None:
    """The append-only file, an fsync a write and no eviction: nothing to say in any tier."""
    assert Findings() == found(tier)


@pytest.mark.parametrize("tier", list(Tier))
@pytest.mark.parametrize(
    ("facts", "advice"),
    [
        ({"eviction": "allkeys-lru"}, "CONFIG SET maxmemory-policy noeviction"),
        ({"has_aof": False, "appendfsync": None}, "CONFIG SET appendonly yes"),
        ({"appendfsync": "no"}, "CONFIG SET appendfsync"),
        ({"aof_is_written": False}, "its disk is full"),
        ({"aof_is_whole": False}, "aof_rewrite_in_progress:0"),
    ],
)
def test_unsafe_in_every_tier(tier: Tier, facts: dict[str, object], advice: str) -> None:
    """What could lose any amount of acknowledged items is named with what mends it."""
    (sentence,) = found(tier, **facts).unsafe

    assert advice in sentence


@pytest.mark.parametrize(("tier", "is_unsafe"), [("fsync", True), ("relaxed", False), ("replicated", True)])
def test_everysec(tier: str, is_unsafe: bool) -> None:
    """An fsync a second is what relaxed is for, and no other tier."""
    assert is_unsafe == bool(found(Tier(tier), appendfsync="everysec").unsafe)


@pytest.mark.parametrize(("tier", "is_unsafe"), [("fsync", True), ("relaxed", False), ("replicated", True)])
def test_no_fsync_while_the_file_is_rewritten(tier: str, is_unsafe: bool) -> None:
    """A setting that skips the fsync now and then is as unsafe as none, but where a second may be lost anyway."""
    assert is_unsafe == bool(found(Tier(tier), skips_fsync=True).unsafe)


def test_everysec_names_the_other_way_out() -> None:
    """Who has an fsync a second may want just that: the message names the tier."""
    assert "FIRSTSEEN_DURABILITY=relaxed" in found(Tier.FSYNC, appendfsync="everysec").unsafe[0]


@pytest.mark.parametrize("tier", list(Tier))
def test_a_server_that_does_not_tell(tier: Tier) -> None:
    """Where CONFIG is forbidden the operator is asked to look, and is told for what."""
    (sentence,) = found(tier, appendfsync=None).unknown

    assert f"make sure it is {Durability(tier=tier).appendfsync}" in sentence


@pytest.mark.parametrize(
    ("name", "version", "is_possible"),
    [
        ("redis", (7, 0, 15), False),
        ("redis", (7, 2, 0), True),
        ("redis", (8, 0, 2), True),
        ("valkey", (9, 1, 2), True),
    ],
)
def test_replicated_needs_waitaof(name: str, version: tuple[int, ...], is_possible: bool) -> None:
    """Redis 7.0 has no WAITAOF: the tier is impossible there, and the message names what to use."""
    impossible = found(Tier.REPLICATED, name=name, version=version).impossible

    assert is_possible == (impossible == ())
    assert is_possible or "use Redis 7.2, Valkey 7.2 or newer, or FIRSTSEEN_DURABILITY=fsync" in impossible[0]


@pytest.mark.parametrize(
    ("durability", "awaited", "forgets"),
    [
        (Durability(), 0, False),
        (Durability(tier=Tier.RELAXED, replicas=3), 0, True),
        (Durability(tier=Tier.REPLICATED, replicas=3), 3, False),
    ],
)
def test_what_a_write_waits_for(durability: Durability, awaited: int, forgets: bool) -> None:
    """Replicas only where the tier has them; only relaxed may come back with less."""
    assert (awaited, forgets) == (durability.awaited_replicas, durability.may_forget)

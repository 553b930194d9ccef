"""What a key may do: scopes, streams, and how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access.rights import Key, KeyState, Scope, matches, read_scopes, read_streams
from tests.service.keyed import key_of


def key(**values: object) -> Key:
    return key_of(**values)[0]


@pytest.mark.parametrize(
    ("patterns", "reached", "not_reached"),
    [
        (("*",), ["default", "", "team-1", None], []),
        (("default",), ["default"], ["default2", "defaul", "Default", "", None]),
        (("team-*",), ["team-", "team-1", "team-1.x"], ["team", "a-team-1", None]),
        (("a", "b*"), ["a", "b", "bc"], ["c", "ab", None]),
    ],
)
def test_streams(patterns: tuple[str, ...], reached: list[str | None], not_reached: list[str | None]) -> None:
    """By name, by beginning, or all; what is of all streams needs all."""
    one = key(streams=patterns)

    assert all(one.reaches(stream) for stream in reached)
    assert not any(one.reaches(stream) for stream in not_reached)


@given(st.text("ab*.", max_size=5), st.text("ab*.", max_size=5))
def test_only_a_star_at_the_end_is_special(pattern: str, stream: str) -> None:
    """Anything else is itself; there are no other wild cards."""
    literal = pattern == stream
    beginning = pattern.endswith("*") and stream[: len(pattern) - 1] == pattern[:-1]

    assert matches(pattern, stream) is (beginning if pattern.endswith("*") else literal)


def test_scopes() -> None:
    """What it has, and no more; admin has all."""
    one = key(scopes=frozenset({Scope.INGEST}))
    admin = key(scopes=frozenset({Scope.ADMIN}))

    assert [scope for scope in Scope if one.has(scope)] == [Scope.INGEST]
    assert all(map(admin.has, Scope))


def test_state() -> None:
    """Valid until its time comes, to the instant; revoked is revoked."""
    one = key(expires=100.0)

    assert KeyState.VALID is one.state(99.9)
    assert KeyState.EXPIRED is one.state(100.0)
    assert KeyState.VALID is key().state(1e12)
    assert KeyState.REVOKED is key(revoked=1.0, expires=100.0).state(0.0)


def test_reading() -> None:
    """Lists between commas, spaces and repeats aside."""
    assert frozenset({Scope.READ, Scope.INGEST}) == read_scopes(" read, ingest,read ")
    assert ("a", "b*", "*") == read_streams("a, b*,a,*")


@pytest.mark.parametrize("listed", ["", ",", "write", "read,everything", "READ"])
def test_scopes_that_are_none(listed: str) -> None:
    """The message lists those there are."""
    with pytest.raises(ValueError, match="ingest, read, curate, admin"):
        read_scopes(listed)


@pytest.mark.parametrize("listed", ["", "a b", "a*b", "**", "/etc", "x" * 65, ",".join(map(str, range(101)))])
def test_streams_that_are_none(listed: str) -> None:
    """The message says what a name is made of."""
    with pytest.raises(ValueError, match="letters, digits"):
        read_streams(listed)

"""Names of keys."""

import re

import pytest

from service.state.keys import Keys, is_stream_name, log_entry, log_from, stream_of


def all_keys(keys: Keys) -> list[str]:
    ours = [keys.head, keys.log, keys.ids(3), *keys.chunks(2, 2), keys.dead_letters, keys.hand]
    return [keys.bundle, keys.epoch, keys.lease, *ours]


def test_one_hash_tag() -> None:
    """All keys of a stream share one hash tag, so that one Function may touch them together."""
    tags = {re.findall(r"\{(.*?)\}", key)[0] for key in all_keys(Keys("orders.v1", "b1"))}

    assert {"orders.v1"} == tags


def test_bundle_in_the_name() -> None:
    """State carries the bundle id in its name; what decides the ownership does not."""
    a, b = set(all_keys(Keys("s", "a"))), set(all_keys(Keys("s", "b")))

    assert {"fs:{s}:bundle", "fs:{s}:epoch", "fs:{s}:lease"} == a & b


def test_keys_are_distinct() -> None:
    """No two things share a key."""
    keys = all_keys(Keys("s", "a"))

    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("name", ["", "a" * 65, "a b", "a{b}", "a:b", "a/b", "é", "a\n"])
def test_bad_stream_names(name: str) -> None:
    """A stream name that could break out of its hash tag, or that nobody can type, is refused."""
    assert not is_stream_name(name)
    with pytest.raises(ValueError, match="send 1 to 64"):
        Keys(name, "b")


@pytest.mark.parametrize("bundle_id", ["", "a b", "a{b}", "x" * 129])
def test_bad_bundle_ids(bundle_id: str) -> None:
    """So is such a bundle id."""
    with pytest.raises(ValueError, match="send 1 to 128"):
        Keys("s", bundle_id)


def test_log_ids_follow_the_seq() -> None:
    """A batch's log id lies at or after its own start and before that of the next seq."""
    expected = ["7-0", "7-1", "8-0"]

    assert expected == [log_from(7), log_entry(7), log_from(8)]


def test_names_are_read_as_they_are_written() -> None:
    """A key says which ids or which chunk it is; others say nothing."""
    keys = Keys("s", "b")

    assert 12 == keys.generation_of_ids(keys.ids(12))
    assert (3, 4) == keys.place_of_chunk(keys.chunk(3, 4))
    for key in (
        keys.head,
        keys.ids(-1),
        keys.chunk(1, 2) + "x",
        Keys("s", "c").ids(1),
        Keys("t", "b").chunk(1, 2),
    ):
        assert keys.generation_of_ids(key) is None
        assert keys.place_of_chunk(key) is None


def test_what_an_import_writes_is_no_stream() -> None:
    """Other names under the same hash tag, other ones for each import, which no bundle id can have."""
    keys = Keys("s", "b")
    staged = [keys.staged(key, "t1") for key in all_keys(keys)]

    assert not set(staged) & set(all_keys(keys))
    assert all(keys.is_staged(key) for key in staged)
    assert not any(keys.is_staged(key) for key in all_keys(keys))
    assert "fs:{s}:+t1:b:log" == keys.staged(keys.log, "t1")
    with pytest.raises(ValueError, match="bundle id"):
        Keys("s", "+t1")


def test_the_stream_of_a_key() -> None:
    """Of the one that every stream has."""
    assert "orders.v1" == stream_of(Keys("orders.v1", "b").bundle)

"""Names of keys."""

import re

import pytest

from service.state.keys import Keys, log_entry, log_from


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

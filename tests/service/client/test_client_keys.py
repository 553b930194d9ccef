"""The client and keys: which is sent, what happens without one, with too few rights, and over the quota."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.access.rights import Scope
from service.client import Client, GaveUp, Refused, Verdict
from service.client.composition import API_KEY
from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running
from tests.service.keyed import key_of, put

Keys = dict[str, str]


@pytest.fixture(scope="module")
def keyed() -> Iterator[tuple[Inside, Keys]]:
    keys = {
        "ingest": key_of(scopes=frozenset({Scope.INGEST})),
        "read": key_of(scopes=frozenset({Scope.READ})),
        "two items": key_of(items_per_s=0.001, burst=2),
    }
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        put(Path(folder), *(key for key, _ in keys.values()))
        settings = Settings.read({}, data_dir=Path(folder), log_level="warning")
        with running(settings, digits.bundle()) as inside:
            yield inside, {name: text for name, (_, text) in keys.items()}


def client(keyed: tuple[Inside, Keys], name: str | None) -> Client:
    inside, keys = keyed
    return Client(inside.url, api_key="" if name is None else keys[name], patience_s=5)


def test_with_the_right_key(keyed: tuple[Inside, Keys]) -> None:
    """Over every road."""
    with client(keyed, "ingest") as sends, client(keyed, "read") as reads:
        assert isinstance(sends.classify_one(digits.raw()), Verdict)
        assert isinstance(next(sends.stream([digits.raw()])), Verdict)
        assert reads.info().seq > 0
        next(reads.watch())


def test_from_the_environment(keyed: tuple[Inside, Keys], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none is given."""
    monkeypatch.setenv(API_KEY, keyed[1]["read"])
    with Client(keyed[0].url) as reads:
        assert reads.clusters().seq >= 0


@pytest.mark.parametrize("name", [None, "read"])
def test_without_the_right(keyed: tuple[Inside, Keys], name: str | None) -> None:
    """No key, or one that may only read, sends nothing; it is told so at once, over either road."""
    status = 401 if name is None else 403
    with client(keyed, name) as wrong:
        with pytest.raises(Refused) as http:
            wrong.classify([digits.raw()])
        with pytest.raises(Refused) as socket:
            next(wrong.stream([digits.raw()]))
    for raised in (http, socket):
        assert raised.value.problem is not None
        assert status == raised.value.problem.status
        if name is not None:
            assert keyed[1][name] not in str(raised.value)


def test_without_the_right_to_watch(keyed: tuple[Inside, Keys]) -> None:
    """Likewise."""
    with client(keyed, "ingest") as wrong, pytest.raises(Refused, match="scope read"):
        next(wrong.watch())


def test_over_the_quota(keyed: tuple[Inside, Keys]) -> None:
    """A quota that is used up for longer than the caller's patience is no reason to wait; the problem says which."""
    with client(keyed, "two items") as greedy:
        assert 2 == len(greedy.classify([digits.raw(), digits.raw(1)]))
        with pytest.raises(GaveUp) as raised:
            greedy.classify([digits.raw(2), digits.raw(3)])
    assert raised.value.problem is not None
    assert 429 == raised.value.problem.status

"""`POST /tickets`: what a ticket opens, and that it opens nothing else, and nothing twice."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from service.access.allowances import TICKETS
from service.access.rights import Scope
from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running
from tests.service.keyed import in_store, key_of, looked_up_often, put
from tests.service.waiting import until


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Inside, Path, httpx.Client]]:
    """A service, its folder, and a client that has a key."""
    key, text = key_of(streams=("default", "other"))
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        put(Path(folder), key)
        with (
            looked_up_often(),
            running(Settings.read({}, data_dir=Path(folder)), digits.bundle()) as inside,
            httpx.Client(base_url=inside.url, headers={"x-api-key": text}, trust_env=False) as http,
        ):
            yield inside, Path(folder), http


@pytest.fixture
def service(both: tuple[Inside, Path, httpx.Client]) -> Inside:
    return both[0]


@pytest.fixture
def http(both: tuple[Inside, Path, httpx.Client]) -> httpx.Client:
    return both[2]


def ticket(http: httpx.Client, **query: str) -> str:
    answer = http.post("/tickets", params=query)
    assert 200 == answer.status_code, answer.text
    text: str = answer.json()["ticket"]
    return text


def greeting(service: Inside, path: str) -> str | int:
    """The first message, or the code of the close before any."""
    with connect(f"{service.ws_url}{path}", proxy=None) as socket:
        try:
            first = str(socket.recv(timeout=60))
            if '"error"' not in first:
                return first
            socket.recv(timeout=60)
        except ConnectionClosed:
            code = socket.close_code
            assert code is not None
            return code
    raise AssertionError("an error, and it goes on")


@pytest.mark.parametrize(
    ("scope", "path", "kind"), [("ingest", "/stream", "welcome"), ("read", "/watch", "hello")]
)
def test_opens_once(service: Inside, http: httpx.Client, scope: str, path: str, kind: str) -> None:
    """The socket it is for, without a header; the second time it is used."""
    text = ticket(http, scope=scope)

    assert f'"type":"{kind}"' in str(greeting(service, f"{path}?ticket={text}"))
    assert 4401 == greeting(service, f"{path}?ticket={text}")


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({"scope": "ingest"}, "/watch?"),
        ({"scope": "read"}, "/stream?"),
        ({"scope": "ingest", "stream": "other"}, "/stream?"),
        ({"scope": "ingest"}, "/stream?stream=other&"),
    ],
)
def test_opens_nothing_else(service: Inside, http: httpx.Client, asked: dict[str, str], path: str) -> None:
    """Not the other socket, nor another stream; and it is used up by the attempt."""
    text = ticket(http, **asked)

    assert 4403 == greeting(service, f"{path}ticket={text}")
    assert 4401 == greeting(service, f"{path}ticket={text}")


def test_is_no_key(http: httpx.Client, service: Inside) -> None:
    """HTTP takes none, neither in the address nor as a key."""
    text = ticket(http)

    assert 401 == httpx.get(f"{service.url}/info", params={"ticket": text}, trust_env=False).status_code
    assert 401 == httpx.get(f"{service.url}/info", headers={"x-api-key": text}, trust_env=False).status_code


@pytest.mark.parametrize(
    ("query", "status"),
    [({"scope": "admin"}, 422), ({"stream": "a b"}, 422), ({"stream": "third"}, 403), ({"scope": ""}, 422)],
)
def test_what_cannot_be_asked_for(http: httpx.Client, query: dict[str, str], status: int) -> None:
    """Scopes that open no socket, names that are none, and what the key may not do itself."""
    assert status == http.post("/tickets", params=query).status_code


def test_ends_with_its_key(both: tuple[Inside, Path, httpx.Client]) -> None:
    """A ticket of a key that was revoked since opens nothing."""
    service, folder, _ = both
    key, text = key_of()
    put(folder, key)
    with httpx.Client(base_url=service.url, headers={"x-api-key": text}, trust_env=False) as http:
        until(lambda: http.get("/info").status_code == 200, "the key is known")
        given = ticket(http)

        async def end(store: Any) -> None:
            await store.revoke(key.id, 2.0)

        in_store(folder, end)
        until(lambda: http.get("/info").status_code == 401, "the key has ended")

    assert 4401 == greeting(service, f"/stream?ticket={given}")


def test_so_many_and_no_more(both: tuple[Inside, Path, httpx.Client]) -> None:
    """One key cannot fill the store with tickets: 429, and when to come back; others are not affected."""
    service, folder, others = both
    key, text = key_of(scopes=frozenset({Scope.READ}))
    put(folder, key)
    with httpx.Client(base_url=service.url, headers={"x-api-key": text}, trust_env=False) as http:
        until(lambda: http.get("/info").status_code == 200, "the key is known")
        mine = service.app.state.context.access.allowances.of(key.family)
        mine._clock = lambda: 0.0  # however slow the machine
        answers = [http.post("/tickets", params={"scope": "read"}) for _ in range(TICKETS.burst + 1)]

    assert [200] * TICKETS.burst + [429] == [answer.status_code for answer in answers]
    assert "1" == answers[-1].headers["retry-after"]
    assert ticket(others)

"""When a key is needed: the three settings, the name that is asked by, who is in front, and a store that is away."""

import socket
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from service.access.rights import Key
from service.app import make_access
from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running
from tests.service.keyed import FakeKeyStore, key_of, looked_up_often, put
from tests.service.waiting import until

GUARDED = ("/info", "/clusters", "/metrics", "/dlq")


@contextmanager
def serving(*keys: Key, **settings: object) -> Iterator[tuple[Inside, httpx.Client]]:
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        put(Path(folder), *keys)
        with (
            looked_up_often(),
            running(Settings.read({}, data_dir=Path(folder), **settings), digits.bundle()) as inside,
            httpx.Client(base_url=inside.url, trust_env=False, timeout=60) as http,
        ):
            yield inside, http


@pytest.fixture(scope="module")
def opened() -> Iterator[tuple[Inside, httpx.Client]]:
    """As it starts for a newcomer: on loopback, without a key."""
    with serving(hosts="fs.example") as both:
        yield both


def statuses(http: httpx.Client, **headers: str) -> set[int]:
    return {
        http.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()}).status_code
        for path in GUARDED
    }


def socket_code(inside: Inside, path: str, **headers: str) -> int | None:
    with connect(f"{inside.ws_url}{path}", proxy=None, additional_headers=headers) as asked:
        try:
            if '"error"' not in str(asked.recv(timeout=60)):
                return None
            asked.recv(timeout=60)
        except ConnectionClosed:
            return asked.close_code
    raise AssertionError("an error, and it goes on")


class TestOpen:
    def test_everything_is_allowed(self, opened: tuple[Inside, httpx.Client]) -> None:
        """To whoever is on this machine, with whatever he sends along."""
        inside, http = opened

        assert {200} == statuses(http)
        assert {200} == statuses(http, authorization="Basic dXNlcjpwYXNz")
        assert socket_code(inside, "/stream") is None
        assert socket_code(inside, "/watch") is None
        text = http.post("/tickets").json()["ticket"]
        assert socket_code(inside, f"/stream?ticket={text}") is None

    def test_a_name_that_was_led_here(self, opened: tuple[Inside, httpx.Client]) -> None:
        """A page of evil.example whose name now leads to 127.0.0.1 gets nothing, over no route and no socket."""
        inside, http = opened
        port = inside.port
        led = {"host": f"evil.example:{port}", "origin": f"http://evil.example:{port}"}

        assert {421} == statuses(http, host=led["host"])
        assert {421} == statuses(http, **led)
        answer = http.post("/classify", headers=led, json={"items": []})
        assert (421, "/problems/host") == (answer.status_code, answer.json()["type"])
        assert {4403} == {led_socket(inside, path, led["host"]) for path in ("/stream", "/watch")}

    @pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "fs.example", "app.localhost"])
    def test_own_names(self, opened: tuple[Inside, httpx.Client], name: str) -> None:
        """By address, as localhost, and by what is listed, with any port."""
        _, http = opened

        assert {200} == statuses(http, host=name)
        assert {200} == statuses(http, host=f"{name}:1")

    def test_from_elsewhere(self, opened: tuple[Inside, httpx.Client]) -> None:
        """Whom a proxy on this machine lets through from another one is not on this machine."""
        _, http = opened

        assert {401} == statuses(http, x_forwarded_for="203.0.113.9")
        assert {200} == statuses(http, x_forwarded_for="127.0.0.1")


def led_socket(inside: Inside, path: str, host: str) -> int | None:
    """The code of a socket that asks for another host, as a browser does for a name that leads here."""
    with (
        socket.create_connection(("127.0.0.1", inside.port)) as raw,
        connect(f"ws://{host}{path}", proxy=None, sock=raw) as asked,
    ):
        with pytest.raises(ConnectionClosed):
            deque(asked, maxlen=0)
        return asked.close_code


def test_off() -> None:
    """Nobody needs a key although there is one; what is sent is not looked at. Names are."""
    key, _ = key_of()
    with serving(key, keys="off") as (_, http):
        assert {200} == statuses(http)
        assert {200} == statuses(http, authorization="Bearer some.other.token")
        assert {200} == statuses(http, x_forwarded_for="203.0.113.9")
        assert {421} == statuses(http, host="evil.example")


def test_required() -> None:
    """Also on loopback, and without any key: then nobody gets in until there is one."""
    with serving(keys="required") as (inside, http):
        assert {401} == statuses(http)
        assert 4401 == socket_code(inside, "/stream")
        assert 200 == http.get("/readyz").status_code
        key, text = key_of()
        put(inside.app.state.context.settings.data_dir, key)
        until(lambda: statuses(http, x_api_key=text) == {200}, "the key is known")
        assert {200} == statuses(http, x_api_key=text, host="any.example"), "who has a key may use any name"


def test_a_store_that_is_away_opens_nothing(tmp_path: Path) -> None:
    """While it is not known whether there are keys, one is needed, and none is known."""
    settings = Settings.read({}, redis_url=f"unix://{tmp_path}/none")
    _, text = key_of()
    with (
        running(settings, digits.bundle(), prepare=_nothing) as inside,
        httpx.Client(base_url=inside.url, trust_env=False) as http,
    ):
        answers = [http.get("/info"), http.get("/info", headers={"x-api-key": text})]
        code = socket_code(inside, "/stream")

    assert [(503, "/problems/keys-not-known")] * 2 == [(a.status_code, a.json()["type"]) for a in answers]
    assert {"1"} == {answer.headers["retry-after"] for answer in answers}
    assert 1013 == code


async def _nothing(_say: object) -> None:
    """Prepares nothing."""


@pytest.mark.parametrize("mode", ["auto", "required", "off"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - nothing listens here
@pytest.mark.parametrize("allow_open", [False, True])
@pytest.mark.parametrize("has_key", [False, True])
async def test_when_it_refuses_to_listen(mode: str, host: str, allow_open: bool, has_key: bool) -> None:
    """Only with `auto`, elsewhere, without a key, and not told that this is meant."""
    store = FakeKeyStore(*([key_of()[0]] if has_key else []))
    access = make_access(Settings.read({}, keys=mode, host=host, allow_open=allow_open), store)  # type: ignore[arg-type]
    assert access.refusal() is None, "what is not known is not open, so it may listen"
    await access.keyring.refresh()
    expected = mode == "auto" and host != "127.0.0.1" and not allow_open and not has_key
    refusal = access.refusal()

    assert (refusal is not None) is expected
    if refusal is not None:
        assert all(
            way in str(refusal) for way in ("firstseen keys add", "127.0.0.1", "required", "ALLOW_OPEN")
        )

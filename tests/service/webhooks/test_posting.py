"""One try, against receivers that are kind, rude, slow, endless, or not there; and names that change their minds."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from service.webhooks.addresses import EVERYWHERE, read_networks
from service.webhooks.posting import EXCERPT_BYTES, LONGEST_REST_S, MOST_AT_ONCE, Poster, resolve
from tests.service.waiting import soon
from tests.service.webhooks.receiver import OK, Receiver, endless, hang, status
from tests.service.webhooks.tls import certificate

BODY = b'{"type":"webhook.test"}'


def poster(**changes: object) -> Poster:
    given: dict[str, object] = {"allowed": EVERYWHERE, "clock": time.monotonic, **changes}
    return Poster(**given)  # type: ignore[arg-type]  # values by name


def answering(*answers: list[str]) -> Callable[[str, int], object]:
    """A resolver that says something else each time, the last over and over."""
    left = list(answers)

    async def resolve(host: str, port: int) -> list[str]:
        assert (host, port) != ("", 0)
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


async def test_a_receiver_that_takes_it() -> None:
    """Once, with the headers and the body as they were given; the answer's beginning is kept."""
    async with Receiver() as receiver, poster() as post:
        reply = await post.post(receiver.url, lambda: {"webhook-id": "a"}, BODY)

    (told,) = receiver.told
    assert (200, "fine", None, True) == (reply.status, reply.excerpt, reply.error, reply.is_ok)
    assert ("/hook", BODY, "a") == (told.path, told.body, told.headers["webhook-id"])
    assert f"127.0.0.1:{receiver.port}" == told.headers["host"]
    assert reply.ms >= 0


@pytest.mark.parametrize("code", [400, 404, 410, 429, 500, 503])
async def test_a_receiver_that_does_not(code: int) -> None:
    """Its status is told; it is not tried again here."""
    async with Receiver([status(code, body="no")]) as receiver, poster() as post:
        reply = await post.post(receiver.url, dict, BODY)

    assert (code, "no", False) == (reply.status, reply.excerpt, reply.is_ok)
    assert 1 == len(receiver.told)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(code: int) -> None:
    """It could lead anywhere; it counts as a failure."""
    async with (
        Receiver() as elsewhere,
        Receiver([status(code, f"location: {elsewhere.url}")]) as receiver,
        poster() as post,
    ):
        reply = await post.post(receiver.url, dict, BODY)

    assert (code, False, []) == (reply.status, reply.is_ok, elsewhere.told)


@pytest.mark.parametrize(
    ("code", "said", "asked_s"),
    [
        (429, "120", 120.0),
        (503, "0", 0.0),
        (429, "999999999", LONGEST_REST_S),
        (429, "Fri, 31 Dec 1999 23:59:59 GMT", None),
        (429, "-5", None),
        (500, "120", None),
    ],
)
async def test_a_receiver_that_asks_for_time(code: int, said: str, asked_s: float | None) -> None:
    """In seconds, a day at most, with a status that means it."""
    async with Receiver([status(code, f"retry-after: {said}")]) as receiver, poster() as post:
        reply = await post.post(receiver.url, dict, BODY)

    assert (code, asked_s) == (reply.status, reply.retry_after_s)


async def test_a_body_that_trickles() -> None:
    """What was answered counts, though its body never ends; that is not waited for."""

    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\na")
        await hang(writer)

    async with Receiver([trickle]) as receiver, poster(excerpt_s=0.2) as post:
        reply = await post.post(receiver.url, dict, BODY)

    assert (200, True, None) == (reply.status, reply.is_ok, reply.error)


async def test_headers_without_an_end() -> None:
    """Are not collected for ever."""

    async def chatter(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(b"x-more: " + b"x" * 10_000 + b"\r\n")
            await writer.drain()

    async with Receiver([chatter]) as receiver, poster() as post:
        reply = await post.post(receiver.url, dict, BODY)

    assert (None, False) == (reply.status, reply.is_ok)


async def test_one_that_hangs() -> None:
    """Is left after the time that a try may take."""
    async with Receiver([hang]) as receiver, poster(try_s=0.2) as post:
        reply = await post.post(receiver.url, dict, BODY)

    assert (None, "not done within 0.2 s") == (reply.status, reply.error)


async def test_a_body_without_an_end() -> None:
    """Only its beginning is read."""
    async with Receiver([endless]) as receiver, poster() as post:
        reply = await post.post(receiver.url, dict, BODY)

    assert (500, "x" * EXCERPT_BYTES) == (reply.status, reply.excerpt)


async def test_one_that_is_not_there_and_one_that_talks_nonsense() -> None:
    """Are failures with a reason, and no exceptions."""
    async with Receiver([b"SSH-2.0-OpenSSH\r\n\r\n"]) as receiver, poster() as post:
        nonsense = await post.post(receiver.url, dict, BODY)
        gone = await post.post("http://127.0.0.1:1/hook", dict, BODY)

    assert (None, None) == (nonsense.status, gone.status)
    assert nonsense.error
    assert gone.error


async def test_what_a_receiver_says_drives_no_terminal() -> None:
    """Control characters are taken out."""
    async with Receiver([status(500, body="\x1b[31mred\x00")]) as receiver, poster() as post:
        reply = await post.post(receiver.url, dict, BODY)

    assert "\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}" == reply.excerpt


async def test_a_name_is_resolved_once_and_the_connection_goes_there() -> None:
    """Host stays the URL's; the name is not looked up again for the connection (it exists nowhere)."""
    asked = []

    async def resolver(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    async with Receiver() as receiver, poster(resolve=resolver) as post:
        reply = await post.post(f"http://hooks.invalid:{receiver.port}/x?y=z", dict, BODY)

    (told,) = receiver.told
    assert 200 == reply.status
    assert [("hooks.invalid", receiver.port)] == asked
    assert (f"hooks.invalid:{receiver.port}", "/x?y=z") == (told.headers["host"], told.path)


@pytest.mark.parametrize(
    "found", [["127.0.0.1"], ["10.0.0.1", "::1"], ["::ffff:127.0.0.1"], ["169.254.169.254"]]
)
async def test_a_name_that_leads_inside_is_not_gone_to(found: list[str]) -> None:
    """Nothing is connected to, and the reason says what an operator may do."""
    async with Receiver() as receiver, poster(allowed=(), resolve=answering(found)) as post:
        reply = await post.post(f"https://hooks.invalid:{receiver.port}/x", dict, BODY)

    assert (None, 0) == (reply.status, receiver.connections)
    assert "FIRSTSEEN_WEBHOOKS_PRIVATE" in (reply.error or "")


async def test_a_network_that_an_operator_has_named() -> None:
    """Is gone to, also by http; a name that leads elsewhere is not."""
    async with Receiver() as receiver:
        for networks, code in (("127.0.0.0/8", 200), ("10.0.0.0/8", None)):
            async with poster(allowed=read_networks(networks), resolve=answering(["127.0.0.1"])) as post:
                reply = await post.post(f"http://hooks.invalid:{receiver.port}/x", dict, BODY)
            assert code == reply.status

    assert 1 == receiver.connections


async def test_a_name_that_changes_its_mind() -> None:
    """Public when it was looked at and private a moment later: at each try the address looked at is the one used."""
    calls = itertools.count()

    async def rebinding(host: str, port: int) -> list[str]:
        return [["192.0.2.1"], ["127.0.0.1"]][next(calls) % 2] if host and port else []

    async with Receiver() as receiver, poster(allowed=(), resolve=rebinding, try_s=0.3) as post:
        for _ in range(4):
            await post.post(f"https://hooks.invalid:{receiver.port}/x", dict, BODY)

    assert (4, 0) == (next(calls), receiver.connections)


async def test_the_certificate_is_that_of_the_name(tmp_path: Path) -> None:
    """TLS asks for the URL's name, though it connects to an address; a certificate of another name is refused."""
    server, trust = certificate(tmp_path, "hooks.invalid")
    given: dict[str, object] = {"verify": trust, "resolve": answering(["127.0.0.1"])}
    async with Receiver(tls=server) as receiver, poster(**given) as post:
        right = await post.post(f"https://hooks.invalid:{receiver.port}/x", dict, BODY)
        wrong = await post.post(f"https://other.invalid:{receiver.port}/x", dict, BODY)

    assert (200, None) == (right.status, wrong.status)
    assert "CERTIFICATE" in (wrong.error or "").upper()
    assert 1 == len(receiver.told)


async def test_an_authority_of_the_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is trusted where he has put it for all programs."""
    server, _ = certificate(tmp_path, "hooks.invalid")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    async with Receiver(tls=server) as receiver, poster(resolve=answering(["127.0.0.1"])) as post:
        reply = await post.post(f"https://hooks.invalid:{receiver.port}/x", dict, BODY)

    assert 200 == reply.status


async def test_no_connection_is_kept() -> None:
    """The next could be for another name behind the same address."""
    async with Receiver([OK]) as receiver, poster() as post:
        for _ in range(3):
            await post.post(receiver.url, dict, BODY)

    assert 3 == receiver.connections


async def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name by itself."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with Receiver() as receiver, poster() as post:
        assert 200 == (await post.post(receiver.url, dict, BODY)).status


async def test_a_url_that_has_become_wrong() -> None:
    """An operator may have taken back what was allowed."""
    async with poster(allowed=()) as post:
        reply = await post.post("http://example.com/x", dict, BODY)

    assert "https://" in (reply.error or "")


async def test_the_system_resolves_addresses_as_what_they_are() -> None:
    """Also written in other ways, which are looked at afterwards like any."""
    assert ["127.0.0.1"] == await resolve("127.0.0.1", 80)
    assert ["127.0.0.1"] == await resolve("2130706433", 80)


async def test_a_try_is_signed_when_its_turn_comes() -> None:
    """However long it waited for a place: receivers refuse what was signed long ago."""
    signed: list[int] = []
    go = asyncio.Event()

    async def later(writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(OK)

    async with Receiver([later]) as receiver, poster(try_s=60) as post:
        tries = [
            asyncio.create_task(post.post(receiver.url, lambda n=n: signed.append(n) or {}, BODY))  # type: ignore[misc]
            for n in range(MOST_AT_ONCE + 1)
        ]
        await soon(lambda: len(receiver.told) == MOST_AT_ONCE, "all places are taken")
        before = list(signed)
        go.set()
        await asyncio.gather(*tries)

    assert [*range(MOST_AT_ONCE)] == before
    assert [*range(MOST_AT_ONCE + 1)] == signed


async def test_a_try_that_is_cancelled_ends() -> None:
    """As when the stream moves."""
    async with Receiver([hang]) as receiver, poster() as post:
        trying = asyncio.create_task(post.post(receiver.url, dict, json.dumps({}).encode()))
        await soon(lambda: receiver.told, "it is tried")
        trying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trying

"""One try to tell one receiver: to an address that was checked, within bounds, whatever the other side does.

    resolve ─► choose (addresses.py) ─► connect to that address; Host and the TLS name stay those of the URL
            ─► POST ─► status, and the first bytes of the body; the rest is not read

No redirects are followed (each could lead anywhere), no proxy of the environment is used (it would resolve the name
again), no connection is kept (the next could be for another name behind the same address). The whole try has a time
limit, however slowly the answer trickles in; once the status is there, its body has one second.
"""

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Final, Self

import httpx

from service.webhooks.addresses import BadTarget, Networks, check_url, choose
from service.webhooks.hooks import Reply

TRY_S: Final = 15.0
"""How long a try may take in all."""

EXCERPT_BYTES: Final = 1024
"""Of an answer's body that are read, and kept as text."""

EXCERPT_S: Final = 1.0
"""How long that may take: the status is known, and others want the place."""

LONGEST_REST_S: Final = 86_400.0
"""That a receiver gets when he asks for time."""

MOST_AT_ONCE: Final = 16
"""Tries of one process at once; others wait."""

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port -> the addresses it has."""


async def resolve(host: str, port: int) -> list[str]:
    """As the system resolves names. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Poster:
    """Tries messages; use it as a context.

    Args:
        allowed: Networks to go to, also by http, beside public addresses.
        clock: Seconds, to measure with.
        resolve: How names are resolved.
        verify: How receivers prove who they are; None: to authorities that the web trusts, or this system does.
        try_s: How long a try may take ...
        excerpt_s: ... and, of that, the body of its answer.
    """

    def __init__(
        self,
        *,
        allowed: Networks,
        clock: Callable[[], float],
        resolve: Resolve = resolve,
        verify: ssl.SSLContext | None = None,
        try_s: float = TRY_S,
        excerpt_s: float = EXCERPT_S,
    ) -> None:
        self._allowed = allowed
        self._clock = clock
        self._resolve = resolve
        self._try_s = try_s
        self._excerpt_s = excerpt_s
        self._places = asyncio.Semaphore(MOST_AT_ONCE)
        self._client = httpx.AsyncClient(
            verify=verify or _trusting(),
            trust_env=False,
            follow_redirects=False,
            timeout=try_s,
            limits=httpx.Limits(max_connections=MOST_AT_ONCE, max_keepalive_connections=0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def post(self, url: str, signed: Callable[[], Mapping[str, str]], body: bytes) -> Reply:
        """Try once. Never raises but when it is cancelled.

        Args:
            url: Of the receiver.
            signed: Gives the headers, with the time of the try in them: asked when there is a place.
            body: What is told.
        """
        async with self._places:
            started, status, excerpt, error = self._clock(), None, bytearray(), None
            retry_after_s: float | None = None
            try:
                async with asyncio.timeout(self._try_s):
                    request = await self._request(url, signed(), body)
                    answer = await self._client.send(request, stream=True)
                    try:
                        status = answer.status_code
                        retry_after_s = _asked_for(status, answer.headers.get("retry-after", ""))
                        with contextlib.suppress(TimeoutError):  # what was said by then will do
                            async with asyncio.timeout(self._excerpt_s):
                                async for part in answer.aiter_raw():
                                    excerpt += part
                                    if len(excerpt) >= EXCERPT_BYTES:
                                        break
                    finally:
                        await answer.aclose()
            except BadTarget as bad:
                error = str(bad)
            except TimeoutError:
                error = f"not done within {self._try_s:g} s"
            except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as failed:
                error = f"{type(failed).__name__}: {failed}"[:200]
            ms = round((self._clock() - started) * 1000, 1)
            return Reply(
                status=status, ms=ms, excerpt=_text(excerpt), error=error, retry_after_s=retry_after_s
            )

    async def _request(self, url: str, headers: Mapping[str, str], body: bytes) -> httpx.Request:
        """To the address that was checked."""
        parts = check_url(url, allowed=self._allowed)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = choose(parts, await self._resolve(host, port), allowed=self._allowed)
        return self._client.build_request(
            "POST",
            httpx.URL(url).copy_with(host=address),
            headers={"host": parts.netloc, **headers},
            content=body,
            extensions={"sni_hostname": host} if parts.scheme == "https" else {},
        )


def _trusting() -> ssl.SSLContext:
    """Authorities that httpx brings, and the system's, to which an operator adds his own (`SSL_CERT_FILE`)."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


def _asked_for(status: int, retry_after: str) -> float | None:
    """For how long a receiver wants to be left alone; the form with a date is passed over."""
    if status not in (429, 503) or not re.fullmatch(r"\d{1,9}", retry_after, re.ASCII):
        return None
    return min(float(retry_after), LONGEST_REST_S)


def _text(data: bytearray) -> str:
    """What an answer says, as text that drives no terminal."""
    shown = bytes(data[:EXCERPT_BYTES]).decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in shown)

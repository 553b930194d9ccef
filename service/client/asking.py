"""Requests that are made again until they are answered, or answered for good.

Every request here may be made again: reads change nothing, and items have ids. Made again are those that met no
service, or one that was cut off (any error of the transport), and those it asks to be: 503, 429, and a proxy's 502 and
504, after `Retry-After` seconds where that is said. Any other status is an answer.
"""

import asyncio
from typing import Any

import httpx
import msgspec

from service.client.address import Address
from service.client.answers import problem_of
from service.client.errors import Refused
from service.client.patience import Patience

_AGAIN = frozenset({429, 502, 503, 504})
_CONNECT_S = 10.0


class Requests:
    """Of one client; its connections are kept."""

    def __init__(
        self, address: Address, *, timeout_s: float, patience_s: float, http: httpx.AsyncClient | None
    ) -> None:
        """`timeout_s` is for one try, `patience_s` for all; `http` makes the requests, None: one that is made here."""
        self._address = address
        self._patience_s = patience_s
        self._timeout = httpx.Timeout(timeout_s, connect=min(_CONNECT_S, timeout_s))
        self._is_own = http is None
        self._http = http if http is not None else httpx.AsyncClient(trust_env=False)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """The status and the JSON of the answer.

        Raises:
            GaveUp: There was none for too long.
            Refused: There was, and it is a problem.
        """
        url = self._address.url + path
        patience = Patience(self._patience_s, now=asyncio.get_running_loop().time, what=self._address.url)
        while True:
            try:
                answer = await self._http.request(
                    method,
                    url,
                    content=body,
                    headers=self._address.headers | (headers or {}),
                    params=self._address.parameters | (parameters or {}),
                    timeout=self._timeout,
                )
            except httpx.TransportError as cut:
                await asyncio.sleep(patience.failed(f"{type(cut).__name__} {cut}".strip()))
                continue
            said = _parsed(answer.content)
            if answer.is_success or _has_results(said):
                if said is None:
                    raise Refused(
                        f"What answers {method} {url} is no firstseen, or is behind something else."
                    )
                return answer.status_code, said
            otherwise = f"{url} answered {answer.status_code} to {method}"
            problem = problem_of(said, status=answer.status_code, otherwise=otherwise)
            if answer.status_code not in _AGAIN:
                raise Refused(problem.detail, problem)
            wait_s = _seconds(answer.headers.get("retry-after"))
            await asyncio.sleep(patience.failed(problem.detail, retry_after_s=wait_s, problem=problem))

    async def close(self) -> None:
        """Close the connections, unless they are the caller's."""
        if self._is_own:
            await self._http.aclose()


def _has_results(said: object) -> bool:
    """Whether each item has its own answer, though the status is one of an error: all of them were refused."""
    return isinstance(said, dict) and "results" in said


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds; the form with a date is not one that firstseen sends."""
    return (
        float(retry_after)
        if retry_after is not None and retry_after.isascii() and retry_after.isdigit()
        else None
    )

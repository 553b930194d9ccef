"""Clients of a run, and the book of everything that services ever told them.

A client sends its items, again and again until each is answered, as the documentation tells people to do. It
forgives what a resend mends: a refusal with 503, a connection that closes, a socket closed with 1012 or 1013. All
else is an error of the service, and noted as one.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx

from service.client import GaveUp, Refused, StreamClient
from tests.service.waiting import until

Item = dict[str, Any]
_RETRY_S = 0.02
_LOOK_EVERY_S = 0.1


class Book:
    """Every item sent, and every answer ever received. Safe to use from several threads."""

    def __init__(self) -> None:
        self.sent: dict[str, Item] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.wrong: list[str] = []
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def sending(self, items: Sequence[Item]) -> None:
        """These are about to be sent."""
        with self._lock:
            for item in items:
                self.counts["resent"] += item["id"] in self.sent
                self.sent[item["id"]] = item

    def answered(self, result: dict[str, Any]) -> None:
        """The whole answer for one item; another one than before is wrong."""
        answer = {key: value for key, value in result.items() if key not in ("position", "type")}
        with self._lock:
            self.counts["answers"] += 1
            if "verdict" not in answer:
                self.wrong.append(f"item {answer.get('id')} was refused for good: {answer}")
                return
            before = self.answers.setdefault(answer["id"], answer)
            if before != answer:
                self.wrong.append(f"the answer changed: {before} became {answer}")

    def note_wrong(self, what: str) -> None:
        """Something that no client should see."""
        with self._lock:
            self.wrong.append(what)


class _Sender:
    """A thread that sends items until all are answered, or it is told to stop."""

    def __init__(self, book: Book, items: Sequence[Item]) -> None:
        self.items = list(items)
        self.longest_pause_s = 0.0
        self._ids = [item["id"] for item in self.items]
        self._book = book
        self._stopped = threading.Event()
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._guarded, daemon=True)

    @property
    def acked(self) -> int:
        """How many of its items are answered."""
        return sum(id in self._book.answers for id in self._ids)

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return not self._thread.is_alive()

    def has(self, n: int, *, within_s: float = 30.0) -> None:
        """Wait until `n` of its items are answered, or all."""
        until(lambda: self.acked >= min(n, len(self.items)), f"{n} items are answered", within_s=within_s)

    def finish(self, *, within_s: float = 60.0) -> None:
        """Wait until all are answered."""
        self._thread.join(within_s)
        assert self.is_done, f"not answered within {within_s:g} s: {len(self.items) - self.acked} items"

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped.set()
        self._thread.join(60)

    def _guarded(self) -> None:
        self._last = time.monotonic()
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - told by the verdict of the run
            self._book.note_wrong(f"a client failed: {type(error).__name__}: {error}")

    def _run(self) -> None:
        raise NotImplementedError

    def _answered(self, result: dict[str, Any]) -> None:
        now = time.monotonic()
        self.longest_pause_s = max(self.longest_pause_s, now - self._last)
        self._last = now
        self._book.answered(result)


class HttpSender(_Sender):
    """POST /classify, `chunk` items a request, `pause_s` apart. `url` may be changed while it sends."""

    def __init__(
        self, book: Book, items: Sequence[Item], url: str, *, chunk: int = 20, pause_s: float = 0.0
    ) -> None:
        super().__init__(book, items)
        self.url = url
        self._chunk = chunk
        self._pause_s = pause_s
        self._thread.start()

    def _run(self) -> None:
        with httpx.Client(timeout=60, trust_env=False) as http:
            for at in range(0, len(self.items), self._chunk):
                part = self.items[at : at + self._chunk]
                while not self._stopped.is_set() and not self._send(http, part):
                    self._stopped.wait(_RETRY_S)
                if self._stopped.wait(self._pause_s):
                    return

    def _send(self, http: httpx.Client, part: list[Item]) -> bool:
        self._book.sending(part)
        try:
            answer = http.post(f"{self.url}/classify", json={"items": part})
        except httpx.TransportError:
            self._book.counts["cut"] += 1
            return False
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            self._book.counts["refused"] += 1
            if "retry-after" not in answer.headers:
                self._book.note_wrong(f"a 503 without Retry-After: {answer.text}")
            return False
        if answer.status_code != httpx.codes.OK:
            self._book.note_wrong(f"status {answer.status_code}: {answer.text}")
            return True
        results = answer.json()["results"]
        if [result["id"] for result in results] != [item["id"] for item in part]:
            self._book.note_wrong(f"not the answers of what was sent: {answer.text[:500]}")
        for result in results:
            self._answered(result)
        return True


class WebSocketSender(_Sender):
    """The client that firstseen ships, on WS /stream; `pause_s` between chunks."""

    def __init__(
        self,
        book: Book,
        items: Sequence[Item],
        url: str,
        *,
        chunk: int = 20,
        pause_s: float = 0.0,
        patience_s: float = 30.0,
    ) -> None:
        super().__init__(book, items)
        self._url = url.replace("http://", "ws://") + "/stream"
        self._chunk = chunk
        self._pause_s = pause_s
        self._patience_s = patience_s
        self._thread.start()

    async def _chunks(self) -> AsyncIterator[list[Item]]:
        for at in range(0, len(self.items), self._chunk):
            if self._stopped.is_set():
                return
            part = self.items[at : at + self._chunk]
            self._book.sending(part)
            yield part
            await asyncio.sleep(self._pause_s)

    def _run(self) -> None:
        try:
            asyncio.run(self._until_stopped())
        except (GaveUp, Refused) as error:
            self._book.note_wrong(f"the WebSocket client gave up: {error}")

    async def _until_stopped(self) -> None:
        """Run the client; it knows no other end than its own, so it is cancelled when it has to stop."""
        client = StreamClient(self._url, on_result=self._answered, patience_s=self._patience_s)
        running = asyncio.create_task(client.run(self._chunks()))
        while not running.done():
            await asyncio.wait({running}, timeout=_LOOK_EVERY_S)
            if self._stopped.is_set():
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                return
        await running

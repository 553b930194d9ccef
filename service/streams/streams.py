"""All streams of a process: the first use of one opens it, and it is closed when another needs its place.

    absent   ── used ──► open        where it may be made, or is in the store; there is room, or room is made
    open     ── used least recently, and its place is needed ──► closing ──► absent
    open     ── an error that a person must mend ──► failed, with its reason ── a pause ──► absent
    any      ── the service stops ──► closing, all at once

A stream has its own pipeline, queue, watchers, lease and epoch; what they share is the store's client, the net and the
threads (workers.py). One process may own stream `a` while another owns `b`: who opens a stream that another process has
waits for its lease, as an heir does, and says so meanwhile.

**When all places are taken**, the stream that was used least recently is closed, in order: what waits is answered, its
state is saved, its lease given back. One that somebody uses (a socket, a request), and the default stream, are never
closed for another; where there is no other, the newcomer is refused (TooManyStreams).

**What fails** fails alone: a stream that cannot be served ends with its reason, which its users get, and so does who
comes right after (failed_streams.py). Only the default stream's end ends the process (`on_fatal`).
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import structlog

from service.cancelling import cancelled
from service.compiling.precompile import Prepare
from service.errors import InvalidParameter, NotReady, StoreAway, TooManyStreams, UnknownStream
from service.state.errors import StoreUnavailable
from service.state.keys import is_stream_name
from service.state.names import StoredStream
from service.streams.failed_streams import FailedStreams
from service.streams.stream import Stream
from service.streams.stream_rows import StreamRow, row_of
from service.telemetry.metrics import Metrics

log = structlog.get_logger("firstseen.streams")

OPEN_S = 10.0
"""How long who asks waits for room, and then for a stream that is being opened; then he is told why it is not ready."""

CLOSE_S = 4.0
"""How long what waits may still be answered when a stream is closed for another, and its snapshot take after that."""


class Names(Protocol):
    """Which streams the store holds (`service.state.names`)."""

    async def has(self, name: str, /) -> bool:
        """Whether there is such a stream."""

    async def all(self) -> list[str]:
        """All names."""

    async def look(self, names: Sequence[str], /) -> list[StoredStream]:
        """Those of them that are there."""

    async def with_webhooks(self, names: Sequence[str], /) -> list[str]:
        """Those of them that have webhooks."""


Make = Callable[[str, Prepare | None], Stream]
"""Puts a stream together, of which nothing runs yet; with what has to be done before it is taken."""


class Streams:
    """The open streams of one process. Lives in one event loop.

    Attributes:
        prepared: Set once streams beside the default one can be opened.
    """

    def __init__(
        self,
        *,
        default: str,
        most: int,
        make: Make,
        names: Names,
        metrics: Metrics,
        prepare: Prepare | None,
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        """Nothing happens before `begin`.

        Args:
            default: The stream that is always open.
            most: Streams open at once.
            make: Puts one together.
            names: Which there are in the store.
            metrics: What is counted.
            prepare: What has to be done before the first stream is taken; the others are refused until then.
            on_fatal: Told of what ended the default stream.
        """
        self._default = default
        self._most = most
        self._make = make
        self._names = names
        self._metrics = metrics
        self._prepare = prepare
        self.prepared = asyncio.Event()
        if prepare is None:
            self.prepared.set()
        self._on_fatal = on_fatal
        self._open: dict[str, Stream] = {}
        self._tasks: dict[Stream, asyncio.Task[None]] = {}
        self._closings: dict[Stream, asyncio.Task[None]] = {}
        self._failed = FailedStreams(lambda: asyncio.get_running_loop().time())
        self._one_at_a_time = asyncio.Lock()
        self._uses = itertools.count(1)
        self._stopping_since: float | None = None

    def __iter__(self) -> Iterator[Stream]:
        return iter(list(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)

    @property
    def default(self) -> Stream:
        """The stream of who names none."""
        return self._open[self._default]

    def begin(self) -> None:
        """Open the default stream."""
        self._start(self._default, None if self.prepared.is_set() else self._prepared)

    def peek(self, name: str) -> Stream | None:
        """A stream if it is open; to look is no use of it."""
        return self._open.get(name)

    # Opening

    async def open(self, name: str, *, may_create: bool = True) -> Stream:
        """The stream of this name, opened if it is not; it may not be ready, and its queue then says why.

        Enter its `in_use` before you wait for anything.

        Args:
            name: Which.
            may_create: Whether it may be made where there is none.

        Raises:
            InvalidParameter: No stream can have this name.
            UnknownStream: There is none, and it may not be made.
            TooManyStreams: There is no place for another.
            StreamFails: It failed a moment ago.
            NotReady: The service starts, or stops.
            StoreAway: Whether it exists cannot be told now.
        """
        stream = self._open.get(name)
        if stream is None or stream.is_closing:
            stream = await self._opened(name, may_create=may_create)
        stream.used = next(self._uses)
        if not stream.pipeline.is_settled and name != self._default:
            with stream.in_use():
                await self._settled(stream)
        return stream

    async def exists(self, name: str) -> bool:
        """Whether there is such a stream, open or in the store. Raises InvalidParameter, StoreAway."""
        _check(name)
        if name in self._open:
            return True
        try:
            return await self._names.has(name)
        except StoreUnavailable as away:
            raise _away(away) from None

    async def _opened(self, name: str, *, may_create: bool) -> Stream:
        _check(name)
        self._check_may_start(name)
        if not may_create and not await self.exists(name):
            raise UnknownStream(f"There is no stream {name!r}; GET /streams lists those there are.")
        try:
            async with asyncio.timeout(OPEN_S), self._one_at_a_time:
                while (stream := self._open.get(name)) is not None:
                    if not stream.is_closing:  # somebody was faster
                        return stream
                    await self._closed(stream)
                while len(self._open) >= self._most:
                    await self._closed(self._dispensable())
                self._check_may_start(name)
                return self._start(name, None)
        except TimeoutError:
            raise TooManyStreams(
                f"Stream {name!r} could not be opened within {OPEN_S:g} s: another is being closed for it. Send the "
                "same again in a moment."
            ) from None

    def _check_may_start(self, name: str) -> None:
        if self._stopping_since is not None:
            raise NotReady("The service is not ready: stopping.")
        if not self.prepared.is_set():
            raise NotReady(f"The service is not ready: {self.default.pipeline.reason}.")
        self._failed.check(name)

    async def _settled(self, stream: Stream) -> None:
        """Wait until it is served, or it is clear that this takes its time."""
        try:
            async with asyncio.timeout(OPEN_S):
                await stream.pipeline.settled()
        except TimeoutError:
            return
        if self._open.get(stream.name) is not stream:  # it has ended already
            self._check_may_start(stream.name)

    def _start(self, name: str, prepare: Prepare | None) -> Stream:
        stream = self._open[name] = self._make(name, prepare)
        self._metrics.open_streams.set(len(self._open))
        self._tasks[stream] = asyncio.create_task(self._run(stream), name=f"stream {name}")
        return stream

    async def _prepared(self, say: Callable[[str], None]) -> None:
        assert self._prepare is not None
        await self._prepare(say)
        self.prepared.set()

    async def _run(self, stream: Stream) -> None:
        """One stream from its opening to its end. Whatever it logs has its name."""
        structlog.contextvars.bind_contextvars(stream=stream.name)
        is_default = stream.name == self._default
        try:
            await stream.pipeline.run()
        except Exception as error:
            if is_default:
                self._on_fatal(error)
            else:
                is_foreseen = self._failed.note(stream.name, error)
                log.warning("stream_failed", reason=str(error), exc_info=None if is_foreseen else error)
        finally:
            del self._tasks[stream]
            if not is_default:  # which still answers that it has ended, and why
                del self._open[stream.name]
                self._metrics.forget(stream.name)
                self._metrics.open_streams.set(len(self._open))

    # Looking

    async def page(
        self, *, after: str = "", limit: int, may_see: Callable[[str], bool] = lambda _: True
    ) -> tuple[list[StreamRow], str | None]:
        """Up to `limit` streams whose names come after `after`, and the name to go on after, None at the end.

        Args:
            after: The last name of the page before.
            limit: Most rows.
            may_see: Of which streams who asks may know.

        Raises:
            StoreAway: The store does not answer.
        """
        try:
            names = sorted({*await self._names.all(), *self._open})
            following = [name for name in names if name > after and may_see(name)]
            shown = following[:limit]
            stored = {found.name: found for found in await self._names.look(shown)}
        except StoreUnavailable as away:
            raise _away(away) from None
        rows = [
            row_of(
                name,
                stream=self._open.get(name),
                failure=self._failed.reason(name),
                stored=stored.get(name),
            )
            for name in shown
            if name in stored or name in self._open
        ]
        return rows, shown[-1] if len(following) > limit else None

    # Closing

    def _dispensable(self) -> Stream:
        """The stream to close for another: one that is closing already, else the one used least recently."""
        idle = [s for s in self if s.is_closing or (s.is_idle and s.name != self._default)]
        if not idle:
            raise TooManyStreams(
                f"{len(self._open)} streams are open, which is the most that may (FIRSTSEEN_MAX_STREAMS), and each is "
                "in use. Use one of them, or send the same again when one is free."
            )
        return min(idle, key=lambda s: (not s.is_closing, s.used))

    async def leave(self, stream: Stream, use: int) -> bool:
        """Close a stream if its latest use was this one, and is over; whether it was closed."""
        is_open = self._open.get(stream.name) is stream and stream.name != self._default
        if not is_open or stream.is_closing or stream.used != use or not stream.is_idle:
            return False
        await self._closed(stream, reason="nobody uses it")
        return True

    async def _closed(self, stream: Stream, *, reason: str = "its place is needed") -> None:
        """Close a stream, and wait for that; it goes on when nobody waits any more."""
        if stream not in self._closings:
            log.info("stream_closes", stream=stream.name, reason=reason)
            stream.is_closing = True
            closing = self._closings[stream] = asyncio.create_task(self._close(stream))
            closing.add_done_callback(lambda _: self._closings.pop(stream))
        await asyncio.shield(self._closings[stream])

    async def _close(self, stream: Stream) -> None:
        await self._drained(stream, CLOSE_S)
        await self._saved(stream, CLOSE_S)

    async def drain(self, *, grace_s: float) -> None:
        """Take no more items and answer those that wait, of all streams at once. May be called twice."""
        if self._stopping_since is None:
            self._stopping_since = asyncio.get_running_loop().time()
        await asyncio.gather(*(self._drained(stream, grace_s) for stream in list(self._tasks)))

    async def close(self, *, within_s: float, grace_s: float) -> None:
        """Let all save their state and give their leases back.

        Args:
            within_s: How long that may take since `drain` was called first ...
            grace_s: ... and from now on at least.
        """
        assert self._stopping_since is not None, "drain first"
        left_s = self._stopping_since + within_s - asyncio.get_running_loop().time()
        await asyncio.gather(*(self._saved(stream, max(grace_s, left_s)) for stream in list(self._tasks)))

    async def _drained(self, stream: Stream, grace_s: float) -> None:
        task = self._tasks.get(stream)
        if task is not None and not await stream.pipeline.stop(grace_s=grace_s):
            await self._cancel(stream, task)

    async def _saved(self, stream: Stream, grace_s: float) -> None:
        task = self._tasks.get(stream)
        if task is not None:
            _, still = await asyncio.wait({task}, timeout=grace_s)
            if still:
                await self._cancel(stream, task)

    async def _cancel(self, stream: Stream, task: "asyncio.Task[None]") -> None:
        if stream.pipeline.epoch:
            log.warning(
                "stopped_without_snapshot", stream=stream.name, reason="not in time; the log has it all"
            )
        await cancelled(task)


def _check(name: str) -> None:
    if not is_stream_name(name):
        raise InvalidParameter(
            f"stream: {name[:64]!r} is not a name that can be used; send 1 to 64 letters, digits, dots, underscores or "
            "hyphens, or leave stream out."
        )


def _away(away: StoreUnavailable) -> StoreAway:
    return StoreAway(f"{away}.")

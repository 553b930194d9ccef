"""A connection keeps no more of a head than it may, waits for nobody for ever, and refuses as the service does."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from service.api.connection import LEAST_BYTES_PER_S, MAX_HEAD_BYTES, BoundedHttp
from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running
from tests.service.waiting import until

GET = b"GET /livez HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /classify HTTP/1.1\r\nHost: [::1]\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
GROWING = {
    "one header": (GET + b"X: ", b"x" * 1000),
    "many headers": (GET, b"X: " + b"x" * 995 + b"\r\n"),
    "a URL": (b"GET /", b"x" * 1000),
    "a chunk's extension": (POST + b"1;x=", b"x" * 1000),
    "trailers": (POST + b"1\r\n{\r\n0\r\n", b"X: " + b"x" * 995 + b"\r\n"),
}


def ask(service: Inside, data: bytes) -> bytes:
    """All that comes back until the service closes or is done."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as raw:
        raw.sendall(data)
        raw.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: raw.recv(65536), b""))


def test_refused(service: Inside) -> None:
    """The first byte over the bound is answered with 431 as a problem, and the connection closes."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as raw:
        raw.sendall((GET + b"X: ").ljust(MAX_HEAD_BYTES + 1, b"x"))
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 431 ")
    assert f"content-length: {len(body)}".encode() in head
    assert b"application/problem+json" in head
    assert "/problems/head-too-large" == json.loads(body)["type"]


def test_at_the_bound(service: Inside) -> None:
    """A head of just the bound is served."""
    head = (GET + b"Connection: close\r\nX: ").ljust(MAX_HEAD_BYTES - 4, b"x") + b"\r\n\r\n"

    assert ask(service, head).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("start", "more"), GROWING.values(), ids=GROWING.keys())
def test_endless(service: Inside, start: bytes, more: bytes) -> None:
    """Whatever grows without end: the connection is closed, and what still comes is not read."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as raw:
        raw.sendall(start)
        with pytest.raises(ConnectionError):
            raw.sendall(more * 20_000)


def test_many_requests_on_one_connection(service: Inside) -> None:
    """The bound is on each head, not on a connection."""
    one = (GET + b"X: ").ljust(30_000, b"x") + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as raw:
        for _ in range(5):
            raw.sendall(one)
            assert raw.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_pipelined_requests_wait_as_bytes(service: Inside) -> None:
    """Of thousands of requests that come before one is answered a few hundred are parsed at once; all are answered, in
    order, and while the client does not read, no more are read from it.
    """
    ask_all = b"".join(b"GET /problems/n%05d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(3000))
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as raw:
        sender = threading.Thread(target=raw.sendall, args=(ask_all,))
        sender.start()
        seen, parsed = b"", 0
        while seen.count(b"HTTP/1.1 404 ") < 3000:
            seen += raw.recv(65536)
            parsed = max([parsed, *(len(each.pipeline) for each in connections(service))])
        sender.join()

    assert parsed < 100


def connections(service: Inside) -> list[BoundedHttp]:
    """Those there are."""
    return [each for each in list(service.server.server_state.connections) if isinstance(each, BoundedHttp)]


def is_closed(raw: socket.socket, more: bytes) -> bool:
    """Whether the service has closed this connection, on which it is sent more."""
    try:
        raw.sendall(more)
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return False


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """A service that waits for nobody."""
    folder = tmp_path_factory.mktemp("hasty")
    settings = Settings.read({}, data_dir=folder, request_timeout_s=0.2, send_timeout_s=0.2)
    with running(settings, digits.bundle()) as inside:
        yield inside


def test_a_head_that_does_not_come(hasty: Inside) -> None:
    """A connection that says nothing is closed; one whose head does not end is told so. Also behind a request."""
    for before, start, status in ((b"", b"", b""), (b"", GET, b"408"), (GET + b"\r\n", GET, b"408")):
        with socket.create_connection(("127.0.0.1", hasty.port), timeout=60) as raw:
            raw.sendall(before)
            assert not before or raw.recv(65536).startswith(b"HTTP/1.1 200 ")
            raw.sendall(start)
            answer = b"".join(iter(lambda: raw.recv(65536), b""))

        assert status == answer.rpartition(b"HTTP/1.1 ")[2][:3]
        assert status == b"" or b"/problems/too-slow" in answer


def test_a_body_that_nobody_wants_does_not_keep_a_connection(hasty: Inside) -> None:
    """Trickling on after the answer has come holds nothing for long."""
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=60) as raw:
        raw.sendall(POST.replace(b"json", b"unknown"))
        assert raw.recv(65536).startswith(b"HTTP/1.1 415 ")
        until(lambda: is_closed(raw, b"1\r\nx\r\n"), "the service closes it")


def test_an_answer_that_is_not_read(hasty: Inside) -> None:
    """Who asks, and does not read, is cut off, and nothing is held for him."""
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(20)
        raw.connect(("127.0.0.1", hasty.port))
        raw.settimeout(0.01)
        until(lambda: is_closed(raw, GET.replace(b"livez", b"openapi.json") + b"\r\n"), "it is cut off")
    until(lambda: not connections(hasty), "its connection is gone")


def test_results_of_lines_that_are_not_read(hasty: Inside) -> None:
    """Who sends lines and reads no result is read from no more, and then cut off; nothing is held for him."""
    head = POST.replace(b"application/json", b"application/x-ndjson")
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(20)
        raw.connect(("127.0.0.1", hasty.port))
        raw.sendall(head.replace(b"Transfer-Encoding: chunked", b"Content-Length: 1000000000"))
        raw.settimeout(0.01)
        line = b'{"id": "%s", "x": 0}\n' % (b"x" * 250)
        until(lambda: is_closed(raw, 100 * line), "he is cut off")
    until(lambda: not connections(hasty), "his connection is gone")
    assert 0 == hasty.app.state.context.bodies.used == hasty.app.state.context.sockets.used


def test_a_line_that_trickles_in(hasty: Inside) -> None:
    """Bytes alone are no progress: who sends a line byte by byte holds what there is of it no longer than a body."""
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=20) as raw:
        raw.sendall(POST.replace(b"application/json", b"application/x-ndjson"))
        until(lambda: is_closed(raw, b"1\r\n[\r\n"), "the service closes it")
    until(lambda: not hasty.app.state.context.bodies.used, "nothing is held")


class Transport(asyncio.Transport):
    """Keeps what is written until the test reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.unread = 0
        self.is_closed = self.is_aborted = False
        self.socket: socket.socket | None = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "socket":
            return self.socket
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def write(self, data: Any) -> None:
        self.unread += len(data)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True


class Timers(asyncio.AbstractEventLoop):
    """In place of a loop: what it is to call is called when the test says so."""

    def __init__(self) -> None:
        self._next: asyncio.TimerHandle | None = None

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        self._next = asyncio.TimerHandle(delay, callback, args, self, context)
        return self._next

    def get_debug(self) -> bool:
        return False

    def _timer_handle_cancelled(self, _: asyncio.TimerHandle) -> None:
        pass

    def pass_on(self) -> bool:
        """To the end of the latest wait; whether there was one."""
        waits, self._next = self._next, None
        if waits is None or waits.cancelled():
            return False
        waits._run()
        return True


class TestSlowReaders:
    """An answer of 200 kB that lies in the buffer of a connection, which waits for the next request or is closing."""

    SEND_S = 2.0
    ENOUGH = int(SEND_S) * LEAST_BYTES_PER_S

    def connection(self) -> tuple[BoundedHttp, Transport, Timers]:
        timers, transport = Timers(), Transport()
        config = uvicorn.Config(lambda: None, lifespan="off", log_config=None)
        made = BoundedHttp(
            head_s=1,
            send_s=self.SEND_S,
            config=config,
            server_state=ServerState(),
            app_state={},
            _loop=timers,
        )
        made.connection_made(transport)
        transport.write(bytes(200_000))
        return made, transport, timers

    @pytest.mark.parametrize("begin", ["pause_writing", "timeout_keep_alive_handler"])
    def test_who_reads_a_little_at_a_time_has_all_of_it(self, begin: str) -> None:
        """However long it takes; also when nothing more is expected of him."""
        made, transport, timers = self.connection()
        getattr(made, begin)()
        while transport.unread:
            transport.unread -= min(transport.unread, self.ENOUGH)
            assert timers.pass_on()

        assert not transport.is_aborted
        assert not timers.pass_on(), "nothing is watched any more"

    @pytest.mark.parametrize("begin", ["pause_writing", "timeout_keep_alive_handler"])
    @pytest.mark.parametrize("reads", [0, 1, ENOUGH - 1])
    def test_who_reads_less_is_cut_off(self, begin: str, reads: int) -> None:
        """A byte a minute does not hold an answer for ever."""
        made, transport, timers = self.connection()
        getattr(made, begin)()
        transport.unread -= reads
        assert timers.pass_on()

        assert transport.is_aborted
        assert not timers.pass_on()

    def test_who_reads_what_our_system_keeps_reads(self) -> None:
        """It takes more of ours in steps of a megabyte, so nothing of an answer may leave for a minute."""
        made, transport, timers = self.connection()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            transport.socket = ours
            for _ in range(8):
                ours.send(bytes(self.ENOUGH))
            made.pause_writing()
            for _ in range(8):
                theirs.recv(self.ENOUGH)
                assert timers.pass_on()
                assert not transport.is_aborted

            assert timers.pass_on()
            assert transport.is_aborted

    def test_who_has_caught_up_is_not_watched(self) -> None:
        """Between two answers, or once the connection is lost, nothing is looked at."""
        for end in (lambda made: made.resume_writing(), lambda made: made.connection_lost(None)):
            made, transport, timers = self.connection()
            made.pause_writing()
            end(made)

            assert not timers.pass_on()
            assert not transport.is_aborted


def test_too_many_connections(tmp_path: Path) -> None:
    """The connection over the bound gets a 503 problem with Retry-After; those within it are served."""
    settings = Settings.read({}, data_dir=tmp_path, connections=3)
    with running(settings, digits.bundle()) as service:
        opened = [socket.create_connection(("127.0.0.1", service.port), timeout=60) for _ in range(3)]
        answers = []
        for raw in opened:
            raw.sendall(GET + b"\r\n")
            answers.append(raw.recv(65536))
        refused = ask(service, GET + b"Connection: close\r\n\r\n")
        for raw in opened:
            raw.close()

    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in refused
    assert b"/problems/overloaded" in refused


def test_stop_with_half_a_body(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A request whose body had not come when the service stopped gets a 503 problem, and the log no traceback."""
    with running(Settings.read({}, data_dir=tmp_path), digits.bundle()) as service:
        raw = socket.create_connection(("127.0.0.1", service.port), timeout=60)
        raw.sendall(POST + b"1\r\n{\r\n")
        until(lambda: service.app.state.context.bodies.used > 0, "a piece of the body has come")
        service.server.should_exit = True
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
        raw.close()

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"/problems/not-ready" in answer
    assert "Traceback" not in caplog.text
    assert "CancelledError" not in caplog.text

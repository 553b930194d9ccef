"""The process around the service: ports, logs, and what a wrong start says."""

import io
import json
import logging
import resource
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from websockets.sync.client import connect

from service.access.tokens import make_token
from service.errors import InvalidSetting
from service.server import LibraryLines, _bound, allow_files, configure_logging
from service.settings import Settings
from tests.service import digits
from tests.service.keyed import key_of, put
from tests.service.processes import Serve

Forked = Callable[..., Serve]


@pytest.mark.slow
def test_port_in_use(forked: Forked, tmp_path: Path) -> None:
    """A port in use is one line that says so, and status 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with forked(digits.bundle_dir(), tmp_path, port=port) as service:
            assert 1 == service.wait()
            assert f"Cannot listen on 127.0.0.1 port {port}" in service.log.strip().splitlines()[-1]
            assert "Traceback" not in service.log


def test_no_such_host() -> None:
    """An address that is none of this machine is refused with the option that chose it."""
    with (
        pytest.raises(InvalidSetting, match=r"Cannot listen on 192\.0\.2\.1 port 0 .*--host"),
        _bound(Settings.read({}, host="192.0.2.1", port=0)),
    ):
        pytest.fail("it listens")


@pytest.mark.slow
def test_no_bundle(forked: Forked, tmp_path: Path) -> None:
    """A folder that is no bundle is refused by name."""
    with forked(tmp_path / "none", tmp_path / "data") as service:
        assert 1 == service.wait()
        assert "none" in service.log
        assert "Traceback" not in service.log


@pytest.mark.slow
def test_unknown_setting(forked: Forked, tmp_path: Path) -> None:
    """A variable that names no setting is refused before anything is started."""
    with forked(digits.bundle_dir(), tmp_path, max_bach=3) as service:
        assert 1 == service.wait()
        assert "Did you mean FIRSTSEEN_MAX_BATCH?" in service.log
        assert not (tmp_path / "redis").exists()


@pytest.mark.slow
def test_refuses_to_listen_openly(forked: Forked, tmp_path: Path) -> None:
    """Elsewhere than on loopback and without a key it ends at once, with what to do; nobody could connect meanwhile."""
    with forked(digits.bundle_dir(), tmp_path, host="0.0.0.0") as service:  # noqa: S104 - it refuses
        assert 1 == service.wait()
        assert "firstseen keys add" in service.log.strip().splitlines()[-1]
        assert "Traceback" not in service.log
        assert not service.said("listening")


@pytest.mark.slow
def test_no_secret_in_the_log(forked: Forked, tmp_path: Path) -> None:
    """Keys and tickets, right and wrong, in headers, queries and paths, over HTTP and WebSocket: none is logged."""
    key, text = key_of()
    wrong = make_token(b"wrong", b"w" * 32)
    put(tmp_path, key)
    with forked(digits.bundle_dir(), tmp_path, log_level="debug", host="0.0.0.0") as service:  # noqa: S104 - it has a key
        http = service.http
        http.base_url = service.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - the same
        service.ready()
        sockets = service.ws_url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - the same
        secrets = [text, wrong]
        for secret in (text, wrong):
            for headers in ({"authorization": f"Bearer {secret}"}, {"x-api-key": secret}, {"cookie": secret}):
                http.get("/info", headers=headers)
                http.post("/classify", headers=headers, content=secret)
                http.get(f"/{secret}", params={"key": secret, "stream": secret}, headers=headers)
        for _ in range(2):
            ticket = http.post("/tickets", headers={"x-api-key": text}).json()["ticket"]
            secrets.append(ticket)
            for _ in range(2):
                with connect(f"{sockets}/stream?ticket={ticket}", proxy=None) as ws:
                    ws.recv(timeout=60)
        http.get(f"/info?ticket={ticket}")
        assert 0 == service.stop()
        log = service.log

    assert [secret for secret in secrets if secret[12:] in log] == []


def failure(sent: str) -> BaseException:
    """An error with a traceback through a function that holds what a client sent."""

    def fail(held: str) -> None:
        raise ValueError(len(held))

    with pytest.raises(ValueError, match="18") as caught:
        fail(sent)
    return caught.value


def test_logs_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody looks, every line of the log is a JSON object, tracebacks included."""
    configure_logging(Settings.read({}, log_format="json"))
    log = structlog.get_logger("test")
    log.info("started", port=1)
    log.error("failed", exc_info=failure("what a client sent"))
    log.debug("not shown")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    assert ["started", "failed"] == [line["event"] for line in lines]
    assert "ValueError: 18" in lines[1]["exception"]


def test_lines_of_libraries_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    """They are lines like all others, and no secret stays in message or traceback."""
    _, key = key_of()
    configure_logging(Settings.read({}, log_format="json"))
    with pytest.raises(ValueError, match="fs_") as failed:
        raise ValueError(key)
    failure = (failed.type, failed.value, failed.tb)
    LibraryLines().handle(
        logging.LogRecord("uvicorn.error", logging.WARNING, __file__, 1, 'path "%s"', (f"/{key}",), failure)
    )
    shown = capsys.readouterr().err
    line = json.loads(shown)

    assert ("warning", "uvicorn.error") == (line["level"], line["logger"])
    assert f'path "/{key[:12]}***"' == line["event"]
    assert "ValueError: fs_" in line["exception"]
    assert key[12:] not in shown


def test_console_shows_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback on a terminal does not print the values of variables: they are what clients sent."""
    configure_logging(Settings.read({}, log_format="console"))
    structlog.get_logger("test").error("failed", exc_info=failure("what a client sent"))
    shown = capsys.readouterr().err

    assert "ValueError" in shown
    assert "client sent" not in shown


def test_a_log_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk under it is full: lines are lost, and nothing else happens."""

    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device", text)

    monkeypatch.setattr(sys, "stderr", Full())
    before = structlog.get_config()
    try:
        configure_logging(Settings.read({}))
        structlog.get_logger("firstseen").warning("lost")
    finally:
        structlog.configure(**before)

    assert "" == capsys.readouterr().err


def test_a_line_has_what_its_request_has(capsys: pytest.CaptureFixture[str]) -> None:
    """The name of the request, and its trace, bound where the request came in."""
    configure_logging(Settings.read({}, log_format="json"))
    with structlog.contextvars.bound_contextvars(request_id="abc", trace_id="1f"):
        structlog.get_logger("test").info("inside")
    structlog.get_logger("test").info("outside")
    inside, outside = map(json.loads, capsys.readouterr().err.splitlines())

    assert ("abc", "1f") == (inside["request_id"], inside["trace_id"])
    assert "request_id" not in outside


def test_open_files(capsys: pytest.CaptureFixture[str]) -> None:
    """The usual limit is raised to what connections need, never lowered; what cannot be had is said."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard - 10, hard))
        allow_files(hard - 5)
        assert hard - 5 == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        allow_files(hard - 7)
        assert hard - 5 == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        allow_files(hard + 1)
        assert hard == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert "few_files" in capsys.readouterr().out

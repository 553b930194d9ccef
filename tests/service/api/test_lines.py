"""Lines in, lines out on a running service: at once, in order, bounded, and with a last word when it fails."""

import gzip
import http.client
import itertools
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service.api.compression import zstd
from service.pipeline.batching import Job
from tests.service import digits
from tests.service.inside import Inside
from tests.service.waiting import until

HEAD = "POST /classify HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n"
NDJSON = {"content-type": "application/x-ndjson", "accept-encoding": "identity"}

_names = itertools.count()


@pytest.fixture
def name() -> str:
    """A prefix for ids that no other test uses."""
    return f"lines{next(_names)}"


def line(item: dict[str, Any]) -> bytes:
    return json.dumps(item).encode() + b"\n"


def results(answer: httpx.Response) -> list[dict[str, Any]]:
    assert 200 == answer.status_code, answer.text
    assert "application/x-ndjson" == answer.headers["content-type"]
    is_packed = answer.content.startswith(b"\x28\xb5\x2f\xfd")  # which this client need not be able to read
    content = zstd.decompress(answer.content) if is_packed else answer.content
    return [json.loads(one) for one in content.splitlines()]


def test_in_order(http: httpx.Client, name: str) -> None:
    """A result a line, also for a bad one, in the order of the lines; more of them than a request may have items."""
    items = digits.many(name, 300)
    items[150]["x"] = [1, 2]
    found = results(http.post("/classify", content=b"".join(map(line, items)), headers=NDJSON))

    assert [item["id"] for item in items] == [one["id"] for one in found]
    assert [150] == [n for n, one in enumerate(found) if "problem" in one]


def test_as_json_has_it(http: httpx.Client, name: str) -> None:
    """The verdicts are those of the same items in JSON."""
    items = digits.many(name, 5)
    found = results(http.post("/classify", content=b"".join(map(line, items)), headers=NDJSON))

    assert http.post("/classify", json={"items": items}).json()["results"] == found


def test_answers_leave_while_lines_still_come(service: Inside, name: str) -> None:
    """Each line is answered before the next one is sent, on one connection."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as raw:
        head = f"{HEAD}transfer-encoding: chunked"
        raw.sendall(head.encode() + b"\r\n\r\n")
        seen = raw.makefile("rb")
        for n, item in enumerate(digits.many(name, 3)):
            data = line(item)
            raw.sendall(b"%x\r\n" % len(data) + data + b"\r\n")
            if n == 0:
                assert seen.readline().startswith(b"HTTP/1.1 200")
                while seen.readline() != b"\r\n":
                    pass
            size = int(seen.readline(), 16)
            assert item["id"] == json.loads(seen.read(size))["id"]
            assert b"\r\n" == seen.readline()
        raw.sendall(b"0\r\n\r\n")
        assert b"0\r\n" == seen.readline()


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compressed_both_ways(http: httpx.Client, name: str, encoding: str) -> None:
    """Lines and results are the same."""
    pack = {"gzip": gzip.compress, "zstd": zstd.compress}[encoding]
    items = digits.many(name, 5)
    headers = {**NDJSON, "content-encoding": encoding, "accept-encoding": encoding}
    answer = http.post("/classify", content=pack(b"".join(map(line, items))), headers=headers)

    assert encoding == answer.headers["content-encoding"]
    assert [item["id"] for item in items] == [one["id"] for one in results(answer)]


def test_nothing(http: httpx.Client) -> None:
    """No lines, no results."""
    assert [] == results(http.post("/classify", content=b"\n\n", headers=NDJSON))


def test_key(http: httpx.Client, name: str) -> None:
    """Lines without ids get the key's, by their place: sent again they have the same verdicts."""
    body = b"".join(line({"x": digits.raw(n)}) for n in range(300))
    headers = {**NDJSON, "idempotency-key": name}
    first = results(http.post("/classify", content=body, headers=headers))

    assert first == results(http.post("/classify", content=body, headers=headers))
    assert first[299]["id"].endswith("-299")


def test_what_fails_before_the_first_line(http: httpx.Client) -> None:
    """Is a problem with its status, as everywhere."""
    answer = http.post("/classify", content=b"x" * ((1 << 20) + 1), headers=NDJSON)
    assert (413, "/problems/too-large") == (answer.status_code, answer.json()["type"])

    answer = http.post("/classify", content=b"abc", headers={**NDJSON, "content-encoding": "gzip"})
    assert (400, "/problems/invalid-body") == (answer.status_code, answer.json()["type"])


def test_what_fails_afterwards(service: Inside, name: str) -> None:
    """Is the last line; all before it are answered."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)

    def body() -> Iterator[bytes]:
        yield gzip.compress(line(digits.many(name, 1)[0]))
        yield b"no gzip"

    headers = {**NDJSON, "content-encoding": "gzip"}
    connection.request("POST", "/classify", body=body(), headers=headers, encode_chunked=True)
    answer = connection.getresponse()
    lines = [json.loads(one) for one in answer.read().splitlines()]
    connection.close()

    assert lines[-1].keys() == {"problem"} or answer.status == 400
    if answer.status == 200:
        assert f"{name}-0" == lines[0]["id"]


def test_a_client_that_goes(service: Inside, name: str) -> None:
    """In the middle of a line leaves nothing behind: no bytes of bodies are held, and the next one is served."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as raw:
        head = f"{HEAD}content-length: 5000"
        raw.sendall(head.encode() + b"\r\n\r\n" + line(digits.many(name, 1)[0]) + b'{"id": "half')
        assert raw.recv(100).startswith(b"HTTP/1.1 200")
    with httpx.Client(base_url=service.url, timeout=60) as client:
        results(client.post("/classify", content=line({"x": digits.raw()}), headers=NDJSON))
    until(lambda: service.app.state.context.bodies.used == 0, "all bodies are let go")


def test_the_lines_of_a_client_that_went_are_awaited_by_nobody(
    service: Inside, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits of them falls out of the queue before it is embedded: the queue can ask."""
    queue = service.app.state.context.streams.default.queue
    jobs: list[Job] = []
    put = queue.put

    async def seen(job: Job) -> None:
        jobs.append(job)
        await put(job)

    monkeypatch.setattr(queue, "put", seen)
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as raw:
        head = HEAD + "content-length: 5000"
        raw.sendall(head.encode() + b"\r\n\r\n" + line(digits.many(name, 1)[0]) + b'{"id": "half')
        assert raw.recv(100).startswith(b"HTTP/1.1 200")
        (job,) = jobs
        assert job.is_gone is not None
        assert not job.is_gone()

    until(job.is_gone, "the connection is seen to be closed")

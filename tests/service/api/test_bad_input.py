"""Nothing a client sends changes the state or ends the service, unless it is an item; and it is told why.

A corpus of bad requests, and requests that lie about themselves on a raw socket.
"""

import json
import random
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.service.inside import Inside

pytestmark = pytest.mark.usefixtures("unchanged")

X = [0.0] * 64
LIMIT = 1 << 20


def with_x(x: str) -> bytes:
    return b'{"id": "bad", "x": ' + x.encode() + b"}"


def one_wrong(value: str) -> bytes:
    return with_x("[" + ", ".join(["0"] * 63 + [value]) + "]")


BAD_ITEMS: dict[str, tuple[bytes, str]] = {
    "too few": (with_x(json.dumps(X[1:])), "got 63 numbers"),
    "too many": (with_x(json.dumps([*X, 0])), "got 65 numbers"),
    "empty": (with_x("[]"), "64 numbers"),
    "wrong rows": (with_x(json.dumps([[0] * 4] * 16)), "64 numbers"),
    "ragged rows": (with_x(json.dumps([[0] * 8] * 7 + [[0] * 7])), "x[7]"),
    "nested too deep": (with_x(json.dumps([[[[0] * 8] * 8]])), "nested"),
    "string for a number": (one_wrong('"1"'), "a string at x[63]"),
    "boolean for a number": (one_wrong("true"), "a boolean at x[63]"),
    "null for a number": (one_wrong("null"), "null at x[63]"),
    "object for a number": (one_wrong("{}"), "an object at x[63]"),
    "list for a number": (one_wrong("[0]"), "a list at x[63]"),
    "below the range": (one_wrong("-0.001"), "-0.001 at x[63]"),
    "above the range": (one_wrong("16.5"), "16.5 at x[63]"),
    "huge": (one_wrong("1e308"), "1e+308 at x[63]"),
    "string": (with_x('"abc"'), "a string"),
    "number": (with_x("7"), "a single number"),
    "null": (with_x("null"), "null"),
    "object": (with_x('{"0": 1}'), "an object"),
    "no x": (b'{"id": "a"}', "has no x: send 64 numbers"),
    "empty object": (b"{}", "has no x"),
    "unknown field": (b'{"id": "a", "x": [], "y": 1}', "remove y"),
    "id a number": (json.dumps({"id": 5, "x": X}).encode(), "id must be a string"),
    "id a list": (json.dumps({"id": ["a"], "x": X}).encode(), "id must be a string"),
    "id empty": (json.dumps({"id": "", "x": X}).encode(), "1 to 256 characters"),
    "id too long": (json.dumps({"id": "a" * 257, "x": X}).encode(), "not 257"),
    "id of ours": (json.dumps({"id": "~7", "x": X}).encode(), "must not start with ~"),
}

BAD_BODIES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not JSON"),
    "cut": (b'{"items": [{"id": "a", "x": [0,', "not JSON"),
    "not JSON": (b"hello", "not JSON"),
    "NaN": (one_wrong("NaN"), "not JSON"),
    "infinity": (one_wrong("-Infinity"), "not JSON"),
    "a number no float can hold": (one_wrong("1e999"), "not JSON"),
    "an integer without end": (one_wrong("9" * 5000), "not JSON"),
    "not UTF-8": (b'{"id": "\xff\xfe", "x": []}', "not JSON"),
    "lone surrogate": (b'{"id": "\\ud800", "x": []}', "not JSON"),
    "nested without end": (b"[" * 100_000, "not JSON"),
    "nested without end in x": (with_x("[" * 100_000), "not JSON"),
    "objects without end": (b'{"x":' * 100_000, "not JSON"),
    "two values": (b"{} {}", "not JSON"),
    "a list": (json.dumps([{"id": "a", "x": X}]).encode(), "must be a JSON object"),
    "null": (b"null", "must be a JSON object"),
    "items an object": (b'{"items": {"id": "a"}}', "items must be a list"),
    "items null": (b'{"items": null}', "items must be a list"),
    "items and more": (json.dumps({"items": [], "x": X}).encode(), "alone in the body"),
    "compressed": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "not JSON"),
}


def assert_problem(answer: httpx.Response, status: int, detail: str) -> dict[str, Any]:
    assert status == answer.status_code, answer.text
    assert "application/problem+json" == answer.headers["content-type"]
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance"} == problem.keys()
    assert status == problem["status"]
    assert detail in problem["detail"]
    assert "bug" not in problem["detail"]
    return problem


@pytest.mark.parametrize(("body", "detail"), BAD_ITEMS.values(), ids=BAD_ITEMS.keys())
def test_bad_item(http: httpx.Client, body: bytes, detail: str) -> None:
    """A single bad item is a 422 that says what to send."""
    assert_problem(http.post("/classify", content=body), 422, detail)


@pytest.mark.parametrize(("body", "detail"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_bad_body(http: httpx.Client, body: bytes, detail: str) -> None:
    """A body that cannot be understood is a 400 with an example of one that can."""
    problem = assert_problem(http.post("/classify", content=body), 400, detail)

    assert '{"items": [' in problem["detail"]


def test_only_bad_items(http: httpx.Client) -> None:
    """A request without a good item is a 422 with a problem for each."""
    raws = [json.loads(body) for body, _ in BAD_ITEMS.values()]
    raws += ["a", 1, None, True, [], [[]], 1.5]
    answer = http.post("/classify", json={"items": raws})

    assert 422 == answer.status_code
    assert [422] * len(raws) == [r["problem"]["status"] for r in answer.json()["results"]]


def test_generated(http: httpx.Client) -> None:
    """A good request with bytes changed, cut or doubled at random is answered below 500, or is still good."""
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)  # noqa: T201 - shown when it fails
    rng = random.Random(seed)
    good = json.dumps({"items": [{"id": "g", "x": [*X[1:], "bad"]}]}).encode()
    for _ in range(300):
        body = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(body))
            match rng.randrange(4):
                case 0:
                    body[at] = rng.randrange(256)
                case 1:
                    del body[at:]
                    body += b"]"
                case 2:
                    body[at:at] = rng.choice([b"[", b"{", b'"', b"null", b"1e9", b"-", b"\x00", b"\\u0000"])
                case _:
                    body[at:at] = body[at : at + 20]
        answer = http.post("/classify", content=bytes(body))
        assert answer.status_code in (400, 422), (answer.status_code, bytes(body))


class TestRequests:
    @pytest.mark.parametrize("media", ["text/plain", "application/xml", "multipart/form-data", "x" * 500])
    def test_media_type(self, http: httpx.Client, media: str) -> None:
        """A content type that is not read is a 415."""
        answer = http.post("/classify", content=b"{}", headers={"content-type": media})

        assert_problem(answer, 415, "content-type: application/json")

    def test_no_media_type(self, http: httpx.Client) -> None:
        """A body that does not say it is JSON is a 415: a page of another site could send it unasked."""
        del http.headers["content-type"]
        answer = http.post("/classify", content=json.dumps({"id": "a", "x": X}))

        assert_problem(answer, 415, "without a content type")

    def test_foreign_origin(self, http: httpx.Client) -> None:
        """What a page of another site sends is a 403."""
        body = {"id": "a", "x": X}
        answer = http.post("/classify", json=body, headers={"origin": "http://evil.example"})

        assert_problem(answer, 403, "http://evil.example")

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            *(("GET", path) for path in ("/clusters", "/clusters/1", "/info", "/readyz", "/dlq")),
            *(("POST", "/dlq/retry?id=a"), ("DELETE", "/dlq?all=true")),
        ],
    )
    def test_unknown_stream(self, http: httpx.Client, method: str, path: str) -> None:
        """Who looks at a stream that is nowhere gets a 404, and makes none."""
        answer = http.request(method, path, params={**httpx.URL(path).params, "stream": "nowhere"})

        assert_problem(answer, 404, "There is no stream 'nowhere'")
        assert "nowhere" not in http.get("/streams").text

    @pytest.mark.parametrize("path", ["/classify", "/clusters", "/clusters/1", "/info", "/readyz", "/dlq"])
    @pytest.mark.parametrize("name", ["", "a b", "{x}", "y" * 65])
    def test_no_name_of_a_stream(self, http: httpx.Client, path: str, name: str) -> None:
        """A name that no stream can have is a 422 that says what to send."""
        method = "POST" if path == "/classify" else "GET"
        body = json.dumps({"id": "a", "x": X}) if method == "POST" else None
        answer = http.request(method, path, params={"stream": name}, content=body)

        assert_problem(answer, 422, "send 1 to 64 letters")

    @pytest.mark.parametrize(
        ("method", "path", "status", "detail"),
        [
            ("GET", "/clusters/seven", 422, "cluster_id"),
            ("GET", "/clusters?state=happy", 422, "state"),
            ("GET", "/nowhere", 404, "/docs"),
            ("POST", "/classify/", 404, "/docs"),
            ("GET", "/classify", 405, "POST"),
            ("POST", "/clusters", 405, "GET"),
        ],
    )
    def test_no_such_request(
        self, http: httpx.Client, method: str, path: str, status: int, detail: str
    ) -> None:
        """A path, a method or a parameter that does not exist is a problem like all others."""
        assert_problem(http.request(method, path), status, detail)

    def test_too_many_items(self, http: httpx.Client) -> None:
        """More items than a request may have are refused with the number it may."""
        answer = http.post("/classify", json={"items": [{"x": X}] * 129})

        assert_problem(answer, 413, "send at most 128")


class TestSize:
    def test_declared(self, http: httpx.Client) -> None:
        """A body that says it is too large is refused before it is read."""
        assert_problem(http.post("/classify", content=b" " * (LIMIT + 1)), 413, f"over {LIMIT} bytes")

    def test_at_the_limit(self, http: httpx.Client) -> None:
        """A body of just the limit is read."""
        assert 400 == http.post("/classify", content=b" " * LIMIT).status_code

    def test_hundred_megabytes(self, http: httpx.Client) -> None:
        """100 MB are refused."""
        assert_problem(http.post("/classify", content=b"x" * 100_000_000), 413, "over")

    def test_chunked(self, http: httpx.Client) -> None:
        """100 MB that do not say how large they are are refused too, when the limit is passed."""

        def body() -> Iterator[bytes]:
            for _ in range(100):
                yield b"x" * 1_000_000

        assert_problem(http.post("/classify", content=body()), 413, "over")


class TestLies:
    """Requests that httpx would not send, on a raw socket."""

    @pytest.mark.parametrize(
        "length", ["-5", "abc", "1e3", "1_000", "0x10", "+5", "5, 6", "\u0663", "9" * 40]
    )
    def test_length_is_no_number(self, service: Inside, length: str) -> None:
        """A content length that is no number, or an absurd one, is refused."""
        answer = _send(service, _head(length) + b"hello")

        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 ")), answer

    def test_two_lengths(self, service: Inside) -> None:
        """Two different content lengths are refused."""
        answer = _send(service, _head("5", "Content-Length: 6") + b"hello!")

        assert answer.startswith(b"HTTP/1.1 400 "), answer

    def test_length_and_chunks(self, service: Inside) -> None:
        """A content length beside chunks does not open a way around the limit."""
        answer = _send(service, _head("5", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n")

        assert answer.startswith(b"HTTP/1.1 400 "), answer

    def test_length_too_small(self, service: Inside) -> None:
        """What comes after the body that was announced is no part of it."""
        answer = _send(service, _head("2") + b"{}" + b"x" * 100_000)

        assert answer.startswith(b"HTTP/1.1 4"), answer
        assert b"HTTP/1.1 2" not in answer

    def test_length_too_large(self, service: Inside) -> None:
        """A client that goes before its body has come leaves nothing behind."""
        with socket.create_connection(("127.0.0.1", service.port), timeout=60) as raw:
            raw.sendall(_head("1000") + b'{"id": "half"')

    def test_chunk_is_no_chunk(self, service: Inside) -> None:
        """Broken chunking is refused."""
        answer = _send(service, _head(None, "Transfer-Encoding: chunked") + b"zz\r\nhello\r\n")

        assert answer.startswith(b"HTTP/1.1 400 "), answer

    def test_nonsense_behind_a_request(self, service: Inside) -> None:
        """What came whole is answered all the same."""
        answer = _send(service, b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n\x00nonsense\r\n\r\n")

        assert answer.startswith(b"HTTP/1.1 200 "), answer
        assert b'{"live":true}' in answer

    def test_not_http(self, service: Inside) -> None:
        """Something else than HTTP is refused, as everything is: by a problem, under the headers of every answer."""
        answer = _send(service, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n")

        assert answer.startswith(b"HTTP/1.1 400 "), answer
        assert b"application/problem+json" in answer
        assert b"/problems/invalid-body" in answer
        assert b"x-content-type-options: nosniff" in answer


def _head(length: str | None, *more: str) -> bytes:
    lines = ["POST /classify HTTP/1.1", "Host: here", "Content-Type: application/json"]
    lines += [] if length is None else [f"Content-Length: {length}"]
    return ("\r\n".join([*lines, *more]) + "\r\n\r\n").encode()


def _send(service: Inside, data: bytes) -> bytes:
    """What comes back until the service closes, or says no more."""
    answer = b""
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as raw:
        try:
            raw.sendall(data)
            raw.shutdown(socket.SHUT_WR)
            while chunk := raw.recv(65536):
                answer += chunk
        except ConnectionError:
            pass
    return answer

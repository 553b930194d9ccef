"""What every answer says to a browser, and what pages of other origins are told."""

import base64
import hashlib
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.api.headers import page_policy
from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running

PATHS = (
    *("/info", "/livez", "/openapi.json", "/nothing", "/clusters/x", "/dashboard/x", "/docs", "/redoc"),
    "/problems/x",
)


@pytest.fixture(scope="module")
def allowing() -> Iterator[Inside]:
    """A service that allows one other origin, and fails at one path."""
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        settings = Settings.read({}, data_dir=Path(folder), origins="https://app.example", connections=4)
        with running(settings, digits.bundle()) as inside:

            async def fails() -> None:
                raise RuntimeError("inside")

            inside.app.add_api_route("/fails", fails, include_in_schema=False)
            yield inside


@pytest.fixture
def http(allowing: Inside) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=allowing.url, trust_env=False, timeout=60) as client:
        yield client


def check(answer: httpx.Response) -> None:
    """Each field once, and no name of a server."""
    for name, value in {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-store",
    }.items():
        assert [value] == answer.headers.get_list(name), (answer.url, name)
    (policy,) = answer.headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert "server" not in answer.headers


@pytest.mark.parametrize("path", [*PATHS, "/fails"])
def test_every_answer(http: httpx.Client, path: str) -> None:
    """Of data, documentation, problems, redirects and bugs of ours."""
    check(http.get(path))


def test_answers_of_the_connection(allowing: Inside) -> None:
    """What is refused before any route is asked: a head that does not end, and one connection too many."""
    with socket.create_connection(("127.0.0.1", allowing.port)) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * 200_000)
        head = raw.recv(65536).decode().lower()
    assert head.startswith("http/1.1 431")
    assert "x-content-type-options: nosniff\r\n" in head
    with httpx.Client(base_url=allowing.url, trust_env=False) as http:
        held = [socket.create_connection(("127.0.0.1", allowing.port)) for _ in range(6)]
        try:
            for one in held:
                one.sendall(b"GET")
            answer = http.get("/livez")
        finally:
            for one in held:
                one.close()
    assert 503 == answer.status_code
    check(answer)


def test_files_of_the_documentation_may_be_kept(http: httpx.Client) -> None:
    """They are the same for everybody, and large."""
    answer = http.get("/static-offline-docs/swagger-ui.css")

    assert 200 == answer.status_code
    assert "cache-control" not in answer.headers
    assert "nosniff" == answer.headers["x-content-type-options"]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_documentation_runs_its_own_scripts_alone(http: httpx.Client, path: str) -> None:
    """Each script of the page is a file of ours or is named by its hash; nothing comes from elsewhere."""
    answer = http.get(path)
    policy = answer.headers["content-security-policy"]
    allowed = re.search(r"script-src ([^;]*);", policy)
    assert allowed
    for script in re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in allowed[1]
    for source in re.findall(r"<(?:script|link)[^>]+(?:src|href)=\"([^\"]+)\"", answer.text):
        assert source.startswith("/static-offline-docs/")
    assert "unsafe-inline" not in allowed[1]
    assert "unsafe-eval" not in policy


def test_a_page_without_scripts() -> None:
    """Only files of ours."""
    assert "script-src 'self';" in page_policy(b"<html></html>")


class TestCors:
    def test_allowed(self, http: httpx.Client) -> None:
        """A page that is listed may read the answer, quota included, without cookies."""
        answer = http.get("/livez", headers={"origin": "https://app.example"})

        assert "https://app.example" == answer.headers["access-control-allow-origin"]
        assert "retry-after" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers
        assert "Origin" in answer.headers["vary"]

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://app.example"])
    def test_others(self, http: httpx.Client, origin: str) -> None:
        """Any other may not."""
        assert "access-control-allow-origin" not in http.get("/livez", headers={"origin": origin}).headers

    def test_asking_before(self, http: httpx.Client) -> None:
        """A browser asks ahead whether a key may be sent, and is told."""
        ahead = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        yes = http.options("/classify", headers=ahead | {"origin": "https://app.example"})
        no = http.options("/classify", headers=ahead | {"origin": "https://evil.example"})

        assert 200 == yes.status_code
        assert "authorization" in yes.headers["access-control-allow-headers"]
        assert 400 == no.status_code
        assert "access-control-allow-origin" not in no.headers
        check(yes)
        check(no)

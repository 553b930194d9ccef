"""`/` and `/dashboard/...`: what a browser may keep, what it may run, and what is not there."""

import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.dashboard.fetch import missing
from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running

pytestmark = pytest.mark.skipif(
    bool(missing()), reason="the libraries are not here: python -m service.dashboard.fetch"
)

LIBRARY = "/dashboard/vendor/uplot-1.6.32/uplot.js"


def test_the_page(http: httpx.Client) -> None:
    """HTML that runs nothing but its own files; without a key, as /docs."""
    answer = http.get("/")

    assert 200 == answer.status_code
    assert "text/html; charset=utf-8" == answer.headers["content-type"]
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    ("path", "keep"), [("/", "no-cache"), ("/dashboard/js/main.js", "no-cache"), (LIBRARY, "immutable")]
)
def test_what_is_had_is_not_sent_again(http: httpx.Client, path: str, keep: str) -> None:
    """304 for the tag that was given; a library is kept for ever, since another has another address."""
    first = http.get(path)
    again = http.get(path, headers={"if-none-match": first.headers["etag"]})
    other = http.get(path, headers={"if-none-match": 'W/"other"'})

    assert [keep in one.headers["cache-control"] for one in (first, again)] == [True, True]
    assert 1 == len(first.headers.get_list("cache-control"))
    assert (304, b"") == (again.status_code, again.content)
    assert (200, first.content) == (other.status_code, other.content)


def test_compressed(http: httpx.Client) -> None:
    """The same bytes, fewer of them, where the browser takes it."""
    plain = http.get(LIBRARY, headers={"accept-encoding": "identity"})
    with http.stream("GET", LIBRARY, headers={"accept-encoding": "gzip, br"}) as small:
        raw = b"".join(small.iter_raw())

    assert "content-encoding" not in plain.headers
    assert plain.content == gzip.decompress(raw)
    assert len(raw) < len(plain.content) / 2


@pytest.mark.parametrize("path", ["/", "/dashboard/css/theme.css"])
def test_head(http: httpx.Client, path: str) -> None:
    """The same head, and no body."""
    head, full = http.head(path), http.get(path)

    assert (200, b"") == (head.status_code, head.content)
    assert full.headers["etag"] == head.headers["etag"]


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard/",
        "/dashboard/nothing.js",
        "/dashboard/../settings.py",
        "/dashboard/%2e%2e/settings.py",
        "/dashboard/..%2f..%2fsettings.py",
        "/dashboard/js/..%5c..%5c..%5csettings.py",
        "/dashboard//etc/passwd",
        "/dashboard/%00",
        "/dashboard/fetch.py",
        "/dashboard/vendor/uplot-1.6.32/.integrity",
    ],
)
def test_nothing_else_is_there(http: httpx.Client, path: str) -> None:
    """Neither files of the service nor of the machine; and a browser does not keep that."""
    answer = http.get(path)

    assert 404 == answer.status_code
    assert "no-store" == answer.headers["cache-control"]
    assert "/problems/unknown-path" == answer.json()["type"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_is_only_read(http: httpx.Client, method: str) -> None:
    """No other method."""
    assert 405 == http.request(method, "/").status_code


def test_it_is_no_part_of_the_api(http: httpx.Client) -> None:
    """The schema describes data."""
    assert not [
        path for path in http.get("/openapi.json").json()["paths"] if path == "/" or "dashboard" in path
    ]


@pytest.fixture(scope="module")
def without() -> Iterator[Inside]:
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        settings = Settings.read({"FIRSTSEEN_DASHBOARD": "false"}, data_dir=Path(folder))
        with running(settings, digits.bundle()) as inside:
            yield inside


def test_it_can_be_switched_off(without: Inside) -> None:
    """Then `/` leads to the documentation, and there is no file."""
    with httpx.Client(base_url=without.url, trust_env=False) as http:
        assert (307, "/docs") == ((answer := http.get("/")).status_code, answer.headers["location"])
        assert 404 == http.get("/dashboard/js/main.js").status_code

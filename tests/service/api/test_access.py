"""Who may come in: every route of the schema, and both sockets, asked with every kind of key.

The cases are made from OpenAPI: a route that does not say what it needs fails here, and so does one that says it and
does not ask.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Mount, WebSocketRoute
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from service.access.bucket import Rate
from service.access.rights import Scope
from service.access.tokens import make_token
from service.api.access import API_KEY, BEARER, KEY_ENDED
from service.app import create_app
from service.settings import Settings
from tests.service import digits
from tests.service.api.keyed_service import Keyed, bearer, close_code, head_of, socket_to
from tests.service.inside import running
from tests.service.keyed import in_store, key_of, looked_up_often, put
from tests.service.waiting import until

OPEN = {"/livez", "/readyz", "/problems/{name}"}  # routes that anybody may ask

PAGES = {"/", "/dashboard/{path:path}"}  # no secret: what they show they ask for as everybody does

NOT_IN_SCHEMA = PAGES | {"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json", "/static-offline-docs"}

SIFTED = {"/streams"}  # routes that tell each key what it may know

SOCKETS = {"/stream": Scope.INGEST, "/watch": Scope.READ}

SCHEMA = create_app(Settings.read({}), digits.bundle(), on_fatal=lambda _: None).openapi()
ROUTES = [(method, path) for path, methods in SCHEMA["paths"].items() for method in methods]
GUARDED = [(method, path) for method, path in ROUTES if SCHEMA["paths"][path][method].get("security")]

QUERY = {"/dlq/retry": {"id": "none"}, "/tickets": {"scope": "ingest"}}


def scope_of(method: str, path: str) -> Scope | None:
    """As the schema declares it."""
    for declared in SCHEMA["paths"][path][method]["security"]:
        if BEARER in declared:
            return Scope(declared[BEARER][0]) if declared[BEARER] else None
    raise AssertionError(f"{method} {path} does not say how a key is sent")


@pytest.fixture(scope="module")
def keyed() -> Iterator[Keyed]:
    every = {scope.value: key_of(scopes=frozenset({scope})) for scope in Scope}
    every |= {
        "expired": key_of(scopes=frozenset(Scope), expires=1.0),
        "revoked": key_of(scopes=frozenset(Scope), revoked=1.0),
        "other stream": key_of(scopes=frozenset(Scope), streams=("other", "defaul", "team-*")),
        "this stream": key_of(scopes=frozenset(Scope), streams=("default",)),
        "one stream": key_of(streams=("c-*",), new_streams=1),
        "two items": key_of(items_per_s=0.001, burst=2, connections=1),
        "in debt": key_of(items_per_s=0.001, burst=2),
    }
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        put(Path(folder), *(key for key, _ in every.values()))
        settings = Settings.read({}, data_dir=Path(folder), origins="https://app.example")
        with looked_up_often(), running(settings, digits.bundle()) as inside:
            yield Keyed(inside, Path(folder), {name: text for name, (_, text) in every.items()})


class TestSchema:
    @pytest.mark.parametrize(("method", "path"), ROUTES)
    def test_every_route_says_what_it_needs(self, method: str, path: str) -> None:
        """A new route declares its scope (`needs`), or that it has none (`OPEN`)."""
        operation = SCHEMA["paths"][path][method]

        assert "security" in operation, "give it openapi_extra=needs(Scope....), and call admit first"
        assert (operation["security"] == []) is (path in OPEN)
        if path not in OPEN:
            assert {BEARER, API_KEY} == {name for declared in operation["security"] for name in declared}
            assert {"401", "403"} <= operation["responses"].keys()

    def test_schemes(self) -> None:
        """How a key is sent, and what each scope is for."""
        schemes = SCHEMA["components"]["securitySchemes"]

        assert ("http", "bearer") == (schemes[BEARER]["type"], schemes[BEARER]["scheme"])
        assert ("header", "X-API-Key") == (schemes[API_KEY]["in"], schemes[API_KEY]["name"])
        assert all(f"`{scope}`" in schemes[BEARER]["description"] for scope in Scope)

    def test_nothing_else_is_served(self, keyed: Keyed) -> None:
        """Every route of the application is in the schema, is a socket tested here, or is documentation."""
        paths = {route.path for route in flat(keyed.inside.app.routes)}
        sockets = {r.path for r in flat(keyed.inside.app.routes) if isinstance(r, WebSocketRoute)}

        assert SOCKETS.keys() == sockets
        assert paths == SCHEMA["paths"].keys() | SOCKETS.keys() | NOT_IN_SCHEMA


def flat(routes: list[Any]) -> Iterator[Any]:
    """All routes, those of included routers too."""
    for route in routes:
        router = getattr(route, "original_router", None)
        if router is not None and not isinstance(route, Mount):
            yield from flat(list(router.routes))
        else:
            yield route


@pytest.mark.parametrize(("method", "path"), GUARDED)
class TestEveryRoute:
    def query(self, path: str) -> dict[str, str]:
        return QUERY.get(path, {})

    def test_no_key(self, keyed: Keyed, method: str, path: str) -> None:
        """401, and how to send one."""
        answer = keyed.ask(method, path, **self.query(path))

        assert (401, "/problems/unauthorized") == (answer.status_code, answer.json()["type"])
        assert 'Bearer realm="firstseen"' == answer.headers["www-authenticate"]
        assert "firstseen keys add" in answer.json()["detail"]

    @pytest.mark.parametrize(
        "credential",
        [
            bearer(make_token(b"wrong", b"w" * 32)),
            bearer("fs_mistyped"),
            {"x-api-key": make_token(b"wrong", b"w" * 32)},
            {"authorization": "Bearer"},
            {"authorization": "Basic dXNlcjpwYXNz"},
        ],
    )
    def test_wrong_key(self, keyed: Keyed, method: str, path: str, credential: dict[str, str]) -> None:
        """401, whatever is sent, and it is not repeated."""
        answer = keyed.ask(method, path, credential, **self.query(path))

        assert 401 == answer.status_code
        assert not any(len(v) > 20 and v.split()[-1] in answer.text for v in credential.values())

    @pytest.mark.parametrize("name", ["expired", "revoked"])
    def test_ended_key(self, keyed: Keyed, method: str, path: str, name: str) -> None:
        """401, and who has it is told why."""
        answer = keyed.ask(method, path, bearer(keyed.texts[name]), **self.query(path))

        assert 401 == answer.status_code
        assert name in answer.json()["detail"]
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]

    def test_wrong_scope(self, keyed: Keyed, method: str, path: str) -> None:
        """403, and which it would need."""
        needed = scope_of(method, path) or Scope.INGEST  # a ticket for it is asked for
        for name in set(Scope) - {needed, Scope.ADMIN}:
            answer = keyed.ask(method, path, bearer(keyed.texts[name]), **self.query(path))

            assert (403, "/problems/forbidden") == (answer.status_code, answer.json()["type"])
            assert f'scope="{needed}"' in answer.headers["www-authenticate"]
            assert f"scope {needed}" in answer.json()["detail"]

    def test_nonsense(self, keyed: Keyed, method: str, path: str) -> None:
        """Who may not come in is told so, and not first what a parameter may be; who may is told that."""
        declared = SCHEMA["paths"][path][method].get("parameters", ())
        nonsense = {one["name"]: "~" for one in declared if one["in"] == "query"}
        needed = scope_of(method, path)
        wrong = min(set(Scope) - {needed, Scope.ADMIN}) if needed else "expired"
        stranger, other, admin = (
            keyed.ask(method, path.replace("{cluster_id}", "~"), headers, **nonsense)
            for headers in ({}, bearer(keyed.texts[wrong]), bearer(keyed.texts["admin"]))
        )

        assert (401, 403 if needed else 401) == (stranger.status_code, other.status_code)
        assert admin.status_code == 422 or not (nonsense or "{cluster_id}" in path)

    def test_another_stream(self, keyed: Keyed, method: str, path: str) -> None:
        """403, although it may do everything, elsewhere."""
        answer = keyed.ask(method, path, bearer(keyed.texts["other stream"]), **self.query(path))
        if path in SIFTED:
            assert (200, []) == (answer.status_code, answer.json()["streams"])
            return

        assert (403, "/problems/forbidden") == (answer.status_code, answer.json()["type"])

    def test_right_key(self, keyed: Keyed, method: str, path: str) -> None:
        """In either header, with the scope itself or with admin, it is let in; what is asked for may still be wrong."""
        needed = scope_of(method, path) or Scope.INGEST
        for name in {needed.value, "admin"}:
            for credential in (bearer(keyed.texts[name]), {"x-api-key": keyed.texts[name]}):
                answer = keyed.ask(method, path, credential, **self.query(path))

                assert answer.status_code in {200, 404, 422}, answer.text

    def test_this_stream(self, keyed: Keyed, method: str, path: str) -> None:
        """A key for the stream is enough, but for what is of all streams."""
        answer = keyed.ask(method, path, bearer(keyed.texts["this stream"]), **self.query(path))

        assert (answer.status_code == 403) is (path == "/metrics")

    def test_foreign_page(self, keyed: Keyed, method: str, path: str) -> None:
        """A page of another origin is refused before its key is looked at; one that is allowed is not."""
        name = (scope_of(method, path) or Scope.INGEST).value
        foreign = keyed.ask(method, path, {"origin": "https://evil.example"}, **self.query(path))
        allowed = keyed.ask(
            method, path, {"origin": "https://app.example", **bearer(keyed.texts[name])}, **self.query(path)
        )

        assert (403, "/problems/origin") == (foreign.status_code, foreign.json()["type"])
        assert allowed.status_code in {200, 404, 422}


@pytest.mark.parametrize("path", sorted(OPEN))
def test_open_routes(keyed: Keyed, path: str) -> None:
    """Whether it lives and is ready, and what a problem means, needs no key."""
    assert 200 == keyed.ask("get", path).status_code


def test_why_needs_to_read(keyed: Keyed) -> None:
    """Who may only send learns verdicts, and not the clusters and ids that an explanation shows."""
    asked = {"learn": "false", "explain": "true"}
    sends, reads = bearer(keyed.texts["ingest"]), bearer(keyed.texts["this stream"])
    refused = keyed.ask("post", "/classify", sends, **asked)

    assert 403 == refused.status_code
    assert 'scope="read"' in refused.headers["www-authenticate"]
    assert 200 == keyed.ask("post", "/classify", reads, **asked).status_code
    assert 200 == keyed.ask("post", "/classify", sends, learn="false").status_code


def test_settings_are_of_the_process(keyed: Keyed) -> None:
    """A key of one stream is not told where the data lies, and whatever else belongs to all."""
    some, every = (
        keyed.ask("get", "/info", bearer(keyed.texts[name])).json() for name in ("this stream", "read")
    )

    assert some["settings"] is None
    assert every["settings"]["data_dir"] == str(keyed.folder)
    assert str(keyed.folder) not in json.dumps(some)


def test_ready_of_a_stream(keyed: Keyed) -> None:
    """Whether a stream is there at all is not for everybody."""
    mine, other = bearer(keyed.texts["this stream"]), bearer(keyed.texts["other stream"])

    assert [401, 403, 200] == [
        keyed.ask("get", "/readyz", headers, stream="default").status_code for headers in ({}, other, mine)
    ]


def test_streams_that_a_key_may_see(keyed: Keyed) -> None:
    """Its own, and no others."""
    seen = keyed.ask("get", "/streams", bearer(keyed.texts["this stream"])).json()["streams"]

    assert ["default"] == [row["name"] for row in seen]


class TestCreating:
    def test_so_many_and_no_more(self, keyed: Keyed) -> None:
        """A key creates as many streams as it may, under names that are its own; those there are it may use."""
        mine = bearer(keyed.texts["one stream"])
        first, again, second, third = (
            keyed.ask("post", "/classify", mine, stream=name) for name in ("c-1", "c-1", "c-2", "x-1")
        )

        assert [200, 200, 429, 403] == [answer.status_code for answer in (first, again, second, third)]
        assert "may create 1" in second.json()["detail"]
        assert "retry-after" not in second.headers, "waiting does not help"
        assert 4429 == close_code(keyed, "/stream?stream=c-2", keyed.texts["one stream"])
        assert close_code(keyed, "/stream?stream=c-1", keyed.texts["one stream"]) is None
        assert keyed.ask("post", "/classify", bearer(keyed.texts["admin"]), stream="c-2").status_code == 200
        assert keyed.ask("post", "/classify", mine, stream="c-2").status_code == 200, "another made it"

    def test_who_only_reads_makes_none(self, keyed: Keyed) -> None:
        """Looking at a stream that is not there does not make it."""
        assert 404 == keyed.ask("get", "/clusters", bearer(keyed.texts["read"]), stream="none").status_code


@pytest.mark.parametrize("path", SOCKETS)
class TestSockets:
    def test_no_key(self, keyed: Keyed, path: str) -> None:
        """Closed with 4401 and a reason."""
        assert 4401 == close_code(keyed, path)

    @pytest.mark.parametrize("name", ["expired", "revoked"])
    def test_ended_key(self, keyed: Keyed, path: str, name: str) -> None:
        """Likewise."""
        assert 4401 == close_code(keyed, path, keyed.texts[name])

    def test_wrong_key(self, keyed: Keyed, path: str) -> None:
        """Likewise, and so for a ticket that is none, or was never given."""
        assert 4401 == close_code(keyed, path, make_token(b"wrong", b"w" * 32))
        assert 4401 == close_code(keyed, f"{path}?ticket=fst_x")

    def test_wrong_scope(self, keyed: Keyed, path: str) -> None:
        """Closed with 4403."""
        assert {4403} == {
            close_code(keyed, path, keyed.texts[name]) for name in set(Scope) - {SOCKETS[path], Scope.ADMIN}
        }

    def test_another_stream(self, keyed: Keyed, path: str) -> None:
        """Likewise."""
        assert 4403 == close_code(keyed, path, keyed.texts["other stream"])

    def test_foreign_page(self, keyed: Keyed, path: str) -> None:
        """Likewise, its key notwithstanding."""
        assert 4403 == close_code(keyed, path, keyed.texts[SOCKETS[path]], origin="https://evil.example")

    def test_right_key(self, keyed: Keyed, path: str) -> None:
        """It is greeted: with a key, and from a page that is allowed."""
        assert close_code(keyed, path, keyed.texts[SOCKETS[path]]) is None
        assert close_code(keyed, path, keyed.texts["admin"], origin="https://app.example") is None

    def test_too_many(self, keyed: Keyed, path: str) -> None:
        """One more than the key may have is closed with 4429; a place that is given back is free."""
        text = keyed.texts["two items"]
        with connect(f"{keyed.inside.ws_url}{path}", additional_headers=bearer(text), proxy=None) as first:
            first.recv(timeout=60)
            assert 4429 == close_code(keyed, "/stream", text)
            assert 4429 == close_code(keyed, "/watch", text)
        until(lambda: close_code(keyed, path, text) is None, "the place is free")


class TestQuota:
    def test_refused_as_a_whole(self, keyed: Keyed) -> None:
        """Over its rate a request gets 429, when to come back, and what its quota is; nothing of it is counted."""
        mine = bearer(keyed.texts["two items"])
        is_json = {"content-type": "application/json"}
        with httpx.Client(base_url=keyed.inside.url, headers=mine | is_json, trust_env=False) as http:
            before = http.get("/info")
            first = http.post("/classify", json={"items": digits.many("quota", 2)})
            second = http.post("/classify", json={"items": digits.many("quota-more", 1)})

        assert '"items";q=2;w=2000;qu="items"' == before.headers["ratelimit-policy"]
        assert ('"items";r=2;t=0', '"items";r=0;t=2000') == tuple(
            answer.headers["ratelimit"] for answer in (before, first)
        )
        assert (200, 429) == (first.status_code, second.status_code)
        assert "/problems/over-quota" == second.json()["type"]
        assert 900 < int(second.headers["retry-after"]) <= 1000
        assert second.headers["ratelimit"].startswith('"items";r=0;')

    def test_to_leave_does_not_pay(self, keyed: Keyed) -> None:
        """Who took more than his quota over one socket gets nothing over the next, nor as lines; a frame of one who
        left is let go, and his place is free.
        """
        text = keyed.texts["in debt"]
        metrics = keyed.inside.app.state.context.metrics.of("default")
        allowance = keyed.inside.app.state.context.access.allowances.of(text[3:11])
        url = f"{keyed.inside.ws_url}/stream"
        with connect(url, additional_headers=bearer(text), proxy=None) as ws:
            ws.recv(timeout=60)
            ws.send(json.dumps({"type": "items", "items": [*digits.many("debt", 9), {"x": "refused"}]}))
            until(lambda: allowance.take(0, Rate(0.001, 2)) > 0, "they are counted")
        for _ in range(3):
            with connect(url, additional_headers=bearer(text), proxy=None) as ws:
                ws.recv(timeout=60)
                ws.send(json.dumps({"type": "items", "items": digits.many("more", 1)}))
        lines = {"content-type": "application/x-ndjson", **bearer(text)}
        with socket_to(keyed) as raw:
            raw.sendall(head_of(lines) + b"30\r\n" + b'{"id": "lines"}'.ljust(47) + b"\n\r\n")
            until(lambda: allowance.connections > 0, "the lines come")
        until(lambda: allowance.connections == 0, "nobody waits who has left")

        assert 8000 > allowance.take(0, Rate(0.001, 2)) > 7000, "none was counted but the first ten"
        assert metrics.connections._value.get() == 0

    def test_no_limit_no_fields(self, keyed: Keyed) -> None:
        """A key without a limit is told of none."""
        assert "ratelimit" not in keyed.ask("get", "/info", bearer(keyed.texts["admin"])).headers


class TestLines:
    """A stream of lines is a socket in all but name."""

    def test_too_many(self, keyed: Keyed) -> None:
        """It is one of those that a key may have open."""
        lines = {"content-type": "application/x-ndjson", **bearer(keyed.texts["two items"])}
        allowance = keyed.inside.app.state.context.access.allowances.of(keyed.texts["two items"][3:11])
        with socket_to(keyed) as raw:
            raw.sendall(head_of(lines))
            until(lambda: allowance.connections == 1, "it is open")

            assert 4429 == close_code(keyed, "/stream", keyed.texts["two items"])
            assert 429 == keyed.ask("post", "/classify", lines).status_code
        until(lambda: allowance.connections == 0, "the place is free")

    def test_revoked(self, keyed: Keyed) -> None:
        """It ends with its key, and the last line says why."""
        key, text = key_of()
        put(keyed.folder, key)
        until(lambda: keyed.ask("get", "/info", bearer(text)).status_code == 200, "the key is known")

        async def end(store: Any) -> None:
            await store.revoke(key.id, 2.0)

        item = json.dumps(digits.many("revoked", 1)[0]).encode() + b"\n"
        with socket_to(keyed) as raw:
            raw.sendall(head_of({"content-type": "application/x-ndjson", **bearer(text)}))
            raw.sendall(b"%x\r\n%s\r\n" % (len(item), item))
            seen = raw.makefile("rb")
            assert seen.readline().startswith(b"HTTP/1.1 200")
            in_store(keyed.folder, end)
            answer = seen.read()

        assert b'"seq"' in answer
        assert b"/problems/unauthorized" in answer
        assert KEY_ENDED.encode() in answer


def test_revoked_while_a_body_comes(keyed: Keyed) -> None:
    """A body that takes its time is not taken once its key has ended."""
    key, text = key_of()
    put(keyed.folder, key)
    until(lambda: keyed.ask("get", "/info", bearer(text)).status_code == 200, "the key is known")

    async def end(store: Any) -> None:
        await store.revoke(key.id, 2.0)

    item = json.dumps(digits.many("slow-body", 1)[0]).encode()
    with socket_to(keyed) as raw:
        raw.sendall(head_of({"content-type": "application/json", **bearer(text)}))
        raw.sendall(b"%x\r\n%s\r\n" % (len(item), item))
        until(lambda: keyed.inside.app.state.context.bodies.used > 0, "some of it has come")
        in_store(keyed.folder, end)
        until(lambda: keyed.ask("get", "/info", bearer(text)).status_code == 401, "the key has ended")
        raw.sendall(b"0\r\n\r\n")
        answer = raw.recv(65536)

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert KEY_ENDED.encode() in answer


def test_revoked_while_it_runs(keyed: Keyed) -> None:
    """A key that is added opens, and one that is revoked ends, without a restart; its open sockets are closed."""
    key, text = key_of()
    put(keyed.folder, key)
    until(lambda: keyed.ask("get", "/info", bearer(text)).status_code == 200, "the key is known")
    urls = [f"{keyed.inside.ws_url}{path}" for path in SOCKETS]

    async def end(store: Any) -> None:
        await store.revoke(key.id, 2.0)

    with ExitStack() as opened:
        sockets = [
            opened.enter_context(connect(url, additional_headers=bearer(text), proxy=None)) for url in urls
        ]
        for socket in sockets:
            socket.recv(timeout=60)
        in_store(keyed.folder, end)
        for socket in sockets:
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=60)

    assert [(4401, KEY_ENDED)] * 2 == [(socket.close_code, socket.close_reason) for socket in sockets]
    assert 401 == keyed.ask("get", "/info", bearer(text)).status_code
    assert keyed.inside.app.state.context.access.keyring._held == {}

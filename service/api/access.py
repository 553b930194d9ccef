"""Who asks, and may he? Every route begins with `await admit(...)`, before it looks at anything else.

    Origin ─► credential ─► key ─► scope and stream ─► Caller
    403       401           401    403                 name for logs, quota

The credential is `Authorization: Bearer fs_...` or `X-API-Key: fs_...`; of a WebSocket also `?ticket=fst_...`, since a
page cannot set headers there. A key in a URL is not looked for: URLs end up in logs and histories.

**When a key is needed** (`FIRSTSEEN_KEYS`):

    auto       as soon as there is a key, also one that expired or was revoked. While there is none, whoever is on this
               machine may do anything (listening elsewhere is refused then, or allowed by FIRSTSEEN_ALLOW_OPEN)
    required   always
    off        never: something in front of the service looks after that

While none is needed, none is looked at. What a service does not know it does not open: before the store has told
whether there are keys, one is needed.

A route says what it needs twice: here, by its call of `admit`, and in OpenAPI, by `needs`. A test asks every route of
the schema with every kind of key, so the two cannot differ for long. Before a route is called the framework reads its
parameters; where it cannot, `admit_as_declared` comes before the refusal, so that a stranger learns nothing of these.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import HTTPConnection

from service.access.allowances import Allowance, Allowances, Limits, limits_of
from service.access.keyring import Keyring
from service.access.origins import is_loopback, is_own_host, is_own_page
from service.access.rights import Key, Scope
from service.access.tokens import BadToken, read_ticket
from service.errors import (
    Forbidden,
    ForeignOrigin,
    InvalidSetting,
    KeysNotKnown,
    StoreAway,
    Unauthorized,
    WrongHost,
)
from service.state.errors import StoreUnavailable
from service.state.key_store import KeyStore

if TYPE_CHECKING:
    from service.api.context import Context

CALLER: Final = "firstseen.caller"
"""Where a request's scope has its Caller, for the header fields of the answer and for logs."""


class Streams(Enum):
    """In place of a stream's name."""

    ALL = "all streams, or the process"
    SOME = "what comes out is sifted by `Caller.may`"


ALL_STREAMS: Final = Streams.ALL
SOME_STREAMS: Final = Streams.SOME

KEY_ENDED: Final = "the key was revoked, or has expired"
"""Why a WebSocket is closed with 4401 that was open already."""

_ANYBODY: Final = "open"


@dataclass(frozen=True, kw_only=True)
class Access:
    """All that decides who may come in; made once.

    mode: FIRSTSEEN_KEYS; host: where it listens; allow_open: also where others may come; origins, hosts: see
    service/access/origins.py;
    draw: so many random bytes, fit for secrets.
    """

    mode: str
    host: str
    allow_open: bool
    origins: frozenset[str]
    hosts: frozenset[str]
    keyring: Keyring
    store: KeyStore
    allowances: Allowances
    draw: Callable[[int], bytes]

    def refusal(self) -> InvalidSetting | None:
        """Why the service must not listen as it was told to; None: it may. Asked once, when the store has been.

        Should the store not have answered, it may: nobody gets in then without a key.
        """
        if self.mode != "auto" or self.allow_open or is_loopback(self.host) or not self.keyring.is_empty:
            return None
        return InvalidSetting(
            f"There is no API key, and on {self.host} anybody who reaches the port could do anything. Make a key with "
            "`firstseen keys add` (of the same --data-dir or Redis); or listen on 127.0.0.1, which is the default; or "
            "set FIRSTSEEN_KEYS=required, and make keys later; or FIRSTSEEN_ALLOW_OPEN=true, if nobody reaches it who "
            "should not."
        )

    def is_open(self, connection: HTTPConnection) -> bool:
        """Whether this connection needs no key."""
        if self.mode == "off":
            return True
        if self.mode == "required" or not self.keyring.is_empty:
            return False
        return self.allow_open or connection.client is None or is_loopback(connection.client.host)


class Caller:
    """Who asks, and what he may still use.

    name: for logs: the id of the key, or "open"; key: None where none was needed.
    """

    def __init__(self, key: Key | None, allowance: Allowance | None, limits: Limits, access: Access) -> None:
        self.key = key
        self.name = _ANYBODY if key is None else key.id
        self.limits = limits
        self._allowance = allowance
        self._access = access

    @property
    def family(self) -> str | None:
        """Its key and those that were made from it by rotation; None where no key was needed."""
        return None if self.key is None else self.key.family

    def may(self, scope: Scope, stream: str | None) -> bool:
        """Whether he may do this on this stream: to leave out of a list what he may not see."""
        return self.key is None or (self.key.has(scope) and self.key.reaches(stream))

    def take(self, n: int) -> float:
        """Count `n` items that came on credit; the seconds for which no more credit should be given."""
        if self._allowance is None or self.limits.rate is None:
            return 0.0
        return self._allowance.take(n, self.limits.rate)

    def demand(self, n: int) -> None:
        """Count `n` items of a request, or refuse it.

        Raises:
            OverQuota: Not now; it says when.
        """
        if self._allowance is not None and self.limits.rate is not None:
            self._allowance.demand(n, self.limits.rate)

    def check_quota(self) -> None:
        """Refuse a request before its body is read, if it could not have even one item.

        Raises:
            OverQuota: Not now; it says when.
        """
        if self._allowance is not None and self.limits.rate is not None:
            self._allowance.check(self.limits.rate)

    def check_key(self) -> None:
        """Refuse who was let in, and whose key has ended since: a body may have taken its time.

        Raises:
            Unauthorized: It has.
        """
        if self.key is not None and self._access.keyring.key(self.key.id) is None:
            raise Unauthorized(f"While the request came, {KEY_ENDED}.", is_wrong=True)

    def demand_ticket(self) -> None:
        """Count a ticket, or refuse it.

        Raises:
            OverQuota: Not now; it says when.
        """
        family = _ANYBODY if self.key is None else self.key.family
        self._access.allowances.of(family).demand_ticket()

    @contextmanager
    def connection(self, on_end: Callable[[], None]) -> Iterator[None]:
        """A WebSocket of his, for as long as the context is open; `on_end` is called when his key ends.

        Raises:
            OverQuota: He has as many as he may.
        """
        if self._allowance is None or self.key is None:
            yield
            return
        with (
            self._allowance.connection(self.limits.connections),
            self._access.keyring.held(self.key.id, on_end),
        ):
            yield

    @property
    def counts_streams(self) -> bool:
        """Whether it matters how many streams he makes."""
        return self.limits.new_streams is not None and self._allowance is not None

    @contextmanager
    def making(self, name: str) -> Iterator[bool]:
        """He makes a stream that is not there; whether it is to be counted: a request beside this one may do so.

        Raises:
            OverQuota: He has made as many as he may.
        """
        assert self.key is not None
        assert self._allowance is not None
        with self._allowance.making_one(
            name, self._access.keyring.made(self.key.family), self.limits.new_streams
        ) as is_counted:
            yield is_counted

    async def made_one(self) -> None:
        """The stream is there: count it, in the store."""
        assert self.key is not None
        await self._access.keyring.created(self.key.family)

    def fields(self) -> tuple[tuple[bytes, bytes], ...]:
        """Header fields about his quota, for every answer."""
        if self._allowance is None or self.limits.rate is None:
            return ()
        return self._allowance.fields(self.limits.rate)


class Ending:
    """What is to be done when a WebSocket's key ends: once, also when it ended before there was anything to do."""

    def __init__(self) -> None:
        self._is_over = False
        self._told: Callable[[], None] | None = None

    def __call__(self) -> None:
        """The key has ended."""
        if not self._is_over:
            self._is_over = True
            if self._told is not None:
                self._told()

    def tell(self, told: Callable[[], None]) -> None:
        """Call this when it ends; at once if it has."""
        self._told = told
        if self._is_over:
            told()


async def admit(
    connection: HTTPConnection, context: "Context", scope: Scope | None, stream: str | Streams
) -> Caller:
    """Let somebody in, or not.

    Args:
        connection: A request, or a WebSocket.
        context: The service.
        scope: What is asked for; None: a key will do, whatever it may.
        stream: On which stream; ALL_STREAMS: on all, or on the process; SOME_STREAMS: the caller is asked later.

    Raises:
        ForeignOrigin, WrongHost: A web page that may not.
        Unauthorized: A key is needed, and there is none that is valid.
        Forbidden: The key may not do this.
        KeysNotKnown, StoreAway: Not now.
    """
    access = context.access
    _check_origin(connection, access)
    if access.is_open(connection):
        _check_host(connection, access)
        caller = Caller(None, None, Limits(), access)
    else:
        presented = _presented(connection)
        if (
            presented is None
            and connection.scope["type"] == "websocket"
            and "ticket" in connection.query_params
        ):
            key = await _of_ticket(connection.query_params["ticket"], access, scope, stream)
        else:
            key = _known(presented, access)
        if scope is not None:
            check(key, scope, stream)
        caller = Caller(
            key, access.allowances.of(key.family), limits_of(key, access.allowances.defaults), access
        )
    connection.scope[CALLER] = caller
    return caller


async def admit_as_declared(connection: HTTPConnection, context: "Context", stream: str) -> None:
    """Let somebody in, or not, by what the `needs` of the route says, where the route itself cannot be called.

    Args:
        connection: A request that has come to its route.
        context: The service.
        stream: On which stream, if the route is about one.

    Raises:
        ClientError, Unavailable: As `admit`.
    """
    route: dict[str, Any] = getattr(connection.scope["route"], "openapi_extra", None) or OPEN
    for declared in route["security"][:1]:
        scope = Scope(declared[BEARER][0]) if declared[BEARER] else None
        is_about_one = any(parameter["name"] == "stream" for parameter in route.get("parameters", ()))
        await admit(connection, context, scope, stream if is_about_one else SOME_STREAMS)


def _check_origin(connection: HTTPConnection, access: Access) -> None:
    origin, host = connection.headers.get("origin"), connection.headers.get("host", "")
    if origin is not None and not is_own_page(origin, host, access.origins):
        raise ForeignOrigin(
            f"A page of {origin[:100]!r} may not send items or watch here: use a page that this service shows, one of "
            "FIRSTSEEN_ORIGINS, or a program that sends no Origin header."
        )


def _check_host(connection: HTTPConnection, access: Access) -> None:
    host = connection.headers.get("host", "")
    if not is_own_host(host, access.hosts):
        raise WrongHost(
            f"This service needs no key, and so is not asked as {host[:100]!r}: ask by address, as localhost, or list "
            "the name in FIRSTSEEN_HOSTS."
        )


def _presented(connection: HTTPConnection) -> str | None:
    """The key that was sent, whatever it is."""
    scheme, _, credential = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credential.strip()
    return connection.headers.get("x-api-key")


def _known(presented: str | None, access: Access) -> Key:
    if presented is not None:
        return access.keyring.key_of(presented)
    if not access.keyring.is_known:
        raise KeysNotKnown(
            "The keys are not known yet, since the store has not answered; send the same again."
        )
    raise Unauthorized(
        "A key is needed: send `Authorization: Bearer fs_...` or `X-API-Key: fs_...`. The operator makes one with "
        "`firstseen keys add`."
    )


def check(key: Key, scope: Scope, stream: str | Streams) -> None:
    """Refuse what a key may not do.

    Raises:
        Forbidden: It lacks the scope, or the stream.
    """
    if not key.has(scope):
        has = ", ".join(sorted(key.scopes))
        raise Forbidden(f"This needs the scope {scope}; the key {key.id} has {has}.", scope=scope)
    if stream is SOME_STREAMS:
        return
    name = None if isinstance(stream, Streams) else stream
    if not key.reaches(name):
        what = "all streams (*)" if name is None else f"stream {name[:64]!r}"
        raise Forbidden(f"The key {key.id} is not for {what}.", scope=scope)


async def _of_ticket(presented: str, access: Access, scope: Scope | None, stream: str | Streams) -> Key:
    """The key behind a ticket, which is used up by that. It may do no more than the ticket says."""
    try:
        digest = read_ticket(presented)
    except BadToken as bad:
        raise Unauthorized(f"The ticket cannot be one: {bad}.", is_wrong=True) from None
    try:
        ticket = await access.store.take_ticket(digest)
    except StoreUnavailable as away:
        raise StoreAway(f"{away}, with another ticket.") from None
    key = None if ticket is None or ticket.key is None else access.keyring.key(ticket.key)
    if ticket is None or key is None:
        raise Unauthorized(
            "The ticket is used, expired, or its key is not valid any more; POST /tickets gives another.",
            is_wrong=True,
        )
    if ticket.scope is not scope or ticket.stream != stream:
        raise Forbidden(
            f"The ticket is for {ticket.scope} on stream {ticket.stream!r}; ask for one for this.",
            scope=str(scope or ticket.scope),
        )
    return replace(key, scopes=frozenset({ticket.scope}), streams=(ticket.stream,))


# OpenAPI

BEARER: Final = "bearer"
API_KEY: Final = "apiKey"

OPEN: Final[dict[str, Any]] = {"security": []}
"""As `openapi_extra` of a route that needs no key."""


def needs(scope: Scope | None, **extra: Any) -> dict[str, Any]:  # noqa: ANN401 - parts of a schema
    """As `openapi_extra` of a route: the scope that it needs (None: any key), and what it answers who has none."""
    roles = [] if scope is None else [scope.value]
    what = "a valid key" if scope is None else f"the scope `{scope}`"
    answers = {
        401: f"A key is needed, with {what}, and there is none that is valid.",
        403: "The key may not do this, or not on this stream; or a web page of another origin asks.",
        421: "Asked by a name that is not listed, while no key is needed.",
    }
    return {
        "security": [{BEARER: roles}, {API_KEY: roles}],
        "responses": {
            str(status): {
                "description": description,
                "content": {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemOut"}}
                },
            }
            for status, description in answers.items()
        },
        **extra,
    }


def add_security(openapi: dict[str, Any]) -> None:
    """Put into the schema how a key is sent, and what the scopes are."""
    scopes = "; ".join(f"`{scope}`: {what}" for scope, what in _SCOPES.items())
    about = f"A key of `firstseen keys add`, where one is needed. Scopes: {scopes}."
    openapi.setdefault("components", {})["securitySchemes"] = {
        BEARER: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "fs_<id>_<secret>",
            "description": about,
        },
        API_KEY: {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
    }


_SCOPES: Final = {
    Scope.INGEST: "send items",
    Scope.READ: "look at clusters, counts and quarantine, and watch",
    Scope.CURATE: "decide about clusters",
    Scope.ADMIN: "all of these, and retry or drop items in quarantine",
}

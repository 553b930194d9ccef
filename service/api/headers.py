"""What every answer says to the browser that may be reading it, whoever made the answer.

    X-Content-Type-Options: nosniff            a JSON body is never run as something else
    Content-Security-Policy: default-src 'none'; frame-ancestors 'none'
                                               an answer opened as a page may do nothing, and is in no frame
    Referrer-Policy: no-referrer               no address of ours travels to others
    Cross-Origin-Resource-Policy: same-origin  no page of another origin embeds it
    Cache-Control: no-store                    data stays out of caches; but for the files of the documentation and
                                               of the dashboard, which say themselves how long they may be kept

The pages of the documentation run scripts, so each has a policy of its own: scripts are its own files, and those lines
that the page itself brings, by their SHA-256 (CSP level 3, hash sources). Styles may be inline, since the libraries
that draw these pages write them so.

`Guard` is the outermost layer, outside of what turns errors into answers, so that no answer goes without. Answers to a
caller who has a quota also say what is left of it. There is no Server header (service/server.py).
"""

import base64
import hashlib
import re
from collections.abc import Collection
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.access import CALLER

_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_POLICY: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_NO_STORE: Final = (b"cache-control", b"no-store")
DATA: Final = (*_ALWAYS, _POLICY, _NO_STORE)
"""Of every answer that is not part of the documentation."""

PAGE_POLICY: Final = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'; trusted-types 'none'",
)
"""Of the dashboard: its own files and this service, nothing inline; text becomes neither code nor markup."""
DASHBOARD: Final = "/dashboard/"

STATIC: Final = "/static-offline-docs/"
PAGES: Final = frozenset({"/docs", "/redoc", "/docs/oauth2-redirect"})

_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


class Guard:
    """An application whose answers all have these headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; add to the head of the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if path in PAGES:
            await self._app(scope, receive, _Page(send))
            return
        if path == "/" or path.startswith(DASHBOARD):
            headers: tuple[tuple[bytes, bytes], ...] = (*_ALWAYS, PAGE_POLICY)
        else:
            headers = (*_ALWAYS, _POLICY)
        may_be_kept = path.startswith(STATIC)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                caller = scope.get(CALLER)
                more = headers if caller is None else (*headers, *caller.fields())
                own = [*message.get("headers", ())]
                if not may_be_kept and all(name != b"cache-control" for name, _ in own):
                    more = (*more, _NO_STORE)
                message["headers"] = [*own, *more]
            await send(message)

        await self._app(scope, receive, guarded)


class _Page:
    """Sends a page of the documentation: holds the head until it knows which scripts the body has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._head: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._head = message
            return
        head, self._head = self._head, None
        if head is not None:
            policy = page_policy(message.get("body", b"")).encode()
            more = (*_ALWAYS, (b"content-security-policy", policy), _NO_STORE)
            head["headers"] = [*head.get("headers", ()), *more]
            await self._send(head)
        await self._send(message)


def page_policy(body: bytes) -> str:
    """The policy of a page of the documentation, which allows the scripts that are in it."""
    hashes = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _SCRIPT.findall(body)]
    scripts = " ".join(["'self'", *(f"'sha256-{one}'" for one in hashes)])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )


# CORS

ASKED_WITH: Final = (
    "authorization",
    "x-api-key",
    "content-type",
    "content-encoding",
    "idempotency-key",
    "firstseen-shape",
    "firstseen-dtype",
    "firstseen-ids",
    "firstseen-deadline-ms",
    "x-request-id",
    "traceparent",
)
"""Header fields that a page of an allowed origin may send."""

ANSWERED_WITH: Final = (
    "firstseen-durability",
    "content-location",
    "retry-after",
    "ratelimit",
    "ratelimit-policy",
    "www-authenticate",
    "x-request-id",
)
"""... and may read, beside those that any page may."""


def cors(app: ASGIApp, origins: Collection[str]) -> ASGIApp:
    """The application, for pages of these origins too: without cookies, which mean nothing here."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=sorted(origins),
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=ASKED_WITH,
        expose_headers=ANSWERED_WITH,
        max_age=600,
    )

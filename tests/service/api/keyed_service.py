"""A running service that wants keys, keys of every kind, and ways to knock on its door."""

import socket
from dataclasses import dataclass
from pathlib import Path

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from service.api.decision_bodies import FORMS
from tests.service.inside import Inside

BODIES = {action.value: dict(form.example) for action, form in FORMS.items()}
"""By how a path ends."""

IN_PATH = {"{cluster_id}": "0", "{webhook_id}": "wh_0", "{name}": "origin"}


@dataclass(frozen=True)
class Keyed:
    """A running service, and keys of every kind: their texts by name."""

    inside: Inside
    folder: Path
    texts: dict[str, str]

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, **query: str
    ) -> httpx.Response:
        for name, value in IN_PATH.items():
            path = path.replace(name, value)
        with httpx.Client(base_url=self.inside.url, trust_env=False, timeout=60) as http:
            is_json = {"content-type": "application/json"}
            body = {"items": []} if path == "/classify" else BODIES.get(path.rpartition("/")[2])
            return http.request(method, path, json=body, params=query, headers=is_json | (headers or {}))


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def close_code(keyed: Keyed, path: str, text: str | None = None, **headers: str) -> int | None:
    """With what a socket is closed; None: it says something first."""
    more = headers | (bearer(text) if text is not None else {})
    with connect(f"{keyed.inside.ws_url}{path}", additional_headers=more, proxy=None) as socket:
        try:
            frame = socket.recv(timeout=60)
            if '"error"' not in str(frame):
                return None
            socket.recv(timeout=60)
        except ConnectionClosed:
            assert socket.close_reason
            return socket.close_code
    raise AssertionError("it says an error and goes on")


def head_of(headers: dict[str, str]) -> bytes:
    """Of a request whose body comes in chunks."""
    fields = {"host": "a", "transfer-encoding": "chunked", **headers}
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join(["POST /classify HTTP/1.1", *lines, "", ""]).encode()


def socket_to(keyed: Keyed) -> socket.socket:
    return socket.create_connection(("127.0.0.1", keyed.inside.port), timeout=60)

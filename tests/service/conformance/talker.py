"""A client of /stream and /watch that knows `docs/protocol.md`, a WebSocket library, and nothing of the sources.

Every message that it hears is held to the JSON Schema beside the page.
"""

import asyncio
import contextlib
import json
import os
import socket as sockets
import struct
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

Message = dict[str, Any]
Item = dict[str, Any]

JSON = "firstseen.v1.json"
MSGPACK = "firstseen.v1.msgpack"

PATIENCE_S = 60.0
"""How long a server may take for anything."""

_SCHEMA = json.loads((Path(__file__).parents[3] / "docs/protocol.schema.json").read_text(encoding="utf-8"))


@cache
def _schema_of(union: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{union}", "$defs": _SCHEMA["$defs"]})


class Talker:
    """One socket, and all that was heard on it."""

    def __init__(self, socket: ClientConnection, subprotocol: str | None, union: str) -> None:
        self.socket = socket
        self.heard: list[Message] = []
        self._is_binary = subprotocol == MSGPACK
        self._schema = _schema_of(union)

    def encoded(self, message: object) -> str | bytes:
        """A frame, in the kind of the subprotocol."""
        return msgspec.msgpack.encode(message) if self._is_binary else json.dumps(message)

    async def say(self, message: object) -> None:
        """Send a message."""
        await self.socket.send(self.encoded(message))

    async def say_items(self, items: Sequence[object]) -> None:
        """Send one frame of items."""
        await self.say({"type": "items", "items": list(items)})

    async def hear(self) -> Message:
        """The next message; it is what the schema has."""
        async with asyncio.timeout(PATIENCE_S):
            frame = await self.socket.recv()
        assert isinstance(frame, bytes) == self._is_binary
        message: Message = msgspec.msgpack.decode(frame) if isinstance(frame, bytes) else json.loads(frame)
        self._schema.validate(message)
        self.heard.append(message)
        return message

    async def hear_until(self, kind: str, **fields: object) -> Message:
        """Listen until a message of a type, with these fields, has come."""
        while True:
            message = await self.hear()
            if kind == message["type"] and all(message[name] == value for name, value in fields.items()):
                return message

    async def hear_out(self) -> tuple[int, str]:
        """Listen until the server closes: its code and reason."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.hear()
        return self.closed()

    def closed(self) -> tuple[int, str]:
        """With which code and reason the server closed."""
        code, reason = self.socket.close_code, self.socket.close_reason
        assert code is not None
        assert reason, f"closed with {code} and no reason"
        assert len(reason.encode()) <= 123
        return code, reason

    def all(self, kind: str) -> list[Message]:
        """All that was heard of a type."""
        return [message for message in self.heard if message["type"] == kind]

    @property
    def results(self) -> list[Message]:
        """All verdicts heard."""
        return [result for message in self.all("verdicts") for result in message["results"]]

    def cut(self) -> None:
        """The machine is gone: no closing handshake."""
        raw = self.socket.transport.get_extra_info("socket")
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.transport.abort()


@dataclass(frozen=True)
class Server:
    """What is checked, in one subprotocol."""

    url: str
    subprotocol: str | None

    @property
    def headers(self) -> dict[str, str]:
        """Who asks: the key of CONFORMANCE_KEY, if there is one."""
        key = os.environ.get("CONFORMANCE_KEY")
        return {"X-API-Key": key} if key else {}

    @property
    def input(self) -> dict[str, Any]:
        """What an item looks like, as GET /info tells."""
        answer = httpx.get(f"{self.url}/info", headers=self.headers, timeout=PATIENCE_S)
        described: dict[str, Any] = answer.raise_for_status().json()["input"]
        return described

    @property
    def size(self) -> int:
        """How many numbers an item has; skips where it has none."""
        described = self.input
        if described["kind"] not in ("image", "vector"):
            pytest.skip(f"the server takes a {described['kind']}, which has no raw form")
        size = 1
        for length in described["shape"]:
            size *= length
        return size

    def items(self, n: int, *, without_id: bool = False) -> list[Item]:
        """Items that the server takes, under ids that nobody had."""
        x = self.input["example"]
        if without_id:
            return [{"x": x}] * n
        own = uuid.uuid4().hex
        return [{"id": f"{own}-{k}", "x": x} for k in range(n)]

    @contextlib.asynccontextmanager
    async def socket(
        self, path: str, *, origin: str | None = None, subprotocols: Sequence[str] | None = None
    ) -> AsyncIterator[Talker]:
        """An open socket, on which nothing was heard yet."""
        offered = [self.subprotocol] if subprotocols is None and self.subprotocol else subprotocols or []
        address = self.url.replace("http", "ws", 1) + path
        async with connect(
            address,
            subprotocols=[Subprotocol(name) for name in offered] or None,
            origin=None if origin is None else Origin(origin),
            additional_headers=self.headers,
            compression=None,
            max_size=None,
            proxy=None,
            open_timeout=PATIENCE_S,
        ) as socket:
            union = "FromWatch" if path.startswith("/watch") else "FromStream"
            yield Talker(socket, socket.subprotocol, union)

    @contextlib.asynccontextmanager
    async def stream(self) -> AsyncIterator[tuple[Talker, Message]]:
        """A socket of /stream, and its welcome."""
        async with self.socket("/stream") as talker:
            welcome = await talker.hear()
            assert welcome["type"] == "welcome"
            yield talker, welcome

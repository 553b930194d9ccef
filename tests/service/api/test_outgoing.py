"""How a message leaves, how a slow reader is let go, and how a refusal reads."""

import asyncio
import json
from typing import Any

import pytest
from starlette.websockets import WebSocket

from service.api.outgoing import MAX_REASON_BYTES, SlowReader, accept, close, refuse, send_message
from service.errors import NotReady
from service.ingest.protocol import CODECS, JSON, MSGPACK, Ack

ACK = Ack(accepted=1, durable=1, durability="fsync", credits=1)


class Wire:
    """The server's side of a socket; `is_read` is whether the client reads."""

    def __init__(self, *subprotocols: str) -> None:
        self.sent: list[Any] = []
        self.is_read = True
        self.socket = WebSocket(
            {"type": "websocket", "subprotocols": list(subprotocols), "headers": []},
            self._receive,
            self._send,
        )

    async def _receive(self) -> Any:
        return {"type": "websocket.connect"}

    async def _send(self, message: Any) -> None:
        if not self.is_read and message["type"] == "websocket.send":
            await asyncio.Event().wait()
        self.sent.append(message)


@pytest.mark.parametrize(
    ("offered", "chosen"), [([], None), (["x"], None), (["x", MSGPACK, JSON], MSGPACK), ([JSON], JSON)]
)
async def test_accept(offered: list[str], chosen: str | None) -> None:
    """The first of the client's subprotocols that is known; JSON without one."""
    wire = Wire(*offered)

    codec = await accept(wire.socket)

    assert chosen == wire.sent[0]["subprotocol"]
    assert CODECS[chosen] is codec


@pytest.mark.parametrize(("subprotocol", "kind"), [(JSON, "text"), (MSGPACK, "bytes")])
async def test_the_kind_of_frame(subprotocol: str, kind: str) -> None:
    """Text for JSON, binary for MessagePack."""
    wire = Wire(subprotocol)
    codec = await accept(wire.socket)

    await send_message(wire.socket, codec, ACK, within_s=1.0, advice="")

    assert {"type", kind} == set(wire.sent[-1])


async def test_a_slow_reader() -> None:
    """It is closed with 1013 and told what to do; who sends learns that this was the last."""
    wire = Wire(JSON)
    codec = await accept(wire.socket)
    wire.is_read = False

    with pytest.raises(SlowReader):
        await send_message(wire.socket, codec, ACK, within_s=0.001, advice="read faster")

    assert (1013, "read faster") == (wire.sent[-1]["code"], wire.sent[-1]["reason"])


async def test_refuse() -> None:
    """The whole problem, then the close with its code."""
    wire = Wire(JSON)
    codec = await accept(wire.socket)

    await refuse(wire.socket, codec, NotReady("Not yet."), within_s=1.0)

    said, closed = wire.sent[1:]
    assert ("error", "Not yet.") == (
        json.loads(said["text"])["type"],
        json.loads(said["text"])["problem"]["detail"],
    )
    assert (1012, "Not yet.") == (closed["code"], closed["reason"])


async def test_a_long_reason_is_cut_between_characters() -> None:
    """A close frame holds 123 bytes, and never half a character."""
    wire = Wire()
    await accept(wire.socket)

    await close(wire.socket, 1000, "ü" * 100)

    assert MAX_REASON_BYTES - 1 == len(wire.sent[-1]["reason"].encode())

"""`WS /watch`: the clusters as they are, then every event that becomes durable, in order.

A watcher that falls behind by more than the queue holds is closed with 1013; it connects again and starts from
a fresh `hello`. Nothing a watcher does can slow the stream.
"""

import asyncio
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.websockets import WebSocket

from service.api.context import check_origin, context_of, stream_of
from service.api.failures import failure_of
from service.api.ingest_ws import accept, send_frame, short
from service.errors import FirstseenError
from service.fanout import Subscription
from service.protocol import Codec, Event, Hello
from service.records import SHOWN, Cluster
from service.stream import Stream

router = APIRouter()


@router.websocket("/watch")
async def watch(socket: WebSocket) -> None:
    """Tell about clusters."""
    context = context_of(socket)
    codec = await accept(socket)
    with context.sockets.share() as place:
        try:
            check_origin(socket)
            place.take(1)
            stream = await stream_of(socket, context)
        except FirstseenError as error:
            await socket.close(failure_of(error).close_code, short(str(error)))
            return
        with stream.in_use():
            await _watch(socket, codec, stream)


async def _watch(socket: WebSocket, codec: Codec, stream: Stream) -> None:
    with stream.fanout.subscribe() as subscription:
        try:
            view = await stream.pipeline.view()
        except FirstseenError as error:
            await socket.close(failure_of(error).close_code, short(str(error)))
            return
        clusters = [_plain(c) for c in view.clusters if c.state in SHOWN]
        await send_frame(socket, codec, codec.encode(Hello(seq=view.seq, clusters=clusters)))
        sender = asyncio.create_task(_send(socket, codec, subscription))
        receiver = asyncio.create_task(_until_gone(socket))
        try:
            await asyncio.wait({sender, receiver}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sender, receiver):
                task.cancel()
            await asyncio.gather(sender, receiver, return_exceptions=True)


async def _send(socket: WebSocket, codec: Codec, subscription: Subscription) -> None:
    while (event := await subscription.next()) is not None:
        message = Event(
            event=event.kind.value,
            seq=event.seq,
            t=event.t,
            cluster=_plain(event.cluster),
            other_id=event.other_id,
        )
        await send_frame(socket, codec, codec.encode(message))
    if subscription.overflowed:
        await socket.close(1013, "watching too slowly; connect again for the clusters as they are")
    else:
        await socket.close(1012, "the stream moved, or the service is stopping; connect again")


async def _until_gone(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


def _plain(cluster: Cluster) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(cluster)
    return plain

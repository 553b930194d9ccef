"""`WS /watch`: the clusters as they are, then every event that becomes durable, in order.

A watcher that falls behind by more than the queue holds is closed with 1013; it connects again and starts from
a fresh `hello`. Nothing a watcher does can slow the stream.
"""

import asyncio
from contextlib import ExitStack
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.websockets import WebSocket

from service.api.access import KEY_ENDED, Ending, admit
from service.api.context import context_of, stream_name, stream_of
from service.api.failures import failure_of
from service.api.ingest_ws import accept, send_frame, short
from service.errors import FirstseenError
from service.fanout import Subscription
from service.protocol import Codec, Event, Hello
from service.records import SHOWN, Cluster
from service.rights import Scope
from service.stream import Stream

router = APIRouter()


@router.websocket("/watch")
async def watch(socket: WebSocket) -> None:
    """Tell about clusters."""
    context = context_of(socket)
    codec = await accept(socket)
    ending = Ending()
    with ExitStack() as held:
        place = held.enter_context(context.sockets.share())
        try:
            caller = await admit(socket, context, Scope.READ, stream_name(socket, context))
            held.enter_context(caller.connection(ending))
            place.take(1)
            stream = await stream_of(socket, context)
        except FirstseenError as error:
            await socket.close(failure_of(error).close_code, short(str(error)))
            return
        with stream.in_use():
            await _watch(socket, codec, stream, ending)


async def _watch(socket: WebSocket, codec: Codec, stream: Stream, ending: Ending) -> None:
    with stream.fanout.subscribe() as subscription:
        try:
            view = await stream.pipeline.view()
        except FirstseenError as error:
            await socket.close(failure_of(error).close_code, short(str(error)))
            return
        clusters = [_plain(c) for c in view.clusters if c.state in SHOWN]
        await send_frame(socket, codec, codec.encode(Hello(seq=view.seq, clusters=clusters)))
        ended = asyncio.get_running_loop().create_future()
        ending.tell(lambda: ended.set_result(None))
        sender = asyncio.create_task(_send(socket, codec, subscription))
        receiver = asyncio.create_task(_until_gone(socket))
        try:
            done, _ = await asyncio.wait({sender, receiver, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sender, receiver):
                task.cancel()
            await asyncio.gather(sender, receiver, return_exceptions=True)
        if done == {ended}:  # else it is closed already
            await socket.close(4401, KEY_ENDED)


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

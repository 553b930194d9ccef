"""`WS /watch`: the clusters as they are, then every event that becomes durable, in order.

A watcher that falls behind by more than the queue holds, or does not read for `send_timeout_s`, is closed with 1013; it
connects again and starts from a fresh `hello`. Nothing a watcher does can slow the stream.
"""

import asyncio
import contextlib

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from service.api.context import check_origin, context_of, stream_of
from service.api.outgoing import SlowReader, accept, close, refuse, send_message
from service.errors import FirstseenError
from service.fanout import Subscription
from service.protocol import Codec, Event, Hello
from service.records import SHOWN

router = APIRouter()

_TOO_SLOW = "watching too slowly; connect again for the clusters as they are"
_MOVED = "the stream moved, or the service is stopping; connect again"


async def watch(socket: WebSocket) -> None:
    """Tell about clusters."""
    with contextlib.suppress(WebSocketDisconnect, SlowReader):  # it went, or was let go
        await _watch(socket)


async def _watch(socket: WebSocket) -> None:
    context = context_of(socket)
    within_s = context.settings.send_timeout_s
    codec = await accept(socket)
    with context.sockets.share() as place:
        try:
            check_origin(socket)
            place.take(1)
            stream = await stream_of(socket, context)
        except FirstseenError as error:
            await refuse(socket, codec, error, within_s=within_s)
            return
        with stream.in_use(), stream.fanout.subscribe() as subscription:
            try:
                view = await stream.pipeline.view()
            except FirstseenError as error:
                await refuse(socket, codec, error, within_s=within_s)
                return
            hello = Hello(seq=view.seq, clusters=[c for c in view.clusters if c.state in SHOWN])
            await send_message(socket, codec, hello, within_s=within_s, advice=_TOO_SLOW)
            async with asyncio.TaskGroup() as tasks:
                telling = tasks.create_task(_tell(socket, codec, subscription, within_s))
                while (await socket.receive())["type"] != "websocket.disconnect":
                    pass  # a watcher has nothing to say
                telling.cancel()


async def _tell(socket: WebSocket, codec: Codec, subscription: Subscription, within_s: float) -> None:
    """Every event, until there will be no more."""
    with contextlib.suppress(WebSocketDisconnect, SlowReader):
        while (event := await subscription.next()) is not None:
            message = Event(
                event=event.kind,
                seq=event.seq,
                t=event.t,
                cluster=event.cluster,
                other_id=event.other_id,
            )
            await send_message(socket, codec, message, within_s=within_s, advice=_TOO_SLOW)
        if subscription.overflowed:
            await close(socket, 1013, _TOO_SLOW)
        else:
            await close(socket, 1012, _MOVED)


router.add_websocket_route("/watch", watch)

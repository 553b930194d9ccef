"""`WS /watch`: the clusters as they are, then every event that becomes durable, in order.

A watcher that falls behind by more than the queue holds, or does not read for `send_timeout_s`, is closed with 1013; it
connects again and starts from a fresh `hello`. Nothing a watcher does can slow the stream.
"""

import asyncio
import contextlib
from contextlib import ExitStack

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from service.access.rights import Scope
from service.api.access import KEY_ENDED, Ending, admit
from service.api.context import context_of, stream_name, stream_of
from service.api.outgoing import SlowReader, accept, close, refuse, send_message
from service.errors import FirstseenError
from service.ingest.protocol import Codec, Event, Hello
from service.pipeline.fanout import Subscription
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
    ending = Ending()
    with ExitStack() as held:
        place = held.enter_context(context.sockets.share())
        try:
            caller = await admit(socket, context, Scope.READ, stream_name(socket, context))
            held.enter_context(caller.connection(ending))
            place.take(1)
            stream = await stream_of(socket, context)
            held.enter_context(stream.in_use())
            subscription = held.enter_context(stream.fanout.subscribe())
            view = await stream.pipeline.view()
        except FirstseenError as error:
            await refuse(socket, codec, error, within_s=within_s)
            return
        hello = Hello(seq=view.seq, clusters=[c for c in view.clusters if c.state in SHOWN])
        await send_message(socket, codec, hello, within_s=within_s, advice=_TOO_SLOW)
        ended = asyncio.Event()
        ending.tell(lambda: _end(ended, subscription))
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(_tell(socket, codec, subscription, ended, within_s))
            while (await socket.receive())["type"] != "websocket.disconnect":
                pass  # a watcher has nothing to say
            telling.cancel()


def _end(ended: asyncio.Event, subscription: Subscription) -> None:
    """The watcher's key has ended: he may not stay."""
    ended.set()
    subscription.end()


async def _tell(
    socket: WebSocket, codec: Codec, subscription: Subscription, ended: asyncio.Event, within_s: float
) -> None:
    """Every event, until there will be no more."""
    with contextlib.suppress(WebSocketDisconnect, SlowReader):
        while (event := await subscription.next()) is not None and not ended.is_set():
            message = Event(
                event=event.kind,
                seq=event.seq,
                t=event.t,
                cluster=event.cluster,
                other_id=event.other_id,
                decision=event.decision,
                label=event.label,
            )
            await send_message(socket, codec, message, within_s=within_s, advice=_TOO_SLOW)
        if ended.is_set():
            await close(socket, 4401, KEY_ENDED)
        elif subscription.overflowed:
            await close(socket, 1013, _TOO_SLOW)
        else:
            await close(socket, 1012, _MOVED)


router.add_websocket_route("/watch", watch)

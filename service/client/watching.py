"""`WS /watch` over cuts: the clusters as they are, then what happens to them; after a cut the clusters anew.

Frames are read when the caller asks for them. One that asks too seldom is cut off by the service (1013), and begins
anew with the clusters as they are: its memory is bounded, and it sees where things stand, not all that happened.
"""

import asyncio
from collections.abc import AsyncGenerator

import msgspec
from websockets.exceptions import ConnectionClosed

from service.client.address import Address
from service.client.answers import Clusters, Event, Problem, problem_of
from service.client.conversation import CUTS, FINAL_CODES, check_not_final, connecting, refused
from service.client.patience import Patience


async def watching(address: Address, patience: Patience) -> AsyncGenerator[Clusters | Event, None]:
    """Until the caller has enough.

    Raises:
        GaveUp: The service was away for too long.
        Refused: It does not let this caller watch.
    """
    url = address.socket("/watch")
    while True:
        try:
            async with connecting(url, address.headers) as socket:
                problem: Problem | None = None
                try:
                    async for frame in socket:
                        message = msgspec.json.decode(frame)
                        if message["type"] == "hello":
                            patience.renew()
                            yield msgspec.convert(message, Clusters)
                        elif message["type"] == "event":
                            yield msgspec.convert(message, Event)
                        elif message["type"] == "error":
                            problem = problem_of(message["problem"], status=0, otherwise="an error")
                except ConnectionClosed as cut:
                    if socket.close_code in FINAL_CODES:
                        raise refused(url, socket, cut, problem) from cut
                    raise
                why: object = "the service closed the socket"
        except CUTS as cut:
            check_not_final(url, cut)
            why = cut
        await asyncio.sleep(patience.failed(why))

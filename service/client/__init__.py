"""The client: classify items, follow a stream, watch and curate clusters, tell others: with asyncio or without.

    Client, AsyncClient    everything, over HTTP and WebSocket; `docs/client.md` has examples
    StreamClient           the WebSocket alone, frame by frame, for who paces it himself

It keeps the service's promise on the way there: an item has an id before it is sent, so whatever is cut, refused for
a moment or left unanswered is sent again under that id, and nothing is lost or counted twice. Needs httpx, msgspec and
websockets, and nothing else of what the service is made of: no torch, no numpy, no model.
"""

from service.client.answers import (
    Answer,
    Cluster,
    Clusters,
    Decision,
    Event,
    Evidence,
    Info,
    Missing,
    PastEvent,
    Problem,
    Refusal,
    SplitPart,
    SplitPreview,
    Verdict,
)
from service.client.asynchronous import AsyncClient
from service.client.errors import GaveUp, Refused, ServiceFailed
from service.client.items import Item, RawItem
from service.client.stream_client import StreamClient
from service.client.synchronous import Client
from service.client.webhooks import Delivery, HeldBack, Webhook

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "Cluster",
    "Clusters",
    "Decision",
    "Delivery",
    "Event",
    "Evidence",
    "GaveUp",
    "HeldBack",
    "Info",
    "Item",
    "Missing",
    "PastEvent",
    "Problem",
    "RawItem",
    "Refusal",
    "Refused",
    "ServiceFailed",
    "SplitPart",
    "SplitPreview",
    "StreamClient",
    "Verdict",
    "Webhook",
]

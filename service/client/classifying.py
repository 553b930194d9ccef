"""Items over HTTP, one request after the other, to a list of answers each.

A request whose items are all arrays of one form is nothing but their numbers; any other is JSON. What the service does
not take raw (a bundle of texts, arrays of another shape, one that has not learnt to) is sent again as JSON, in which
each item is answered for itself. A request that is too large is cut in two, and an item that is too large alone is
refused alone.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

from service.client.answers import Answer, Refusal, answer_of
from service.client.errors import Refused
from service.client.feeding import Feed
from service.client.items import item_of, raw_of, refusal
from service.client.parcels import Parcel, parcel_of

_REQUEST_BYTES = 1 << 20
_IDS_BYTES = 32 << 10
"""Of ids in a header; a head may have twice as much."""

_TOO_LARGE = 413
_NOT_RAW = frozenset({400, 415, 422, 431})


Ask = Callable[..., Awaitable[tuple[int, Any]]]
"""`Requests.ask` of `POST /classify`, with `body` and `headers`."""


async def classifying(
    feed: Feed, ask: Ask, *, new_id: Callable[[], str], batch: int
) -> AsyncGenerator[list[Answer], None]:
    """Lists of answers, in the order of the items."""
    try:
        while taken := await feed.take(batch):
            answers: list[Answer | None] = []
            parcels: list[Parcel] = []
            size = 0
            for given in taken:
                one = _read(given, new_id)
                if isinstance(one, Parcel):
                    if size and size + len(one.encoded) > _REQUEST_BYTES:
                        yield _filled(answers, await _answers(parcels, ask))
                        answers, parcels, size = [], [], 0
                    parcels.append(one)
                    size += len(one.encoded)
                answers.append(None if isinstance(one, Parcel) else one)
            yield _filled(answers, await _answers(parcels, ask) if parcels else [])
    finally:
        feed.close()


def _read(given: object, new_id: Callable[[], str]) -> Parcel | Refusal:
    """An item as it is sent, or the answer of one that cannot be."""
    if isinstance(given, Refusal):
        return given
    item = item_of(given, new_id)
    try:
        return parcel_of(0, raw_of(item))
    except (TypeError, ValueError) as error:
        return refusal(item.id, str(error))


async def _answers(parcels: Sequence[Parcel], ask: Ask) -> list[Answer]:
    """An answer each.

    Raises:
        GaveUp: The service was away for too long.
        Refused: It takes no items from here.
    """
    raw = _raw_headers(parcels)
    try:
        if raw is not None:
            _, said = await ask(body=b"".join([parcel.encoded for parcel in parcels]), headers=raw)
        else:
            written = b",".join([parcel.plain().encoded for parcel in parcels])
            _, said = await ask(
                body=b'{"items":[' + written + b"]}", headers={"content-type": "application/json"}
            )
    except Refused as refused:
        status = 0 if refused.problem is None else refused.problem.status
        if raw is not None and status in _NOT_RAW:
            return await _answers([parcel.plain() for parcel in parcels], ask)
        if refused.problem is None or status != _TOO_LARGE:
            raise
        if len(parcels) == 1:
            return [Refusal(id=parcels[0].id, problem=refused.problem)]
        half = len(parcels) // 2
        return [*await _answers(parcels[:half], ask), *await _answers(parcels[half:], ask)]
    return [answer_of(result) for result in said["results"]]


def _raw_headers(parcels: Sequence[Parcel]) -> dict[str, str] | None:
    """Of a request of nothing but numbers; None where these items make none."""
    form = parcels[0].form
    if form is None or any(parcel.form != form for parcel in parcels):
        return None
    ids = ",".join([quote(parcel.id, safe="") for parcel in parcels])
    if len(ids) > _IDS_BYTES:
        return None
    return {
        "content-type": "application/octet-stream",
        "firstseen-dtype": form.dtype,
        "firstseen-shape": ",".join(map(str, (len(parcels), *form.shape))),
        "firstseen-ids": ids,
    }


def _filled(answers: Sequence[Answer | None], come: Sequence[Answer]) -> list[Answer]:
    """The answers of those that were sent, put among those that were not."""
    rest = iter(come)
    return [answer if answer is not None else next(rest) for answer in answers]

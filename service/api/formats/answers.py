"""The forms of an answer, chosen by `Accept` (RFC 9110 section 12.5.1); JSON when the client does not mind.

    application/json                     {"results": [...]}, or the one verdict of an item sent on its own
    application/x-msgpack                the same
    application/x-ndjson                 one result a line
    application/vnd.apache.arrow.stream  one result a row; a refused item's problem has columns of its own

A problem of the request as a whole is always `application/problem+json` (RFC 9457).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from service.api.compression import quality
from service.api.formats.arrow_body import ARROW, load_pyarrow
from service.api.formats.head import media_type_of
from service.errors import NotAcceptable

JSON = "application/json"
MSGPACK = "application/x-msgpack"
LINES = "application/x-ndjson"

_LONGEST_HEADER = 1000

Result = dict[str, Any]
"""What is said about one item, see `service.api.rest`: a verdict, or an id and a problem."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerForm:
    """One form. `encode(results, is_single)`: the body that says what became of items."""

    media_type: str
    aliases: tuple[str, ...]
    encode: Callable[[list[Result], bool], Awaitable[bytes]]


async def _json(results: list[Result], is_single: bool) -> bytes:  # noqa: FBT001 - one signature for all forms
    return msgspec.json.encode(results[0] if is_single else {"results": results})


async def _msgpack(results: list[Result], is_single: bool) -> bytes:  # noqa: FBT001 - likewise
    return msgspec.msgpack.encode(results[0] if is_single else {"results": results})


async def _lines(results: list[Result], _is_single: bool) -> bytes:  # noqa: FBT001 - likewise
    return msgspec.json.Encoder().encode_lines(results)


async def _arrow(results: list[Result], _is_single: bool) -> bytes:  # noqa: FBT001 - likewise
    pa = await load_pyarrow()
    return await asyncio.to_thread(_arrow_stream, pa, results)


def _arrow_stream(pa: Any, results: list[Result]) -> bytes:  # noqa: ANN401 - a module, of an extra
    kinds = {
        "id": pa.string(),
        "seq": pa.int64(),
        "verdict": pa.string(),
        "label": pa.string(),
        "cluster_id": pa.int64(),
        "novelty": pa.float64(),
        "nearest": pa.string(),
        "distance": pa.float64(),
    }
    columns = {name: pa.array([r.get(name) for r in results], kind) for name, kind in kinds.items()}
    if any("learned" in r for r in results):
        why = [r.get("explanation") for r in results]
        columns["learned"] = pa.array([r.get("learned") for r in results], pa.bool_())
        columns["explanation"] = pa.array([w and msgspec.json.encode(w).decode() for w in why], pa.string())
    problems = [r.get("problem") for r in results]
    for name, kind in (("type_", pa.string()), ("status", pa.int32()), ("detail", pa.string())):
        columns[f"problem_{name.rstrip('_')}"] = pa.array([getattr(p, name, None) for p in problems], kind)
    batch = pa.record_batch(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


ANSWER_FORMS = (
    AnswerForm(media_type=JSON, aliases=(), encode=_json),
    AnswerForm(
        media_type=MSGPACK, aliases=("application/vnd.msgpack", "application/msgpack"), encode=_msgpack
    ),
    AnswerForm(media_type=LINES, aliases=("application/jsonl", "application/jsonlines"), encode=_lines),
    AnswerForm(media_type=ARROW, aliases=(), encode=_arrow),
)
"""All of them; the first that is wanted as much as any is taken."""

_BY_TYPE = {name: form for form in ANSWER_FORMS for name in (form.media_type, *form.aliases)}


def form_for(accept: str, *, otherwise: str = JSON) -> AnswerForm:
    """The form that an Accept header wants most.

    Args:
        accept: Empty for none.
        otherwise: The media type given to who does not mind.

    Raises:
        NotAcceptable: None is wanted.
    """
    if accept in ("", "*/*"):
        return _BY_TYPE[otherwise]
    chosen = _chosen(accept, otherwise) if len(accept) <= _LONGEST_HEADER else None
    if chosen is None:
        forms = ", ".join(form.media_type for form in ANSWER_FORMS)
        raise NotAcceptable(f"Accept: {accept[:200]} lists no form that answers have here: {forms}.")
    return chosen


@lru_cache(maxsize=64)
def _chosen(accept: str, otherwise: str) -> AnswerForm | None:
    weights: dict[str, float] = {}
    for part in accept.split(","):
        weights[media_type_of(part)] = quality(part.partition(";")[2])
    anything = weights.get("application/*", weights.get("*/*", 0.0))
    preferred = sorted(_BY_TYPE, key=lambda name: name != otherwise)
    best = max(preferred, key=lambda name: weights.get(name, anything))
    return _BY_TYPE[best] if weights.get(best, anything) > 0 else None

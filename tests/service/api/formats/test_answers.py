"""The form of an answer: what Accept wants, and that all forms say the same."""

from typing import Any

import msgspec
import pyarrow as pa
import pytest

from service.api.failures import problem_of
from service.api.formats.answers import ANSWER_FORMS, form_for
from service.api.rest import refused_of
from service.errors import InvalidItem, NotAcceptable
from service.ingest.intake import Refused

VERDICT = {
    "id": "a",
    "seq": 2,
    "verdict": "cluster",
    "label": None,
    "cluster_id": 7,
    "novelty": 0.5,
    "nearest": "8",
    "distance": 2.5,
}
REFUSED = refused_of(Refused("b", InvalidItem("Send another.")))
JSON, MSGPACK, LINES, ARROW = [form.media_type for form in ANSWER_FORMS]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/html, */*;q=0.1", JSON),
        ("application/json", JSON),
        ("Application/X-MsgPack", MSGPACK),
        ("application/msgpack", MSGPACK),
        ("application/vnd.msgpack;q=0.9, application/json;q=0.2", MSGPACK),
        ("application/x-ndjson, application/json;q=0.5", LINES),
        ("application/jsonl", LINES),
        ("application/json, application/x-msgpack", JSON),
        ("application/vnd.apache.arrow.stream", ARROW),
        ("application/json;q=0, */*", MSGPACK),
    ],
)
def test_wanted(accept: str, expected: str) -> None:
    """The best that is wanted; JSON among equals."""
    assert expected == form_for(accept).media_type


def test_otherwise() -> None:
    """Who does not mind gets what the caller says."""
    assert LINES == form_for("*/*", otherwise=LINES).media_type
    assert LINES == form_for("application/*;q=0.5", otherwise=LINES).media_type
    assert JSON == form_for("application/json", otherwise=LINES).media_type


@pytest.mark.parametrize("accept", ["text/html", "image/png", "application/json;q=0", "x" * 5000])
def test_nothing_wanted(accept: str) -> None:
    """It is said which there are."""
    with pytest.raises(NotAcceptable, match="application/json, application/x-msgpack"):
        form_for(accept)


async def encoded(media_type: str, *results: dict[str, Any], is_single: bool = False) -> bytes:
    return await form_for(media_type).encode(list(results), is_single)


async def test_every_form_says_the_same() -> None:
    """Verdicts and problems, in order."""
    in_json = msgspec.json.decode(await encoded(JSON, VERDICT, REFUSED))
    in_lines = [msgspec.json.decode(line) for line in (await encoded(LINES, VERDICT, REFUSED)).splitlines()]
    in_arrow = pa.ipc.open_stream(await encoded(ARROW, VERDICT, REFUSED)).read_all().to_pylist()

    assert VERDICT == in_json["results"][0]
    assert problem_of(InvalidItem("Send another.")).detail == in_json["results"][1]["problem"]["detail"]
    assert in_json == msgspec.msgpack.decode(await encoded(MSGPACK, VERDICT, REFUSED))
    assert in_json["results"] == in_lines
    assert VERDICT == {name: in_arrow[0][name] for name in VERDICT}
    assert ("b", None, "/problems/invalid-item", 422, "Send another.") == tuple(
        in_arrow[1][name] for name in ("id", "seq", "problem_type", "problem_status", "problem_detail")
    )


async def test_one_on_its_own() -> None:
    """Is not in a list, where a form has objects."""
    assert VERDICT == msgspec.json.decode(await encoded(JSON, VERDICT, is_single=True))
    assert VERDICT == msgspec.msgpack.decode(await encoded(MSGPACK, VERDICT, is_single=True))
    assert VERDICT == msgspec.json.decode(await encoded(LINES, VERDICT, is_single=True))


async def test_none() -> None:
    """No items, no results."""
    assert b'{"results":[]}' == await encoded(JSON)
    assert b"" == await encoded(LINES)
    assert 0 == pa.ipc.open_stream(await encoded(ARROW)).read_all().num_rows

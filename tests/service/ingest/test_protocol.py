"""Messages to frames and back, in both encodings; hostile frames give one kind of error."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.ingest.protocol import (
    JSON,
    MSGPACK,
    Ack,
    Batch,
    Codec,
    End,
    Items,
    Nack,
    Problem,
    Result,
    Verdicts,
    Welcome,
)
from service.records import Verdict, VerdictKind

VERDICT = Verdict(
    id="a",
    seq=4,
    verdict=VerdictKind.KNOWN,
    label="8",
    cluster_id=None,
    novelty=0.25,
    nearest="8",
    distance=1.5,
)


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
@pytest.mark.parametrize("message", [Items(items=[{"id": "a", "x": [1, 2.5]}, None]), End()])
def test_from_client(subprotocol: str, message: Items | End) -> None:
    """What a client encodes is what we decode."""
    encode = msgspec.json.encode if subprotocol == JSON else msgspec.msgpack.encode

    assert message == Codec(subprotocol).decode(encode(message))


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
def test_to_client(subprotocol: str) -> None:
    """Every message is an object with its type."""
    decode = json.loads if subprotocol == JSON else msgspec.msgpack.decode
    problem = Problem(type_="/problems/x", title="t", status=422, detail="d")
    messages = {
        "welcome": Welcome(
            stream="s",
            bundle_id="b",
            durability="fsync",
            epoch=2,
            last_durable_seq=-1,
            credits=4,
            least_credits=2,
            max_items=8,
            max_bytes=9,
        ),
        "verdicts": Verdicts([Result.of(0, VERDICT)]),
        "ack": Ack(accepted=1, durable=1, durability="fsync", credits=4),
        "nack": Nack(position=0, id=None, problem=problem),
    }
    for name, message in messages.items():
        assert name == decode(Codec(subprotocol).encode(message))["type"]


def test_problem_field() -> None:
    """The type of a problem is called type, as RFC 9457 has it."""
    problem = Problem(type_="/problems/x", title="t", status=422, detail="d")

    assert {"type": "/problems/x", "title": "t", "status": 422, "detail": "d"} == msgspec.to_builtins(problem)


def test_result() -> None:
    """A result is the verdict and its place on the connection."""
    expected = {
        "position": 7,
        "id": "a",
        "seq": 4,
        "verdict": "known",
        "label": "8",
        "cluster_id": None,
        "novelty": 0.25,
        "nearest": "8",
        "distance": 1.5,
    }

    assert expected == msgspec.to_builtins(Result.of(7, VERDICT))


def test_no_subprotocol_is_json() -> None:
    """A client that names none speaks JSON."""
    assert Codec(None).is_text
    assert Codec(JSON).is_text
    assert not Codec(MSGPACK).is_text


@pytest.mark.parametrize(
    "frame",
    [
        b"[" * 100_000,
        b'{"type":"items","items":' + b"[" * 100_000,
        b"\x82\xa4type\xa5items\xa5items" + b"\x91" * 10**5,
    ],
)
@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
def test_nested_without_end(frame: bytes, subprotocol: str) -> None:
    """Nesting without end is an error like any other."""
    with pytest.raises(msgspec.DecodeError):
        Codec(subprotocol).decode(frame)


@given(
    frame=st.one_of(
        st.binary(),
        st.binary().map(lambda b: b'{"type":"items","items":[' + b + b"]}"),
        st.binary().map(lambda b: b"\x82\xa4type\xa5items\xa5items\x91" + b),
        st.text().map(lambda s: ('{"type":"items","items":["' + s + '"]}').encode("utf-8", "surrogatepass")),
    ),
    subprotocol=st.sampled_from([JSON, MSGPACK]),
)
def test_any_bytes(frame: bytes, subprotocol: str) -> None:
    """Any bytes are a message or a DecodeError."""
    try:
        message = Codec(subprotocol).decode(frame)
    except msgspec.DecodeError:
        return
    assert isinstance(message, Items | Batch | End)

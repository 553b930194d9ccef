"""The ingest session: its table of transitions, what each does, and a tiny model to agree with."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.inputs import VectorInput
from service.api.failures import problem_of
from service.errors import ItemQuarantined, NotReady
from service.ingest.credits import Window
from service.ingest.intake import Refused
from service.ingest.protocol import JSON, MSGPACK, Ack, Codec, ErrorMessage, Nack, Verdicts, Welcome
from service.ingest.session import Close, Effect, Enqueue, IngestSession, Input, Send, SessionState
from service.records import Item, Verdict, VerdictKind

SPEC = VectorInput(shape=(2,), minimum=0, maximum=1)
WINDOW = 6
MAX_ITEMS = 4

GOOD = {"id": "a", "x": [0, 1]}
BAD = {"id": "b", "x": "no"}


def session(subprotocol: str = JSON, least: int = WINDOW) -> IngestSession:
    """One that has greeted its client."""
    opened = fresh(subprotocol, least)
    opened.greeted(stream="s", bundle_id="b", epoch=3, last_durable_seq=7)
    return opened


def fresh(subprotocol: str = JSON, least: int = WINDOW) -> IngestSession:
    return IngestSession(
        spec=SPEC,
        codec=Codec(subprotocol),
        window=Window(least=least, most=WINDOW, delay_s=1.0),
        max_items=MAX_ITEMS,
        max_bytes=1000,
        durability="relaxed",
        problem_of=problem_of,
    )


def frame(message: Any, subprotocol: str = JSON) -> bytes:
    return (msgspec.json if subprotocol == JSON else msgspec.msgpack).encode(message)


def in_kind(data: bytes, *, is_text: bool) -> bytes | str:
    """A frame's payload as the shell hands it on."""
    return data.decode(errors="surrogateescape") if is_text else data


def send(to: IngestSession, message: Any) -> list[Effect]:
    return to.received(frame(message).decode(), 0.0)


def items(*raws: Any) -> dict[str, Any]:
    return {"type": "items", "items": list(raws)}


END = {"type": "end"}


def verdicts(n: int, start: int = 0) -> list[Verdict]:
    return [
        Verdict(
            id=f"v{k}",
            seq=k,
            verdict=VerdictKind.OUTLIER,
            label=None,
            cluster_id=None,
            novelty=0.5,
            nearest="a",
            distance=1.0,
        )
        for k in range(start, start + n)
    ]


def kinds(effects: Sequence[Effect]) -> list[str]:
    return [
        type(e.message).__name__ if isinstance(e, Send) else "close" if isinstance(e, Close) else "enqueue"
        for e in effects
    ]


TABLE: list[tuple[str, list[Any], list[str], SessionState]] = [
    ("good items are queued", [items(GOOD, GOOD)], ["enqueue"], SessionState.OPEN),
    ("a bad item is nacked, and acked as answered", [items(BAD)], ["Nack", "Ack"], SessionState.OPEN),
    ("good and bad part ways", [items(GOOD, BAD)], ["Nack", "enqueue"], SessionState.OPEN),
    ("a bad one before a good one", [items(BAD, GOOD)], ["Nack", "Ack", "enqueue"], SessionState.OPEN),
    ("no items change nothing", [items()], [], SessionState.OPEN),
    ("too many items are ignored", [items(*[GOOD] * 5)], ["ErrorMessage"], SessionState.OPEN),
    ("an unknown type is ignored", [{"type": "hello"}], ["ErrorMessage"], SessionState.OPEN),
    ("no type is ignored", [{"items": []}], ["ErrorMessage"], SessionState.OPEN),
    ("an unknown field is ignored", [END | {"x": 1}], ["ErrorMessage"], SessionState.OPEN),
    ("a list is ignored", [[1, 2]], ["ErrorMessage"], SessionState.OPEN),
    (
        "items that are no list are ignored",
        [{"type": "items", "items": 1}],
        ["ErrorMessage"],
        SessionState.OPEN,
    ),
    ("more than the credit closes", [items(*[GOOD] * 4), items(*[GOOD] * 3)], ["close"], SessionState.CLOSED),
    ("just the credit does not", [items(*[GOOD] * 4), items(GOOD, GOOD)], ["enqueue"], SessionState.OPEN),
    ("bad items need credit too", [items(*[GOOD] * 4), items(*[BAD] * 3)], ["close"], SessionState.CLOSED),
    ("end with nothing waiting closes", [END], ["close"], SessionState.CLOSED),
    ("end with something waiting waits", [items(GOOD), END], [], SessionState.ENDING),
    ("nothing is taken after end", [items(GOOD), END, items(GOOD)], [], SessionState.ENDING),
    ("nothing is taken after a close", [END, items(GOOD)], [], SessionState.CLOSED),
]


@pytest.mark.parametrize(("sent", "last", "state"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_table(sent: list[Any], last: list[str], state: SessionState) -> None:
    """Every kind of frame in every state has the effects of the table."""
    session_ = session()
    effects: list[Effect] = []
    for message in sent:
        effects = send(session_, message)

    assert last == kinds(effects)
    assert state is session_.state


def test_codes() -> None:
    """Too much is 1008 with the credit there was; all answered is 1000."""
    greedy, done = session(), session()
    send(greedy, items(*[GOOD] * 4))

    (too_much,) = send(greedy, items(*[GOOD] * 3))
    (all_done,) = send(done, END)

    assert isinstance(too_much, Close)
    assert 1008 == too_much.code
    assert "3 items with credit for 2" in too_much.reason
    assert Close(1000, "all answered") == all_done


def test_answers() -> None:
    """Verdicts carry the positions of their items; nacked ones in between are not counted as verdicts."""
    session_ = session()
    send(session_, items(GOOD, BAD, GOOD))

    one, ack = session_.answered(verdicts(1), 0.0)
    two, last = session_.answered(verdicts(1, 1), 0.0)

    assert isinstance(one, Send)
    assert isinstance(one.message, Verdicts)
    assert isinstance(two, Send)
    assert isinstance(two.message, Verdicts)
    assert [0, 2] == [one.message.results[0].position, two.message.results[0].position]
    assert Send(Ack(accepted=3, durable=2, durability="relaxed", credits=5)) == ack
    assert Send(Ack(accepted=3, durable=3, durability="relaxed", credits=6)) == last


def test_quarantined() -> None:
    """An item in quarantine is nacked in its place; positions, acks and the end go on."""
    session_ = session()
    send(session_, items(GOOD, BAD, GOOD, GOOD))
    send(session_, END)
    refused = Refused("a", ItemQuarantined("It crashed the engine."))

    before, nack, ack = session_.answered([verdicts(1)[0], refused], 0.0)
    after, last, closed = session_.answered(verdicts(1, 1), 0.0)

    assert isinstance(before, Send)
    assert isinstance(before.message, Verdicts)
    assert isinstance(nack, Send)
    assert isinstance(nack.message, Nack)
    assert (2, "a", "/problems/quarantined") == (
        nack.message.position,
        nack.message.id,
        nack.message.problem.type_,
    )
    assert Send(Ack(accepted=4, durable=3, durability="relaxed", credits=5)) == ack
    assert isinstance(after, Send)
    assert isinstance(after.message, Verdicts)
    assert 3 == after.message.results[0].position
    assert Send(Ack(accepted=4, durable=4, durability="relaxed", credits=6)) == last
    assert Close(1000, "all answered") == closed


def test_only_quarantined() -> None:
    """Without a verdict there is no empty message of verdicts."""
    session_ = session()
    send(session_, items(GOOD))

    assert ["Nack", "Ack"] == kinds(session_.answered([Refused("a", ItemQuarantined("It crashed."))], 0.0))


def test_nack() -> None:
    """A nack names position, id and what to send; an id that is no id is not repeated."""
    nacks = [e.message for e in send(session(), items(BAD, {"id": 5, "x": [0, 1]})) if isinstance(e, Send)]

    assert isinstance(nacks[0], Nack)
    assert (0, "b", 422) == (nacks[0].position, nacks[0].id, nacks[0].problem.status)
    assert "2 numbers" in nacks[0].problem.detail
    assert isinstance(nacks[1], Nack)
    assert (1, None) == (nacks[1].position, nacks[1].id)


def test_end() -> None:
    """After `end` what is queued is still answered, then the connection closes."""
    session_ = session()
    send(session_, items(GOOD, GOOD))
    send(session_, END)

    assert ["Verdicts", "Ack"] == kinds(session_.answered(verdicts(1), 0.0))
    assert ["Verdicts", "Ack", "close"] == kinds(session_.answered(verdicts(1, 1), 0.0))
    assert SessionState.CLOSED is session_.state


def test_failed() -> None:
    """When the pipeline cannot answer, the client hears why, once."""
    session_ = session()
    send(session_, items(GOOD))

    said, closed = session_.failed(NotReady("It is stopping."), code=1012)
    assert isinstance(said, Send)
    assert isinstance(said.message, ErrorMessage)
    assert 503 == said.message.problem.status
    assert Close(1012, "It is stopping.") == closed
    assert [] == session_.failed(NotReady("again"), code=1012)
    assert [] == session_.answered(verdicts(1), 0.0)


def test_welcome() -> None:
    """The greeting tells what may be sent at once, and what always."""
    (greeting,) = fresh(least=2).greeted(stream="s", bundle_id="b", epoch=3, last_durable_seq=7)

    assert isinstance(greeting, Send)
    welcome = greeting.message
    assert isinstance(welcome, Welcome)
    assert (2, 2, MAX_ITEMS) == (welcome.credits, welcome.least_credits, welcome.max_items)
    assert (3, 7) == (welcome.epoch, welcome.last_durable_seq)


def test_a_fault_of_ours_gives_nothing_away() -> None:
    """What went wrong inside is in the log alone, not in the error and not in the close."""
    said, closed = session().failed(KeyError("a secret"), code=1011)

    assert "secret" not in str(said)
    assert isinstance(closed, Close)
    assert 1011 == closed.code
    assert "This is a bug in firstseen." in closed.reason


def test_not_greeted() -> None:
    """A client that the service does not take hears why, and nothing else."""
    refused = fresh()

    assert ["ErrorMessage", "close"] == kinds(refused.failed(NotReady("Not yet."), code=1012))
    assert SessionState.CLOSED is refused.state
    assert [] == send(refused, items(GOOD))


def test_every_pair_is_in_the_table_or_impossible() -> None:
    """A frame is read when the client was greeted, and becomes something only while the connection is open."""
    becomes = {Input.ITEMS, Input.OVER_CREDIT, Input.UNREADABLE, Input.END}
    possible = {
        SessionState.GREETING: {Input.GREETED, Input.FAILED},
        SessionState.OPEN: {Input.FRAME, *becomes, Input.ANSWERED, Input.FAILED},
        SessionState.ENDING: {Input.FRAME, Input.ANSWERED, Input.DRAINED, Input.FAILED},
        SessionState.CLOSED: {Input.FRAME, Input.ANSWERED, Input.FAILED},
    }

    assert {(state, what) for state, inputs in possible.items() for what in inputs} == set(
        IngestSession.transitions
    )


def test_nothing_leaves_closed() -> None:
    """There is no way back, and the stages before are passed in order."""
    order = list(SessionState)

    for (state, _), (_, then) in IngestSession.transitions.items():
        assert order.index(then) >= order.index(state)
        assert state is not SessionState.CLOSED or then is SessionState.CLOSED


def test_credit_follows_the_engine() -> None:
    """A quick answer opens the window; a slow one closes it to what is always granted, and takes nothing back."""
    session_ = session(least=2)

    session_.received(frame(items(GOOD, GOOD)).decode(), 0.0)
    *_, quick = session_.answered(verdicts(2), 0.1)
    session_.received(frame(items(GOOD)).decode(), 1.0)
    *_, slow = session_.answered(verdicts(1, 2), 9.0)
    session_.received(frame(items(GOOD)).decode(), 10.0)
    *_, later = session_.answered(verdicts(1, 3), 19.0)

    acks = [effect.message for effect in (quick, slow, later) if isinstance(effect, Send)]
    assert [(2, 6), (3, 5), (4, 4)] == [(ack.accepted, ack.credits) for ack in acks if isinstance(ack, Ack)]


def batch(rows: int, **changed: Any) -> bytes:
    message = {"type": "batch", "dtype": "uint8", "n": 2, "ids": None, "x": bytes(2 * rows)} | changed
    return msgspec.msgpack.encode(message)


def test_batch() -> None:
    """One buffer, many items: queued in order under their ids, a bad one nacked."""
    session_ = session(MSGPACK)

    nack, queued = session_.received(batch(3, ids=["a", "b", None], x=bytes([0, 1, 0, 9, 1, 1])), 0.0)

    assert isinstance(nack, Send)
    assert isinstance(nack.message, Nack)
    assert (1, "b") == (nack.message.position, nack.message.id)
    assert isinstance(queued, Enqueue)
    assert [("a", [0.0, 1.0]), (None, [1.0, 1.0])] == [(i.id, list(i.x)) for i in queued.items]


@pytest.mark.parametrize(
    ("sent", "last", "state"),
    [
        (batch(4), ["enqueue"], SessionState.OPEN),
        (batch(0), [], SessionState.OPEN),
        (batch(5), ["ErrorMessage"], SessionState.OPEN),
        (batch(2, n=3), ["ErrorMessage"], SessionState.OPEN),
        (batch(2, n=0), ["ErrorMessage"], SessionState.OPEN),
        (batch(2, x=bytes(3)), ["ErrorMessage"], SessionState.OPEN),
        (batch(2, ids=["a"]), ["ErrorMessage"], SessionState.OPEN),
        (batch(2, dtype="int8"), ["ErrorMessage"], SessionState.OPEN),
        (batch(2, ids=["a", 5]), ["Nack", "enqueue"], SessionState.OPEN),
    ],
)
def test_batches(sent: bytes, last: list[str], state: SessionState) -> None:
    """A batch whose parts do not fit together is ignored as a whole; a bad id fails alone."""
    session_ = session(MSGPACK)

    assert last == kinds(session_.received(sent, 0.0))
    assert state is session_.state


@pytest.mark.parametrize(("subprotocol", "wanted"), [(JSON, "text"), (MSGPACK, "binary")])
def test_kind_of_frame(subprotocol: str, wanted: str) -> None:
    """A frame of the other kind is ignored, and the client hears which kind to send."""
    session_ = session(subprotocol)
    (said,) = session_.received(in_kind(frame(items(GOOD), subprotocol), is_text=subprotocol == MSGPACK), 0.0)

    assert isinstance(said, Send)
    assert isinstance(said.message, ErrorMessage)
    assert f"has {wanted} frames" in said.message.problem.detail
    assert SessionState.OPEN is session_.state


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
def test_both_codecs(subprotocol: str) -> None:
    """Both encodings mean the same."""
    session_ = session(subprotocol)
    (effect,) = session_.received(in_kind(frame(items(GOOD), subprotocol), is_text=subprotocol == JSON), 0.0)

    assert isinstance(effect, Enqueue)
    assert ["a"] == [item.id for item in effect.items]
    assert [0.0, 1.0] == effect.items[0].x.tolist()


HOSTILE = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=40).map(lambda b: b'{"type":"items","items":[' + b),
    st.binary(max_size=40).map(lambda b: b"\x82\xa4type\xa5items\xa5items\x91" + b),
    st.sampled_from([b"[" * 100_000, b'{"type":"items","items":' + b"[" * 100_000]),
    st.just(b"\x82\xa4type\xa5items\xa5items" + b"\x91" * 100_000),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=12,
    ).map(
        lambda value: msgspec.msgpack.encode({"type": "items", "items": [value, {"id": value, "x": value}]})
    ),
)


@given(data=HOSTILE, subprotocol=st.sampled_from([JSON, MSGPACK]))
def test_never_raises(data: bytes, subprotocol: str) -> None:
    """Whatever bytes come, the session answers them."""
    effects = session(subprotocol).received(in_kind(data, is_text=subprotocol == JSON), 0.0)

    assert all(isinstance(effect, Send | Enqueue | Close) for effect in effects)


@given(
    steps=st.lists(
        st.one_of(
            st.lists(st.booleans(), max_size=MAX_ITEMS + 1).map(lambda good: ("items", good)),
            st.integers(1, 4).map(lambda n: ("answer", n)),
            st.just(("end", None)),
        ),
        max_size=30,
    )
)
def test_model(steps: list[tuple[str, Any]]) -> None:
    """Positions, durable marks and credit are those of a list of items, each answered or not."""
    session_ = session()
    answered: list[bool] = []  # by position
    queued: list[int] = []
    done: list[int] = []  # positions, as verdicts left
    is_ended = is_closed = False
    for step, what in steps:
        effects: list[Effect] = []
        if step == "items":
            effects = send(session_, items(*(GOOD if good else BAD for good in what)))
            durable = next((n for n, is_answered in enumerate(answered) if not is_answered), len(answered))
            if is_ended or is_closed:
                assert [] == effects
                continue
            if len(what) > MAX_ITEMS:
                assert ["ErrorMessage"] == kinds(effects)
                continue
            if len(answered) - durable + len(what) > WINDOW:
                is_closed = True
                assert ["close"] == kinds(effects)
                continue
            queued += [len(answered) + n for n, good in enumerate(what) if good]
            answered += [not good for good in what]
        elif step == "answer" and queued and not is_closed:
            n = min(what, len(queued))
            effects = session_.answered(verdicts(n), 0.0)
            for _ in range(n):
                answered[queued.pop(0)] = True
        elif step == "end" and not is_closed and not is_ended:
            effects = send(session_, END)
            is_ended = True
        is_closed |= is_ended and not queued
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.message, Verdicts):
                done += [result.position for result in effect.message.results]
            if isinstance(effect, Send) and isinstance(effect.message, Ack):
                durable = next(
                    (n for n, is_answered in enumerate(answered) if not is_answered), len(answered)
                )
                ack = effect.message
                assert (len(answered), durable) == (ack.accepted, ack.durable)
                assert WINDOW - (len(answered) - durable) == ack.credits
        assert is_closed == (session_.state is SessionState.CLOSED)
        assert is_closed == ("close" in kinds(effects)) or not effects
    assert sorted(done) == done


def test_items_are_decoded() -> None:
    """What is queued is checked and scaled."""
    (effect,) = send(session(), items({"x": [0.5, 0.25]}))

    assert isinstance(effect, Enqueue)
    assert [Item(id=None, x=effect.items[0].x)] == effect.items
    assert [0.5, 0.25] == effect.items[0].x.tolist()

"""What waits for a socket leaves in fewer messages, and says the same."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from service.api.merging import MOST_TOGETHER, take_next
from service.ingest.protocol import Ack, Nack, Problem, Result, Verdicts
from service.ingest.session import Close, Send
from service.records import VerdictKind

PROBLEM = Problem("about:blank", "t", 422, "d")


def result(position: int) -> Result:
    return Result(position, f"i{position}", position, VerdictKind.OUTLIER, None, None, 0.5, "a", 1.0)


def verdicts(*positions: int) -> Send:
    return Send(Verdicts([result(position) for position in positions]))


def ack(durable: int) -> Send:
    return Send(Ack(accepted=99, durable=durable, durability="fsync", credits=1))


def nack(position: int) -> Send:
    return Send(Nack(position, None, PROBLEM))


def sent(*waiting: Send | Close) -> list[Send | Close]:
    queue = deque(waiting)
    found = []
    while queue:
        found.append(take_next(queue))
    return found


def test_the_answers_of_a_batch_leave_in_one_message() -> None:
    """And the last ack, which says it all."""
    said = sent(
        verdicts(0, 1), ack(2), verdicts(2), ack(3), verdicts(3, 4), ack(5), Close(1000, "all answered")
    )

    assert [verdicts(0, 1, 2, 3, 4), ack(5), Close(1000, "all answered")] == said


def test_a_nack_keeps_its_place() -> None:
    """What is between two messages of verdicts stays there."""
    said = sent(verdicts(0), ack(1), verdicts(1), nack(2), ack(3), verdicts(3), ack(4))

    assert [verdicts(0, 1), nack(2), ack(3), verdicts(3), ack(4)] == said


def test_a_message_does_not_grow_without_end() -> None:
    """It is cut between two frames."""
    frames = [verdicts(*range(n * 64, n * 64 + 64)) for n in range(40)]
    said = sent(*(one for n, frame in enumerate(frames) for one in (frame, ack(64 * n + 64))))
    sizes = [
        len(one.message.results)
        for one in said
        if isinstance(one, Send) and isinstance(one.message, Verdicts)
    ]

    assert [MOST_TOGETHER, MOST_TOGETHER, 40 * 64 - 2 * MOST_TOGETHER] == sizes


@given(st.lists(st.sampled_from(["verdicts", "ack", "nack"]), max_size=20))
def test_nothing_is_lost_or_moved(kinds: list[str]) -> None:
    """Verdicts and nacks are all there, in order, and the last ack is the last."""
    made = {"verdicts": verdicts, "ack": ack, "nack": nack}
    waiting = [made[kind](n) for n, kind in enumerate(kinds)]

    def flat(effects: list[Send | Close]) -> list[object]:
        found: list[object] = []
        for one in effects:
            assert isinstance(one, Send)
            if isinstance(one.message, Verdicts):
                found += one.message.results
            elif isinstance(one.message, Nack):
                found.append(one.message)
        return found

    said = sent(*waiting)

    assert flat(list(waiting)) == flat(said)
    assert waiting[-1:] == said[-1:] or "verdicts" == kinds[-1]

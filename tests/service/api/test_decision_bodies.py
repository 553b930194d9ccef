"""Bodies of decisions: what is taken, what is said of what is not, and the decision that comes of it."""

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import msgspec
import pytest

from service.api.decision_bodies import FORMS, MOST_LABEL, MOST_WHY, USUAL_RATE, decision_of, is_about, read
from service.decisions import Action, Decided, Decision
from service.errors import CannotDecide, InvalidBody

NOW = 1_800_000_000.0


def asked(action: Action, body: Any, *made: Decided, key: str = "k", cluster: int = 3) -> Decision:
    sent = read(action, b"" if body is None else json.dumps(body).encode())
    return decision_of(action, cluster, sent, key=key, t=NOW, who="open", made=made)


def made(seq: int, *, undone_by: int | None = None, created: tuple[int, ...] = (), **fields: Any) -> Decided:
    given = {"key": f"k{seq}", "action": Action.NAME, "cluster": 3, "t": NOW, "who": "open"}
    return Decided(decision=Decision(**(given | fields)), seq=seq, undone_by=undone_by, created=created)


@pytest.mark.parametrize("action", Action)
class TestEveryAction:
    def test_the_example_is_taken(self, action: Action) -> None:
        """By the reader and by the schema that is shown."""
        form = FORMS[action]
        (reference,), schemas = msgspec.json.schema_components([form.body])
        jsonschema.validate(dict(form.example), {**reference, "$defs": schemas})

        assert action is asked(action, form.example, made(812)).action

    def test_a_reason(self, action: Action) -> None:
        """Any decision may have one."""
        decision = asked(action, {**FORMS[action].example, "why": " seen on line 3 "}, made(812))

        assert "seen on line 3" == decision.why

    @pytest.mark.parametrize(
        "body",
        [
            b"[]",
            b"null",
            b"{",
            b"\xff",
            b'{"wrong": 1}',
            b'{"why": 7}',
            b'{"why": "a\\u0007"}',
            b"[" * 10_000,
            b'{"why": "%s"}' % (b"x" * (MOST_WHY + 1)),
        ],
    )
    def test_what_is_no_body(self, action: Action, body: bytes) -> None:
        """It is said with one that is."""
        with pytest.raises(InvalidBody) as raised:
            read(action, body)

        assert json.dumps(dict(FORMS[action].example), separators=(",", ":")) in str(raised.value)
        assert f"To {action} a cluster" in str(raised.value)

    def test_no_body(self, action: Action) -> None:
        """Where nothing has to be said, nothing may be sent."""
        if FORMS[action].may_be_empty:
            read(action, b"")
            read(action, b"{}")
        else:
            with pytest.raises(InvalidBody):
                read(action, b"")
            with pytest.raises(InvalidBody):
                read(action, b"{}")


@pytest.mark.parametrize("action", [Action.PROMOTE, Action.LINK])
@pytest.mark.parametrize("label", ["", "  ", "a\nb", "\x1b[31m", "\u2028", "x" * (MOST_LABEL + 1), 7, None])
def test_what_is_no_label(action: Action, label: Any) -> None:
    """Neither blank, nor more than a line, nor anything that drives a terminal."""
    with pytest.raises(InvalidBody):
        asked(action, {"label": label})


@pytest.mark.parametrize("label", ["3", " 3 ", "über", "\U0001f600", "<b>", "a" * MOST_LABEL])
def test_labels(label: str) -> None:
    """Any other text, without the space around it; how it is shown is for who shows it."""
    assert label.strip() == asked(Action.PROMOTE, {"label": label}).label


def test_a_name_may_be_taken_away() -> None:
    """By an empty one."""
    assert "" == asked(Action.NAME, {"label": ""}).label


@pytest.mark.parametrize(
    ("action", "body"),
    [
        (Action.MERGE, {"into": 0}),
        (Action.MERGE, {"into": "2"}),
        (Action.MERGE, {"into": 2**60}),
        (Action.SPLIT, {"parts": []}),
        (Action.SPLIT, {"parts": [[1]]}),
        (Action.SPLIT, {"parts": [[n] for n in range(17)]}),
        (Action.SPLIT, {"parts": [[1], list(range(129))]}),
        (Action.SPLIT, {"parts": [[1], []]}),
        (Action.SPLIT, {"parts": [[1], [-1]]}),
        (Action.SPLIT, {"parts": [1]}),
        (Action.DISMISS, {"until_rate": 1}),
        (Action.DISMISS, {"until": "tomorrow"}),
        (Action.DISMISS, {"until": "2099-12-24"}),
        (Action.DISMISS, {"until": "2099-12-24T00:00:00"}),
        (Action.DISMISS, {"until": "2001-01-01T00:00:00Z"}),
        (Action.DISMISS, {"until": "9999-12-31T23:59:59-12:00"}),
        (Action.UNDO, {"decision": -1}),
    ],
)
def test_values_that_cannot_be(action: Action, body: Any) -> None:
    """Each is refused before the engine sees it."""
    with pytest.raises(InvalidBody):
        asked(action, body)


class TestDismiss:
    def test_nothing_said(self) -> None:
        """It ends with the usual escalation: nothing is out of sight for ever."""
        decision = asked(Action.DISMISS, None)

        assert (USUAL_RATE, None) == (decision.until_rate, decision.until_t)

    def test_a_date_alone(self) -> None:
        """Until then, however often it comes."""
        decision = asked(Action.DISMISS, {"until": "2099-12-24T01:00:00+01:00"})
        expected = datetime(2099, 12, 24, tzinfo=UTC).timestamp()

        assert (None, expected) == (decision.until_rate, decision.until_t)

    def test_both(self) -> None:
        """Whichever comes first."""
        decision = asked(Action.DISMISS, {"until": "2099-12-24T00:00:00Z", "until_rate": 2})

        assert 2 == decision.until_rate
        assert decision.until_t is not None


class TestUndo:
    def test_of_the_latest_that_stands(self) -> None:
        """About this cluster: what was taken back, other clusters' and undos themselves are passed over."""
        before = (
            made(1),
            made(2),
            made(3, undone_by=4),
            made(4, action=Action.UNDO, undoes=3),
            made(5, cluster=8),
        )

        assert 2 == asked(Action.UNDO, None, *before).undoes

    def test_of_what_it_came_of(self) -> None:
        """A part can be asked to go back, and a cluster that took another in to give it back."""
        split = made(1, action=Action.SPLIT, cluster=1, created=(3,))
        merge = made(2, action=Action.MERGE, cluster=2, into=3)

        whole, back = asked(Action.UNDO, None, split), asked(Action.UNDO, {"decision": 2}, split, merge)

        assert (1, 1) == (whole.undoes, whole.cluster)
        assert (2, 2) == (back.undoes, back.cluster)
        assert back == asked(Action.UNDO, None, split, merge)

    def test_of_one_by_its_number(self) -> None:
        """Whether there is such a one is for the engine to say."""
        assert 812 == asked(Action.UNDO, {"decision": 812}).undoes

    def test_of_nothing(self) -> None:
        """It is said where to look."""
        with pytest.raises(CannotDecide, match="GET /decisions"):
            asked(Action.UNDO, None, made(1, cluster=8))

    def test_sent_again(self) -> None:
        """The same key undoes the same, though another is the latest by now."""
        before = (made(1), made(2, undone_by=3), made(3, action=Action.UNDO, undoes=2, key="k"))

        assert 2 == asked(Action.UNDO, None, *before, key="k").undoes
        assert 1 == asked(Action.UNDO, None, *before, key="another").undoes


def test_about() -> None:
    """With it, into it, or it came of that."""
    assert is_about(made(1), 3)
    assert is_about(made(1, cluster=1, action=Action.MERGE, into=3), 3)
    assert is_about(made(1, cluster=1, created=(2, 3)), 3)
    assert not is_about(made(1, cluster=1), 3)

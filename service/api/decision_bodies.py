"""What is sent to decide about a cluster: a small JSON object an action, most fields of which may be left out.

    name      {"label": "scratched"}                 "" takes the name away
    promote   {"label": "3"}                         the label of the class that it becomes
    link      {"label": "8"}                         the class that it is part of
    merge     {"into": 2}                            the cluster that takes it in
    split     {"parts": [[12, 40], [57]]}            members, as GET /clusters/{id}/split shows them
    dismiss   {"until_rate": 5, "until": "2026-12-24T00:00:00Z"}
    undo      {"decision": 812}                      left out: the latest about this cluster that stands

Each may have a `why`. What is wrong is said with an example of what is right. Labels and reasons are one line of text,
without what drives a terminal, and without space at their ends.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from service.decisions import MOST_NAMED, MOST_PARTS, Action, Decided, Decision
from service.errors import CannotDecide, InvalidBody

MOST_LABEL: Final = 100
MOST_WHY: Final = 500

USUAL_RATE: Final = 5.0
"""A dismissed cluster is heard of again at so many times its rate, where nothing else is said."""

_MOST_RATE: Final = 1e6
_LARGEST: Final = 2**53 - 1
_LONGEST_S: Final = 100 * 365.25 * 86_400
_NOT_TEXT: Final = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's control characters, lone surrogates, and separators of lines and paragraphs."""

_Id = Annotated[int, msgspec.Meta(ge=1, le=_LARGEST)]
_Place = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST)]


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Of any action."""

    why: Annotated[str, msgspec.Meta(max_length=MOST_WHY, description="Why; it is kept with it.")] = ""


class NameIn(Body, frozen=True):
    """What to call a cluster."""

    label: Annotated[str, msgspec.Meta(max_length=MOST_LABEL, description='The name; "" takes it away.')]


class PromoteIn(Body, frozen=True):
    """What class a cluster becomes."""

    label: Annotated[
        str,
        msgspec.Meta(min_length=1, max_length=MOST_LABEL, description="Of the new class; no class has it."),
    ]


class LinkIn(Body, frozen=True):
    """What class a cluster is part of."""

    label: Annotated[
        str, msgspec.Meta(min_length=1, max_length=MOST_LABEL, description="Of a class that is known.")
    ]


class MergeIn(Body, frozen=True):
    """Which cluster takes it in."""

    into: Annotated[_Id, msgspec.Meta(description="The cluster that stays.")]


class SplitIn(Body, frozen=True):
    """What a cluster falls into."""

    parts: Annotated[
        list[Annotated[list[_Place], msgspec.Meta(min_length=1, max_length=MOST_NAMED)]],
        msgspec.Meta(
            min_length=2,
            max_length=MOST_PARTS,
            description=(
                "Members of each part, by their `seq`, as `GET /clusters/{cluster_id}/split` shows them; the first "
                f"part keeps the id. {MOST_NAMED} at the most, of all parts."
            ),
        ),
    ]


class DismissIn(Body, frozen=True):
    """Until when nobody wants to hear of a cluster: whichever comes first."""

    until_rate: Annotated[
        Annotated[float, msgspec.Meta(gt=1, le=_MOST_RATE)] | None,
        msgspec.Meta(
            description=f"So many times its rate of now; {USUAL_RATE:g} where nothing is said, null for no such."
        ),
    ] = None
    until: Annotated[
        Annotated[datetime, msgspec.Meta(tz=True)] | None,
        msgspec.Meta(description="A date and time to come (RFC 3339)."),
    ] = None


class UndoIn(Body, frozen=True):
    """Which decision is taken back."""

    decision: Annotated[
        _Place | None,
        msgspec.Meta(description="Its number; left out, the latest about this cluster that stands."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Form:
    """How an action is asked for. `example`: a body; `may_be_empty`: nothing has to be said."""

    body: type[Body]
    example: Mapping[str, Any]
    may_be_empty: bool = False


FORMS: Final[Mapping[Action, Form]] = {
    Action.NAME: Form(body=NameIn, example={"label": "scratched", "why": "seen on line 3"}),
    Action.PROMOTE: Form(body=PromoteIn, example={"label": "3"}),
    Action.LINK: Form(body=LinkIn, example={"label": "8", "why": "an 8 with a gap"}),
    Action.MERGE: Form(body=MergeIn, example={"into": 2}),
    Action.SPLIT: Form(body=SplitIn, example={"parts": [[12, 40], [57]]}),
    Action.DISMISS: Form(
        body=DismissIn, example={"until_rate": USUAL_RATE, "until": "2099-12-24T00:00:00Z"}, may_be_empty=True
    ),
    Action.UNDO: Form(body=UndoIn, example={"decision": 812}, may_be_empty=True),
}


def read(action: Action, body: bytes | bytearray) -> Body:
    """The body of an action.

    Raises:
        InvalidBody: It is none; the message has one.
    """
    form = FORMS[action]
    if not body and not form.may_be_empty:
        raise invalid(action, "there is no body")
    try:
        found = msgspec.json.decode(body or b"{}", type=form.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise invalid(action, str(wrong)) from None
    texts = {name: text for name in ("label", "why") if (text := getattr(found, name, None)) is not None}
    for name, text in texts.items():
        if any(unicodedata.category(c) in _NOT_TEXT for c in text):
            raise invalid(action, f"`{name}` is one line of text, without control characters")
    found = msgspec.structs.replace(found, **{name: text.strip() for name, text in texts.items()})
    if isinstance(found, PromoteIn | LinkIn) and not found.label:
        raise invalid(action, "`label` is blank")
    return found


def invalid(action: Action, what: str) -> InvalidBody:
    """A body that is wrong, and one that is right."""
    example = msgspec.json.encode(FORMS[action].example).decode()
    return InvalidBody(f"To {action} a cluster, send JSON like {example}: {what}.")


def decision_of(
    action: Action, cluster: int, sent: Body, *, key: str, t: float, who: str, made: Iterable[Decided]
) -> Decision:
    """What is asked for.

    Args:
        action: What to do.
        cluster: With which cluster.
        sent: The body.
        key: Names the decision.
        t: The time, seconds since 1970 (UTC).
        who: The name of the key that it comes with.
        made: The decisions of the stream, oldest first.

    Raises:
        InvalidBody: A date has passed, or is too far away.
        CannotDecide: There is nothing to take back.
    """
    asked = Decision(key=key, action=action, cluster=cluster, t=t, who=who, why=sent.why)
    match sent:
        case NameIn() | PromoteIn() | LinkIn():
            return replace(asked, label=sent.label)
        case MergeIn():
            return replace(asked, into=sent.into)
        case SplitIn():
            return replace(asked, parts=tuple(map(tuple, sent.parts)))
        case DismissIn():
            until_t = None if sent.until is None else sent.until.timestamp()
            if until_t is not None and not t < until_t < t + _LONGEST_S:
                raise invalid(action, "`until` is a date to come, within a hundred years")
            is_open = until_t is None and sent.until_rate is None
            return replace(asked, until_rate=USUAL_RATE if is_open else sent.until_rate, until_t=until_t)
        case UndoIn():
            return _undo(asked, sent.decision, tuple(made))
    raise AssertionError(sent)


def _undo(asked: Decision, number: int | None, made: Sequence[Decided]) -> Decision:
    """Take back the decision of that number, or the latest about the cluster that stands.

    Sent again, under the same key, it takes back what it did the first time. An undo is about the cluster of what it
    takes back: for whom is asked may be the one that took that in, or that came of it.
    """
    again = next((one.decision.undoes for one in made if one.decision.key == asked.key), None)
    if number is None:
        number = again if again is not None else _latest(asked.cluster, made)
    undone = next((one for one in made if one.seq == number and is_about(one, asked.cluster)), None)
    return replace(asked, undoes=number, cluster=asked.cluster if undone is None else undone.decision.cluster)


def _latest(cluster: int, made: Sequence[Decided]) -> int:
    for one in reversed(made):
        if is_about(one, cluster) and one.undone_by is None and one.decision.action is not Action.UNDO:
            return one.seq
    raise CannotDecide(
        f"Nothing that was decided about cluster {cluster} stands; GET /decisions?cluster={cluster} shows what was."
    )


def is_about(one: Decided, cluster: int) -> bool:
    """Whether a decision is about a cluster: with it, into it, or it came of that."""
    return cluster in (one.decision.cluster, one.decision.into) or cluster in one.created

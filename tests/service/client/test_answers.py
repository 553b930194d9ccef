"""What the service says, as values: the same fields as the service's own, and more are no harm."""

import dataclasses

import msgspec
import pytest

from service import records
from service.client import answers
from service.client.answers import answer_of, problem_of
from service.ingest.protocol import Event, Problem, Result


@pytest.mark.parametrize("name", ["Verdict", "Cluster", "Evidence", "Missing"])
def test_the_nouns_are_those_of_the_service(name: str) -> None:
    """A field that is added there is added here, or named as one that only some answers have."""
    ours = {field.name: field.required for field in msgspec.structs.fields(getattr(answers, name))}
    theirs = {field.name for field in dataclasses.fields(getattr(records, name))}

    assert {field for field, required in ours.items() if required} <= theirs
    assert theirs <= ours.keys()


@pytest.mark.parametrize(("ours", "theirs"), [(answers.Event, Event), (answers.Problem, Problem)])
def test_the_messages_are_those_of_the_protocol(ours: type, theirs: type) -> None:
    """By their names on the wire."""

    def wire(struct: type) -> set[str]:
        return {field.encode_name for field in msgspec.structs.fields(struct)}

    assert wire(ours) == wire(theirs)


RESULT = {
    "id": "a",
    "seq": 412,
    "verdict": "cluster",
    "label": None,
    "cluster_id": 17,
    "novelty": 0.997,
    "nearest": "8",
    "distance": 21.4,
}


def test_a_result_of_any_road_is_a_verdict() -> None:
    """With a position or without, and with fields of a service that is newer."""
    assert {field.name for field in msgspec.structs.fields(Result)} <= RESULT.keys() | {"position"}
    expected = answer_of(RESULT)

    assert isinstance(expected, answers.Verdict)
    assert expected == answer_of({**RESULT, "position": 3, "mood": "new"})


def test_a_refusal() -> None:
    """With or without an id."""
    problem = {"type": "/problems/invalid-item", "title": "t", "status": 422, "detail": "send numbers"}
    found = answer_of({"id": None, "problem": problem})

    assert (
        answers.Refusal(
            id=None,
            problem=answers.Problem(
                kind="/problems/invalid-item", title="t", status=422, detail="send numbers"
            ),
        )
        == found
    )


@pytest.mark.parametrize("said", [None, [], "<html>", {"type": 7}])
def test_what_a_proxy_says_is_a_problem_too(said: object) -> None:
    """Whoever answered."""
    assert (502, "a gateway") == (
        (problem := problem_of(said, status=502, otherwise="a gateway")).status,
        problem.detail,
    )

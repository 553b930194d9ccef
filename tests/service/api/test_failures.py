"""The table of failures: every error of ours has a row, and what we did not foresee gives nothing away."""

import inspect
import json
import re

import pytest

from service import errors
from service.api.failures import FAILURES, failure_of, problem_of, response_of
from service.state.errors import StoreUnavailable

OURS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.FirstseenError) and not kind.__subclasses__()
]
AT_START = (errors.InvalidSetting, errors.InternalError)


@pytest.mark.parametrize("kind", [kind for kind in OURS if kind not in AT_START])
def test_every_error_has_a_row(kind: type[Exception]) -> None:
    """Each error that can reach a client has a row of its own."""
    assert kind is failure_of(kind.__new__(kind, "x")).error


def test_names_differ() -> None:
    """A name stands for one row."""
    names = [row.name for row in FAILURES]

    assert sorted(set(names)) == sorted(names)


def test_codes() -> None:
    """Statuses are those of errors, close codes those a server may send; what can be retried is a 429, 503 or 504."""
    for row in FAILURES:
        assert 400 <= row.status < 600
        assert row.close_code in {1008, 1009, 1011, 1012, 1013, 4401, 4403, 4429}
        assert row.can_retry == (row.status in {429, 503, 504})


@pytest.mark.parametrize("error", [RuntimeError("secret"), errors.InternalError("It"), KeyError("secret")])
def test_bug(error: Exception) -> None:
    """What we did not foresee is a 500 that says it is ours, and not what it was."""
    problem = problem_of(error)

    assert 500 == problem.status
    assert problem.detail.endswith("This is a bug in firstseen.")
    assert "secret" not in problem.detail


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.Overloaded("x"), "1"),
        (errors.StoreAway("x"), "1"),
        (errors.NotReady("x"), "1"),
        (errors.OutcomeUnknown("x"), "1"),
        (errors.OverQuota("x", retry_after_s=1.2), "2"),
        (errors.OverQuota("x"), None),
        (errors.InvalidBody("x"), None),
        (errors.BodyTooSlow("x"), None),
    ],
)
def test_retry_after(error: Exception, expected: str | None) -> None:
    """What can be sent again says when."""
    assert expected == response_of(error).headers.get("retry-after")


def test_store_error() -> None:
    """An error of the store is a 503 that does not tell where the store is."""
    problem = problem_of(StoreUnavailable("redis://user:secret@host", outcome_unknown=True))

    assert 503 == problem.status
    assert "secret" not in problem.detail


def test_response() -> None:
    """A problem has the fields of RFC 9457 and its media type."""
    response = response_of(errors.UnknownCluster("There is none."))
    expected = {
        "type": "/problems/unknown-cluster",
        "title": "There is no such cluster",
        "status": 404,
        "detail": "There is none.",
    }

    assert expected == json.loads(bytes(response.body))
    assert "application/problem+json" == response.headers["content-type"]


def test_slow_body_closes() -> None:
    """Where the rest of a body is not waited for the connection closes; other refusals keep it."""
    assert "close" == response_of(errors.BodyTooSlow("x")).headers["connection"]
    assert "connection" not in response_of(errors.InvalidBody("x")).headers


def test_meanings_are_for_who_asks() -> None:
    """Sentences of ours, not of the language's own classes, and without what only the source has a use for."""
    for failure in FAILURES:
        assert failure.meaning.endswith((".", "`.")), failure.name
        assert "base class" not in failure.meaning
        assert not re.search(r"\. [a-z_]+: ", failure.meaning), failure.name

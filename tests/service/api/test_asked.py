"""What a query asks for, and what it must not say."""

import itertools
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from service.api import schemas
from service.api.asked import MOST_EXPLAINED, PARAMETERS, Asked, asked_in
from service.errors import InvalidParameter
from tests.service import digits

PAGE = Path(__file__).parents[3] / "docs" / "explain.md"

_names = itertools.count()


def post(http: httpx.Client, *items: dict[str, Any], **query: str) -> httpx.Response:
    return http.post("/classify", json={"items": items}, params=query)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ({}, Asked()),
        ({"learn": "true", "explain": "false", "stream": "x"}, Asked()),
        ({"learn": "false"}, Asked(learn=False)),
        ({"explain": "true"}, Asked(explain=True)),
        ({"learn": "false", "explain": "true"}, Asked(learn=False, explain=True)),
    ],
)
def test_what_is_asked_for(query: dict[str, str], asked: Asked) -> None:
    """By default an item is learnt, and not explained."""
    assert asked == asked_in(query)


@pytest.mark.parametrize("value", ["", "1", "yes", "True", "x" * 10_000])
def test_anything_but_true_and_false_is_refused(value: str) -> None:
    """A dry run that was meant and not understood would be learnt."""
    for name in ("learn", "explain"):
        with pytest.raises(InvalidParameter, match=f"{name} must be true or false") as refused:
            asked_in({name: value})

        assert len(str(refused.value)) < 100


def test_only_so_many_are_explained_at_once() -> None:
    """Without explanations there is no such limit."""
    Asked().check(MOST_EXPLAINED + 1)
    Asked(explain=True).check(MOST_EXPLAINED)
    with pytest.raises(InvalidParameter, match="at most 100 items in one request, not 101"):
        Asked(explain=True).check(MOST_EXPLAINED + 1)


def test_the_schema_has_the_defaults_of_the_code() -> None:
    """Name by name."""
    assert {"learn": True, "explain": False} == {p["name"]: p["schema"]["default"] for p in PARAMETERS}  # type: ignore[index]


class TestOverHttp:
    @pytest.mark.usefixtures("unchanged")
    def test_a_dry_run_leaves_the_service_as_it_was(self, http: httpx.Client) -> None:
        """Bit for bit; the answers have no place in the stream, and an id that is new stays new."""
        answer = post(http, {"id": "dry", "x": digits.raw()}, {"x": digits.raw(1)}, learn="false")
        results = answer.json()["results"]

        assert 200 == answer.status_code
        assert [("dry", None, False), (None, None, False)] == [
            (r["id"], r["seq"], r["learned"]) for r in results
        ]
        assert all("explanation" not in r for r in results)

    def test_a_single_item(self, http: httpx.Client) -> None:
        """One in, one out, as ever; the explanation has the fields that the schema has."""
        one = {"id": f"asked-{next(_names)}", "x": digits.raw()}
        answer = http.post("/classify", json=one, params={"explain": "true"}).json()
        schemas.ExaminedOut.model_validate(answer, strict=True, extra="forbid")

        assert answer["learned"]
        assert answer["seq"] == answer["explanation"]["as_of"]
        assert answer == http.post("/classify", json=one, params={"explain": "true"}).json() | {
            "explanation": answer["explanation"]
        }

    def test_every_field_of_an_explanation_is_in_the_schema(self, http: httpx.Client) -> None:
        """And no other; of items of all kinds, in the bodies and in the page that describes them."""
        results = post(
            http, *({"x": digits.raw(n)} for n in range(40)), learn="false", explain="true"
        ).json()["results"]
        for result in results:
            schemas.ExaminedOut.model_validate(result, extra="forbid")

        assert {"known"} < {result["verdict"] for result in results}
        (example,) = [
            block.partition("```")[0] for block in PAGE.read_text(encoding="utf-8").split("```json\n")[1:]
        ]
        shown = schemas.ExaminedOut.model_validate(msgspec.json.decode(example), extra="forbid")
        assert shown.explanation is not None
        assert all((shown.explanation.reasons, shown.explanation.scores, shown.explanation.clusters))

    def test_too_many_and_unclear_values_are_refused(self, http: httpx.Client) -> None:
        """Before anything is learnt."""
        many = [{"x": digits.raw()}] * (MOST_EXPLAINED + 1)

        assert 422 == post(http, *many, explain="true").status_code
        assert 422 == post(http, {"x": digits.raw()}, learn="no").status_code
        assert post(http, {"x": digits.raw()}, learn="no").json()["type"].endswith("/invalid-parameter")

    def test_a_bad_item_fails_alone(self, http: httpx.Client) -> None:
        """As it does without."""
        results = post(http, {"x": "no"}, {"x": digits.raw()}, learn="false", explain="true").json()[
            "results"
        ]

        assert "problem" in results[0]
        assert "explanation" in results[1]

    def test_a_dry_run_makes_no_stream(self, http: httpx.Client) -> None:
        """Where there is none, there is nothing that could be said of an item."""
        answer = post(http, {"x": digits.raw()}, learn="false", stream="nobody-sent-to-this")

        assert 404 == answer.status_code
        assert 404 == http.get("/clusters", params={"stream": "nobody-sent-to-this"}).status_code

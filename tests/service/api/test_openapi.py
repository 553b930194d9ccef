"""The schema: every form, every problem, with examples that are taken."""

from typing import Any

import httpx
import jsonschema
import pytest
from fastapi import FastAPI

from model.inputs import InputSpec
from service.api import classify, clusters, decisions, dlq, events, rest, streams, webhooks
from service.api.failures import FAILURES, PROBLEM_JSON
from service.api.formats.answers import ANSWER_FORMS
from service.api.formats.table import BODY_FORMS
from service.api.openapi import complete
from service.decisions import Action
from tests.service.api.formats.sent import SPECS

UNSEEN = {"unknown-path", "method", "internal"}
"""Problems that no operation of the schema has: they are what is said to who does not follow it; and a bug."""


def schema_of(spec: InputSpec) -> dict[str, Any]:
    app = FastAPI()
    for module in (classify, clusters, decisions, rest, streams, events, webhooks, dlq):
        app.include_router(module.router)
    openapi = app.openapi()
    complete(openapi, spec)
    return openapi


@pytest.mark.parametrize("name", SPECS)
def test_every_form_of_body_and_answer(name: str) -> None:
    """Those that this kind of input has; pictures for images, raw numbers for numbers."""
    spec = SPECS[name]
    post = schema_of(spec)["paths"]["/classify"]["post"]
    sent = set(post["requestBody"]["content"])
    everything = {alias for form in BODY_FORMS for alias in (form.media_type, *form.aliases)}
    others = everything - sent

    assert {form.media_type for form in ANSWER_FORMS} == set(post["responses"]["200"]["content"])
    assert sent <= everything
    assert ("application/octet-stream" in others) == (spec.width is None)
    assert ("image/png" in others) == (name not in ("image", "colour"))


@pytest.mark.parametrize("name", SPECS)
def test_the_example_is_an_item(name: str) -> None:
    """By the schema of the items themselves."""
    openapi = schema_of(SPECS[name])
    content = openapi["paths"]["/classify"]["post"]["requestBody"]["content"]["application/json"]
    jsonschema.validate(content["example"], {**content["schema"], "components": openapi["components"]})


def test_every_problem_is_shown_with_its_status() -> None:
    """Each row of the table of failures somewhere, as an example that is a problem."""
    openapi = schema_of(SPECS["image"])
    shown = {}
    for operations in openapi["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                for name, example in (
                    response.get("content", {}).get(PROBLEM_JSON, {}).get("examples", {}).items()
                ):
                    assert int(status) == example["value"]["status"]
                    assert f"/problems/{name}" == example["value"]["type"]
                    shown[name] = int(status)

    assert {row.name: row.status for row in FAILURES if row.name not in UNSEEN} == shown


def test_every_decision_has_an_example_that_is_taken() -> None:
    """By the schema beside it."""
    openapi = schema_of(SPECS["image"])
    for action in Action:
        post = openapi["paths"][f"/clusters/{{cluster_id}}/{action}"]["post"]
        content = post["requestBody"]["content"]["application/json"]

        jsonschema.validate(content["example"], {**content["schema"], "components": openapi["components"]})
        assert {"400", "404", "409", "422", "503"} <= post["responses"].keys()
        assert {"cluster_id", "stream", "Idempotency-Key"} == {one["name"] for one in post["parameters"]}


def test_nothing_is_left_of_what_fastapi_would_answer() -> None:
    """Errors are problems here, and every reference leads somewhere."""
    openapi = schema_of(SPECS["text"])
    references = {
        part.partition('"')[0] for part in str(openapi).replace("'", '"').split('"#/components/schemas/')[1:]
    }

    assert "HTTPValidationError" not in str(openapi)
    assert references <= set(openapi["components"]["schemas"])


def test_the_service_shows_it(http: httpx.Client) -> None:
    """With the example of its bundle."""
    post = http.get("/openapi.json").json()["paths"]["/classify"]["post"]

    assert {"415", "422", "503"} <= post["responses"].keys()
    assert 64 == len(post["requestBody"]["content"]["application/json"]["example"]["items"][0]["x"])

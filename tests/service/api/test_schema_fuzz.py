"""Whatever the OpenAPI schema allows, and what it does not, is answered as the schema says: never by a 500.

schemathesis makes requests from the schema of a running service, sound and broken ones, and holds every answer against
the schema: its status, media type, headers and body.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import numpy as np
import pytest
import schemathesis
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.api.formats.table import BODY_FORMS
from service.api.patience import DEADLINE_HEADER
from service.decisions import Action
from service.settings import Settings
from service.state.keys import STREAM_PATTERN
from tests.service import digits
from tests.service.api.formats.sent import arrow, fixed, good_bodies, jpeg, png
from tests.service.inside import Inside, running

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

_pixels = np.zeros((8, 8), dtype=np.uint8)
_raw = np.zeros((2, 64), dtype=np.uint8)


def _bodies(media_type: str) -> list[bytes]:
    """Sound bodies of a form, which no schema can describe."""
    own = {
        "image/png": [png(_pixels)],
        "image/jpeg": [jpeg(_pixels)],
        "application/octet-stream": [_raw.tobytes(), _raw.astype("<f4").tobytes()],
        "application/vnd.apache.arrow.stream": [arrow({"x": fixed(_raw)})],
    }
    spec = digits.bundle().manifest.input
    return own.get(media_type, [good.body for good in good_bodies(spec) if good.media_type == media_type])


def _register() -> None:
    for form in BODY_FORMS[1:]:
        strategy = st.deferred(
            lambda name=form.media_type: st.sampled_from(_bodies(name)) | st.binary(max_size=200)
        )
        schemathesis.openapi.media_type(form.media_type, strategy, aliases=form.aliases)


_register()


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Inside]:
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        settings = Settings.read({}, data_dir=Path(folder), max_items=64, max_body_bytes=1 << 16)
        with running(settings, digits.bundle()) as inside:
            for start in range(
                0, len(items := digits.stream_items()), 64
            ):  # there are clusters to decide about
                sent = {"items": items[start : start + 64]}
                httpx.post(
                    f"{inside.url}/classify", json=sent, timeout=60, trust_env=False
                ).raise_for_status()
            yield inside


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_in_the_schema(fuzzed: Inside, mode: GenerationMode) -> None:
    """Of every route, in every form, to requests that keep to the schema and to those that do not."""
    api = schemathesis.openapi.from_url(f"{fuzzed.url}/openapi.json")
    operations = [found.ok() for found in api.get_all_operations()]
    for operation in operations:

        @hypothesis.settings(
            max_examples=30 if operation.path == "/classify" else 5,
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def answered(case: Any) -> None:
            if "cluster_id" in (case.path_parameters or {}) and mode is GenerationMode.POSITIVE:
                case.path_parameters["cluster_id"] = abs(case.path_parameters["cluster_id"]) % 6
            stream = (case.query or {}).get("stream")
            if isinstance(stream, str) and re.fullmatch(STREAM_PATTERN, stream):
                del case.query["stream"]  # each one would be made
            response = case.call(timeout=60)
            checks = list(CHECKS)
            if response.status_code == httpx.codes.GATEWAY_TIMEOUT and DEADLINE_HEADER in (
                case.headers or {}
            ):
                checks.remove(
                    not_a_server_error
                )  # it was missed as asked for; what is said of that is checked
            case.validate_response(response, checks=checks)

        try:
            answered()
        except Unsatisfiable:  # an operation without parameters cannot be called wrongly
            assert mode is GenerationMode.NEGATIVE

    decided = {f"/clusters/{{cluster_id}}/{action}" for action in Action}
    assert {"/classify", "/clusters", "/decisions", "/dlq"} | decided <= {o.path for o in operations}
    assert [] == fuzzed.fatal

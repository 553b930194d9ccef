"""What `/docs` and `/openapi.json` say beyond what FastAPI finds out: every form of a body and every problem.

The schema is completed once, when the application is made, for the bundle it serves: the schema of `x` is that of its
input, and the examples are items that it takes. Problems are taken from the one table of failures, so that none is
missing.
"""

from typing import Any, cast

import msgspec
from pydantic.json_schema import models_json_schema

from model.inputs import ImageInput, InputSpec, NumericInput, TableInput, TextInput, example_item
from service.api.asked import PARAMETERS
from service.api.compression import ACCEPT_ENCODING
from service.api.decision_bodies import FORMS
from service.api.failures import FAILURES, PROBLEM_JSON, Failure
from service.api.formats.answers import ANSWER_FORMS, JSON, LINES, MSGPACK
from service.api.formats.arrow_body import ARROW
from service.api.formats.raw_body import DTYPE_HEADER, IDS_HEADER, SHAPE_HEADER
from service.api.formats.table import BODY_FORMS, IMAGES, OCTETS
from service.api.idempotency import KEY_HEADER
from service.api.patience import DEADLINE
from service.api.schemas import EXAMPLE_VERDICT, STREAM, ItemIn, ItemsIn
from service.ingest.intake import MAX_ID_CHARACTERS

Schema = dict[str, Any]

_BINARY: Schema = {"type": "string", "format": "binary"}

_CLASSIFY = {
    400: "The body is not of the form that its content type says, or a header cannot be read.",
    404: "There is no such stream, and it may not be made.",
    406: "The answer has none of the forms that `Accept` lists.",
    408: "The body did not come in time.",
    413: "The body, decompressed, or the number of items is over the limit.",
    415: "The content type or the content encoding is not read here.",
    422: (
        "No stream can have this name; or no item could be classified as sent, or the only one is in "
        "quarantine; the problem says what to do. Or the Idempotency-Key was sent with another body."
    ),
    429: "The key has used what it may: send the same after `Retry-After` seconds.",
    431: "The request's head is too large.",
    503: "Not ready, overloaded, or the store is away: send the same after `Retry-After` seconds.",
    504: "The deadline passed before the items were in hand; none that was not is counted.",
}
"""What may come of POST /classify, beside verdicts."""

_OF_ITEMS = {"invalid-item", "quarantined"}
_OF_QUARANTINE = {"unknown-dead-letter", "not-kept"}
_OF_DECISIONS = {"unknown-decision", "cannot-decide", "invalid-decision", "decision-refused"}
_OF_WEBHOOKS = {"unknown-webhook", "webhooks-full"}
_OF_CLUSTERS = {"unknown-cluster"} | _OF_DECISIONS

_NOT_OF = {
    ("/classify", "post"): _OF_CLUSTERS | _OF_QUARANTINE | _OF_WEBHOOKS,
    ("/clusters", "get"): _OF_ITEMS
    | _OF_QUARANTINE
    | _OF_WEBHOOKS
    | {"unknown-decision", "invalid-decision", "key-reused"},
    ("/clusters", "post"): _OF_ITEMS | _OF_QUARANTINE | _OF_WEBHOOKS,
    ("/decisions", "get"): _OF_CLUSTERS | _OF_ITEMS | _OF_QUARANTINE | _OF_WEBHOOKS | {"key-reused"},
    ("/events", "get"): _OF_CLUSTERS | _OF_ITEMS | _OF_QUARANTINE | _OF_WEBHOOKS | {"key-reused"},
    ("/dlq", ""): _OF_CLUSTERS | _OF_WEBHOOKS | {"key-reused"},
    ("/webhooks", ""): _OF_CLUSTERS | _OF_ITEMS | _OF_QUARANTINE | {"key-reused"},
}
"""By how the path begins, and the method ("" for any): problems that share a status with those of a route, and are none
of its own; an unknown path is no route's."""


def complete(openapi: Schema, spec: InputSpec) -> None:
    """Complete the schema that FastAPI made, in place.

    Args:
        openapi: The application keeps it and shows it.
        spec: What the bundle takes.
    """
    _, models = models_json_schema(
        [(ItemsIn, "validation"), (ItemIn, "validation")], ref_template="#/components/schemas/{model}"
    )
    components = openapi["components"]["schemas"]
    components |= models["$defs"]
    bodies = [form.body for form in FORMS.values()]
    components |= msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")[1]
    components["ItemIn"] = _item_schema(spec)
    components.pop("HTTPValidationError", None)
    components.pop("ValidationError", None)
    post = openapi["paths"]["/classify"]["post"]
    post["parameters"] = _parameters(spec)
    post["requestBody"] = {"required": True, "content": _bodies(spec)}
    schema = post["responses"]["200"]["content"][JSON]["schema"]
    post["responses"] |= {"200": _answers(schema)}
    for status, description in _CLASSIFY.items():
        post["responses"][str(status)] = {"description": description, "content": {PROBLEM_JSON: {}}}
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                _show_problems(path, method, int(status), response)
    only_bad = post["responses"]["422"]["content"]
    only_bad |= _answers(schema, example=False)["content"]


def _show_problems(path: str, method: str, status: int, response: Schema) -> None:
    """Give a response that is a problem its media type, schema and examples."""
    content = response.get("content", {})
    named = content.get(JSON, {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    if PROBLEM_JSON not in content and named not in ("ProblemOut", "HTTPValidationError"):
        return
    if named == "HTTPValidationError":
        response["description"] = "A parameter cannot be read."
    others = next(
        (o for (start, m), o in _NOT_OF.items() if path.startswith(start) and m in ("", method)), set()
    )
    rows = [row for row in FAILURES if row.status == status and row.name not in {*others, "unknown-path"}]
    response["content"] = {
        PROBLEM_JSON: {
            "schema": {"$ref": "#/components/schemas/ProblemOut"},
            "examples": {row.name: {"summary": row.title, "value": _example_of(row)} for row in rows},
        }
    }


def _example_of(row: Failure) -> Schema:
    detail = " ".join((row.error.__doc__ or "").split())
    return {"type": f"/problems/{row.name}", "title": row.title, "status": row.status, "detail": detail}


# What is sent


def _item_schema(spec: InputSpec) -> Schema:
    id: Schema = {
        "anyOf": [
            {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARACTERS, "pattern": "^[^~]"},
            {"type": "null"},
        ],
        "description": "Makes a resend safe: an id keeps its verdict.",
    }
    x = {**_x_schema(spec), "description": "The raw payload; GET /info tells what it is, with an example."}
    plain: Schema = {
        "type": "object",
        "properties": {"id": id, "x": x},
        "required": ["x"],
        "additionalProperties": False,
    }
    if not isinstance(spec, ImageInput):
        return {**plain, "title": "ItemIn"}
    image = {"type": "string", "contentEncoding": "base64", "description": "A PNG or JPEG, in base64."}
    pictured = {**plain, "properties": {"id": id, "image": image}, "required": ["image"]}
    return {"title": "ItemIn", "anyOf": [plain, pictured]}


def _x_schema(spec: InputSpec) -> Schema:
    match spec:
        case NumericInput():
            number = {"type": "number", "minimum": spec.minimum, "maximum": spec.maximum}
            return {"type": "array", "items": number, "minItems": spec.size, "maxItems": spec.size}
        case TextInput():
            return {"type": "string", "minLength": 1, "maxLength": spec.max_characters, "pattern": r"\S"}
        case TableInput():
            kinds: dict[str, Schema] = {
                "number": {"type": ["number", "null"]},
                "category": {"type": ["string", "number", "boolean", "null"]},
            }
            return {
                "type": "object",
                "properties": {column.name: kinds[column.kind] for column in spec.columns},
                "additionalProperties": False,
                "minProperties": 1,
            }
    raise AssertionError(spec)


def _bodies(spec: InputSpec) -> dict[str, Schema]:
    item = {"id": "a", "x": example_item(spec)}
    item_ref: Schema = {"$ref": "#/components/schemas/ItemIn"}
    objects: Schema = {"anyOf": [{"$ref": "#/components/schemas/ItemsIn"}, item_ref]}
    bodies: dict[str, Schema] = {}
    for form in BODY_FORMS:
        for name in (form.media_type, *form.aliases):
            if form.media_type == JSON:
                bodies[name] = {"schema": objects, "example": {"items": [item]}}
            elif form.media_type == MSGPACK:
                bodies[name] = {
                    "schema": {
                        **_BINARY,
                        "description": "MessagePack of what JSON has; x may be raw values as bytes.",
                    },
                }
            elif form.media_type == LINES:
                bodies[name] = {
                    "schema": {"type": "string", "description": "One item a line, as JSON."},
                    "itemSchema": item_ref,
                }
            elif form.media_type == OCTETS and spec.width is not None:
                bodies[name] = {
                    "schema": {
                        **_BINARY,
                        "description": f"{spec.width} numbers an item, of {DTYPE_HEADER}, nothing between.",
                    }
                }
            elif form.media_type == ARROW:
                bodies[name] = {
                    "schema": {**_BINARY, "description": "An IPC stream: x, and id where items have one."}
                }
            elif form.media_type in IMAGES and isinstance(spec, ImageInput):
                bodies[name] = {"schema": {**_BINARY, "description": "One picture, one item."}}
    return bodies


def _parameters(spec: InputSpec) -> list[Schema]:
    def header(name: str, description: str, example: str, schema: Schema | None = None) -> Schema:
        return {
            "name": name,
            "in": "header",
            "required": False,
            "schema": schema or {"type": "string"},
            "description": description,
            "example": example,
        }

    shown = [
        *STREAM["parameters"],
        *PARAMETERS,
        DEADLINE,
        header(
            KEY_HEADER,
            "Gives items without an id one made of the key and their place, so that the request may be sent again.",
            '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
            {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[!-~]+$"},
        ),
        header(
            "Content-Encoding",
            "How the body is compressed.",
            "zstd",
            {"type": "string", "enum": ["identity", *ACCEPT_ENCODING.split(", ")]},
        ),
    ]
    if spec.width is not None:
        shown += [
            header(
                DTYPE_HEADER,
                f"Of the numbers of {OCTETS}, little-endian; required there.",
                "uint8",
                {"type": "string", "enum": ["uint8", "float32"]},
            ),
            header(
                SHAPE_HEADER,
                f"The number of items in {OCTETS}, then the shape of one.",
                f"64,{spec.width}",
                {"type": "string", "pattern": "^[0-9]{1,4}(,[0-9]{1,6}){1,3}$"},
            ),
            header(
                IDS_HEADER, f"An id for each item in {OCTETS}, percent-encoded; empty for none.", "a,b,,d"
            ),
        ]
    return shown


# What comes back


def _answers(schema: Schema, *, example: bool = True) -> Schema:
    """The response that says what became of items."""
    content: dict[str, Schema] = {}
    for form in ANSWER_FORMS:
        if form.media_type == JSON:
            content[JSON] = {"schema": schema}
            if example:
                content[JSON]["example"] = {"results": [EXAMPLE_VERDICT]}
        elif form.media_type == LINES:
            content[LINES] = {"schema": {"type": "string", "description": "One result a line, as JSON."}}
        else:
            content[form.media_type] = {"schema": _BINARY}
    headers = {
        "Firstseen-Durability": {
            "description": "What the answer promises.",
            "schema": {"type": "string", "enum": ["fsync", "relaxed", "replicated"]},
        }
    }
    return cast(
        "Schema", {"description": "What became of each item.", "headers": headers, "content": content}
    )

"""`POST /classify` on a running service: what is promised of items, and every form of body and answer."""

import base64
import gzip
import itertools
import json
from typing import Any

import httpx
import msgspec
import numpy as np
import pyarrow as pa
import pytest

from service.api.compression import zstd
from service.api.formats.answers import ANSWER_FORMS
from tests.service import digits
from tests.service.api.formats.sent import arrow, fixed, png
from tests.service.inside import Inside

_names = itertools.count()

VERDICT_FIELDS = {"id", "seq", "verdict", "label", "cluster_id", "novelty", "nearest", "distance"}


@pytest.fixture
def name() -> str:
    """A prefix for ids that no other test uses."""
    return f"classify{next(_names)}"


def classify(http: httpx.Client, *items: dict[str, Any]) -> list[dict[str, Any]]:
    answer = http.post("/classify", json={"items": items})
    assert 200 == answer.status_code, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


class TestClassify:
    def test_single(self, http: httpx.Client, name: str) -> None:
        """One item in, one verdict out, with every field promised."""
        verdict = http.post("/classify", json={"id": name, "x": digits.raw()}).json()

        assert VERDICT_FIELDS == verdict.keys()
        assert name == verdict["id"]
        assert verdict["verdict"] in {"known", "cluster", "outlier"}
        assert 0 <= verdict["novelty"] < 1
        assert verdict["distance"] >= 0

    @pytest.mark.parametrize("is_single", [True, False])
    def test_promise(self, http: httpx.Client, name: str, is_single: bool) -> None:
        """The answer says how durable it is."""
        item = {"id": name, "x": digits.raw()}
        answer = http.post("/classify", json=item if is_single else {"items": [item]})

        assert "fsync" == answer.headers["firstseen-durability"]

    @pytest.mark.parametrize("is_single", [True, False])
    @pytest.mark.parametrize("x", [digits.raw(), "no digit"])
    def test_a_dry_run_promises_nothing(self, http: httpx.Client, is_single: bool, x: Any) -> None:
        """Nothing is kept, so nothing is durable: neither a verdict nor a refusal says so."""
        body = {"x": x} if is_single else {"items": [{"x": x}]}
        answer = http.post("/classify", params={"learn": "false"}, json=body)

        assert answer.status_code in {200, 422}
        assert "firstseen-durability" not in answer.headers

    def test_in_order(self, http: httpx.Client, name: str) -> None:
        """Results come in the order of the items, and seqs of new items rise by one."""
        results = classify(http, *digits.many(name, 20))

        assert [f"{name}-{n}" for n in range(20)] == [r["id"] for r in results]
        first = results[0]["seq"]
        assert list(range(first, first + 20)) == [r["seq"] for r in results]

    def test_label_and_cluster(self, http: httpx.Client, name: str) -> None:
        """A label is there exactly when the verdict is known, a cluster exactly when it is cluster."""
        results = classify(http, *digits.many(name, 100))

        assert all((r["label"] is not None) == (r["verdict"] == "known") for r in results)
        assert all((r["cluster_id"] is not None) == (r["verdict"] == "cluster") for r in results)
        assert all(r["label"] in (None, r["nearest"]) for r in results)

    def test_repeat(self, http: httpx.Client, name: str) -> None:
        """An id that was sent before gets the verdict it had, whatever it brings now."""
        first = classify(http, {"id": name, "x": digits.raw(0)})

        assert first == classify(http, {"id": name, "x": digits.raw(5)})

    def test_repeat_counts_once(self, http: httpx.Client, name: str) -> None:
        """A repeat does not move the stream."""
        classify(http, {"id": name, "x": digits.raw()})
        before = http.get("/info").json()

        classify(http, {"id": name, "x": digits.raw()})

        assert before == http.get("/info").json()

    def test_twice_in_one_batch(self, http: httpx.Client, name: str) -> None:
        """An id that occurs twice in one request counts once, and both places get its verdict."""
        twice = classify(
            http,
            {"id": name, "x": digits.raw(0)},
            {"x": digits.raw(1)},
            {"id": name, "x": digits.raw(2)},
        )

        assert twice[0] == twice[2]
        assert twice[0]["seq"] + 1 == twice[1]["seq"]

    def test_no_id(self, http: httpx.Client) -> None:
        """An item without an id gets one made of its seq; the same item again is another one."""
        a, b = classify(http, {"x": digits.raw()}, {"x": digits.raw()})

        assert f"~{a['seq']}" == a["id"]
        assert a["seq"] + 1 == b["seq"]

    def test_null_id(self, http: httpx.Client) -> None:
        """An id of null is no id."""
        (result,) = classify(http, {"id": None, "x": digits.raw()})

        assert result["id"].startswith("~")

    def test_nested(self, http: httpx.Client, name: str) -> None:
        """An image may be nested in rows; it is the same item."""
        flat = digits.raw(3)
        rows = [flat[n : n + 8] for n in range(0, 64, 8)]
        a, b = classify(http, {"id": f"{name}a", "x": flat}, {"id": f"{name}b", "x": rows})

        assert (a["nearest"], a["novelty"], a["distance"]) == (b["nearest"], b["novelty"], b["distance"])

    def test_none(self, http: httpx.Client) -> None:
        """No items, no results."""
        assert [] == classify(http)

    def test_bad_item_fails_alone(self, http: httpx.Client, name: str) -> None:
        """A bad item has a problem in its place; the others have verdicts."""
        good = {"id": f"{name}-good", "x": digits.raw()}
        bad, fine = classify(http, {"id": f"{name}-bad", "x": [1, 2]}, good)

        assert f"{name}-bad" == bad["id"]
        assert 422 == bad["problem"]["status"]
        assert "64 numbers" in bad["problem"]["detail"]
        assert VERDICT_FIELDS == fine.keys()

    def test_content_type(self, http: httpx.Client, name: str) -> None:
        """JSON with a charset, or with no content type at all, is taken."""
        body = json.dumps({"id": name, "x": digits.raw()}).encode()
        with_charset = {"content-type": "application/json; charset=utf-8"}

        assert 200 == http.post("/classify", content=body, headers=with_charset).status_code
        assert 200 == http.post("/classify", content=body).status_code

    def test_named_stream(self, http: httpx.Client, name: str) -> None:
        """The stream may be named."""
        answer = http.post("/classify", params={"stream": "default"}, json={"id": name, "x": digits.raw()})

        assert 200 == answer.status_code


def bodies(name: str, n: int = 3) -> dict[str, tuple[bytes, dict[str, str]]]:
    """The same digits under the same ids, in every form: body and headers."""
    items = digits.many(name, n)
    raw = np.array([item["x"] for item in items], dtype=np.uint8)
    ids = [item["id"] for item in items]
    rows = [{"id": id, "x": row.tobytes()} for id, row in zip(ids, raw, strict=True)]
    octets = {"firstseen-dtype": "uint8", "firstseen-shape": f"{n},8,8", "firstseen-ids": ",".join(ids)}
    return {
        "application/json": (json.dumps({"items": items}).encode(), {}),
        "application/octet-stream": (raw.tobytes(), octets),
        "application/x-msgpack": (msgspec.msgpack.encode({"items": rows}), {}),
        "application/vnd.apache.arrow.stream": (arrow({"id": ids, "x": fixed(raw)}), {}),
        "application/x-ndjson": (b"".join(json.dumps(item).encode() + b"\n" for item in items), {}),
    }


def decoded(answer: httpx.Response) -> list[dict[str, Any]]:
    """Results, from any form."""
    match answer.headers["content-type"]:
        case "application/json":
            results = answer.json()["results"]
        case "application/x-msgpack":
            results = msgspec.msgpack.decode(answer.content)["results"]
        case "application/x-ndjson":
            results = [json.loads(line) for line in answer.content.splitlines()]
        case "application/vnd.apache.arrow.stream":
            rows = pa.ipc.open_stream(answer.content).read_all().to_pylist()
            results = [{key: row[key] for key in VERDICT_FIELDS} for row in rows]
        case other:
            raise AssertionError(other)
    found: list[dict[str, Any]] = results
    return found


class TestForms:
    @pytest.mark.parametrize("sent", bodies("x"))
    @pytest.mark.parametrize("accept", [form.media_type for form in ANSWER_FORMS])
    def test_every_form_to_every_form(self, http: httpx.Client, name: str, sent: str, accept: str) -> None:
        """The verdicts are those of the same items as JSON."""
        expected = classify(http, *digits.many(name, 3))
        body, headers = bodies(name)[sent]
        answer = http.post(
            "/classify", content=body, headers={**headers, "content-type": sent, "accept": accept}
        )

        assert 200 == answer.status_code, answer.text
        assert accept == answer.headers["content-type"]
        assert "fsync" == answer.headers["firstseen-durability"]
        assert expected == decoded(answer)

    def test_pictures(self, http: httpx.Client, name: str) -> None:
        """As the body, in base64, in a data: URL: a verdict each, and all are alike."""
        picture = png((np.array(digits.raw(0), dtype=np.uint8) * 15).reshape(8, 8))
        text = base64.b64encode(picture).decode()
        whole = http.post("/classify", content=picture, headers={"content-type": "image/png"}).json()
        items = [{"id": name, "image": text}, {"x": f"data:image/png;base64,{text}"}, {"image": "no"}]
        *good, bad = classify(http, *items)

        assert name == good[0]["id"]
        assert [pytest.approx(whole["distance"], rel=1e-4)] * 2 == [one["distance"] for one in good]
        assert "not base64" in bad["problem"]["detail"]

    def test_a_bad_picture(self, http: httpx.Client) -> None:
        """On its own it is a problem."""
        answer = http.post("/classify", content=b"abc", headers={"content-type": "image/jpeg"})

        assert 422 == answer.status_code
        assert "cannot be decoded" in answer.json()["detail"]

    def test_not_acceptable(self, http: httpx.Client) -> None:
        """A form that there is not is a problem before anything is counted."""
        answer = http.post("/classify", json={"x": digits.raw()}, headers={"accept": "text/html"})

        assert (406, "/problems/not-acceptable") == (answer.status_code, answer.json()["type"])

    def test_single_in_msgpack(self, http: httpx.Client, name: str) -> None:
        """One item on its own has its verdict on its own."""
        body = msgspec.msgpack.encode({"id": name, "x": digits.raw()})
        headers = {"content-type": "application/msgpack", "accept": "application/msgpack"}
        answer = http.post("/classify", content=body, headers=headers)

        assert VERDICT_FIELDS == msgspec.msgpack.decode(answer.content).keys()

    def test_raw_headers(self, http: httpx.Client) -> None:
        """A header that cannot be is a 400."""
        answer = http.post("/classify", content=b"", headers={"content-type": "application/octet-stream"})

        assert (400, "/problems/invalid-header") == (answer.status_code, answer.json()["type"])


def unpacked(answer: httpx.Response) -> bytes:
    """The content; this client reads zstd only where another package is installed."""
    is_packed = answer.content.startswith(b"\x28\xb5\x2f\xfd")
    return zstd.decompress(answer.content) if is_packed else answer.content


class TestCompressed:
    @pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
    def test_body(self, http: httpx.Client, name: str, encoding: str, pack: Any) -> None:
        """A compressed body is the body."""
        body = pack(json.dumps({"items": digits.many(name, 2)}).encode())
        answer = http.post("/classify", content=body, headers={"content-encoding": encoding})

        assert 2 == len(answer.json()["results"])

    def test_bomb(self, http: httpx.Client) -> None:
        """100 MB in 100 KB are refused at the limit."""
        answer = http.post(
            "/classify", content=gzip.compress(bytes(100_000_000)), headers={"content-encoding": "gzip"}
        )

        assert 413 == answer.status_code
        assert "when it is decompressed" in answer.json()["detail"]

    def test_other(self, http: httpx.Client) -> None:
        """What is not read is a 415 that says what is."""
        answer = http.post("/classify", content=b"x", headers={"content-encoding": "br"})

        assert (415, "/problems/content-encoding") == (answer.status_code, answer.json()["type"])
        assert "zstd, gzip, deflate" == answer.headers["accept-encoding"]

    @pytest.mark.parametrize("encoding", ["gzip", "zstd", "identity"])
    def test_answer(self, http: httpx.Client, name: str, encoding: str) -> None:
        """A large answer is compressed where that is wanted, a small one is not."""
        items = digits.many(name, 128)
        large, small = (
            http.post("/classify", json={"items": some}, headers={"accept-encoding": encoding})
            for some in (items, items[:1])
        )

        assert (None if encoding == "identity" else encoding) == large.headers.get("content-encoding")
        assert "content-encoding" not in small.headers
        assert 128 == len(json.loads(unpacked(large))["results"])


class TestKey:
    def post(self, http: httpx.Client, key: str, *items: dict[str, Any]) -> httpx.Response:
        return http.post("/classify", json={"items": items}, headers={"idempotency-key": f'"{key}"'})

    def test_again(self, http: httpx.Client, name: str) -> None:
        """The same request has the same verdicts, and counts once; an item's own id wins."""
        items = [{"x": digits.raw(0)}, {"id": name, "x": digits.raw(1)}, {"x": [1]}, {"x": digits.raw(2)}]
        first = self.post(http, name, *items).json()["results"]
        seq = http.get("/info").json()["seq"]

        assert first == self.post(http, name, *items).json()["results"]
        assert seq == http.get("/info").json()["seq"]
        assert name == first[1]["id"]
        assert ["-0", "-3"] == [first[n]["id"][-2:] for n in (0, 3)]
        assert first[0]["id"].startswith("~key-")

    def test_another_body(self, http: httpx.Client, name: str) -> None:
        """Is a mistake, and a 422."""
        self.post(http, name, {"x": digits.raw(0)})
        answer = self.post(http, name, {"x": digits.raw(1)})

        assert (422, "/problems/key-reused") == (answer.status_code, answer.json()["type"])

    def test_mended(self, http: httpx.Client, name: str) -> None:
        """A request of which nothing was taken may be mended under its key."""
        assert 422 == self.post(http, name, {"x": [1]}).status_code
        assert 200 == self.post(http, name, {"x": digits.raw(0)}).status_code

    def test_raw(self, http: httpx.Client, name: str) -> None:
        """The way for raw numbers to be sent again."""
        headers = {
            "content-type": "application/octet-stream",
            "firstseen-dtype": "uint8",
            "idempotency-key": name,
        }
        body = np.array([digits.raw(k) for k in range(3)], dtype=np.uint8).tobytes()
        first, again = (http.post("/classify", content=body, headers=headers).json() for _ in range(2))

        assert first == again

    def test_bad(self, http: httpx.Client) -> None:
        """A key that cannot be is a 400."""
        answer = http.post("/classify", json={"x": digits.raw()}, headers={"idempotency-key": '""'})

        assert (400, "/problems/invalid-header") == (answer.status_code, answer.json()["type"])


def test_the_service_is_the_same_after_all_this(service: Inside) -> None:
    """Nothing went wrong inside."""
    assert [] == service.fatal

"""The HTTP routes on a running service: health, counts, documentation."""

import itertools
from typing import Any

import httpx
import pytest

from tests.service import digits

_names = itertools.count()

VERDICT_FIELDS = {"id", "seq", "verdict", "label", "cluster_id", "novelty", "nearest", "distance"}


@pytest.fixture
def name() -> str:
    """A prefix for ids that no other test uses."""
    return f"rest{next(_names)}"


def classify(http: httpx.Client, *items: dict[str, Any]) -> list[dict[str, Any]]:
    answer = http.post("/classify", json={"items": items})
    assert 200 == answer.status_code, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


class TestHealth:
    def test_live(self, http: httpx.Client) -> None:
        """A live process says so."""
        assert {"live": True} == http.get("/livez").json()

    def test_ready(self, http: httpx.Client) -> None:
        """A ready service gives no reason why not."""
        assert {"ready": True, "reason": None, "warnings": [], "durability": "fsync"} == http.get(
            "/readyz"
        ).json()

    def test_metrics(self, http: httpx.Client, name: str) -> None:
        """Verdicts, repeats and refusals are counted, in the format of Prometheus."""

        def counted() -> dict[str, float]:
            answer = http.get("/metrics")
            assert answer.headers["content-type"].startswith("text/plain")
            lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
            return {key: float(value) for key, _, value in (line.rpartition(" ") for line in lines)}

        before = counted()
        classify(http, *digits.many(name, 3), digits.many(name, 1)[0], {"x": "no"})
        after = counted()

        def grew(*names: str) -> float:
            return sum(after[n] - before[n] for n in names)

        kinds = [
            f'firstseen_verdicts_total{{stream="default",verdict="{k}"}}'
            for k in ("known", "cluster", "outlier")
        ]
        assert 3 == grew(*kinds)
        assert 1 == grew('firstseen_repeats_total{stream="default"}')
        assert 1 == grew('firstseen_refused_total{stream="default"}')
        assert 3 == grew('firstseen_seq{stream="default"}')
        assert 1 == after['firstseen_ready{stream="default"}']

    def test_info(self, http: httpx.Client) -> None:
        """What is served: its bundle, what an item looks like, and the hash of the state."""
        info = http.get("/info").json()

        assert digits.bundle().manifest.bundle_id == info["bundle"]["id"]
        assert [1, 8, 8] == info["input"]["shape"]
        assert 64 == len(info["input"]["example"])
        assert 64 == len(info["state_hash"])
        assert "embedded" == info["store"]
        assert info["epoch"] >= 1
        decided = len(http.get("/decisions").json()["decisions"])
        places = sum(info["verdicts"].values()) + 1 + decided
        assert info["seq"] == places, "one place went to the parameters, and one to each decision"

    def test_info_example_is_an_item(self, http: httpx.Client) -> None:
        """The example of /info can be sent as it is."""
        example = http.get("/info").json()["input"]["example"]

        assert 200 == http.post("/classify", json={"x": example}).status_code


class TestDocs:
    def test_page(self, http: httpx.Client) -> None:
        """The documentation needs nothing from another host."""
        page = http.get("/docs").text

        assert "swagger" in page.lower()
        assert "cdn." not in page

    def test_root(self, http: httpx.Client) -> None:
        """A person who opens the address sees the dashboard."""
        assert "<title>" in http.get("/").raise_for_status().text

    def test_examples(self, http: httpx.Client) -> None:
        """The description of /classify shows an example that can be sent, and one that comes back."""
        post = http.get("/openapi.json").json()["paths"]["/classify"]["post"]
        body = post["requestBody"]["content"]["application/json"]
        answer = post["responses"]["200"]["content"]["application/json"]

        assert 200 == http.post("/classify", json=body["example"]).status_code
        assert {"id", "x"} == body["example"]["items"][0].keys()
        assert VERDICT_FIELDS == answer["example"]["results"][0].keys()

    def test_every_problem(self, http: httpx.Client) -> None:
        """The type of every problem is a path that says what it means."""
        names = http.get("/problems/none-such").json()["problems"]

        assert "invalid-item" in names
        for problem in names:
            answer = http.get(f"/problems/{problem}")
            assert 200 == answer.status_code
            assert answer.json()["meaning"]

    def test_schema_holds_what_is_sent(self, http: httpx.Client, name: str) -> None:
        """The fields of real answers are those of the schema."""
        schemas = http.get("/openapi.json").json()["components"]["schemas"]
        verdict = http.post("/classify", json={"id": name, "x": digits.raw()}).json()
        listed = http.get("/clusters").json()

        assert schemas["VerdictOut"]["properties"].keys() == verdict.keys()
        assert schemas["ClustersOut"]["properties"].keys() == listed.keys()
        for cluster in listed["clusters"]:
            assert schemas["ClusterOut"]["properties"].keys() == cluster.keys()

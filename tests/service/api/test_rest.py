"""The HTTP routes on a running service: verdicts, clusters, health, documentation."""

import itertools
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.service import digits
from tests.service.inside import Inside

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


@pytest.fixture(scope="module")
def streamed(service: Inside) -> list[dict[str, Any]]:
    """The results of all digits, 3s and 7s among them, under ids of their own."""
    items = [{"id": f"all-{item['id']}", "x": item["x"]} for item in digits.stream_items()]
    results: list[dict[str, Any]] = []
    with httpx.Client(base_url=service.url, timeout=30) as http:
        for start in range(0, len(items), 100):
            results += classify(http, *items[start : start + 100])
    return results


@pytest.mark.usefixtures("streamed")
class TestClusters:
    def test_discovered(self, http: httpx.Client, streamed: list[dict[str, Any]]) -> None:
        """Classes nobody has named become clusters, and items get them as verdicts."""
        got = Counter(r["cluster_id"] for r in streamed if r["cluster_id"] is not None)
        found = http.get("/clusters").json()["clusters"]
        found += http.get("/clusters", params={"state": "gone"}).json()[
            "clusters"
        ]  # merged into another since
        listed = {c["id"] for c in found}

        assert got
        assert got.keys() <= listed

    def test_one(self, http: httpx.Client) -> None:
        """A cluster by its id is the one of the list, with its evidence."""
        first = http.get("/clusters").json()["clusters"][0]

        assert first == http.get(f"/clusters/{first['id']}").json()
        assert first["evidence"]["log10_e"] >= first["evidence"]["log10_threshold"]

    @pytest.mark.parametrize("state", ["candidate", "emerging", "established", "fading", "gone"])
    def test_by_state(self, http: httpx.Client, state: str) -> None:
        """Clusters can be asked for by state."""
        shown = http.get("/clusters", params={"state": state}).json()["clusters"]

        assert all(state == cluster["state"] for cluster in shown)

    def test_announced_by_default(self, http: httpx.Client) -> None:
        """Without a state, candidates and clusters that are gone are left out."""
        shown = http.get("/clusters").json()["clusters"]

        assert {c["state"] for c in shown} <= {"emerging", "established", "fading"}

    @pytest.mark.parametrize("cluster", ["999999", "0", "-1", str(2**70)])
    def test_unknown(self, http: httpx.Client, cluster: str) -> None:
        """A cluster that never was is a 404 that says where to look."""
        answer = http.get(f"/clusters/{cluster}")

        assert 404 == answer.status_code
        assert "application/problem+json" == answer.headers["content-type"]
        assert "/problems/unknown-cluster" == answer.json()["type"]
        assert "GET /clusters" in answer.json()["detail"]


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
        assert info["seq"] == sum(info["verdicts"].values()) + 1, "one place went to the parameters"

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
        """A person who opens the address sees the documentation."""
        assert "/docs" == http.get("/").headers["location"]

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

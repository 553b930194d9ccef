"""Looking at clusters over HTTP: which there are, by state, name and dismissal, and one by its id or its heir's."""

from collections import Counter
from typing import Any

import httpx
import pytest

from service.api.clusters import heir_of
from tests.service import digits
from tests.service.inside import Inside
from tests.service.told import cluster


@pytest.fixture(scope="module")
def streamed(service: Inside) -> list[dict[str, Any]]:
    """The results of all digits, 3s and 7s among them, under ids of their own."""
    items = [{"id": f"all-{item['id']}", "x": item["x"]} for item in digits.stream_items()]
    results: list[dict[str, Any]] = []
    with httpx.Client(base_url=service.url, timeout=60) as http:
        for start in range(0, len(items), 100):
            answer = http.post("/classify", json={"items": items[start : start + 100]})
            assert 200 == answer.status_code, answer.text
            results += answer.json()["results"]
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

    def test_by_name(self, http: httpx.Client) -> None:
        """By a part of the name, or of the class, in any case."""
        first = http.get("/clusters").json()["clusters"][0]["id"]
        http.post(f"/clusters/{first}/name", json={"label": "Scratched here"}).raise_for_status()
        asked = {
            part: http.get("/clusters", params={"name": part}).json()["clusters"]
            for part in ("tched H", "no")
        }
        http.post(f"/clusters/{first}/undo").raise_for_status()

        assert [first] == [one["id"] for one in asked["tched H"]]
        assert [] == asked["no"]

    def test_by_dismissal(self, http: httpx.Client) -> None:
        """Those dismissed, those not, or both."""
        everything = {one["id"] for one in http.get("/clusters").json()["clusters"]}
        first = min(everything)
        http.post(f"/clusters/{first}/dismiss").raise_for_status()
        shown = [
            {one["id"] for one in http.get("/clusters", params=asked).json()["clusters"]}
            for asked in ({"dismissed": "true"}, {"dismissed": "false"}, {})
        ]
        http.post(f"/clusters/{first}/undo").raise_for_status()

        assert [{first}, everything - {first}, everything] == shown

    @pytest.mark.parametrize("query", ["dismissed=maybe", "state=happy", f"name={'x' * 101}"])
    def test_what_cannot_be_asked(self, http: httpx.Client, query: str) -> None:
        """A filter that cannot be is a problem, not a list of everything."""
        answer = http.get(f"/clusters?{query}")

        assert (422, "/problems/invalid-parameter") == (answer.status_code, answer.json()["type"])

    def test_an_old_id_has_an_heir(self, http: httpx.Client) -> None:
        """It is shown as it was, and where it went; if asked for, its heir, under that one's address."""
        old, new = (one["id"] for one in http.get("/clusters").json()["clusters"][:2])
        http.post(f"/clusters/{old}/merge", json={"into": new}).raise_for_status()
        itself = http.get(f"/clusters/{old}")
        heir = http.get(f"/clusters/{old}", params={"follow": "true", "stream": "default"})
        http.post(f"/clusters/{old}/undo").raise_for_status()

        assert (old, new, "gone") == tuple(itself.json()[name] for name in ("id", "merged_into", "state"))
        assert new == heir.json()["id"]
        address = heir.url.join(heir.headers["content-location"])
        assert (f"/clusters/{new}", "stream=default") == (address.path, address.query.decode())
        assert http.get(f"/clusters/{old}").json()["merged_into"] is None

    def test_its_own_heir(self, http: httpx.Client) -> None:
        """One that was not merged is answered with itself."""
        first = http.get("/clusters").json()["clusters"][0]

        assert first == http.get(f"/clusters/{first['id']}", params={"follow": "true"}).json()


def test_heirs_of_heirs() -> None:
    """However many merges away; one that is forgotten ends the search, and so would a ring."""
    into = {1: 2, 2: 3, 3: None, 4: 99, 5: 6, 6: 5}
    clusters = {n: cluster(id=n, merged_into=m) for n, m in into.items()}

    assert [3, 3, 3, 4, 6, 5] == [heir_of(clusters, n).id for n in into]

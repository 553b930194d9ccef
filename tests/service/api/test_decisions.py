"""Deciding over HTTP: what is answered, what is refused and how, what sending again does, and the trail of it all."""

import itertools
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api.schemas import EXAMPLE_DECISION
from service.decisions import Action
from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running

_keys = itertools.count()

Json = dict[str, Any]


@pytest.fixture(scope="module")
def service() -> Iterator[Inside]:
    """A service whose stream has had all digits, and has formed clusters."""
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        settings = Settings.read({}, data_dir=Path(folder), log_level="warning", max_body_bytes=1 << 20)
        with running(settings, digits.bundle()) as inside:
            with httpx.Client(base_url=inside.url, timeout=60, trust_env=False) as http:
                http.post("/classify", json={"items": list(digits.stream_items())}).raise_for_status()
            yield inside


@pytest.fixture
def http(service: Inside) -> Iterator[httpx.Client]:
    """Whatever a test decides is taken back behind it."""
    with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as client:
        before = latest(client)
        yield client
        while (standing := [d for d in trail(client) if d["decision"] > before and stands(d)]) != []:
            client.post(f"/clusters/{standing[0]['cluster']}/undo").raise_for_status()


@pytest.fixture
def cluster(http: httpx.Client) -> int:
    """The largest."""
    found = max(http.get("/clusters").json()["clusters"], key=lambda c: c["items"])
    number: int = found["id"]
    return number


def stands(decision: Json) -> bool:
    return decision["undone_by"] is None and decision["action"] != "undo"


def trail(http: httpx.Client, **asked: Any) -> list[Json]:
    made: list[Json] = http.get("/decisions", params=asked).raise_for_status().json()["decisions"]
    return made


def latest(http: httpx.Client) -> int:
    made = trail(http, limit=1)
    return made[0]["decision"] if made else -1


def new_key() -> dict[str, str]:
    return {"idempotency-key": f'"test-{next(_keys)}"'}


class TestAnswers:
    def test_what_it_says(self, http: httpx.Client, cluster: int) -> None:
        """All there is to know of the decision, and how durable it is."""
        seq = http.get("/info").json()["seq"]
        answer = http.post(f"/clusters/{cluster}/name", json={"label": " scratched ", "why": "line 3"})
        made = answer.json()

        assert 200 == answer.status_code, answer.text
        assert "fsync" == answer.headers["firstseen-durability"]
        assert datetime.fromisoformat(made.pop("time")).tzinfo is not None
        assert {
            "decision": seq,
            "action": "name",
            "cluster": cluster,
            "created": [],
            "who": "open",
            "why": "line 3",
            "label": "scratched",
            "into": None,
            "parts": [],
            "until_rate": None,
            "until": None,
            "undoes": None,
            "undone_by": None,
        } == made
        assert "scratched" == http.get(f"/clusters/{cluster}").json()["name"]

    def test_a_dismissal(self, http: httpx.Client, cluster: int) -> None:
        """Its date comes back in UTC, whatever zone it was sent in."""
        made = http.post(
            f"/clusters/{cluster}/dismiss", json={"until": "2099-12-24T01:00:00+01:00", "until_rate": 3}
        ).json()

        assert ("2099-12-24T00:00:00.000Z", 3) == (made["until"], made["until_rate"])
        assert http.get(f"/clusters/{cluster}").json()["dismissed"]

    def test_an_undo(self, http: httpx.Client, cluster: int) -> None:
        """The two know each other."""
        named = http.post(f"/clusters/{cluster}/name", json={"label": "a"}).json()
        undone = http.post(f"/clusters/{cluster}/undo", json={"why": "it is not"}).json()
        both = trail(http, cluster=cluster, limit=2)

        assert named["decision"] == undone["undoes"]
        assert [undone["decision"], None] == [both[1]["undone_by"], both[0]["undone_by"]]
        assert http.get(f"/clusters/{cluster}").json()["name"] is None

    def test_a_preview_of_a_split_changes_nothing(self, http: httpx.Client, cluster: int) -> None:
        """It shows parts that have all items between them."""
        before = http.get("/info").json()["state_hash"]
        shown = http.get(f"/clusters/{cluster}/split").json()

        assert before == http.get("/info").json()["state_hash"]
        assert cluster == shown["cluster"]
        assert shown["parts"] == sorted(shown["parts"], key=lambda part: -part["items"])
        births = [birth for part in shown["parts"] for birth in part["births"]]
        assert len(births) == len(set(births)) > 0


class TestRefusals:
    @pytest.mark.parametrize("action", Action)
    def test_no_such_cluster(self, http: httpx.Client, action: Action) -> None:
        """404, whatever was to be done with it."""
        bodies: dict[Action, Json] = {
            Action.MERGE: {"into": 1},
            Action.SPLIT: {"parts": [[1]]},
            Action.DISMISS: {},
            Action.UNDO: {"decision": 0},
        }
        answer = http.post(f"/clusters/999999/{action}", json=bodies.get(action, {"label": "a"}))

        assert 404 == answer.status_code, answer.text
        assert answer.json()["type"] in ("/problems/unknown-cluster", "/problems/unknown-decision")

    def test_no_such_cluster_to_split(self, http: httpx.Client) -> None:
        """Nor to look at."""
        answer = http.get("/clusters/999999/split")

        assert (404, "/problems/unknown-cluster") == (answer.status_code, answer.json()["type"])

    @pytest.mark.parametrize("id", ["0", "-1", "a", str(2**70), "1.5"])
    def test_what_is_no_id(self, http: httpx.Client, id: str) -> None:
        """A number that no cluster can have is unknown, anything else is no number."""
        answer = http.post(f"/clusters/{id}/name", json={"label": "a"})

        assert answer.status_code in (404, 422), answer.text

    def test_a_body_that_says_nothing(self, http: httpx.Client, cluster: int) -> None:
        """400, with one that does."""
        answer = http.post(f"/clusters/{cluster}/promote", json={})

        assert (400, "/problems/invalid-body") == (answer.status_code, answer.json()["type"])
        assert '{"label":"3"}' in answer.json()["detail"]

    @pytest.mark.parametrize("sent", [b"a=b", b"{}"])
    def test_another_form(self, http: httpx.Client, cluster: int, sent: bytes) -> None:
        """Decisions are JSON, and say so: what a form on another page could send is refused."""
        answer = http.post(
            f"/clusters/{cluster}/dismiss", content=sent, headers={"content-type": "text/plain"}
        )

        assert (415, "/problems/media-type") == (answer.status_code, answer.json()["type"])
        assert not http.get(f"/clusters/{cluster}").json()["dismissed"]

    def test_too_large(self, http: httpx.Client, cluster: int) -> None:
        """It is read no further than any other body."""
        answer = http.post(f"/clusters/{cluster}/split", json={"parts": [list(range(300_000))]})

        assert 413 == answer.status_code

    def test_what_contradicts_what_is(self, http: httpx.Client, cluster: int) -> None:
        """409, and what to do first."""
        for path, body in (
            ("merge", {"into": cluster}),
            ("promote", {"label": "8"}),
            ("link", {"label": "no such class"}),
            ("split", {"parts": [[2**40]]}),
        ):
            before = http.get("/info").json()["state_hash"]
            answer = http.post(f"/clusters/{cluster}/{path}", json=body)

            assert answer.status_code in (404, 409, 422), (path, answer.text)
            assert "application/problem+json" == answer.headers["content-type"]
            assert before == http.get("/info").json()["state_hash"]

    def test_nothing_to_undo(self, http: httpx.Client) -> None:
        """409, and where to look."""
        fresh = min(c["id"] for c in http.get("/clusters").json()["clusters"])
        if not any(map(stands, trail(http, cluster=fresh))):
            answer = http.post(f"/clusters/{fresh}/undo")

            assert (409, "/problems/cannot-decide") == (answer.status_code, answer.json()["type"])
            assert "GET /decisions" in answer.json()["detail"]

    def test_another_stream(self, http: httpx.Client, cluster: int) -> None:
        """One that is not there is not made by deciding about it."""
        answer = http.post(f"/clusters/{cluster}/name", json={"label": "a"}, params={"stream": "nowhere"})

        assert (404, "/problems/unknown-stream") == (answer.status_code, answer.json()["type"])


class TestSentAgain:
    @pytest.mark.parametrize(
        ("action", "body"),
        [
            ("name", {"label": "twice"}),
            ("promote", {"label": "new"}),
            ("link", {"label": "8"}),
            ("dismiss", {}),
        ],
    )
    def test_the_same_key(self, http: httpx.Client, cluster: int, action: str, body: Json) -> None:
        """It is decided once, and answered alike."""
        key = new_key()
        answers = [http.post(f"/clusters/{cluster}/{action}", json=body, headers=key) for _ in range(3)]

        assert [200, 200, 200] == [answer.status_code for answer in answers]
        assert answers[0].json() == answers[1].json() == answers[2].json()
        assert 1 == sum(d["action"] == action and stands(d) for d in trail(http, cluster=cluster))

    def test_an_undo(self, http: httpx.Client, cluster: int) -> None:
        """It takes one decision back, and not the one before as well."""
        for label in ("first", "second"):
            http.post(f"/clusters/{cluster}/name", json={"label": label})
        key = new_key()
        answers = [http.post(f"/clusters/{cluster}/undo", headers=key).json() for _ in range(2)]

        assert answers[0] == answers[1]
        assert "first" == http.get(f"/clusters/{cluster}").json()["name"]

    def test_another_decision_under_it(self, http: httpx.Client, cluster: int) -> None:
        """It is refused, and nothing is decided."""
        key = new_key()
        http.post(f"/clusters/{cluster}/name", json={"label": "a"}, headers=key).raise_for_status()
        others = [("name", {"label": "b"}), ("name", {"label": "a", "why": "because"}), ("dismiss", {})]
        answers = [http.post(f"/clusters/{cluster}/{path}", json=body, headers=key) for path, body in others]

        assert [(422, "/problems/key-reused")] * 3 == [(a.status_code, a.json()["type"]) for a in answers]
        assert "a" == http.get(f"/clusters/{cluster}").json()["name"]

    def test_no_key(self, http: httpx.Client, cluster: int) -> None:
        """Each is a decision of its own."""
        numbers = {
            http.post(f"/clusters/{cluster}/name", json={"label": "a"}).json()["decision"] for _ in "ab"
        }

        assert 2 == len(numbers)

    @pytest.mark.parametrize("key", ["", '""', "x" * 300, "ü".encode()])
    def test_what_is_no_key(self, http: httpx.Client, cluster: int, key: str | bytes) -> None:
        """It is refused before anything is decided."""
        answer = http.post(f"/clusters/{cluster}/name", json={"label": "a"}, headers={"idempotency-key": key})

        assert (400, "/problems/invalid-header") == (answer.status_code, answer.json()["type"])


class TestTrail:
    def test_pages(self, http: httpx.Client, cluster: int) -> None:
        """Newest first, each once, and no page after the last."""
        made = [
            http.post(f"/clusters/{cluster}/name", json={"label": str(n)}).json()["decision"]
            for n in range(5)
        ]
        seen: list[list[int]] = []
        after: int | None = 2**40
        while after is not None and len(seen) < 3:
            page = http.get("/decisions", params={"after": after, "limit": 2}).json()
            seen.append([one["decision"] for one in page["decisions"]])
            after = page["next"]

        assert [made[:2:-1], made[2:0:-1]] == seen[:2]

    def test_filters(self, http: httpx.Client, cluster: int) -> None:
        """By cluster and by kind."""
        other = min({c["id"] for c in http.get("/clusters").json()["clusters"]} - {cluster})
        http.post(f"/clusters/{other}/name", json={"label": "a"})
        http.post(f"/clusters/{cluster}/dismiss")

        assert {other} == {d["cluster"] for d in trail(http, cluster=other)}
        assert {"dismiss"} == {d["action"] for d in trail(http, action="dismiss")}
        assert [] == trail(http, cluster=999_999)
        assert 422 == http.get("/decisions", params={"action": "dream"}).status_code
        assert 422 == http.get("/decisions", params={"limit": 0}).status_code

    def test_counted(self, http: httpx.Client, cluster: int) -> None:
        """A decision once, however often it is sent."""
        name = 'firstseen_decisions_total{action="name",stream="default"}'

        def counted() -> float:
            (line,) = [one for one in http.get("/metrics").text.splitlines() if one.startswith(name)]
            return float(line.rpartition(" ")[2])

        before, key = counted(), new_key()
        for _ in range(2):
            http.post(f"/clusters/{cluster}/name", json={"label": "a"}, headers=key).raise_for_status()

        assert 1 == counted() - before


def test_the_schema_holds_what_is_sent(http: httpx.Client, cluster: int) -> None:
    """Of a decision, of the trail, and of a preview."""
    schemas = http.get("/openapi.json").json()["components"]["schemas"]
    made = http.post(f"/clusters/{cluster}/name", json={"label": "a"}).json()
    listed = http.get("/decisions").json()
    shown = http.get(f"/clusters/{cluster}/split").json()

    assert EXAMPLE_DECISION.keys() == made.keys()
    for told, name in ((made, "DecisionOut"), (listed, "DecisionsOut"), (shown, "SplitPreviewOut")):
        assert schemas[name]["properties"].keys() == told.keys()
    for part in shown["parts"]:
        assert schemas["SplitPartOut"]["properties"].keys() == part.keys()

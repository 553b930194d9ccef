"""What people decide, over every way in: one life of a stream's clusters, by HTTP, client, command line and page.

Each way has a stream of its own, with the same items, and makes the same decisions; what is then told of the clusters
and of the decisions is the same, but for times and for whom the ways call themselves.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import msgspec
import pytest
from typer.testing import CliRunner

from service.cli import main as cli
from service.client import Client
from service.dashboard.fetch import missing
from service.settings import Settings
from tests.service import digits
from tests.service.dashboard.browser import DESKTOP, chromium, needs_chromium
from tests.service.dashboard.by_page import ByPage
from tests.service.inside import Inside, running

Json = dict[str, Any]


@pytest.fixture(scope="module")
def service() -> Iterator[Inside]:
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        settings = Settings.read({}, data_dir=Path(folder), max_streams=10, log_level="warning")
        with running(settings, digits.bundle()) as inside:
            yield inside


class Way(Protocol):
    """One way to decide: what is asked for goes by its names of HTTP, and the decision comes back as JSON."""

    def decide(self, action: str, cluster: int, **what: Any) -> Json:
        """Make a decision."""

    def parts(self, cluster: int) -> list[list[int]]:
        """The births of each part that a split would make."""

    def clusters(self, **asked: Any) -> list[Json]:
        """Those announced, and of them those that were asked for."""

    def decisions(self, cluster: int) -> list[Json]:
        """What was decided about a cluster, newest first."""

    def close(self) -> None:
        """It is not used any more."""


class ByHttp:
    """`POST /clusters/{id}/...`."""

    def __init__(self, url: str, stream: str) -> None:
        self._http = httpx.Client(base_url=url, params={"stream": stream}, timeout=60, trust_env=False)

    def decide(self, action: str, cluster: int, **what: Any) -> Json:
        answer = self._http.post(f"/clusters/{cluster}/{action}", json=what)
        assert 200 == answer.status_code, answer.text
        made: Json = answer.json()
        return made

    def parts(self, cluster: int) -> list[list[int]]:
        return [part["births"] for part in self._http.get(f"/clusters/{cluster}/split").json()["parts"]]

    def clusters(self, **asked: Any) -> list[Json]:
        found: list[Json] = self._http.get("/clusters", params=asked).json()["clusters"]
        return found

    def decisions(self, cluster: int) -> list[Json]:
        made: list[Json] = self._http.get("/decisions", params={"cluster": cluster}).json()["decisions"]
        return made

    def close(self) -> None:
        self._http.close()


class ByClient:
    """`service.client.Client`."""

    def __init__(self, url: str, stream: str) -> None:
        self._client = Client(url, stream=stream)

    def decide(self, action: str, cluster: int, **what: Any) -> Json:
        given = [what.pop(name) for name in ("label", "into", "parts", "decision") if name in what]
        made: Json = plain(getattr(self._client, action)(cluster, *given, **what))
        return made

    def parts(self, cluster: int) -> list[list[int]]:
        return [list(part.births) for part in self._client.split_preview(cluster).parts]

    def clusters(self, **asked: Any) -> list[Json]:
        return [plain(one) for one in self._client.clusters(**asked).clusters]

    def decisions(self, cluster: int) -> list[Json]:
        return [plain(one) for one in self._client.decisions(cluster)]

    def close(self) -> None:
        self._client.close()


class ByCommand:
    """`firstseen clusters`."""

    def __init__(self, url: str, stream: str) -> None:
        self._rest = ["--json", "--url", url, "--stream", stream]

    def _run(self, *arguments: str) -> Any:
        ended = CliRunner().invoke(cli.app, ["clusters", *arguments, *self._rest])
        assert 0 == ended.exit_code, ended.output
        said = ended.stdout[ended.stdout.index("{\n") :]  # among what the service in this process logs
        return json.JSONDecoder().raw_decode(said)[0]

    def decide(self, action: str, cluster: int, **what: Any) -> Json:
        given = [str(what.pop(name)) for name in ("label", "into") if name in what]
        if parts := what.pop("parts", None):
            there = self.parts(cluster)
            given += [word for part in parts for word in ("--part", str(there.index(part) + 1))]
        for name, value in what.items():
            given += [f"--{name.replace('_', '-')}", str(value)]
        asks = ["--yes"] if action in ("promote", "link", "merge", "split") else []
        made: Json = self._run(action, str(cluster), *given, *asks)
        return made

    def parts(self, cluster: int) -> list[list[int]]:
        return [part["births"] for part in self._run("split", str(cluster), "--preview")["parts"]]

    def clusters(self, **asked: Any) -> list[Json]:
        given = [word for name, value in asked.items() for word in (f"--{name}", str(value))]
        found: list[Json] = self._run("list", "--all", *given)["clusters"]
        return found

    def decisions(self, cluster: int) -> list[Json]:
        made: list[Json] = self._run("history", str(cluster))["decisions"]
        return made

    def close(self) -> None:
        pass


WAYS: dict[str, Callable[[str, str], Way]] = {"http": ByHttp, "client": ByClient, "command": ByCommand}


def plain(value: Any) -> Any:
    """As JSON has it."""
    return json.loads(msgspec.json.encode(value))


def classify(service: Inside, stream: str, items: list[Json]) -> list[Json]:
    with httpx.Client(base_url=service.url, params={"stream": stream}, timeout=60, trust_env=False) as http:
        answer = http.post("/classify", json={"items": items})
        assert 200 == answer.status_code, answer.text
        results: list[Json] = answer.json()["results"]
        return results


@dataclass(frozen=True, kw_only=True)
class Life:
    """What came of one life: told of the clusters and of the decisions in the end, and of items after each decision."""

    clusters: list[Json]
    decisions: list[Json]
    verdicts: list[Json]


def live(service: Inside, way: Way, stream: str) -> Life:
    """Everything that can be decided, and most of it taken back, with items between the decisions."""
    items = list(digits.stream_items())
    verdicts: list[Json] = classify(service, stream, items[:450])
    rest = iter(range(450, len(items), 10))

    def decide(action: str, cluster: int, **what: Any) -> Json:
        made = way.decide(action, cluster, **what)
        at = next(rest)
        verdicts.extend(classify(service, stream, items[at : at + 10]))
        return made

    one, two = sorted(way.clusters(), key=lambda c: -c["items"])[:2]
    a, b = one["id"], two["id"]
    decide("name", a, label="a first name", why="seen on line 3")
    decide("dismiss", b, until_rate=50)
    decide("undo", b)
    parts = way.parts(a)
    if len(parts) > 1:
        split = decide("split", a, parts=parts[1:])
        assert len(parts) - 1 == len(split["created"])
        decide("undo", a)
    decide("merge", b, into=a)
    decide("undo", a)
    linked = decide("link", b, label="8")
    decide("undo", b, decision=linked["decision"], why="it is no 8")
    decide("promote", a, label="new a")
    decide("promote", b, label="new b")
    decide("name", b, label="")
    return Life(
        clusters=way.clusters(),
        decisions=[*way.decisions(a), *way.decisions(b)],
        verdicts=verdicts,
    )


@pytest.fixture(scope="module")
def lives(service: Inside) -> dict[str, Life]:
    """The life of each way."""
    found = {}
    for name, way in WAYS.items():
        classify(service, name, [])
        with closing(way(service.url, name)) as made:
            found[name] = live(service, made, name)
    return found


@pytest.mark.parametrize("way", [way for way in WAYS if way != "http"])
class TestTheSameByEveryWay:
    def test_clusters(self, lives: dict[str, Life], way: str) -> None:
        """In everything but the time of day."""
        assert [timeless(c) for c in lives["http"].clusters] == [timeless(c) for c in lives[way].clusters]

    def test_decisions(self, lives: dict[str, Life], way: str) -> None:
        """Numbers, reasons, what came of them and what was taken back."""
        assert [timeless(d) for d in lives["http"].decisions] == [timeless(d) for d in lives[way].decisions]

    def test_verdicts(self, lives: dict[str, Life], way: str) -> None:
        """Of every item after every decision."""
        assert lives["http"].verdicts == lives[way].verdicts


@needs_chromium
@pytest.mark.slow
@pytest.mark.skipif(
    bool(missing()), reason="no libraries of the dashboard: python -m service.dashboard.fetch"
)
def test_the_same_by_the_page(service: Inside, lives: dict[str, Life]) -> None:
    """In a browser, by keys and dialogs. A button that undoes asks for no reason, so undoing has none."""
    classify(service, "page", [])

    def unsaid(made: list[Json]) -> list[Json]:
        return [timeless(one) | ({"why": ""} if one["action"] == "undo" else {}) for one in made]

    with chromium() as browser:
        page = browser.new_page(viewport=DESKTOP, reduced_motion="reduce")
        found = live(service, ByPage(page, service.url, "page"), "page")

    assert [timeless(c) for c in lives["http"].clusters] == [timeless(c) for c in found.clusters]
    assert unsaid(lives["http"].decisions) == unsaid(found.decisions)
    assert lives["http"].verdicts == found.verdicts


def test_a_restart_changes_nothing() -> None:
    """Clusters, decisions and the state itself are those of before, and so is what is said of the next item."""
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        settings = Settings.read({}, data_dir=Path(folder), log_level="warning")
        told, asked = [], list(digits.stream_items()[-100:])  # 3s and 7s among them
        for n in range(2):
            with running(settings, digits.bundle()) as inside, closing(ByHttp(inside.url, "default")) as way:
                if n == 0:
                    live(inside, way, "default")
                with httpx.Client(base_url=inside.url, timeout=60, trust_env=False) as http:
                    dry = http.post("/classify", params={"learn": "false"}, json={"items": asked}).json()
                    told.append(
                        [http.get(path).json() for path in ("/clusters", "/decisions")]
                        + [http.get("/info").json()["state_hash"], dry]
                    )

    assert told[0] == told[1]
    labels = {one["label"] for one in told[1][3]["results"]}
    assert {"new a", "new b"} <= labels


def timeless(told: Json) -> Json:
    return {name: value for name, value in told.items() if name not in ("time", "first_t", "last_t")}

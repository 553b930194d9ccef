"""What a dashboard draws: map, timeline and the health of known classes, of a stream of digits."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api.overview_shapes import ClassesHealthOut, MapOut, TimelineOut
from service.overview.ring import ROOM
from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running

_names = itertools.count()


@pytest.fixture(scope="module")
def name(service: Inside) -> str:
    """A stream with all digits; a test may add to it."""
    with httpx.Client(base_url=service.url, timeout=60) as http:
        send(http, list(digits.stream_items()), "overview")
    return "overview"


def send(http: httpx.Client, items: list[dict[str, Any]], stream: str) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for at in range(0, len(items), 100):
        answer = http.post(f"/classify?stream={stream}", json={"items": items[at : at + 100]})
        assert 200 == answer.status_code
        results += answer.json()["results"]
    return results


def asked(http: httpx.Client, path: str, stream: str, **query: Any) -> dict[str, Any]:
    answer = http.get(path, params={"stream": stream, **query})
    assert 200 == answer.status_code, answer.text
    found: dict[str, Any] = answer.json()
    return found


def rows(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    return list(zip(*(found["points"][name] for name in ("seq", "x", "y", "kind", "of")), strict=True))


def test_answers_have_the_shapes_that_are_documented(http: httpx.Client, name: str) -> None:
    """No field more, none less."""
    for path, shape in (("/map", MapOut), ("/timeline", TimelineOut), ("/health/classes", ClassesHealthOut)):
        found = asked(http, path, name)
        assert found == shape.model_validate(found, strict=False).model_dump(mode="json")
        assert set(found) == set(shape.model_fields)


def test_the_map_has_every_item_with_its_verdict(http: httpx.Client) -> None:
    """In order of the stream."""
    stream = f"overview{next(_names)}"
    results = send(http, list(digits.stream_items()), stream)
    found = asked(http, "/map", stream)
    points, labels = found["points"], found["labels"]

    assert [r["seq"] for r in results] == points["seq"]
    assert [["known", "cluster", "outlier"].index(r["verdict"]) for r in results] == points["kind"]
    assert [labels.index(r["label"]) if r["label"] else r["cluster_id"] or 0 for r in results] == points["of"]
    assert all(x * x + y * y <= 1.001 for _, x, y, *_ in rows(found))
    assert [c["label"] for c in found["classes"]] == labels
    assert found["clusters"]
    assert ROOM == found["room"]


def test_nothing_moves_as_items_come(http: httpx.Client, name: str) -> None:
    """Neither landmarks nor points."""
    before = asked(http, "/map", name)
    send(http, digits.many("more", 150), name)
    after = asked(http, "/map", name)

    assert before["classes"] == after["classes"]
    assert rows(before) == rows(after)[: len(rows(before))]
    assert len(rows(before)) < len(rows(after))


def test_a_cursor_gives_what_came_since(http: httpx.Client, name: str) -> None:
    """Nothing at first; then the new items, in as many pages as asked for, none twice."""
    first = asked(http, "/map", name)
    nothing = asked(http, "/map", name, after=first["cursor"])
    assert ([], False, False, False) == (rows(nothing), nothing["reset"], nothing["missed"], nothing["more"])
    assert first["cursor"] == nothing["cursor"]

    send(http, digits.many("since", 90), name)
    pages, cursor, more = list[Any](), first["cursor"], True
    while more:
        page = asked(http, "/map", name, after=cursor, limit=40)
        assert not page["reset"]
        pages.append(rows(page))
        cursor, more = page["cursor"], page["more"]

    assert [40, 40, 10] == [len(page) for page in pages]
    assert rows(asked(http, "/map", name))[-90:] == [row for page in pages for row in page]


def test_a_limit_gives_the_latest(http: httpx.Client, name: str) -> None:
    """And a cursor behind them; none gives the landmarks alone."""
    whole = asked(http, "/map", name)
    part = asked(http, "/map", name, limit=7)

    assert rows(whole)[-7:] == rows(part)
    assert whole["cursor"] == part["cursor"]
    assert [] == rows(asked(http, "/map", name, limit=0))


@pytest.mark.parametrize("cursor", ["999999.1", "1.999999999"])
def test_a_cursor_of_another_time_begins_anew(http: httpx.Client, name: str, cursor: str) -> None:
    """Of another life of the process, or of items that the store has forgotten."""
    found = asked(http, "/map", name, after=cursor)

    assert found["reset"]
    assert rows(asked(http, "/map", name)) == rows(found)


@pytest.mark.parametrize("cursor", ["", "x", "1", "1.", ".1", "-1.2", "1.2.3", "1.\u0662"])
def test_what_is_no_cursor_is_refused(http: httpx.Client, cursor: str) -> None:
    """With what to do."""
    answer = http.get("/map", params={"after": cursor})

    assert 422 == answer.status_code
    assert "leave it out" in answer.json()["detail"]


def test_clusters_lie_where_their_points_are(http: httpx.Client, name: str) -> None:
    """Within the span of them; and their sparklines count them."""
    found = asked(http, "/map", name)
    for cluster in found["clusters"]:
        own = [(x, y) for _, x, y, kind, of in rows(found) if kind == 1 and of == cluster["id"]]
        assert min(x for x, _ in own) <= cluster["x"] <= max(x for x, _ in own)
        assert min(y for _, y in own) <= cluster["y"] <= max(y for _, y in own)
        assert len(own) == sum(cluster["sparkline"])
        assert found["sparkline"]["bins"] == len(cluster["sparkline"])


@pytest.mark.parametrize("by", ["items", "time"])
def test_the_timeline_adds_up_to_the_verdicts(http: httpx.Client, name: str, by: str) -> None:
    """As GET /info counts them, and with the events of the clusters that emerged."""
    found = asked(http, "/timeline", name, by=by, bins=10)
    sums = {kind: sum(b[kind] for b in found["bins"]) for kind in ("known", "cluster", "outlier")}

    assert asked(http, "/info", name)["verdicts"] == sums
    assert len(found["bins"]) <= 10
    emerged = {c["id"]: c["emerged_seq"] for c in asked(http, "/clusters", name)["clusters"]}
    told = {e["cluster_id"]: e["seq"] for e in found["events"] if e["kind"] in ("emerged", "split")}
    assert emerged.items() <= told.items()


def test_classes_of_a_stream_that_is_like_the_training_are_steady(http: httpx.Client, name: str) -> None:
    """All digits that the net knows, and none of those that it does not."""
    found = asked(http, "/health/classes", name)
    counts = asked(http, "/info", name)["known"]

    assert counts == {one["label"]: one["items"] for one in found["classes"]}
    assert not {"missing", "rarer", "further out"} & {one["status"] for one in found["classes"]}


@pytest.fixture
def lives() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        yield Path(folder)


def life(folder: Path, **settings: Any) -> Any:
    return running(Settings.read({}, data_dir=folder, **settings), digits.bundle())


def test_an_empty_stream_is_a_map_with_landmarks(lives: Path) -> None:
    """Useful in the first second."""
    with life(lives) as inside, httpx.Client(base_url=inside.url, timeout=60) as http:
        found = http.get("/map").json()

        assert 8 == len(found["classes"])
        assert [] == rows(found) == found["clusters"]
        assert [] == http.get("/timeline").json()["bins"]
        assert {"too few"} == {c["status"] for c in http.get("/health/classes").json()["classes"]}


def test_it_survives_a_restart(lives: Path) -> None:
    """The timeline to the last number, the map as far as the log has it, in the same places."""

    def look(inside: Inside) -> tuple[dict[str, Any], dict[str, Any]]:
        with httpx.Client(base_url=inside.url, timeout=60) as http:
            if not http.get("/info").json()["verdicts"]["known"]:
                send(http, list(digits.stream_items()), "default")
            return http.get("/map").json(), http.get("/timeline").json()

    with life(lives) as inside:
        map_before, timeline_before = look(inside)
    with life(lives) as inside:
        map_after, timeline_after = look(inside)
        with httpx.Client(base_url=inside.url) as http:
            assert http.get("/map", params={"after": map_before["cursor"]}).json()["reset"]

    assert {**timeline_before, "stale": False} == timeline_after
    assert set(rows(map_after)) <= set(rows(map_before))
    assert {row[0] for row in rows(map_before) if row[3]} == {row[0] for row in rows(map_after) if row[3]}
    assert map_before["clusters"] == map_after["clusters"]
    assert map_before["classes"] == map_after["classes"]


def test_without_a_dashboard_no_point_is_kept(lives: Path) -> None:
    """Nothing fails for it, and `room` says why."""
    with life(lives, dashboard=False) as inside, httpx.Client(base_url=inside.url, timeout=60) as http:
        send(http, digits.many("off", 30), "default")
        found = http.get("/map").json()

        assert (0, []) == (found["room"], rows(found))
        assert 30 == sum(
            b["known"] + b["cluster"] + b["outlier"] for b in http.get("/timeline").json()["bins"]
        )
        assert 200 == http.get("/health/classes").status_code

"""A stream for the page, made up: the answers of the routes that it asks, in a browser whose requests are caught.

The files of the page come from a real service; what it shows is from here, so that a test can have 200 clusters,
hostile names, or a service that fails, at once and always the same. Decisions change it, so that the page can be seen
to follow.
"""

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from playwright.sync_api import Page, Route, WebSocketRoute

T0 = 1_780_000_000.0

IMAGE = {
    "kind": "image",
    "shape": [1, 8, 8],
    "dtype": "float32",
    "minimum": 0,
    "maximum": 16,
    "example": [[0] * 8] * 8,
}


def cluster_of(id: int, **values: Any) -> dict[str, Any]:
    """A cluster as GET /clusters has it."""
    return {
        "id": id,
        "state": "established",
        "name": None,
        "label": None,
        "dismissed": False,
        "items": 40 + id,
        "items_to_emerge": 14,
        "weight": 30.0,
        "micro_clusters": 3,
        "born_seq": 400 + id,
        "emerged_seq": 480 + 2 * id,
        "last_seq": 990,
        "first_t": T0,
        "last_t": T0 + 300,
        "nearest": "9",
        "nearest_distance": 2.4,
        "exemplars": [f"digit-{id}-{k}" for k in range(3)],
        "parent_id": None,
        "merged_into": None,
        "variant_of": None,
        "missing": None,
        "evidence": {
            "trials": 120,
            "hits": 14,
            "repeats": 0,
            "p0": 0.004,
            "log10_e": 6.1,
            "log10_threshold": 2.4,
            "unexplained": 0.12,
            "cohesion": 0.9,
            "usual_cohesion": [0.7, 1.3],
            "separation": 2.4,
            "usual_separation": [1.8, 4.0],
        },
    } | values


@dataclass
class Fake:
    """What the page is told.

    clusters: by id; points: how many there are; labels: known classes; input: of GET /info;
    payload, picture: of exemplars; streams: their names; absent: paths that are not there.
    """

    clusters: dict[int, dict[str, Any]] = field(default_factory=dict)
    points: int = 0
    labels: list[str] = field(default_factory=lambda: ["0", "1", "2", "4", "5", "6", "8", "9"])
    input: dict[str, Any] = field(default_factory=lambda: dict(IMAGE))
    payload: Any = None
    picture: str | None = None
    suggested: str = "seven"
    terms: list[dict[str, Any]] = field(default_factory=list)
    features: list[dict[str, Any]] = field(default_factory=list)
    streams: list[str] = field(default_factory=lambda: ["default"])
    absent: set[str] = field(default_factory=set)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    posts: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    sockets: list[WebSocketRoute] = field(default_factory=list)
    key: str | None = None
    seed: int = 0

    def attach(self, page: Page) -> None:
        """Answer for the service from now on."""
        page.route(
            re.compile(r"/(info|streams|map|timeline|health/classes|clusters|decisions|tickets|export)\b"),
            self._answer,
        )
        page.route_web_socket(re.compile(r"/watch"), self._socket)

    # Routes

    def _answer(self, route: Route) -> None:
        parts = urlsplit(route.request.url)
        if parts.path.startswith("/dashboard/"):
            route.fallback()
            return
        if self.key is not None and route.request.headers.get("authorization") != f"Bearer {self.key}":
            self._problem(route, 401, "unauthorized", "A key is needed.")
            return
        if any(parts.path.endswith(path) for path in self.absent):
            self._problem(route, 404, "unknown-path", "not here")
            return
        if route.request.method == "POST":
            self._post(route, parts.path)
            return
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/export":
            name = f"default-{query['table']}.{query['format']}"
            disposition = {"content-disposition": f'attachment; filename="{name}"'}
            route.fulfill(status=200, content_type="text/csv", headers=disposition, body="id,verdict\r\n")
            return
        body = self._get(parts.path, query)
        if body is None:
            self._problem(route, 404, "unknown-cluster", "There is no such cluster.")
        else:
            route.fulfill(status=200, content_type="application/json", body=json.dumps(body))

    def _problem(self, route: Route, status: int, name: str, detail: str) -> None:
        body = {"type": f"/problems/{name}", "title": name, "status": status, "detail": detail}
        route.fulfill(status=status, content_type="application/problem+json", body=json.dumps(body))

    def _get(self, path: str, query: dict[str, str]) -> Any:
        match path.strip("/").split("/"):
            case ["info"]:
                return {
                    "stream": "default",
                    "seq": self.seq,
                    "verdicts": {"known": self.points},
                    "bundle": {"id": "b", "labels": self.labels},
                    "input": self.input,
                }
            case ["streams"]:
                return {"streams": [{"name": name} for name in self.streams], "next": None}
            case ["clusters"]:
                return {"seq": self.seq, "stale": False, "clusters": list(self.clusters.values())}
            case ["clusters", id]:
                return self.clusters.get(int(id))
            case ["clusters", id, "evidence"]:
                return self._evidence(int(id))
            case ["clusters", id, "split"]:
                parts = [
                    {"births": [k], "items": 9 + k, "exemplars": [f"part-{k}", f"digit-{id}-{k}"]}
                    for k in range(3)
                ]
                return {"cluster": int(id), "parts": parts}
            case ["decisions"]:
                mine = [d for d in self.decisions if d["cluster"] == int(query.get("cluster", d["cluster"]))]
                return {"seq": self.seq, "stale": False, "decisions": mine[::-1], "next": None}
            case ["map"]:
                return self._map(start=int(query.get("after", "c0")[1:]))
            case ["timeline"]:
                return self._timeline()
            case ["health", "classes"]:
                return {
                    "seq": self.seq,
                    "stale": False,
                    "from_seq": 0,
                    "recent": self.points,
                    "classes": self._health(),
                }
        return None

    @property
    def seq(self) -> int:
        """The place behind the last item."""
        return self.points + 1 + len(self.decisions)

    def place(self, id: int) -> tuple[float, float]:
        """Where a cluster lies: on a spiral, so that none hides another."""
        angle, r = id * 2.399963, 1.4 + 0.9 * math.sqrt(id)
        return r * math.cos(angle), r * math.sin(angle)

    def _map(self, *, start: int) -> dict[str, Any]:
        random = np.random.default_rng([self.seed, start])
        n = self.points - start
        classes = [
            {"label": label, "x": 5 * math.cos(k), "y": 5 * math.sin(k), "radius": 0.6}
            for k, label in enumerate(self.labels)
        ]
        ids = list(self.clusters)
        kind = random.choice([0, 1, 2], n, p=[0.8, 0.14, 0.06] if ids else [0.9, 0.0, 0.1])
        of = np.where(kind == 0, random.integers(0, len(self.labels), n), random.choice(ids or [0], n))
        of[kind == 2] = 0
        centers = np.zeros((n, 2))
        known, own = np.array([(c["x"], c["y"]) for c in classes]), np.zeros((max(ids, default=0) + 1, 2))
        own[ids] = np.reshape([self.place(id) for id in ids], (-1, 2))
        centers[kind == 0] = known[of[kind == 0]]
        centers[kind == 1] = own[of[kind == 1]]
        spread = np.where(kind == 2, 4.0, 0.35)[:, None]
        xy = centers + random.standard_normal((n, 2)) * spread
        places = [
            {
                "id": id,
                "x": self.place(id)[0],
                "y": self.place(id)[1],
                "radius": 0.42,
                "state": c["state"],
                "name": c["name"],
                "items": c["items"],
                "sparkline": [int(v) for v in np.random.default_rng(id).integers(0, 9, 24)],
            }
            for id, c in self.clusters.items()
        ]
        return {
            "seq": self.seq,
            "stale": False,
            "labels": self.labels,
            "classes": classes,
            "clusters": places,
            "sparkline": {"from_seq": 0, "to_seq": self.seq, "bins": 24},
            "points": {
                "seq": list(range(start + 1, self.points + 1)),
                "x": np.round(xy[:, 0], 4).tolist(),
                "y": np.round(xy[:, 1], 4).tolist(),
                "kind": kind.tolist(),
                "of": of.tolist(),
            },
            "cursor": f"c{self.points}",
            "reset": False,
            "missed": False,
            "more": False,
            "room": 50_000,
        }

    def _timeline(self) -> dict[str, Any]:
        width = max(1, self.points // 60)
        bins = [
            {
                "from_seq": k * width + 1,
                "to_seq": (k + 1) * width + 1,
                "from_t": T0 + 5 * k,
                "to_t": T0 + 5 * k + 4,
                "known": int(width * 0.8),
                "cluster": int(width * 0.15) if k > 25 else 0,
                "outlier": width - int(width * 0.8) - (int(width * 0.15) if k > 25 else 0),
            }
            for k in range(60 if self.points else 0)
        ]
        events = [
            {"kind": "emerged", "seq": c["emerged_seq"], "t": T0 + 100, "cluster_id": id, "other_id": None}
            for id, c in self.clusters.items()
            if c["emerged_seq"] is not None
        ]
        return {"seq": self.seq, "stale": False, "by": "items", "unit": width, "bins": bins, "events": events}

    def _health(self) -> list[dict[str, Any]]:
        return [
            {
                "label": label,
                "items": 100 + k,
                "recent": 20,
                "share": 0.1 + 0.01 * k,
                "usual_share": 0.12,
                "usual_from": "stream",
                "share_z": 0.5,
                "distance": 5.0,
                "usual_distance": 5.1,
                "distance_z": 0.1,
                "distance_effect": 0.1,
                "status": "rarer" if k == 2 else "steady",
                "says": "as usual",
                "variants": [],
            }
            for k, label in enumerate(self.labels)
        ]

    def _evidence(self, id: int) -> dict[str, Any]:
        payload = self.payload
        if payload is None and self.input["kind"] == "image":
            payload = np.random.default_rng(id).integers(0, 17, (8, 8)).tolist()
        roles = ["medoid", *["newest"] * 4, *["diverse"] * 4, *["boundary"] * 3]
        exemplars = [
            {
                "role": role,
                "id": f"digit-{id}-{k}",
                "seq": 400 + k,
                "t": T0,
                "distance": 0.1 * k,
                "kept": k < 9,
                "payload": payload if k < 9 and self.picture is None else None,
                "picture": self.picture if k < 9 else None,
            }
            for k, role in enumerate(roles)
        ]
        return {
            "seq": self.seq,
            "cluster": self.clusters.get(id),
            "suggested_name": self.suggested,
            "verdict": {
                "answer": "new",
                "of": None,
                "nearest": "9",
                "distance": 2.4,
                "reason": "New: it is 2.4 class radii from the nearest known class, 9.",
            },
            "budget": {"alpha": 0.01, "own": 0.001, "spent": 0.004, "tested": 5},
            "lineage": {"parent_id": None, "merged_into": None, "children": [], "took_in": []},
            "members": 40,
            "payloads": 9,
            "rate": 31.0,
            "growth": 1.4,
            "span": 64,
            "arrivals": [1, 2, 3, 4],
            "exemplars": exemplars,
            "terms": self.terms,
            "features": self.features,
            "average": self.picture,
        }

    # Decisions

    def _post(self, route: Route, path: str) -> None:
        if path == "/tickets":
            route.fulfill(status=200, content_type="application/json", body=json.dumps({"ticket": "fst_x"}))
            return
        _, _, id, action = path.split("/")
        body = json.loads(route.request.post_data or "{}")
        self.posts.append((path, body, route.request.headers))
        cluster = self.clusters.get(int(id))
        if cluster is None:
            self._problem(route, 404, "unknown-cluster", "There is no such cluster.")
            return
        if action == "promote" and body["label"] in self.labels:
            self._problem(
                route, 409, "cannot-decide", f"{body['label']!r} is a known class already: link it instead."
            )
            return
        made = self._decide(cluster, action, body)
        route.fulfill(status=200, content_type="application/json", body=json.dumps(made))

    def _decide(self, cluster: dict[str, Any], action: str, body: dict[str, Any]) -> dict[str, Any]:
        before = dict(cluster)
        match action:
            case "name":
                cluster["name"] = body["label"] or None
            case "promote" | "link":
                cluster["label"] = body["label"]
            case "dismiss":
                cluster["dismissed"] = True
            case "undo":
                undone = next(d for d in self.decisions if d["decision"] == body["decision"])
                undone["undone_by"] = self.seq
                cluster.update(undone["before"])
        made = {
            "decision": self.seq,
            "action": action,
            "cluster": cluster["id"],
            "created": [90, 91] if action == "split" else [],
            "time": "2026-05-28T12:00:00Z",
            "who": "open",
            "why": body.get("why", ""),
            "label": body.get("label"),
            "into": body.get("into"),
            "undoes": body.get("decision"),
            "undone_by": None,
            "before": before,
        }
        self.decisions.append(made)
        return made

    # The socket

    def _socket(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        hello = {"type": "hello", "seq": self.seq, "clusters": list(self.clusters.values())}
        socket.send(json.dumps(hello))

    def grow(self, n: int) -> None:
        """So many items more, and each cluster has one of them."""
        self.points += n
        for cluster in self.clusters.values():
            cluster["items"] += 1
            cluster["last_seq"] = self.seq - 1

    def emerge(self, cluster: dict[str, Any]) -> None:
        """A cluster is announced, and who watches is told."""
        self.clusters[cluster["id"]] = cluster
        self.tell("emerged", cluster)

    def tell(self, kind: str, cluster: dict[str, Any]) -> None:
        """Who watches hears that something happened to a cluster."""
        event = {
            "type": "event",
            "event": kind,
            "seq": self.seq,
            "t": T0,
            "cluster": cluster,
            "other_id": None,
        }
        for socket in self.sockets:
            socket.send(json.dumps(event))


def lively(n: int = 12, points: int = 3000) -> Fake:
    """A stream with clusters in every state."""
    states = ["emerging", "established", "established", "fading", "established", "variant"]
    clusters = {id: cluster_of(id, state=states[id % len(states)]) for id in range(1, n + 1)}
    for one in clusters.values():
        if one["state"] == "variant":
            one["variant_of"] = "9"
    return Fake(clusters=clusters, points=points)

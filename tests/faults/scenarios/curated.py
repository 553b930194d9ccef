"""A person decides about clusters while processes die: each decision is made once, and stays.

The person does as the documentation says: a decision has a key, and is sent again under it until it is answered.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from tests.faults.registry import scenario
from tests.faults.rig import Rig, Service
from tests.faults.senders import HttpSender, WebSocketSender
from tests.faults.servers import Front
from tests.service.waiting import until

Json = dict[str, Any]
Sender = HttpSender | WebSocketSender

_RETRY_S = 0.05
_AGAIN = frozenset({httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT})

DECISIONS: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("name", {"label": "threes", "why": "they look like it"}),
    ("promote", {"label": "three"}),
    ("undo", {}),
    ("dismiss", {"until_rate": 1000}),
    ("link", {"label": "8"}),
    ("undo", {}),
    ("promote", {"label": "three"}),
)
"""About one cluster, in this order; an undo takes back the latest that stands."""


class Person:
    """Decides about one cluster. Every answer to one decision is the same, and no other is in the trail at the end."""

    def __init__(self, rig: Rig, front: Front, cluster: int) -> None:
        self.answers: list[Json] = []
        self._rig = rig
        self._front = front
        self._cluster = cluster

    def decide(self, n: int) -> None:
        """Make decision n: send it until it is answered, and once more."""
        action, body = DECISIONS[n]
        first = self._ask(f"k{n}", action, body)
        if (again := self._ask(f"k{n}", action, body)) != first:
            self._rig.book.note_wrong(f"{action} was answered with {first}, and again with {again}")
        self.answers.append(first)
        self._rig.note("decided")

    def _ask(self, key: str, action: str, body: Mapping[str, Any]) -> Json:
        def answered() -> Json | None:
            try:
                answer = httpx.post(
                    f"{self._front.url}/clusters/{self._cluster}/{action}",
                    json=dict(body),
                    headers={"idempotency-key": f'"{key}"'},
                    timeout=60,
                    trust_env=False,
                )
            except httpx.TransportError:
                time.sleep(_RETRY_S)
                return None
            if answer.status_code in _AGAIN:
                if "retry-after" not in answer.headers:
                    self._rig.book.note_wrong(f"{answer.status_code} without Retry-After: {answer.text}")
                time.sleep(_RETRY_S)
                return None
            assert answer.status_code == httpx.codes.OK, f"{action}: {answer.status_code} {answer.text}"
            found: Json = answer.json()
            return found

        return until(answered, f"{action} is answered", within_s=60)

    def check(self, service: Service) -> None:
        """The trail has each decision once, in order; what was undone is marked so, and nothing else changed."""
        told = service.get("/decisions")["decisions"][::-1]
        undone = {one["undoes"]: one["decision"] for one in told if one["action"] == "undo"}
        made = [{**one, "undone_by": undone.get(one["decision"])} for one in self.answers]
        if told != made:
            self._rig.book.note_wrong(f"the trail has {told}, answered was {made}")


@scenario("asked", "done", "told")
def killed_as_it_is_decided(rig: Rig, moment: str) -> Service:
    """SIGKILL of the service around a decision's commit: before it, after it, and after its reply."""
    rng = rig.rng
    proxy = rig.proxy(rig.redis())
    front = rig.front()
    settings = {"snapshot_every_items": rng.choice([60, 20_000])}
    service = rig.serve(at=proxy, **settings)
    front.point_to(service.ready().url)
    person = Person(rig, front, _cluster(rig, service, front))
    fatal = set(rng.sample(range(len(DECISIONS)), 3))
    for n in range(len(DECISIONS)):
        if n not in fatal:
            person.decide(n)
            continue
        died = proxy.at_step("commit", moment, service.process.kill)  # type: ignore[arg-type]
        deciding = _beside(lambda n=n: person.decide(n))  # type: ignore[misc]
        until(died.is_set, "it is killed at the decision")
        service.wait()
        rig.note("service killed")
        service = rig.serve(at=proxy, **settings)
        front.point_to(service.ready().url)
        deciding()
    rig.client(front, rig.items(60)).finish()
    person.check(service)
    return service


@scenario("embedded", "redis")
def killed_while_people_decide(rig: Rig, where: str) -> Service:
    """SIGKILL of the service at random instants, while items come and a person decides."""
    rng = rig.rng
    at = rig.redis() if where == "redis" else None
    front = rig.front()
    settings = {"snapshot_every_items": rng.choice([60, 20_000])}
    service = rig.serve(at=at, **settings)
    front.point_to(service.ready().url)
    person = Person(rig, front, _cluster(rig, service, front))
    sender = rig.client(front, rig.items(300), chunk=7, pause_s=0.01)
    deciding = _beside(lambda: [person.decide(n) for n in range(len(DECISIONS))])
    for _ in range(rng.randint(1, 3)):
        made = len(person.answers)
        until(lambda made=made: len(person.answers) > made or deciding.is_over(), "a decision")  # type: ignore[misc]
        time.sleep(rng.random() * 0.03)
        rig.kill(service)
        service = rig.serve(at=at, **settings)
        front.point_to(service.ready().url)
    deciding()
    sender.finish()
    person.check(service)
    return service


def _cluster(rig: Rig, service: Service, front: Front) -> int:
    """The largest cluster of the stream, as soon as there is one."""
    for _ in range(20):
        rig.http(front, rig.items(120), chunk=60).finish()
        found = service.get("/clusters?state=established")["clusters"]
        if found:
            return int(max(found, key=lambda one: one["items"])["id"])
    raise AssertionError("no cluster was established")


class _beside:  # noqa: N801 - used as a verb
    """Do something in a thread; called, it waits for the end, and raises what that did."""

    def __init__(self, what: Callable[[], object]) -> None:
        self._what = what
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def __call__(self) -> None:
        self._thread.join(90)
        assert self.is_over(), "it is not decided"
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._what()
        except BaseException as error:  # noqa: BLE001 - raised in the caller
            self._error = error
